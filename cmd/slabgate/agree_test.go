package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/internal/testkit"
)

// TestAllViewsAgree looks at the same slabgate in every way there is.
func TestAllViewsAgree(t *testing.T) {
	w := startWatchedOf(t, testkit.StartMemcached(t).Addr(), "", "--set", "admin.http=127.0.0.1:0")
	w.stays(t, "get web:1")
	w.stays(t, "get web:2")
	w.asks(t, "get other:1", "get other:2", "flush_all", "get web:1", "get web:1")
	w.call(t, "freeze", "writes", "web").want(t, exitOK)
	var d *status.Document
	if !eventually(func() bool {
		d = w.statusNow(t)
		return d.Traffic.Total.Requests == 7 && d.Clients.Total == 2 && d.Upstream.Up
	}) {
		t.Fatalf("got %+v", d)
	}
	_, html := w.page(t, "/")
	text := w.call(t, "status").out
	top := w.call(t, "top", "--once").out
	if got := len(w.clientsNow(t)); got != d.Clients.Total {
		t.Errorf("clients lists %d, status %d", got, d.Clients.Total)
	}
	id := w.ids(t)[0]
	for what, tc := range map[string]struct{ screen, browser string }{
		"clients":     {"CLIENTS  2  unix 2", "<b>2</b><span>connections"},
		"denials":     {"DENIED  3 in 2 groups", "<b>3</b><span>denied, in 2 groups"},
		"a denial":    {"  " + id + "  web", "slabgate explain " + id},
		"fix":         {`fix  add "prefix:other:" to read: of identities.web.rules[0]`, "add &#34;prefix:other:&#34; to read: of identities.web.rules[0]"},
		"plaintext":   {"PLAINTEXT LEFT  0 clients", "<b>0</b><span>clients on plaintext"},
		"enforcing":   {"enforcing now would break nothing", "Enforcing now would break nothing."},
		"holds":       {"FROZEN       writes of web", "frozen: writes of web"},
		"upstream":    {"memcached " + d.Upstream.Version, "up, version " + d.Upstream.Version},
		"certificate": {fmt.Sprintf("cert main %dd", d.Certificates[0].Days), d.Certificates[0].Subject},
	} {
		if !strings.Contains(text, tc.screen) || !strings.Contains(top, tc.screen) {
			t.Errorf("%s: %q is not in both of\n%s\n%s", what, tc.screen, text, top)
		}
		if !strings.Contains(html, tc.browser) {
			t.Errorf("%s: %q is not in the page\n%s", what, tc.browser, html)
		}
	}
	_, scraped := w.page(t, "/metrics")
	for what, tc := range map[string]struct {
		series string
		want   int64
	}{
		"requests":    {`slabgate_requests_total{`, d.Traffic.Total.Requests},
		"denied":      {`slabgate_requests_total{.*result="denied"`, 3},
		"connections": {`slabgate_downstream_connections{`, int64(d.Clients.Total)},
		"upstream":    {`slabgate_upstream_up{`, 1},
	} {
		if got := sumOf(t, scraped, tc.series); got != tc.want {
			t.Errorf("%s: metrics have %d, status %d", what, got, tc.want)
		}
	}
	w.stop(t)
}

// sumOf adds up the series of a scrape that begin with a pattern.
func sumOf(t *testing.T, scraped, series string) (sum int64) {
	t.Helper()
	series = strings.ReplaceAll(series, "{", `\{`)
	for _, m := range regexp.MustCompile(`(?m)^`+series+`.*\} (\d+)$`).FindAllStringSubmatch(scraped, -1) {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
