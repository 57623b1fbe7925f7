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
	"github.com/slabgate/slabgate/internal/metrics"
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
	addr   string      // "unix:/path" or "127.0.0.1:port" of the first listener
	tls    *tls.Config // of the rig's clients; nil on a plaintext listener
}

// rigOptions say how a rig differs from the usual one.
type rigOptions struct {
	doc      *policy.Document // nil lets everybody do everything
	users    *auth.Users
	tls      *tls.Config // of the server
	login    bool
	tcp      bool
	limits   *Limits
	upstream func(*upstream.Config)
}

// auditSpy keeps events.
type auditSpy struct {
	mu     sync.Mutex
	events []audit.Event
}

func (a *auditSpy) Write(e audit.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, e)
}

func (a *auditSpy) kinds() (kinds []audit.Kind) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
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
	testkit.VerifyNoLeaks(t)
	core, logs := zapobserver.New(zap.DebugLevel)
	log := zap.New(core)
	m := new(metrics.Metrics)
	cfg := upstream.Default()
	cfg.Name, cfg.Address, cfg.Shared = "local", addr, 2
	if o.upstream != nil {
		o.upstream(&cfg)
	}
	r := &rig{pool: upstream.New(cfg, log, m), logs: logs, audit: new(auditSpy)}
	verifier, err := auth.NewVerifier(auth.VerifierConfig{Now: time.Now}, o.users)
	if err != nil {
		t.Fatal(err)
	}
	limits := DefaultLimits()
	if o.limits != nil {
		limits = *o.limits
	}
	r.server = &Server{Pool: r.pool, Verifier: verifier, Limits: limits, Log: log, Metrics: m, Audit: r.audit}
	r.serve(t, o)
	return r
}

func (r *rig) serve(t testing.TB, o rigOptions) {
	dir, err := os.MkdirTemp("", "sg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	lc := ListenerConfig{Name: "main", Address: "unix:" + filepath.Join(dir, "s"), Transport: "plaintext", MaxConnections: 1000, ASCIILogin: o.login}
	snap := &Snapshot{Policy: compile(t, orEverything(o.doc)), Users: o.users, Digest: "test"}
	if o.tls != nil {
		lc.Transport = "tls"
		snap.TLS = map[string]*tls.Config{"main": o.tls}
	}
	if o.tcp {
		lc.Address = "127.0.0.1:0"
	}
	l, err := Listen(lc)
	if err != nil {
		t.Fatal(err)
	}
	r.addr = lc.Address
	if o.tcp {
		r.addr = l.Addr().String()
	}
	r.server.Swap(snap)
	if err := r.pool.Check(context.Background()); err != nil {
		t.Logf("memcached is not there yet: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- r.server.Serve([]*Listener{l}) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := r.server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		r.pool.Close()
		if n := r.server.Metrics.Panics.Load(); n != 0 {
			t.Errorf("%d panics were recovered", n)
		}
	})
}

func orEverything(doc *policy.Document) *policy.Document {
	if doc == nil {
		return everything("main")
	}
	return doc
}

// dial connects a client, inside TLS if the rig has clients of that kind.
func (r *rig) dial(t testing.TB) net.Conn {
	t.Helper()
	network, addr := "tcp", r.addr
	if path, ok := strings.CutPrefix(r.addr, "unix:"); ok {
		network, addr = "unix", path
	}
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	if r.tls != nil {
		c = tls.Client(c, r.tls)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}
