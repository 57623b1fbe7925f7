package main

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/page"
	"github.com/slabgate/slabgate/internal/status"
)

// TestAllViewsAgree looks at the same slabgate in every way there is.
func TestAllViewsAgree(t *testing.T) {
	w := startWatched(t)
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
	browser := httptest.NewRecorder()
	page.Handler(func() *status.Document { return d }).ServeHTTP(browser, httptest.NewRequest("GET", "/", nil))
	html := browser.Body.String()
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
	w.stop(t)
}
