package page

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/internal/testkit"
)

// example is a document in which nothing is empty.
func example(t *testing.T) *status.Document {
	t.Helper()
	data, err := os.ReadFile("../status/testdata/document.json")
	if err != nil {
		t.Fatal(err)
	}
	d := new(status.Document)
	if err := json.Unmarshal(data, d); err != nil {
		t.Fatal(err)
	}
	return d
}

// serve serves the page of a document until the test ends.
func serve(t *testing.T, look func() *status.Document) *httptest.Server {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	s := httptest.NewServer(Handler(look))
	t.Cleanup(s.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return s
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(data)
}

func TestPageSaysAllOfIt(t *testing.T) {
	d := example(t)
	d.Listeners = append(d.Listeners, status.Listener{Name: "app", Transport: "plaintext", Address: "/run/slabgate/app"}) // is no TCP
	s := serve(t, func() *status.Document { return d })
	r, text := get(t, s.URL+"/")
	for _, want := range []string{
		"<title>slabgate cache-0</title>", "Enforcing now would break 2 or more.", "Not known: 3 requests", "Without TLS: legacy-batch.", "Would be denied: trial.", "Before that, have those",
		"slabgate reload</code>. To enforce TLS, delete the listeners legacy from <code>/etc/slabgate/slabgate.yaml</code>", "slabgate clients --plaintext -o csv",
		"10.2.9.17", "(nobody)", "slabgate explain 7Q2AB", "identities.shop.rules[0]", "(audit: served)", "slabgate unfreeze writes",
		"slabgate unfreeze identity shop", "slabgate release 10.0.0.9/32", "so far 12 requests refused, 3 connections killed, 4 turned away", "unix:/run/memcached/memcached.sock", "connection refused",
		"<td>server</td><td>cache-0.example</td>", "<td>ca</td><td>Shop CA</td>", `<td class="n">61</td>`, "SG1306", "SG1042 unknown command group", "9.1k", "4.2 MB", "0.11 ms", "<b>0.31 ms</b><span>p99", `<td class="n">0.29 ms</td>`,
		`<noscript><meta http-equiv="refresh" content="10"></noscript>`,
		`data-series="[[-2,-1,0],[9000,9200.5,9101]]"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if r.StatusCode != 200 || r.Header.Get("Content-Security-Policy") != policyOfContent || r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("got %d, %v", r.StatusCode, r.Header)
	}
}

// Nothing is loaded from elsewhere, and nothing runs or looks like what is written
// in the page itself.
func TestPageKeepsToItself(t *testing.T) {
	d := example(t)
	s := serve(t, func() *status.Document { return d })
	_, text := get(t, s.URL+"/")
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if m[1] == "data:," {
			continue
		}
		r, body := get(t, s.URL+"/"+m[1])
		if files[m[1]] == "" || r.StatusCode != 200 || len(body) < 100 || !strings.HasPrefix(r.Header.Get("Content-Type"), files[m[1]]) {
			t.Errorf("%s: got %d, %d bytes, %v", m[1], r.StatusCode, len(body), r.Header)
		}
	}
	for _, bad := range []string{"<style", "style=", "onload", "onclick", "javascript:", "http://", "https://", "<form", "<script>"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

// What clients bring in is text.
func TestPageEscapes(t *testing.T) {
	const evil = `"><script>alert(1)</script>`
	d := example(t)
	d.Host, d.Denials.Groups[0].Command, d.Plaintext.Clients[0].Identity, d.Upstream.Error = evil, evil, evil, evil
	s := serve(t, func() *status.Document { return d })
	if _, text := get(t, s.URL+"/"); strings.Contains(text, "<script>alert") || strings.Count(text, "alert(1)") != 5 {
		t.Errorf("got %d times, or unescaped:\n%s", strings.Count(text, "alert(1)"), text)
	}
}

func TestPageOfNothingYet(t *testing.T) {
	s := serve(t, func() *status.Document { return new(status.Document) })
	if r, text := get(t, s.URL+"/"); r.StatusCode != 200 || !strings.Contains(text, "Nothing is denied.") {
		t.Errorf("got %d\n%s", r.StatusCode, text)
	}
}

func TestPageAnswersNothingElse(t *testing.T) {
	s := serve(t, func() *status.Document { return new(status.Document) })
	for path, want := range map[string]int{"/page.html": 404, "/assets/": 404, "/x": 404} {
		if r, _ := get(t, s.URL+path); r.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, r.StatusCode, want)
		}
	}
	r, err := http.Post(s.URL+"/", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != 405 {
		t.Errorf("POST: got %d", r.StatusCode)
	}
}

// stream follows the page.
func stream(t *testing.T, url string) (*bufio.Reader, int, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Body.Close() })
	return bufio.NewReader(r.Body), r.StatusCode, cancel
}

func TestFollowersSeeWhatChanges(t *testing.T) {
	var n atomic.Int64
	d := example(t)
	s := serve(t, func() *status.Document {
		c := *d
		c.Clients.Total = int(100 + n.Add(1))
		return &c
	})
	in, _, _ := stream(t, s.URL)
	for _, want := range []string{"<b>101</b>", "<b>102</b>"} {
		line, err := in.ReadString('\n')
		var html string
		data, ok := strings.CutPrefix(line, "data: ")
		if err != nil || !ok || json.Unmarshal([]byte(data), &html) != nil || !strings.Contains(html, want) {
			t.Fatalf("got %.200q, %v, want %s in it", line, err, want)
		}
		if _, err := in.Discard(1); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFollowersAreBounded(t *testing.T) {
	var looked atomic.Int64
	d := example(t)
	s := serve(t, func() *status.Document { looked.Add(1); return d })
	var last context.CancelFunc
	for range Followers {
		in, code, cancel := stream(t, s.URL)
		if _, err := in.ReadString('\n'); code != 200 || err != nil {
			t.Fatalf("got %d, %v", code, err)
		}
		last = cancel
	}
	if n := looked.Load(); n > Followers/2 {
		t.Errorf("the state was looked at %d times for %d followers", n, Followers)
	}
	if r, text := get(t, s.URL+"/events"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || !strings.HasPrefix(text, "busy") {
		t.Errorf("one more: got %d, %q", r.StatusCode, text)
	}
	if r, _ := get(t, s.URL+"/"); r.StatusCode != 200 {
		t.Errorf("the page itself: got %d", r.StatusCode)
	}
	last()
	testkit.Eventually(t, "the place of one that left", func() bool {
		_, code, cancel := stream(t, s.URL)
		cancel()
		return code == 200
	})
}

func TestMinutesAreMeans(t *testing.T) {
	h := &status.History{}
	for i := range 150 {
		h.Requests, h.BytesIn, h.BytesOut, h.RoundTrip = append(h.Requests, float64(i/30)), append(h.BytesIn, 1), append(h.BytesOut, 2), append(h.RoundTrip, 3)
	}
	got := minutesOf(h)
	if len(got) != 3 || got[0] != (minute{0, 3.5, 1, 2, 3}) || got[1].Requests != 1.5 || got[2].Requests != 0 || got[2].Ago != 2 {
		t.Errorf("got %+v", got)
	}
}
