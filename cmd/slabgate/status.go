package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

// statusCommand is `slabgate status`.
type statusCommand struct {
	adminFlags
	out output
}

func newStatus(io stdio) *cobra.Command {
	var c statusCommand
	cmd := &cobra.Command{
		Use:   "status",
		Short: "One screen: upstream, certificates, plaintext clients, denials, last reload.",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), io) },
	}
	c.bind(cmd)
	cmd.Flags().StringVarP((*string)(&c.out), "output", "o", "text", "text or json")
	return cmd
}

// statusRows is how much of each list the screen has.
const statusRows = 8

func (c *statusCommand) run(ctx context.Context, io stdio) error {
	if err := c.out.check(); err != nil {
		return err
	}
	client, err := c.client(io)
	if err != nil {
		return err
	}
	d, err := client.Status(ctx)
	if err != nil {
		return c.failed(err)
	}
	if c.out == "json" {
		return printJSON(io.out, d)
	}
	s := screen{doc: d, order: "conns", rows: statusRows}
	for _, line := range s.lines() {
		fmt.Fprintln(io.out, line)
	}
	return nil
}
