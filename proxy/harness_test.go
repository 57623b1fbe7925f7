package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/denials"
	"github.com/slabgate/slabgate/internal/generations"
	"github.com/slabgate/slabgate/internal/learn"
	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/poll"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/upstream"
)

// rig is a whole proxy in the test's process.
type rig struct {
	server *Server
	pool   *upstream.Pool
	logs   *zapobserver.ObservedLogs
	audit  *auditSpy
	addr   string      // "unix:/path" or "127.0.0.1:port" of its listener
	tls    *tls.Config // of the rig's clients; nil on a plaintext listener
	served chan error  // what Serve returned
}

// rigOptions say how a rig differs from the usual one.
type rigOptions struct {
	doc      *policy.Document // nil lets everybody do everything
	users    *auth.Users
	tls      *tls.Config // of the server
	clients  *tls.Config // of the rig's clients
	cn       bool        // a common name may name a client
	login    bool
	tcp      bool
	listen   func(*ListenerConfig) // what else its listener is told
	limits   func(*Limits)
	places   int // connections the listener takes at once; 0 is 1000
	upstream func(*upstream.Config)
	clock    func() time.Time
	panics   int64 // how many the test makes
	forgets  bool  // denials
	restarts bool  // it restarts memcached, and looks for leaks itself
}

// auditSpy keeps events with their keys as a record would show them, and panics
// over one if it is told to.
type auditSpy struct {
	mu     sync.Mutex
	events []audit.Event
	panics func(audit.Event) bool
}

func (a *auditSpy) Write(e audit.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	keys, err := audit.ParseKeys(audit.Default().Keys)
	if err != nil {
		panic(err)
	}
	e.Key, e.RawKey = keys.Text(e.RawKey), nil
	a.events = append(a.events, e)
	if a.panics != nil && a.panics(e) {
		panic("as the test asked")
	}
}

// all returns a copy of the events so far.
func (a *auditSpy) all() []audit.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]audit.Event(nil), a.events...)
}

func ref[T any](v T) *T { return &v }

// everything lets whoever comes to a listener do everything.
func everything(listener string) *policy.Document {
	return &policy.Document{
		Version: 1, Categories: 1,
		Identities: map[string]policy.IdentityDoc{
			"anyone": {
				Match: []policy.Match{{Listener: &listener}},
				Rules: []policy.Rule{{Allow: []string{"@all"}, Keys: []string{"*"}}},
			},
		},
	}
}

func compile(t testing.TB, doc *policy.Document) *policy.Policy {
	t.Helper()
	p, found := policy.Compile(doc)
	if err := found.Err(); err != nil {
		t.Fatalf("policy: %v", err)
	}
	return p
}

// startRig starts a proxy in front of the memcached at addr. It is stopped, and
// looked at for leaks, when the test ends.
func startRig(t testing.TB, addr string, o rigOptions) *rig {
	t.Helper()
	if !o.restarts {
		testkit.VerifyNoLeaks(t)
	}
	core, logs := zapobserver.New(zap.DebugLevel)
	log := zap.New(core)
	m := new(metrics.Metrics)
	cfg := upstream.Default()
	cfg.Name, cfg.Address, cfg.Shared = "local", addr, 2
	// A loaded machine is no memcached that is down.
	cfg.ConnectTimeout, cfg.RequestTimeout = 5*time.Second, 5*time.Second
	if o.upstream != nil {
		o.upstream(&cfg)
	}
	r := &rig{pool: upstream.New(cfg, log, m), logs: logs, audit: new(auditSpy), tls: o.clients, served: make(chan error, 1)}
	verifier, err := auth.NewVerifier(auth.VerifierConfig{Now: time.Now}, o.users)
	if err != nil {
		t.Fatal(err)
	}
	r.server = &Server{Pool: r.pool, Verifier: verifier, Log: log, Metrics: m, Audit: r.audit, Clock: o.clock, Learned: new(learn.Recorder)}
	if !o.forgets {
		r.server.Denials = denials.New()
	}
	if r.server.Generations, err = generations.Open(generations.Config{}, r.pool, log); err != nil {
		t.Fatal(err)
	}
	r.serve(t, o)
	return r
}

// snapshot is what the rig serves by: swap in another one for a reload.
func (o *rigOptions) snapshot(t testing.TB, doc *policy.Document) *Snapshot {
	t.Helper()
	if doc == nil {
		doc = everything("main")
	}
	limits := DefaultLimits()
	if o.limits != nil {
		o.limits(&limits)
	}
	snap := &Snapshot{Limits: limits, Policy: compile(t, doc), Users: o.users, CNs: map[string]bool{"main": o.cn}, Digest: "test"}
	if o.tls != nil {
		snap.TLS = map[string]*tls.Config{"main": o.tls}
	}
	return snap
}

