package main

import (
	"bufio"
	"fmt"
	"maps"
	"math"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/internal/testkit"
)

// startMixed starts a site with a listener for TLS, one for unix sockets, and one
// without TLS, whose identity is on trial. It is in front of a real memcached.
func startMixed(t *testing.T) *watched {
	t.Helper()
	w := startWatchedOf(t, testkit.StartMemcached(t).Addr(), "")
	w.stop(t)
	w.edit(t, "slabgate.yaml", "listeners:", "listeners:\n  - {name: old, address: \"127.0.0.1:0\", transport: plaintext}")
	w.write(t, "policy.yaml", openPolicy+`  legacy:
    match: [{listener: old}]
    mode: audit
    rules: [{id: old, allow: ["@read"], keys: ["prefix:web:"]}]
`)
	w.running = w.start(t, "--set", "admin.http=127.0.0.1:0")
	return w
}

// comes connects to the listener without TLS.
func (w *watched) comes(t *testing.T) (*bufio.ReadWriter, net.Conn) {
	t.Helper()
	c, err := net.Dial("tcp", w.statusNow(t).Listeners[0].Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriterSize(c, 0)), c
}

// busy has clients of each kind ask, one of them leave and one be killed.
func (w *watched) busy(t *testing.T) {
	t.Helper()
	stays := w.stays(t, "get web:1")
	for range 39 { // of some turns the time is taken
		w.says(t, stays, "get web:1")
	}
	w.stays(t, "get web:2")
	w.asks(t, "get other:1", "get other:2", "flush_all", "get web:1", "get web:1")
	gone, c := w.comes(t)
	w.says(t, gone, "get web:1")
	c.Close()
	old, _ := w.comes(t)
	w.says(t, old, "mg web:1")
	w.says(t, old, "get other:9")
	w.call(t, "freeze", "writes", "web").want(t, exitOK)
	if got := w.says(t, stays, "delete web:1"); got != "CLIENT_ERROR frozen" {
		t.Errorf("a frozen write: got %q", got)
	}
	w.call(t, "quarantine", "10.0.0.0/8", "--for", "1h").want(t, exitOK)
	w.call(t, "kill", "c2").want(t, exitOK)
}

// TestAllViewsAgree looks at the same slabgate in every way there is.
func TestAllViewsAgree(t *testing.T) {
	w := startMixed(t)
	w.busy(t)
	var d *status.Document
	if !eventually(func() bool {
		d = w.statusNow(t)
		return d.Traffic.Total.Requests == 50 && d.Clients.Total == 2 && d.Plaintext.Connections == 1 && d.Upstream.Up
	}) {
		t.Fatalf("got %+v", d)
	}
	_, html := w.page(t, "/")
	text, top := w.call(t, "status").out, w.call(t, "top", "--once").out
	if got := len(w.clientsNow(t)); got != d.Clients.Total {
		t.Errorf("clients lists %d, status %d", got, d.Clients.Total)
	}
	w.call(t, "clients", "--plaintext").want(t, exitOK, fmt.Sprintf("PLAINTEXT  %d client since", d.Plaintext.Total), "127.0.0.1  legacy    meta     1      3    1 ")
	id := w.ids(t)[slices.IndexFunc(w.ids(t), func(id string) bool { return strings.Contains(text, "  "+id+"  web") })]
	p99 := status.Delay(d.Traffic.P99)
	ca := d.Certificates[1]
	for what, tc := range map[string]struct{ screen, browser string }{
		"clients":     {"CLIENTS  2  plaintext 1  unix 1", "<b>2</b><span>connections"},
		"denials":     {"DENIED  4 in 3 groups", "<b>4</b><span>denied, in 3 groups"},
		"a denial":    {"  " + id + "  web", "slabgate explain " + id},
		"fix":         {`fix  add "prefix:other:" to read: of identities.web.rules[0]`, "add &#34;prefix:other:&#34; to read: of identities.web.rules[0]"},
		"plaintext":   {"PLAINTEXT LEFT  1 client  1 conn", "<b>1</b><span>clients on plaintext"},
		"who":         {"  127.0.0.1                meta    legacy                 1 conn  last ", "<td>127.0.0.1</td><td>legacy</td><td>meta</td><td class=\"n\">1</td>"},
		"enforcing":   {"enforcing now would break 1: legacy", "Enforcing now would break 1.</strong> Without TLS: legacy. Would be denied: legacy."},
		"holds":       {"FROZEN       writes of web", "frozen: writes of web"},
		"quarantine":  {"QUARANTINED  10.0.0.0/8", "quarantined: 10.0.0.0/8"},
		"held":        {"so far 1 request refused, 1 conn killed, 0 turned away", "so far 1 requests refused, 1 connections killed, 0 turned away"},
		"p99":         {"  p99 " + p99, "<b>" + p99 + "</b><span>p99 of requests"},
		"upstream":    {"memcached " + d.Upstream.Version, "up, version " + d.Upstream.Version},
		"certificate": {fmt.Sprintf("cert main %dd", d.Certificates[0].Days), d.Certificates[0].Subject},
		"ca":          {fmt.Sprintf("  ca %dd", ca.Days), "<td>ca</td><td>" + ca.Subject},
	} {
		if !strings.Contains(text, tc.screen) || !strings.Contains(top, tc.screen) {
			t.Errorf("%s: %q is not in both of\n%s\n%s", what, tc.screen, text, top)
		}
		if !strings.Contains(html, tc.browser) {
			t.Errorf("%s: %q is not in the page\n%s", what, tc.browser, html)
		}
	}
	w.metricsAgree(t, d)
	w.stop(t)
}

