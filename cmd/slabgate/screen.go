package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slabgate/slabgate/internal/status"
)

// screenWidth is how many columns a screen has, whatever the terminal has: what is
// read aloud or pasted should always look alike.
const screenWidth = 80

// screen is a status as a person reads it.
type screen struct {
	doc    *status.Document
	before *status.Document // an earlier one, for rates of groups; nil shows totals
	order  string           // of the clients: a key of groupOrders
	rows   int              // of each list
	filter string           // what lines of lists must hold
}

// groupOrders are the ways to sort clients. What comes first is what an operator
// looks for.
var groupOrders = map[string]func(a, b *groupRow) int{
	"conns":     func(a, b *groupRow) int { return b.Connections - a.Connections },
	"plaintext": func(a, b *groupRow) int { return cmp.Or(plainFirst(a, b), b.Connections-a.Connections) },
	"denied":    func(a, b *groupRow) int { return cmp.Compare(b.denied, a.denied) },
	"ops":       func(a, b *groupRow) int { return cmp.Compare(b.ops, a.ops) },
	"p99":       func(a, b *groupRow) int { return cmp.Compare(b.P99, a.P99) },
	"bytes":     func(a, b *groupRow) int { return cmp.Compare(b.bytes, a.bytes) },
}

func plainFirst(a, b *groupRow) int {
	plain := func(g *groupRow) int {
		if g.Transport == "plaintext" {
			return 0
		}
		return 1
	}
	return plain(a) - plain(b)
}

// lines are the lines of the screen, none longer than screenWidth.
func (s *screen) lines() []string {
	var all []string
	for _, part := range []func() []string{s.head, s.held, s.plaintext, s.denied, s.clients, s.warned} {
		all = append(all, part()...)
	}
	for i, line := range all {
		all[i] = clipTo(visible(line), screenWidth)
	}
	return all
}

// head says what runs, and how everything does that is only one.
func (s *screen) head() []string {
	d := s.doc
	first := fmt.Sprintf("slabgate %s  %s  up %s  config %s %s", d.Build.Version, d.Host, status.Span(d.Time.Sub(d.Started)), clipTo(d.Config.Digest, 8), reloadWord(&d.Config))
	up := "upstream DOWN " + d.Upstream.Error
	switch {
	case d.Upstream.Checked.IsZero():
		up = "upstream not asked yet"
	case d.Upstream.Up:
		up = fmt.Sprintf("upstream ok %s  memcached %s", status.Milli(d.Upstream.RoundTrip), d.Upstream.Version)
	}
	t := &d.Traffic
	lines := []string{first}
	if words := leavingWords[d.Leaving]; words != "" {
		lines = append(lines, words)
	}
	return append(lines, up+certificateWords(d.Certificates), fmt.Sprintf("%s req/s  in %s/s  out %s/s  p99 %s", status.Count(t.Requests), status.Bytes(t.BytesIn), status.Bytes(t.BytesOut), status.Delay(t.P99)), "")
}

// leavingWords say that clients are on their way out, if they are.
var leavingWords = map[string]string{"draining": "DRAINING: clients are asked to leave", "stopping": "STOPPING: it ends when its clients have finished"}

// certificateWords is how many days the certificate of each listener has left, and the
// first CA of clients to expire.
func certificateWords(list []status.Certificate) (words string) {
	for i := range list {
		c := &list[i]
		if c.Usage != usageServer {
			return words + fmt.Sprintf("  ca %dd", c.Days)
		}
		words += fmt.Sprintf("  cert %s %dd", c.Listener, c.Days)
	}
	return words
}

// reloadWord is how the last reload went.
func reloadWord(c *status.Config) string {
	if r := c.Reload; r != nil && !r.Taken {
		return "RELOAD REFUSED " + r.Time.UTC().Format("15:04Z")
	}
	return "ok " + c.Loaded.UTC().Format("15:04Z")
}

// held is what an operator holds up.
func (s *screen) held() (lines []string) {
	h := &s.doc.Holds
	for _, f := range h.Freezes {
		what := "identity " + f.Identity
		if f.Writes {
			what = strings.TrimSuffix("writes of "+f.Identity, " of ")
		}
		lines = append(lines, fmt.Sprintf("  FROZEN       %s  since %s by %s", what, f.Since.UTC().Format("Jan 2 15:04Z"), f.By))
	}
	for _, q := range h.Quarantines {
		lines = append(lines, fmt.Sprintf("  QUARANTINED  %s  until %s by %s", q.Network, q.Until.UTC().Format("Jan 2 15:04Z"), q.By))
	}
	if len(lines) == 0 && h.Refused+h.Killed+h.Turned == 0 {
		return nil
	}
	title := fmt.Sprintf("HOLDS  so far %s refused, %s killed, %d turned away", plural(int(h.Refused), "request"), plural(int(h.Killed), "conn"), h.Turned)
	return append([]string{title}, append(lines, "")...)
}

// plaintext is who comes without TLS, and what enforcing would break.
func (s *screen) plaintext() []string {
	p := &s.doc.Plaintext
	lines := []string{fmt.Sprintf("PLAINTEXT LEFT  %s  %s", plural(p.Total, "client"), plural(p.Connections, "conn")), breaks(&p.Breaks)}
	return append(append(lines, s.list(len(p.Clients), p.Total, func(i int) []string {
		c := &p.Clients[i]
		return []string{fmt.Sprintf("  %-24s %-7s %-20s %8s  %s", clipTo(c.Address, 24), cmp.Or(c.Dialect, "unknown"),
			clipTo(cmp.Or(c.Identity, "(nobody)"), 20), plural(c.Connections, "conn"), ago(c.LastSeen, s.doc.Time))}
	})...), "")
}

