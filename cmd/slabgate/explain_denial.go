package main

import (
	"context"
	"fmt"
	"time"
)

// runDenial explains a denial of the slabgate that runs.
func (c *explainCommand) runDenial(ctx context.Context, io stdio, id string) error {
	if err := c.out.check(); err != nil {
		return err
	}
	client, err := c.client(io)
	if err != nil {
		return err
	}
	var x explained
	if err := client.Explain(ctx, id, &x); err != nil {
		return c.failed(err)
	}
	if c.out == "json" {
		return printJSON(io.out, x)
	}
	x.print(io, time.Now())
	return nil
}

// print writes what was denied, then what the policy says of it now.
func (x *explained) print(io stdio, now time.Time) {
	e, s := &x.Denial, &x.Denial.Sample
	transport := "without TLS"
	if s.TLS {
		transport = "inside TLS"
	}
	fmt.Fprintf(io.out, "%s  x%d since %s, %s\n", e.ID, e.Count, e.First.UTC().Format(time.RFC3339), ago(e.Last, now))
	fmt.Fprintf(io.out, "  client  %s on %s, %s, by %s\n", visible(s.Peer), visible(s.Listener), transport, visible(s.Source))
	if e.Kind != x.Verdict {
		fmt.Fprintf(io.out, "  then    %s: %s\n", e.Kind, whyDenied(e))
	}
	x.Command = visible(x.Command)
	x.explanation.print(io)
}
