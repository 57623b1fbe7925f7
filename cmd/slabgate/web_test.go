package main

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/proxy"
)

var served = regexp.MustCompile(`"msg":"admin http served","address":"([^"]+)"`)

// page asks a running slabgate for a page of its admin HTTP.
func (r *running) page(t *testing.T, path string) (status int, body string) {
	t.Helper()
	r.await(t, "admin http served")
	addr := served.FindStringSubmatch(r.log.String())[1]
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	answer, err := client.Get("http://" + addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(data)
}

// TestHealthOfADaemon: it is ready as long as memcached answers, and alive also
// when it does not.
func TestHealthOfADaemon(t *testing.T) {
	mc := testkit.StartMemcached(t)
	s := newSite(t)
	s.edit(t, "slabgate.yaml", "unix:/nonexistent/mc.sock", mc.Addr())
	r := s.start(t, "--set", "admin.http=127.0.0.1:0")
	for path, want := range map[string]string{
		"/startupz?verbose": "[+]started ok\nstartupz check passed\n", "/livez?verbose": "[+]loops ok\nlivez check passed\n",
		"/readyz?verbose": "[+]started ok\n[+]loops ok\n[+]draining ok\n[+]certificates ok\n[+]upstream ok\nreadyz check passed\n",
	} {
		if status, body := r.page(t, path); status != http.StatusOK || body != want {
			t.Errorf("%s: %d %q, want 200 %q", path, status, body, want)
		}
	}
	_, body := r.page(t, "/metrics")
	for _, want := range []string{
		"\nmemcached_up 1\n", "\nmemcached_commands_total{", "\nslabgate_upstream_up{upstream=\"local\"} 1\n", "\nslabgate_draining 0\n",
		"\nslabgate_tls_certificate_not_after_timestamp_seconds{listener=\"main\",name=\"", "\nslabgate_config_info{digest=\"",
		"\nslabgate_downstream_connections{listener=\"main\",transport=\"tls\"} 0\n", "\nslabgate_build_info{",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
	r.stop(t)
}

func TestHealthWithoutMemcached(t *testing.T) {
	r := newSite(t).start(t, "--set", "admin.http=127.0.0.1:0")
	for path, want := range map[string]int{"/startupz": 503, "/readyz": 503, "/livez": 200} {
		if status, body := r.page(t, path); status != want {
			t.Errorf("%s: %d %q, want %d", path, status, body, want)
		}
	}
	if _, body := r.page(t, "/metrics"); !strings.Contains(body, "\nmemcached_up 0\n") || strings.Contains(body, "memcached_uptime_seconds") {
		t.Error("metrics tell of a memcached that does not answer")
	}
	r.stop(t)
}

// TestAdminPortThatIsTaken: clients are served all the same.
func TestAdminPortThatIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r := newSite(t).start(t, "--set", "admin.http="+taken.Addr().String())
	r.await(t, `"msg":"admin http not served"`)
	r.await(t, `"msg":"ready"`)
	r.stop(t)
}

func TestAdminHTTPCanBeTurnedOff(t *testing.T) {
	r := newSite(t).start(t, "--set", "admin.http=none")
	r.await(t, `"msg":"ready"`)
	r.stop(t)
	if strings.Contains(r.log.String(), "admin http") {
		t.Errorf("there is an admin page:\n%s", r.log.String())
	}
}

// well returns a health of which nothing is wrong.
func well() *vitals {
	d := &daemon{metrics: new(metrics.Metrics), server: new(proxy.Server)}
	d.server.Metrics = d.metrics
	h := newVitals(d)
	h.note(nil)
	return h
}

// TestUpstreamIsGoneAfterThreeChecks: one that fails is no reason to send clients
// elsewhere, whose keys are not there.
func TestUpstreamIsGoneAfterThreeChecks(t *testing.T) {
	h := well()
	down := errors.New("refused")
	for i, gone := range []bool{false, false, true, true} {
		h.note(down)
		if err := h.upstream(); (err != nil) != gone || gone && !errors.Is(err, down) {
			t.Errorf("after %d checks: %v", i+1, err)
		}
		if h.up() {
			t.Errorf("after %d checks it is up", i+1)
		}
	}
	if err := h.started(); err != nil {
		t.Errorf("it has not started any more: %v", err)
	}
	h.note(nil)
	if err := h.upstream(); err != nil || !h.up() {
		t.Errorf("after one that succeeds: %v", err)
	}
}

func TestNotStartedUntilMemcachedHasAnswered(t *testing.T) {
	h := well()
	h.answered = false
	if h.started() == nil || h.upstream() == nil {
		t.Error("started before memcached has answered")
	}
}

func TestLoopsThatAreSilent(t *testing.T) {
	h := well()
	if err := h.loops(); err != nil {
		t.Errorf("at the start: %v", err)
	}
	h.begun = time.Now().Add(-2 * loopsSilent)
	if err := h.loops(); err == nil {
		t.Error("nothing turns, and nobody says so")
	}
}

func TestDrainingIsNotReady(t *testing.T) {
	h := well()
	if err := h.draining(); err != nil {
		t.Error(err)
	}
	h.daemon.metrics.Draining.Store(true)
	if err := h.draining(); err == nil {
		t.Error("ready while clients are asked to leave")
	}
}

// TestCertificateThatExpiredIsNotReady: the first of a chain that expires counts.
func TestCertificateThatExpiredIsNotReady(t *testing.T) {
	pki := testkit.NewPKI(t)
	h := well()
	for _, tt := range []struct {
		valid time.Duration
		well  bool
	}{{time.Hour, true}, {-time.Minute, false}} {
		until := time.Now().Add(tt.valid).Truncate(time.Second)
		short := pki.Client(t, testkit.ClientSpec{CN: "short", NotAfter: until})
		long := pki.Client(t, testkit.ClientSpec{CN: "long"})
		chain := tls.Certificate{Certificate: [][]byte{long.TLS.Certificate[0], short.TLS.Certificate[0]}}
		h.daemon.server.Swap(&proxy.Snapshot{
			Policy: emptyPolicy(t), TLS: map[string]*tls.Config{"main": {Certificates: []tls.Certificate{chain}}},
		})
		if got := h.daemon.certificates()["main"]; !got.Equal(until) {
			t.Errorf("expires %v, want %v", got, until)
		}
		if err := h.certificates(); (err == nil) != tt.well {
			t.Errorf("%v before its end: %v", tt.valid, err)
		}
	}
}

// emptyPolicy knows nobody.
func emptyPolicy(t *testing.T) *policy.Policy {
	t.Helper()
	p, _ := policy.Compile(&policy.Document{Version: 1, Categories: 1})
	if p == nil {
		t.Fatal("the policy does not compile")
	}
	return p
}