func (o *rigOptions) listener(t testing.TB) *Listener {
	t.Helper()
	lc := ListenerConfig{Name: "main", Transport: "plaintext", MaxConnections: 1000, ASCIILogin: o.login}
	lc.Address = "unix:" + filepath.Join(socketDir(t), "s")
	if o.tcp {
		lc.Address = "127.0.0.1:0"
	}
	if o.tls != nil {
		lc.Transport = "tls"
	}
	if o.places > 0 {
		lc.MaxConnections = o.places
	}
	if o.listen != nil {
		o.listen(&lc)
	}
	l, err := Listen(lc)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// socketDir is a directory with a path short enough for sockets.
func socketDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "sg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (r *rig) serve(t testing.TB, o rigOptions) {
	t.Helper()
	l := o.listener(t)
	r.addr = l.Addr().String()
	if !o.tcp {
		r.addr = "unix:" + r.addr
	}
	r.server.Swap(o.snapshot(t, o.doc))
	if err := r.pool.Check(context.Background()); err != nil {
		t.Logf("memcached is not there yet: %v", err)
	}
	go func() { r.served <- r.server.Serve([]*Listener{l}) }()
	testkit.Eventually(t, "the server to serve", func() bool {
		r.server.mu.Lock()
		defer r.server.mu.Unlock()
		return r.server.listeners != nil
	})
	t.Cleanup(func() {
		if err := r.shutdown(5 * time.Second); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-r.served; err != nil {
			t.Errorf("serve: %v", err)
		}
		r.pool.Close()
		if n := r.server.Metrics.Panics.Load(); n != o.panics {
			t.Errorf("%d panics were recovered, want %d", n, o.panics)
		}
		if n := r.server.Metrics.Sessions.Load(); n != 0 {
			t.Errorf("%d sessions are counted after the last has ended", n)
		}
		if n := r.server.Metrics.UpstreamOpen.Load(); n != 0 {
			t.Errorf("%d connections to memcached are counted after the last was closed", n)
		}
	})
}

// shutdown drains the rig for at most grace.
func (r *rig) shutdown(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return r.server.Shutdown(ctx)
}

// dial connects a client, inside TLS if the rig has clients of that kind.
func (r *rig) dial(t testing.TB) net.Conn {
	t.Helper()
	return r.dialWith(t, r.tls)
}

// dialWith connects a client with a certificate of its own.
func (r *rig) dialWith(t testing.TB, config *tls.Config) net.Conn {
	t.Helper()
	c, err := r.connect(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

// connect is dialWith for what is no test's own goroutine. The caller closes the
// connection.
func (r *rig) connect(config *tls.Config) (net.Conn, error) {
	network, addr := "tcp", r.addr
	if path, ok := strings.CutPrefix(r.addr, "unix:"); ok {
		network, addr = "unix", path
	}
	c, err := net.Dial(network, addr)
	if err != nil || config == nil {
		return c, err
	}
	return tls.Client(c, config), nil
}

// ends waits until a session ended for each of the given reasons, in any order,
// and none for another.
func (r *rig) ends(t testing.TB, want ...End) {
	t.Helper()
	got := map[End]int{}
	testkit.Eventually(t, "the sessions to end", func() bool {
		clear(got)
		n := 0
		for _, e := range r.logs.FilterMessage("session ended").FilterField(zap.String("listener", "main")).All() {
			got[End(e.ContextMap()["end"].(string))]++
			n++
		}
		return n >= len(want)
	})
	for _, end := range want {
		got[end]--
	}
	for end, n := range got {
		if n != 0 {
			t.Errorf("sessions ended: %+d %q beyond %q", n, end, want)
		}
	}
}

// onLoop calls f on the session's loop and waits for it. A loop that has ended
// calls nothing.
func (s *session) onLoop(f func()) {
	done := make(chan struct{})
	if s.loop.Post(func() { f(); close(done) }) {
		<-done
	}
}

// idle is told of connections that nobody serves.
type idle struct{ conn *poll.Conn }

func (i idle) Ready(e poll.Event) { i.conn.Wake(e) }

// pair returns two ends of a connection, the first on a loop.
func pair(t *testing.T) (here *poll.Conn, there net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(socketDir(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if there, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if here, err = poll.Take(c); err != nil {
		t.Fatal(err)
	}
	loop, err := poll.New()
	if err != nil {
		t.Fatal(err)
	}
	var ran sync.WaitGroup
	ran.Go(func() { loop.Run(func() poll.Outlook { return poll.Idle }) })
	t.Cleanup(func() {
		loop.Stop()
		ran.Wait()
	})
	if err := loop.Watch(here, idle{here}); err != nil {
		t.Fatal(err)
	}
	return here, there
}
