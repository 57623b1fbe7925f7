package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/internal/doctor"
	"github.com/slabgate/slabgate/internal/probe"
)

// exitUnseen is probe's: nothing was found, and something was not looked at, or
// nothing answered where slabgate has to.
const exitUnseen = 2

// probeCommand is `slabgate probe`.
type probeCommand struct {
	probe.Config
	out    output
	ports  string
	depth  string
	failOn string
}

func newProbe(io stdio) *cobra.Command {
	c := probeCommand{Config: probe.Default()}
	cmd := &cobra.Command{
		Use:   "probe TARGET...",
		Short: "Look at a memcached or slabgate from here, as a stranger would.",
		Long: `Look at a memcached or slabgate from here, as a stranger would: what answers
without TLS, inside TLS and over UDP, whether a login is asked for, and whether any
way to list keys gives away one. probe never logs in, writes or empties anything. It
shows how many keys came back and what they look like, and no key and no value.

A TARGET is HOST, HOST:PORT, [IPv6]:PORT, unix:/path or a network of 16 addresses at
most. Look at what you answer for, and at nothing else: the address that is asked
from is shown, to be found in the target's logs.

Exit codes: 0 nothing came back, or what the place it was made from may see; 1
findings at --fail-on or above; 2 no findings, and something was not looked at.`,
		Example: `  slabgate probe --from untrusted --udp cache-1.example
  slabgate probe --from semi -o json 10.0.0.7:11211 10.0.0.7:11212 > semi.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), io, args) },
	}
	f := cmd.Flags()
	f.StringVarP((*string)(&c.out), "output", "o", "text", "text, json, junit or sarif")
	f.StringVar(&c.From, "from", "", "where this is: trusted, semi or untrusted; judged as untrusted if it is not said")
	f.StringVar(&c.ports, "ports", "", "ports of a TARGET without one (default those of memcached, slabgate and other proxies)")
	f.BoolVar(&c.UDP, "udp", false, "send two datagrams to each port too")
	f.StringVar(&c.depth, "depth", "enumerate", "banner: who is there; enumerate: also every way to list keys")
	f.BoolVar(&c.Active, "active", false, "also ask whether flush_all is refused, with a number that no memcached can read")
	f.BoolVar(&c.Authorised, "i-am-authorised", false, "allow networks of more than 16 addresses, and names with several")
	f.IntVar(&c.Rate, "rate", c.Rate, "connections, handshakes and requests a second, at most 1000")
	f.DurationVar(&c.Timeout, "timeout", c.Timeout, "for a connection, a handshake or a reply")
	f.DurationVar(&c.Time, "time", c.Time, "for everything")
	f.StringVar(&c.failOn, "fail-on", "high", "exit 1 on findings from this severity on: critical, high, medium, low or info")
	return cmd
}

func (c *probeCommand) run(ctx context.Context, io stdio, args []string) error {
	least, err := c.check(args)
	if err != nil {
		return err
	}
	r, err := probe.Run(ctx, c.Config)
	if err != nil {
		return fail(exitUsage, "%w", err)
	}
	r.Tool = "slabgate " + thisBuild().Version
	if err := c.print(io, r); err != nil {
		return err
	}
	switch {
	case r.Doctor().Worst(least):
		return exit(exitFindings)
	case r.Blind():
		fmt.Fprintln(io.err, "something was not looked at: see PRB-01")
		return exit(exitUnseen)
	}
	return nil
}

// check reads what the flags and arguments say, and refuses what they can't.
func (c *probeCommand) check(args []string) (least doctor.Severity, err error) {
	if err := c.out.check("junit", "sarif"); err != nil {
		return "", err
	}
	least, known := doctor.ParseSeverity(c.failOn)
	if !known {
		return "", fail(exitUsage, "--fail-on %q is not known; want critical, high, medium, low or info", c.failOn)
	}
	if !slices.Contains([]string{"banner", "enumerate"}, c.depth) {
		return "", fail(exitUsage, "--depth %q is not known; want banner or enumerate", c.depth)
	}
	c.Shallow = c.depth == "banner"
	if err := c.Validate(); err != nil {
		return "", fail(exitUsage, "%w", err)
	}
	ports := probe.DefaultPorts()
	if c.ports != "" {
		if ports, err = probe.ParsePorts(c.ports); err != nil {
			return "", fail(exitUsage, "--ports: %w", err)
		}
	}
	for _, arg := range args {
		t, err := probe.ParseTarget(arg, ports, c.Authorised)
		if err != nil {
			return "", fail(exitUsage, "%w", err)
		}
		c.Targets = append(c.Targets, t)
	}
	return least, nil
}

// print writes the report in the form that was asked for. Where it was asked from
// is always told.
func (c *probeCommand) print(io stdio, r *probe.Report) error {
	if c.out != "text" && len(r.Source) > 0 {
		fmt.Fprintf(io.err, "asked from %s\n", strings.Join(r.Source, ", "))
	}
	switch c.out {
	case "json":
		return printJSON(io.out, r)
	case "sarif":
		return printJSON(io.out, r.Doctor().SARIF())
	case "junit":
		data, err := r.Doctor().JUnit()
		if err == nil {
			_, err = io.out.Write(data)
		}
		return err
	}
	printProbe(io.out, r)
	return nil
}
