// Slabgate is an authenticating TLS proxy in front of one memcached: it ends the
// client's TLS, finds out who it is, lets it do what its policy allows, and
// hands memcached requests that it composed itself.
//
// This package is the words for a person: arguments, wiring, signals and every
// subcommand. What it does, the other rooms do.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// Exit codes. Those from 64 on are sysexits(3), which systemd shows by name.
const (
	exitOK          = 0
	exitFindings    = 1  // a check found something
	exitUsage       = 64 // the command line is wrong
	exitNoFile      = 66 // a file is missing
	exitUnavailable = 69 // memcached can't be reached, and was required; or slabgate can't, and was asked
	exitBug         = 70
	exitPermission  = 77 // a port or a file may not be used; or root, unasked
	exitConfig      = 78 // a file is wrong
)

func main() {
	code := run(context.Background(), os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr})
	os.Exit(code)
}

// stdio is what a command reads and writes: data on out, talk on err.
type stdio struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// exitError is an error that has been told to the person and only carries the
// exit code, or one that still has to be told.
type exitError struct {
	code int
	err  error // nil if it has been told
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

// exit ends a command with a code and nothing more to say.
func exit(code int) error { return &exitError{code: code} }

// fail ends a command with a code and a reason.
func fail(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

// run is main without the process. Anything it starts has ended when it returns.
func run(ctx context.Context, args []string, io stdio) int {
	root := newRoot(io)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var e *exitError
	switch {
	case err == nil:
		return exitOK
	case !errors.As(err, &e):
		// What cobra itself refuses is a mistake on the command line.
		fmt.Fprintf(io.err, "error: %v\nhint:  slabgate help\n", err)
		return exitUsage
	case e.err != nil:
		fmt.Fprintf(io.err, "error: %v\n", e.err)
	}
	return e.code
}

// newRoot returns the whole command line.
func newRoot(io stdio) *cobra.Command {
	root := &cobra.Command{
		Use:           "slabgate",
		Short:         "TLS, login and per-key permissions in front of memcached",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       versionLine(),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(
		newRun(io), newCheck(io), newDenials(io), newDoctor(io), newExplain(io), newFlush(io), newPolicy(io),
		newReload(io), newDrain(io), newStop(io), newWait(io), newHealthcheck(io),
		newUser(io), newCert(io), newHash(io), newVersion(io),
		newStatus(io), newTop(io), newClients(io), newProbe(io),
	)
	root.AddCommand(newHolds(io)...)
	root.SetHelpCommand(newHelp(io, root))
	root.InitDefaultCompletionCmd()
	if c, _, err := root.Find([]string{"completion"}); err == nil {
		// Of a command that does nothing itself cobra checks no arguments.
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	return root
}
