package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/internal/admin"
)

// holdCommand is one of the commands that do something to clients: each has one
// request of the admin socket.
type holdCommand struct {
	adminFlags
	during time.Duration
}

// newHolds returns kill, freeze, unfreeze, quarantine and release.
func newHolds(io stdio) []*cobra.Command {
	return []*cobra.Command{newKill(io), newFreeze(io, true), newFreeze(io, false), newQuarantine(io), newRelease(io)}
}

func newKill(io stdio) *cobra.Command {
	var c holdCommand
	cmd := &cobra.Command{
		Use:     "kill ID",
		Short:   "Close the connection of one client at once.",
		Example: "  slabgate kill c7",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.run(cmd.Context(), io, func(ctx context.Context, a *admin.Client) (admin.Done, error) { return a.Kill(ctx, args[0]) })
		},
	}
	c.bind(cmd)
	return cmd
}

func newFreeze(io stdio, on bool) *cobra.Command {
	var c holdCommand
	cmd := &cobra.Command{
		Use:   "freeze writes [NAME] | freeze identity NAME",
		Short: "Refuse writes, of all or of one identity, or everything of one identity.",
		Long: `Refuse writes, of all or of one identity, or everything of one identity, until
slabgate unfreeze lifts it or slabgate stops. Clients stay connected and are told
CLIENT_ERROR frozen; reads go on while writes are frozen.`,
		Example: "  slabgate freeze writes\n  slabgate freeze identity shop",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			identity, writes, err := frozenBy(args)
			if err != nil {
				return err
			}
			return c.run(cmd.Context(), io, func(ctx context.Context, a *admin.Client) (admin.Done, error) {
				return a.Freeze(ctx, identity, writes, on)
			})
		},
	}
	if !on {
		cmd.Use, cmd.Short, cmd.Long = "unfreeze writes [NAME] | unfreeze identity NAME", "Lift what slabgate freeze did.", ""
		cmd.Example = "  slabgate unfreeze writes\n  slabgate unfreeze identity shop"
	}
	c.bind(cmd)
	return cmd
}

// frozenBy reads what is to be frozen, or no longer.
func frozenBy(args []string) (identity string, writes bool, err error) {
	switch {
	case args[0] == "writes" && len(args) == 2:
		return args[1], true, nil
	case args[0] == "writes":
		return "", true, nil
	case args[0] == "identity" && len(args) == 2:
		return args[1], false, nil
	}
	return "", false, fail(exitUsage, "say what: writes, writes NAME, or identity NAME")
}

func newQuarantine(io stdio) *cobra.Command {
	var c holdCommand
	cmd := &cobra.Command{
		Use:     "quarantine ADDRESS[/BITS]",
		Short:   "Turn the clients of an address or a network away for a while.",
		Example: "  slabgate quarantine 10.0.0.9 --for 1h\n  slabgate quarantine 10.0.0.0/24",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.run(cmd.Context(), io, func(ctx context.Context, a *admin.Client) (admin.Done, error) {
				return a.Quarantine(ctx, args[0], c.during)
			})
		},
	}
	c.bind(cmd)
	cmd.Flags().DurationVar(&c.during, "for", time.Hour, "how long, at most 720h")
	return cmd
}

func newRelease(io stdio) *cobra.Command {
	var c holdCommand
	cmd := &cobra.Command{
		Use:     "release ADDRESS[/BITS]",
		Short:   "Lift what slabgate quarantine did.",
		Example: "  slabgate release 10.0.0.9",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.run(cmd.Context(), io, func(ctx context.Context, a *admin.Client) (admin.Done, error) { return a.Release(ctx, args[0]) })
		},
	}
	c.bind(cmd)
	return cmd
}

// run asks the slabgate that runs, and says what it has done.
func (c *holdCommand) run(ctx context.Context, io stdio, ask func(context.Context, *admin.Client) (admin.Done, error)) error {
	client, err := c.client(io)
	if err != nil {
		return err
	}
	d, err := ask(ctx, client)
	if err != nil {
		return c.failed(err)
	}
	text := d.Done
	if d.Closed > 0 {
		text += ", " + plural(d.Closed, "connection") + " closed"
	}
	_, err = fmt.Fprintln(io.out, visible(text))
	return err
}
