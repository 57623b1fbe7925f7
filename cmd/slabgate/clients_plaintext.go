package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/slabgate/slabgate/internal/status"
)

// plaintextFormats are the ways to print who came without TLS.
var plaintextFormats = map[string]func(w io.Writer, p *status.SincePlaintext) error{
	"text": printPlaintext,
	"json": func(w io.Writer, p *status.SincePlaintext) error { return printJSON(w, p) },
	"csv":  func(w io.Writer, p *status.SincePlaintext) error { return printCSV(w, plaintextColumns, p.Clients) },
}

func printPlaintext(out io.Writer, p *status.SincePlaintext) error {
	now := time.Now()
	fmt.Fprintf(out, "PLAINTEXT  %s since %s\n", plural(len(p.Clients), "client"), p.Since.UTC().Format("2006-01-02 15:04Z"))
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ADDRESS\tIDENTITY\tDIALECT\tCONNS\tOPS\tDENY\tFIRST\tLAST")
	for i := range p.Clients {
		c := &p.Clients[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", visible(c.Address), visible(cmp.Or(c.Identity, "(nobody)")), cmp.Or(c.Dialect, "unknown"), c.Connections,
			status.Count(float64(c.Requests)), status.Count(float64(c.Denied)), status.Span(now.Sub(c.FirstSeen))+" ago", status.Span(now.Sub(c.LastSeen))+" ago")
	}
	if err := w.Flush(); err != nil || p.Forgotten == 0 {
		return err
	}
	_, err := fmt.Fprintf(out, "and %d more, forgotten for want of room\n", p.Forgotten)
	return err
}

// plaintextColumns are the columns of CSV, named as in JSON.
var plaintextColumns = []column[status.Plain]{
	{"address", func(c *status.Plain) string { return c.Address }},
	{"identity", func(c *status.Plain) string { return c.Identity }},
	{"dialect", func(c *status.Plain) string { return c.Dialect }},
	{"connections", func(c *status.Plain) string { return strconv.Itoa(c.Connections) }},
	{"requests", func(c *status.Plain) string { return strconv.FormatInt(c.Requests, 10) }},
	{"denied", func(c *status.Plain) string { return strconv.FormatInt(c.Denied, 10) }},
	{"first_seen", func(c *status.Plain) string { return c.FirstSeen.UTC().Format(time.RFC3339) }},
	{"last_seen", func(c *status.Plain) string { return c.LastSeen.UTC().Format(time.RFC3339) }},
}
