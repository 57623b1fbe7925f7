// Bench measures slabgate side by side with memcached and with the proxies that
// end TLS in front of it, under the same load, in turns. Machines are noisy: only
// ratios within one round mean anything.
//
// It starts every daemon itself, on loopback, with a configuration in a temporary
// folder, and ends them all. It checks every reply. It sends nothing anywhere else,
// and it needs Linux.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is main without the process. A target that is missed is no error; a wrong
// reply is.
func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseOptions(args, out)
	if err != nil {
		return err
	}
	g, err := newRig(o.slabgate)
	if err != nil {
		return err
	}
	defer g.close()
	if err := g.start(o, out); err != nil {
		return err
	}
	b := &bench{options: o, rig: g, out: out}
	b.describe()
	runErr := b.runCells(ctx)
	goals := b.judge()
	printGoals(out, goals)
	if o.json != "" {
		return errors.Join(runErr, b.writeJSON(o.json, goals))
	}
	return runErr
}
