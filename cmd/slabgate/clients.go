package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/proxy"
)

// clientsCommand is `slabgate clients`.
type clientsCommand struct {
	adminFlags
	out       string
	plaintext bool
	denied    bool
}

func newClients(io stdio) *cobra.Command {
	var c clientsCommand
	cmd := &cobra.Command{
		Use:     "clients",
		Short:   "List clients: identity, address, transport, dialect, age, requests, denials.",
		Example: "  slabgate clients --plaintext -o csv",
		Long: `List clients: identity, address, transport, dialect, age, requests, denials.

With --plaintext the list is of who has come over TCP without TLS since the start,
connected or not: an address that comes as one identity is one client.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), io) },
	}
	c.bind(cmd)
	cmd.Flags().StringVarP(&c.out, "output", "o", "text", "text, json or csv")
	cmd.Flags().BoolVar(&c.plaintext, "plaintext", false, "who has come over TCP without TLS since the start, connected or not")
	cmd.Flags().BoolVar(&c.denied, "denied", false, "only those that were denied something, or would have been")
	return cmd
}

// clientFormats are the ways to print clients.
var clientFormats = map[string]func(w io.Writer, list []proxy.ClientInfo) error{
	"text": printClients,
	"json": func(w io.Writer, list []proxy.ClientInfo) error { return printJSON(w, list) },
	"csv":  func(w io.Writer, list []proxy.ClientInfo) error { return printCSV(w, clientColumns, list) },
}

func (c *clientsCommand) run(ctx context.Context, io stdio) error {
	show := clientFormats[c.out]
	if show == nil {
		return fail(exitUsage, "-o %q is not known; want text, json or csv", c.out)
	}
	client, err := c.client(io)
	if err != nil {
		return err
	}
	if c.plaintext {
		return c.listPlaintext(ctx, client, io)
	}
	list, err := client.Clients(ctx)
	if err != nil {
		return c.failed(err)
	}
	if c.denied {
		list = slices.DeleteFunc(list, func(n proxy.ClientInfo) bool { return n.Denied+n.WouldDeny == 0 })
	}
	return show(io.out, list)
}

// listPlaintext lists who came without TLS.
func (c *clientsCommand) listPlaintext(ctx context.Context, client *admin.Client, io stdio) error {
	p, err := client.Plaintext(ctx)
	if err != nil {
		return c.failed(err)
	}
	if c.denied {
		p.Clients = slices.DeleteFunc(p.Clients, func(n status.Plain) bool { return n.Denied == 0 })
	}
	if p.Forgotten > 0 && c.out == "csv" {
		fmt.Fprintf(io.err, "%d more are forgotten for want of room\n", p.Forgotten)
	}
	return plaintextFormats[c.out](io.out, &p)
}

func printClients(out io.Writer, list []proxy.ClientInfo) error {
	now := time.Now()
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tIDENTITY\tPEER\tTRANSPORT\tDIALECT\tAGE\tOPS\tDENY")
	for i := range list {
		c := &list[i]
		transport := c.Transport
		if c.TLSVersion != "" {
			transport += " " + c.TLSVersion
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.ID, visible(cmp.Or(c.Identity, "-")), visible(c.Peer), transport, cmp.Or(c.Dialect, "-"),
			status.Span(now.Sub(c.Since)), status.Count(float64(c.Requests)), status.Count(float64(c.Denied+c.WouldDeny)))
	}
	return w.Flush()
}

// column is one of CSV.
type column[T any] struct {
	name string
	of   func(*T) string
}

// clientColumns are the columns of CSV, named as in JSON.
var clientColumns = []column[proxy.ClientInfo]{
	{"id", func(c *proxy.ClientInfo) string { return c.ID }},
	{"identity", func(c *proxy.ClientInfo) string { return c.Identity }},
	{"peer", func(c *proxy.ClientInfo) string { return c.Peer }},
	{"listener", func(c *proxy.ClientInfo) string { return c.Listener }},
	{"transport", func(c *proxy.ClientInfo) string { return c.Transport }},
	{"tls_version", func(c *proxy.ClientInfo) string { return c.TLSVersion }},
	{"dialect", func(c *proxy.ClientInfo) string { return c.Dialect }},
	{"source", func(c *proxy.ClientInfo) string { return c.Source }},
	{"mechanism", func(c *proxy.ClientInfo) string { return c.Mechanism }},
	{"since", func(c *proxy.ClientInfo) string { return c.Since.UTC().Format(time.RFC3339) }},
	{"requests", func(c *proxy.ClientInfo) string { return strconv.FormatInt(c.Requests, 10) }},
	{"denied", func(c *proxy.ClientInfo) string { return strconv.FormatInt(c.Denied, 10) }},
	{"would_deny", func(c *proxy.ClientInfo) string { return strconv.FormatInt(c.WouldDeny, 10) }},
	{"limited", func(c *proxy.ClientInfo) string { return strconv.FormatInt(c.Limited, 10) }},
	{"bytes_in", func(c *proxy.ClientInfo) string { return strconv.FormatInt(c.BytesIn, 10) }},
	{"bytes_out", func(c *proxy.ClientInfo) string { return strconv.FormatInt(c.BytesOut, 10) }},
}

// printCSV writes a list for a spreadsheet: no cell is a formula there.
func printCSV[T any](out io.Writer, columns []column[T], list []T) error {
	w := csv.NewWriter(out)
	row := make([]string, len(columns))
	for i, col := range columns {
		row[i] = col.name
	}
	_ = w.Write(row) // Flush keeps its error
	for i := range list {
		for j, col := range columns {
			row[j] = harmless(col.of(&list[i]))
		}
		_ = w.Write(row)
	}
	w.Flush()
	return w.Error()
}

// harmless is a cell that a spreadsheet takes for text.
func harmless(cell string) string {
	if cell != "" && slices.Contains([]byte("=+-@\t\r"), cell[0]) {
		return "'" + cell
	}
	return cell
}
