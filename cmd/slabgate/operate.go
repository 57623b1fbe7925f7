package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/finding"
)

// reloadCommand is `slabgate reload`.
type reloadCommand struct {
	adminFlags
	out output
}

func newReload(io stdio) *cobra.Command {
	var c reloadCommand
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the slabgate that runs read its files again, and wait for the outcome.",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), io) },
	}
	c.bind(cmd)
	cmd.Flags().StringVarP((*string)(&c.out), "output", "o", "text", "text or json")
	return cmd
}

func (c *reloadCommand) run(ctx context.Context, io stdio) error {
	if err := c.out.check(); err != nil {
		return err
	}
	client, err := c.client(io)
	if err != nil {
		return err
	}
	r, err := client.Reload(ctx)
	if err != nil {
		return c.failed(err)
	}
	if c.out == "json" {
		err = printJSON(io.out, r)
	} else {
		printReloaded(io, r)
	}
	if err == nil && !r.Taken {
		err = exit(exitFindings)
	}
	return err
}

// printReloaded tells a person what a reload has done, or why it has done nothing.
func printReloaded(io stdio, r admin.Reloaded) {
	printFindings(io.err, heard(r.Findings), r.Secret)
	if !r.Taken {
		fmt.Fprintf(io.err, "reload: refused; %.12s remains in force\n", r.After)
		return
	}
	fmt.Fprintf(io.out, "reload: ok; before %.12s, now %.12s\n", r.Before, r.After)
	for _, line := range r.Changed {
		fmt.Fprintf(io.out, "  %s\n", visible(line))
	}
	for _, key := range r.NeedsRestart {
		fmt.Fprintf(io.out, "  needs a restart: %s\n", visible(key))
	}
}

// heard are findings as they were before the admin socket told them.
func heard(list []admin.Finding) (found finding.List) {
	for _, f := range list {
		severity := finding.Error
		if f.Severity == finding.Warning.String() {
			severity = finding.Warning
		}
		found = append(found, finding.Finding{
			Severity: severity, Code: visible(f.Code), File: visible(f.File), Line: f.Line, Col: f.Col,
			Key: f.Key, Problem: visible(f.Problem), Effect: visible(f.Effect), Fix: visible(f.Fix),
		})
	}
	return found
}

// newDrain is `slabgate drain`.
func newDrain(io stdio) *cobra.Command {
	var c adminFlags
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Have the slabgate that runs send idle clients away and say that it is not ready, but stay up.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.client(io)
			if err != nil {
				return err
			}
			h, err := client.Drain(cmd.Context())
			if err == nil {
				fmt.Fprintf(io.out, "drain: begun, with %s connected\n", clients(h))
			}
			return c.failed(err)
		},
	}
	c.bind(cmd)
	return cmd
}

func clients(h admin.Health) string { return plural(int(h.Clients), "client") }

// stopCommand is `slabgate stop`.
type stopCommand struct {
	adminFlags
	timeout time.Duration
}

func newStop(io stdio) *cobra.Command {
	var c stopCommand
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Have the slabgate that runs let clients finish and end, and wait for that.",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), io) },
	}
	c.bind(cmd)
	cmd.Flags().DurationVar(&c.timeout, "timeout", time.Minute, "how long to wait for the end")
	return cmd
}

func (c *stopCommand) run(ctx context.Context, io stdio) error {
	client, err := c.client(io)
	if err != nil {
		return err
	}
	h, err := client.Stop(ctx)
	if err != nil {
		return c.failed(err)
	}
	fmt.Fprintf(io.err, "stop: begun, with %s connected\n", clients(h))
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	gone := func() bool {
		h, err := client.Health(ctx)
		return err != nil && ctx.Err() == nil || err == nil && !h.Stopping // another has its place
	}
	if !poll(ctx, gone) {
		return fail(exitUnavailable, "slabgate has not ended within %v\nfix:   wait, or end its process", c.timeout)
	}
	fmt.Fprintln(io.out, "stop: slabgate has ended")
	return nil
}

// pollEvery is how often a command that waits looks again.
const pollEvery = 100 * time.Millisecond

// poll waits until cond holds, and reports whether it did before the end of ctx.
func poll(ctx context.Context, cond func() bool) bool {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// printHealth is health in one line.
func printHealth(w io.Writer, h admin.Health) {
	fmt.Fprintf(w, "live %v, started %v, ready %v, draining %v, stopping %v, %s\n",
		h.Live, h.Started, h.Ready, h.Draining, h.Stopping, clients(h))
}
