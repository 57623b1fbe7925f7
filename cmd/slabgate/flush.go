package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

// flushCommand is `slabgate flush`.
type flushCommand struct {
	adminFlags
	out       output
	namespace string
}

func newFlush(io stdio) *cobra.Command {
	var c flushCommand
	cmd := &cobra.Command{
		Use:     "flush --namespace NAME",
		Short:   "Make every key of a namespace unreachable at once, in the slabgate that runs.",
		Example: "  slabgate flush --namespace t/shop",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), io) },
	}
	c.bind(cmd)
	cmd.Flags().StringVarP((*string)(&c.out), "output", "o", "text", "text or json")
	cmd.Flags().StringVar(&c.namespace, "namespace", "", "namespace, as the policy names it")
	if err := cmd.MarkFlagRequired("namespace"); err != nil {
		panic("BUG: " + err.Error())
	}
	return cmd
}

func (c *flushCommand) run(ctx context.Context, io stdio) error {
	if err := c.out.check(); err != nil {
		return err
	}
	client, err := c.client(io)
	if err != nil {
		return err
	}
	f, err := client.Flush(ctx, c.namespace)
	if err != nil {
		return c.failed(err)
	}
	if c.out == "json" {
		return printJSON(io.out, f)
	}
	fmt.Fprintf(io.out, "%s  generation %d -> %d\n", f.Namespace, f.From, f.To)
	return nil
}
