package admin

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/slabgate/slabgate/internal/denials"
	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/proxy"
)

// backend is a slabgate that knows one namespace.
type backend struct {
	ring *denials.Ring

	mu     sync.Mutex
	doings []string
}

func (b *backend) Denials() *denials.Ring { return b.ring }

func (b *backend) Explain(e denials.Entry) (any, error) {
	if e.Identity == "gone" {
		return nil, errors.New("no such identity")
	}
	return map[string]string{"asked": e.Sample.Line}, nil
}

func (b *backend) Flush(_ context.Context, namespace string) (from, to uint64, err error) {
	if namespace != "t/web" {
		return 0, 0, &Error{404, "no such namespace", "name another"}
	}
	return 7, 8, nil
}

func (b *backend) Learned() any { return []string{"a"} }

func (b *backend) Status() *status.Document {
	return &status.Document{Schema: status.Schema, Host: "here", Denials: status.Denials{Total: 7}}
}

func (b *backend) Clients() []proxy.ClientInfo {
	return []proxy.ClientInfo{{ID: "c1", Identity: "web", Since: time.Unix(1_800_000_000, 0).UTC()}}
}

func (b *backend) Plaintext() status.SincePlaintext {
	return status.SincePlaintext{Forgotten: 3, Clients: []status.Plain{{Address: "10.0.0.9", Identity: "web", Requests: 7}}}
}

// did remembers what the backend was told to do, and by whom.
func (b *backend) did(ctx context.Context, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doings = append(b.doings, Asker(ctx)+": "+fmt.Sprintf(format, args...))
}

func (b *backend) Kill(ctx context.Context, id string) error {
	if id != "c1" {
		return &Error{404, "no such client", "name another"}
	}
	b.did(ctx, "kill %s", id)
	return nil
}

func (b *backend) Freeze(ctx context.Context, identity string, writes, on bool) error {
	b.did(ctx, "freeze %q %t %t", identity, writes, on)
	return nil
}

func (b *backend) Quarantine(ctx context.Context, network netip.Prefix, during time.Duration) (int, error) {
	b.did(ctx, "quarantine %s %s", network, during)
	return 2, nil
}

// rig is a served admin socket.
type rig struct {
	ring    *denials.Ring
	backend *backend
	logs    *zapobserver.ObservedLogs
	metrics metrics.Metrics
	path    string
	client  *Client
	stop    context.CancelFunc
	served  chan error
}

// startRig serves a socket until the test ends, and looks for what is left then.
func startRig(t *testing.T) *rig {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	core, logs := zapobserver.New(zap.DebugLevel)
	ctx, stop := context.WithCancel(context.Background())
	r := &rig{ring: denials.New(), logs: logs, path: filepath.Join(socketDir(t), "admin.sock"), stop: stop, served: make(chan error, 1)}
	r.backend = &backend{ring: r.ring}
	l, err := listenAt(r.path)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Backend: r.backend, Log: zap.New(core), Metrics: &r.metrics}
	go func() { r.served <- s.Serve(ctx, l) }()
	r.client = Dial(r.path)
	t.Cleanup(func() {
		stop()
		testkit.Within(t, "the server's end", func() {
			if err := <-r.served; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	})
	return r
}

// socketDir is a folder whose path is short enough for sockets, and that everybody
// may search.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "adm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// deny adds a denial, and returns its id.
func (r *rig) deny(identity, shape string) string {
	id, _, _ := r.ring.Add(denials.Denial{
		Kind: "deny", Identity: identity, Verb: "get", Reason: "not_granted", Shape: shape,
		Sample: denials.Sample{Peer: "unix", Line: "get " + shape, Key: []byte("\xff" + shape), Now: time.Unix(1_800_000_000, 0).UTC()},
	})
	return id
}