// breaks is what enforcing now would do.
func breaks(e *status.Enforcement) string {
	switch {
	case e.Safe:
		return "  enforcing now would break nothing"
	case e.Total == 0:
		return fmt.Sprintf("  enforcing now: NOT KNOWN, %s of too many identities would be denied", plural(int(e.Untold), "request"))
	}
	names := slices.Concat(e.Plaintext, e.WouldDeny, e.Learning)
	slices.Sort(names)
	more := ""
	if e.Untold > 0 {
		more = " or more"
	}
	return fmt.Sprintf("  enforcing now would break %d%s: %s", e.Total, more, few(slices.Compact(names)))
}

// denied is what is denied, and the way out.
func (s *screen) denied() []string {
	d := &s.doc.Denials
	lines := []string{fmt.Sprintf("DENIED  %d in %s", d.Total, plural(d.GroupsTotal, "group"))}
	return append(append(lines, s.list(len(d.Groups), d.GroupsTotal, func(i int) []string {
		g := &d.Groups[i]
		mark := "x"
		if g.Event != "deny" {
			mark = "~" // served, as the policy is in mode audit
		}
		entry := []string{fmt.Sprintf("  %-6s %-16s %-20s %s%-5s %s", g.ID, clipTo(g.Identity, 16), clipTo(g.Command, 20), mark, status.Count(float64(g.Count)), deniedBy(g))}
		if g.Fix != "" {
			entry = append(entry, "         fix  "+g.Fix)
		}
		return entry
	})...), "")
}

// deniedBy is why requests of a group are denied.
func deniedBy(g *status.DenialGroup) string {
	why := strings.ReplaceAll(g.Reason, "_", " ")
	if g.Rule != "" {
		why += ", " + g.Rule
	}
	return why
}

// groupRow is a group of clients with its figures for a screen.
type groupRow struct {
	*status.Group
	ops, bytes, denied float64
}

// clients is who is connected.
func (s *screen) clients() []string {
	c := &s.doc.Clients
	rows, unit := s.groups(), ""
	if s.before != nil {
		unit = "/s"
	}
	title := fmt.Sprintf("CLIENTS  %d", c.Total)
	for _, t := range []string{"tls", "plaintext", "unix"} {
		if n := c.Transports[t]; n > 0 {
			title += fmt.Sprintf("  %s %d", t, n)
		}
	}
	lines := []string{title, fmt.Sprintf("  %-20s %-9s %6s %7s %6s %8s %8s %7s", "identity", "transport", "conns", "ops"+unit, "deny"+unit, "bytes"+unit, "p99", "oldest")}
	return append(lines, s.list(len(rows), len(rows), func(i int) []string {
		g := &rows[i]
		return []string{fmt.Sprintf("  %-20s %-9s %6d %7s %6s %8s %8s %7s", clipTo(cmp.Or(g.Identity, "(nobody yet)"), 20), g.Transport, g.Connections,
			status.Count(g.ops), status.Count(g.denied), status.Bytes(g.bytes), status.Delay(g.P99), status.Span(s.doc.Time.Sub(g.Oldest)))}
	})...)
}

// groups are the groups in order, with rates if there is an earlier document.
func (s *screen) groups() []groupRow {
	rows := make([]groupRow, len(s.doc.Clients.Groups))
	for i := range rows {
		g := &s.doc.Clients.Groups[i]
		rows[i] = groupRow{g, float64(g.Requests), float64(g.BytesIn + g.BytesOut), float64(g.Denied + g.WouldDeny)}
		rows[i].since(s.before, s.doc.Time)
	}
	order := groupOrders[s.order]
	slices.SortStableFunc(rows, func(a, b groupRow) int { return order(&a, &b) })
	return rows
}

// since makes rates of totals. Clients that left since before took their figures
// with them: there is no less than nothing.
func (r *groupRow) since(before *status.Document, now time.Time) {
	if before == nil {
		return
	}
	for i := range before.Clients.Groups {
		if o := &before.Clients.Groups[i]; o.Identity == r.Identity && o.Transport == r.Transport {
			r.ops -= float64(o.Requests)
			r.bytes -= float64(o.BytesIn + o.BytesOut)
			r.denied -= float64(o.Denied + o.WouldDeny)
		}
	}
	took := max(0.001, now.Sub(before.Time).Seconds())
	r.ops, r.bytes, r.denied = max(0, r.ops/took), max(0, r.bytes/took), max(0, r.denied/took)
}

// warned is what check says of the configuration.
func (s *screen) warned() (lines []string) {
	if len(s.doc.Warnings) > 0 {
		lines = append(lines, "", "WARNINGS")
	}
	return append(lines, s.list(len(s.doc.Warnings), len(s.doc.Warnings), func(i int) []string {
		w := &s.doc.Warnings[i]
		return []string{fmt.Sprintf("  %s  %s", w.Code, w.Problem)}
	})...)
}

// list is the first entries of a list that the filter lets through, and how many more
// there are.
func (s *screen) list(n, total int, entry func(i int) []string) (lines []string) {
	more, entries := total-n, 0
	for i := range n {
		switch text := entry(i); {
		case !strings.Contains(strings.Join(text, "\n"), s.filter):
		case entries == s.rows:
			more++
		default:
			entries++
			lines = append(lines, text...)
		}
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return lines
}

// clipTo is s in no more than n characters.
func clipTo(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
