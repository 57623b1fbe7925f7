package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/denials"
)

// denialsCommand is `slabgate denials`.
type denialsCommand struct {
	adminFlags
	out    output
	follow bool
	group  bool
}

func newDenials(io stdio) *cobra.Command {
	var c denialsCommand
	cmd := &cobra.Command{
		Use:   "denials",
		Short: "List what the slabgate that runs has denied, and what a policy in audit mode would have.",
		Long: `List what the slabgate that runs has denied, and what a policy in audit mode would
have. Equal denials are one line with a count: same identity, command, rule,
reason, and keys that look alike. slabgate explain ID tells more about one.`,
		Example: "  slabgate denials --follow\n  slabgate denials --group",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), io) },
	}
	c.bind(cmd)
	cmd.Flags().StringVarP((*string)(&c.out), "output", "o", "text", "text or json")
	cmd.Flags().BoolVar(&c.follow, "follow", false, "go on with those that come, until interrupted; in JSON, one a line")
	cmd.Flags().BoolVar(&c.group, "group", false, "one line for each identity and rule")
	cmd.MarkFlagsMutuallyExclusive("follow", "group")
	return cmd
}

func (c *denialsCommand) run(ctx context.Context, io stdio) error {
	if err := c.out.check(); err != nil {
		return err
	}
	client, err := c.client(io)
	if err != nil {
		return err
	}
	if c.follow {
		return c.failed(client.Follow(ctx, func(u admin.Update) error { return c.printUpdate(io, u) }))
	}
	d, err := client.Denials(ctx)
	if err != nil {
		return c.failed(err)
	}
	switch {
	case c.group && c.out == "json":
		return printJSON(io.out, groupDenials(d.Denials))
	case c.out == "json":
		return printJSON(io.out, d)
	case c.group:
		printGroups(io, groupDenials(d.Denials))
	default:
		printDenials(io, &d, time.Now())
	}
	return nil
}

// printDenials writes one line for each kind of denial, in columns.
func printDenials(io stdio, d *admin.Denials, now time.Time) {
	var total int64
	for i := range d.Denials {
		total += d.Denials[i].Count
	}
	fmt.Fprintf(io.out, "DENIED  %d of %d kinds\n", total, len(d.Denials))
	w := tabwriter.NewWriter(io.out, 0, 8, 2, ' ', 0)
	for i := range d.Denials {
		e := &d.Denials[i]
		fmt.Fprintf(w, "  %s\t%s\t%s\tx%d\t%s\t%s\n", e.ID, visible(e.Identity), shown(e), e.Count, whyDenied(e), ago(e.Last, now))
	}
	w.Flush()
	if d.Overwritten > 0 {
		fmt.Fprintf(io.out, "  %d older kinds are forgotten\n", d.Overwritten)
	}
	if len(d.Denials) > 0 {
		fmt.Fprintf(io.err, "more:  slabgate explain %s\n", d.Denials[0].ID)
	}
}

// printUpdate writes one line of those that come.
func (c *denialsCommand) printUpdate(io stdio, u admin.Update) error {
	if c.out == "json" {
		return json.NewEncoder(io.out).Encode(u)
	}
	var err error
	if u.Entry == nil {
		_, err = fmt.Fprintf(io.out, "%d kinds were forgotten before they could be shown\n", u.Lost)
	} else {
		_, err = fmt.Fprintf(io.out, "%s  %s  %s  %s  x%d  %s\n",
			u.Last.UTC().Format(time.RFC3339), u.ID, visible(u.Identity), shown(u.Entry), u.Count, whyDenied(u.Entry))
	}
	return err
}

// commandWidth bounds the command of a denial on the screen, in characters.
const commandWidth = 44

// shown is the command of a denial as it fits a screen.
func shown(e *denials.Entry) string { return onScreen(e.Sample.Line) }

// onScreen is a command as it fits a screen.
func onScreen(line string) string {
	clean := []rune(visible(line))
	if len(clean) > commandWidth {
		return string(clean[:commandWidth-1]) + "…"
	}
	return string(clean)
}

// whyDenied is the reason of a denial in a few words.
func whyDenied(e *denials.Entry) string {
	why := strings.ReplaceAll(e.Reason, "_", " ")
	if e.Rule != "" {
		why += ", " + e.Rule
	}
	if e.Kind == "would_deny" {
		why += " (audit: served)"
	}
	return why
}

// ago is how long something is past, in one unit.
func ago(then, now time.Time) string {
	d := max(0, now.Sub(then))
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}} {
		if d >= unit.size {
			return fmt.Sprintf("last %d %s ago", d/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("last %d s ago", d/time.Second)
}