// metricsAgree compares a scrape with the status.
func (w *watched) metricsAgree(t *testing.T, d *status.Document) {
	t.Helper()
	_, scraped := w.page(t, "/metrics")
	count := func(n int) int64 { return int64(n) }
	for what, tc := range map[string]struct {
		metric, label string
		want          int64
	}{
		"requests":    {"slabgate_requests_total", "", d.Traffic.Total.Requests},
		"denied":      {"slabgate_requests_total", `result="denied"`, 3},
		"would deny":  {"slabgate_requests_total", `result="would_deny"`, d.Denials.Total - 3},
		"frozen":      {"slabgate_requests_total", `result="frozen"`, d.Holds.Refused},
		"killed":      {"slabgate_downstream_connections_killed_total", "", d.Holds.Killed},
		"turned away": {"slabgate_downstream_connections_quarantined_total", "", d.Holds.Turned},
		"freezes":     {"slabgate_freezes", "", count(len(d.Holds.Freezes))},
		"quarantines": {"slabgate_quarantines", "", count(len(d.Holds.Quarantines))},
		"connections": {"slabgate_downstream_connections", "", count(d.Clients.Total)},
		"plain now":   {"slabgate_downstream_connections", `transport="plaintext"`, count(d.Plaintext.Connections)},
		"plaintext":   {"slabgate_plaintext_clients", `identity="legacy"`, count(d.Plaintext.Total)},
		"meta":        {"slabgate_downstream_connections_total", `dialect="meta"`, 1},
		"upstream":    {"slabgate_upstream_up", "", 1},
	} {
		if got := sumOf(t, scraped, tc.metric, tc.label); got != tc.want {
			t.Errorf("%s: metrics have %d, status %d", what, got, tc.want)
		}
	}
	for _, c := range d.Certificates {
		if series := fmt.Sprintf(`_not_after_timestamp_seconds{listener=%q,name=%q,usage=%q} `, c.Listener, c.Subject, c.Usage); !strings.Contains(scraped, series) {
			t.Errorf("metrics have no %q", series)
		}
	}
	if got := p99Of(t, scraped); got <= 0 || math.Abs(got-d.Traffic.P99) > 1e-8 {
		t.Errorf("p99: metrics have %v, status %v", got, d.Traffic.P99)
	}
}

// sumOf adds up the series of a metric that have a label.
func sumOf(t *testing.T, scraped, metric, label string) (sum int64) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^`+metric+`(\{.*\})? (\d+)$`).FindAllStringSubmatch(scraped, -1) {
		n, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(m[1], label) {
			sum += n
		}
	}
	return sum
}

var durationBucket = regexp.MustCompile(`(?m)^slabgate_request_duration_seconds_bucket\{group="[a-z]+",le="([^"]+)"\} (\d+)$`)

// p99Of is what Prometheus makes of the histogram of requests: histogram_quantile(0.99,
// sum by (le) (...)).
func p99Of(t *testing.T, scraped string) float64 {
	t.Helper()
	upTo := map[float64]float64{}
	for _, m := range durationBucket.FindAllStringSubmatch(scraped, -1) {
		le, err := strconv.ParseFloat(m[1], 64)
		n, also := strconv.ParseFloat(m[2], 64)
		if err != nil || also != nil {
			t.Fatal(err, also)
		}
		upTo[le] += n
	}
	rank, below, from := 0.99*upTo[math.Inf(1)], 0.0, 0.0
	for _, le := range slices.Sorted(maps.Keys(upTo)) {
		switch n := upTo[le]; {
		case n < rank:
			below, from = n, le
		case math.IsInf(le, 1):
			return from
		default:
			return from + (le-from)*(rank-below)/(n-below)
		}
	}
	return 0
}
