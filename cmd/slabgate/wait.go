package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/internal/admin"
)

// waitCommand is `slabgate wait`.
type waitCommand struct {
	adminFlags
	state   string
	timeout time.Duration
}

// states are what can be waited for.
var states = map[string]func(admin.Health) bool{
	"ready":   func(h admin.Health) bool { return h.Ready },
	"started": func(h admin.Health) bool { return h.Started },
}

func newWait(io stdio) *cobra.Command {
	var c waitCommand
	cmd := &cobra.Command{
		Use:     "wait",
		Short:   "Wait until the slabgate of this host is ready.",
		Example: "  slabgate wait --for ready --timeout 30s && start-the-app",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), io) },
	}
	c.bind(cmd)
	cmd.Flags().StringVar(&c.state, "for", "ready", "ready or started")
	cmd.Flags().DurationVar(&c.timeout, "timeout", 30*time.Second, "how long to wait")
	return cmd
}

func (c *waitCommand) run(ctx context.Context, io stdio) error {
	reached, known := states[c.state]
	if !known {
		return fail(exitUsage, "--for %q is not known; want ready or started", c.state)
	}
	client, err := c.client(io)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	last := errors.New("it was not asked")
	ok := poll(ctx, func() bool {
		h, err := client.Health(ctx)
		if ctx.Err() == nil {
			last = err
		}
		return err == nil && reached(h)
	})
	switch {
	case ok:
		fmt.Fprintln(io.out, c.state)
		return nil
	case last != nil:
		return c.failed(last)
	}
	return fail(exitUnavailable, "slabgate is not %s within %v\nfix:   slabgate healthcheck says how it is", c.state, c.timeout)
}

// healthCommand is `slabgate healthcheck`.
type healthCommand struct {
	adminFlags
	ready bool
}

func newHealthcheck(io stdio) *cobra.Command {
	var c healthCommand
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Exit 0 if the slabgate of this host is live.",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), io) },
	}
	c.bind(cmd)
	cmd.Flags().BoolVar(&c.ready, "ready", false, "want it to be ready as well")
	return cmd
}

func (c *healthCommand) run(ctx context.Context, io stdio) error {
	client, err := c.client(io)
	if err != nil {
		return err
	}
	h, err := client.Health(ctx)
	if err != nil {
		return c.failed(err)
	}
	printHealth(io.out, h)
	if !h.Live || c.ready && !h.Ready {
		return exit(exitFindings)
	}
	return nil
}
