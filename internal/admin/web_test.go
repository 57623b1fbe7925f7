package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
)

// webRig is a served page.
type webRig struct {
	*Web
	logs *zapobserver.ObservedLogs
	addr string
	stop context.CancelFunc
	done sync.WaitGroup
}

// startWeb serves a page until the test ends, and looks for what is left then.
func startWeb(t *testing.T, w *Web) *webRig {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	core, logs := zapobserver.New(zap.DebugLevel)
	if w.Address == "" {
		w.Address = "127.0.0.1:0"
	}
	w.Log, w.Metrics = zap.New(core), new(metrics.Metrics)
	if w.Gather == nil {
		w.Gather = prometheus.NewRegistry()
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &webRig{Web: w, logs: logs, stop: stop}
	r.done.Go(func() { w.Serve(ctx) })
	t.Cleanup(func() {
		stop()
		testkit.Within(t, "the page's end", r.done.Wait)
	})
	return r
}

// served waits until the page is served.
func (r *webRig) served(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, "the page", func() bool { return r.logs.FilterMessage("admin http served").Len() == 1 })
	r.addr = r.logs.FilterMessage("admin http served").All()[0].ContextMap()["address"].(string)
}

// ask makes a request and returns what is answered.
func (r *webRig) ask(t *testing.T, method, path, host string) (status int, body string) {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", method, path, host)
	req, _ := http.NewRequest(method, path, nil)
	answer, err := http.ReadResponse(bufio.NewReader(c), req)
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

// wants compares an answer.
func (r *webRig) wants(t *testing.T, request string, status int, part string) {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	path, host, ok := strings.Cut(path, " ")
	if !ok {
		host = "127.0.0.1:11219"
	}
	got, body := r.ask(t, method, path, host)
	if got != status || !strings.Contains(body, part) {
		t.Errorf("%s: %d %q, want %d with %q", request, got, body, status, part)
	}
}

func TestHealthIsAskedInThreeWays(t *testing.T) {
	var mu sync.Mutex
	wrong := map[string]error{}
	check := func(name string, on Probe) Check {
		return Check{name, on, func() error {
			mu.Lock()
			defer mu.Unlock()
			return wrong[name]
		}}
	}
	r := startWeb(t, &Web{Checks: []Check{check("begun", Started|Ready), check("loops", Live), check("upstream", Ready)}})
	r.served(t)
	for _, path := range []string{"/startupz", "/livez", "/readyz", "/live", "/ready", "/healthz", "/ping"} {
		r.wants(t, "GET "+path, 200, "ok\n")
		r.wants(t, "HEAD "+path, 200, "")
	}
	r.wants(t, "GET /readyz?verbose", 200, "[+]begun ok\n[+]upstream ok\nreadyz check passed\n")
	mu.Lock()
	wrong["upstream"] = errors.New("no answer\n at all")
	mu.Unlock()
	r.wants(t, "GET /readyz", 503, "[+]begun ok\n[-]upstream failed: no answer at all\nreadyz check failed\n")
	r.wants(t, "GET /ready", 503, "[-]upstream failed: no answer at all\nready check failed\n")
	for _, path := range []string{"/startupz", "/livez", "/live", "/healthz", "/ping"} {
		r.wants(t, "GET "+path, 200, "ok\n")
	}
	mu.Lock()
	wrong["loops"] = errors.New("one hangs")
	mu.Unlock()
	r.wants(t, "GET /livez?verbose", 503, "[-]loops failed: one hangs\nlivez check failed\n")
	r.wants(t, "GET /startupz", 200, "ok")
}

func TestPageShowsAndChangesNothing(t *testing.T) {
	counted := prometheus.NewCounter(prometheus.CounterOpts{Name: "a_total", Help: "A."})
	registry := prometheus.NewRegistry()
	registry.MustRegister(counted)
	page := http.NewServeMux()
	for _, path := range []string{"/{$}", "/events"} {
		page.HandleFunc(path, func(to http.ResponseWriter, _ *http.Request) { fmt.Fprint(to, "hello") })
	}
	r := startWeb(t, &Web{Gather: registry, Status: func() any { return map[string]int{"clients": 2} }, Page: page})
	r.served(t)
	for request, want := range map[string]struct {
		status int
		part   string
	}{
		"GET /metrics":      {200, "a_total 0\n"},
		"GET /status":       {200, `{"clients":2}`},
		"GET /":             {200, "hello"},
		"GET /events":       {200, "hello"},
		"GET /other":        {404, ""},
		"GET /denials":      {404, ""}, // is for the socket alone
		"GET /flush":        {404, ""},
		"GET /debug/pprof/": {404, ""},
		"POST /flush":       {405, "GET and HEAD"},
		"POST /readyz":      {405, "GET and HEAD"},
		"DELETE /metrics":   {405, "GET and HEAD"},
		"OPTIONS /status":   {405, "GET and HEAD"},
	} {
		r.wants(t, request, want.status, want.part)
	}
	bare := startWeb(t, &Web{})
	bare.served(t)
	bare.wants(t, "GET /status", 404, "")
	bare.wants(t, "GET /", 404, "")
}

// TestPageAnswersToItsOwnNames: a web site whose name points here is told nothing.
func TestPageAnswersToItsOwnNames(t *testing.T) {
	r := startWeb(t, &Web{Hosts: []string{"cache-0.internal"}})
	r.served(t)
	for host, status := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:11219": 200, "[::1]:11219": 200, "::1": 200, "10.2.3.4:80": 200, "localhost": 200,
		"LOCALHOST:11219": 200, "cache-0.internal": 200, "Cache-0.Internal:11219": 200, "": 200,
		"evil.test": 421, "evil.test:11219": 421, "localhost.evil.test": 421, "127.0.0.1.evil.test": 421, "cache-0.internal.": 421, "cache-1.internal": 421,
	} {
		for _, path := range []string{"/readyz", "/metrics", "/nothing"} {
			want := status
			if path == "/nothing" && status == 200 {
				want = 404
			}
			if got, body := r.ask(t, "GET", path, host); got != want {
				t.Errorf("host %q, %s: %d %q, want %d", host, path, got, body, want)
			}
		}
	}
}

// TestAddressThatIsTaken: it is said once, and had when it is free.
func TestAddressThatIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := startWeb(t, &Web{Address: taken.Addr().String(), again: 5 * time.Millisecond})
	not := func() int { return r.logs.FilterMessage("admin http not served").Len() }
	testkit.Eventually(t, "a word about it", func() bool { return not() == 1 })
	taken.Close()
	r.served(t)
	r.wants(t, "GET /livez", 200, "ok")
	if n := not(); n != 1 {
		t.Errorf("said %d times that it is not served, want once", n)
	}
}

// TestAddressThatIsNeverFree: waiting for it ends with slabgate.
func TestAddressThatIsNeverFree(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r := startWeb(t, &Web{Address: taken.Addr().String()})
	testkit.Eventually(t, "a word about it", func() bool { return r.logs.Len() == 1 })
	r.stop()
	testkit.Within(t, "the page's end", r.done.Wait)
}
