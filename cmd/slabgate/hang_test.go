package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// patient is a configuration that waits for memcached longer than any test.
var patient = []string{"admin.http=127.0.0.1:0", "upstreams.local.connect_timeout=10m", "upstreams.local.request_timeout=10m"}

// startVitals starts a site in front of mc, in the test's process, with vitals as
// change leaves them. It runs until the test ends.
func startVitals(t *testing.T, mc *testkit.Memcached, change func(*vitals)) (*running, *daemon) {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	s := newSite(t)
	s.edit(t, "slabgate.yaml", "unix:/nonexistent/mc.sock", mc.Addr())
	c := runCommand{source: source{path: s.path("slabgate.yaml"), flags: patient, dev: true}, allowRoot: true}
	l := c.load(1)
	if l.snapshot == nil {
		t.Fatal(l.found)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{end: cancel, code: make(chan int, 1)}
	io := stdio{strings.NewReader(""), &r.log, &r.log}
	d, err := c.build(l, io)
	if err != nil {
		t.Fatal(err)
	}
	change(d.vitals)
	go func() {
		code := exitOK
		if d.run(ctx, io, false) != nil {
			code = exitBug
		}
		r.code <- code
	}()
	t.Cleanup(func() {
		testkit.Within(t, "the daemon's end", func() { r.stop(t) })
	})
	r.await(t, `"msg":"ready"`)
	return r, d
}

// wants asks for pages until each answers with a status and a text.
func (r *running) wants(t *testing.T, path string, status int, part string) {
	t.Helper()
	got, body := 0, ""
	if !eventually(func() bool {
		got, body = r.page(t, path)
		return got == status && strings.Contains(body, part)
	}) {
		t.Errorf("%s: %d %q, want %d with %q", path, got, body, status, part)
	}
}

// TestLoopsShowLifeWhileMemcachedHangs: a look that waits for memcached, and would
// for as long as it takes, is not what the loops wait for.
func TestLoopsShowLifeWhileMemcachedHangs(t *testing.T) {
	mc := testkit.StartMemcached(t)
	r, d := startVitals(t, mc, func(h *vitals) { h.every, h.patience = time.Millisecond, time.Hour })
	mc.Stop(t)
	for range 20 {
		last := d.server.LastPulse()
		testkit.Eventually(t, "another pulse of every loop", func() bool { return d.server.LastPulse().After(last) })
	}
	for _, path := range []string{"/livez", "/startupz"} {
		if status, body := r.page(t, path); status != http.StatusOK {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	mc.Cont(t)
}

// TestMemcachedThatHangsIsNotReady: nor is it the end of slabgate, nor of the
// metrics that are its own. All is well when memcached goes on.
func TestMemcachedThatHangsIsNotReady(t *testing.T) {
	mc := testkit.StartMemcached(t)
	r, _ := startVitals(t, mc, func(h *vitals) { h.every, h.patience = time.Millisecond, 10*time.Millisecond })
	r.wants(t, "/readyz", http.StatusOK, "")
	mc.Stop(t)
	r.wants(t, "/readyz", http.StatusServiceUnavailable, errNoAnswer.Error())
	r.wants(t, "/livez", http.StatusOK, "")
	r.wants(t, "/startupz", http.StatusOK, "")
	status, body := r.page(t, "/metrics")
	for _, want := range []string{"\nmemcached_up 0\n", "\nslabgate_upstream_up{upstream=\"local\"} 0\n", "\nslabgate_build_info{", "\ngo_goroutines "} {
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("metrics of a memcached that hangs: %d, lacking %q", status, want)
		}
	}
	if strings.Contains(body, "memcached_uptime_seconds") {
		t.Error("metrics tell what memcached did not say")
	}
	mc.Cont(t)
	r.wants(t, "/readyz", http.StatusOK, "")
	r.wants(t, "/metrics", http.StatusOK, "\nmemcached_up 1\n")
}
