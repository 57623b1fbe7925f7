package upstream

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// TestTheEndOfAContextEndsEveryWait: for a connection that is free, for one that is
// made, and for an answer, however long the configuration would wait for each. It
// says nothing of memcached, which others may dial at once.
func TestTheEndOfAContextEndsEveryWait(t *testing.T) {
	waits := map[string]func(t *testing.T, fake *testkit.Fake, r *rig) (over func()){
		"a connection that is free": func(t *testing.T, _ *testkit.Fake, r *rig) func() {
			for range cap(r.keyless) {
				r.keyless <- struct{}{}
			}
			return func() {
				for range cap(r.keyless) {
					<-r.keyless
				}
			}
		},
		"a handshake": func(_ *testing.T, fake *testkit.Fake, _ *rig) func() { return stall(fake) },
		"an answer": func(t *testing.T, fake *testkit.Fake, r *rig) func() {
			if err := r.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			return stall(fake)
		},
	}
	asks := map[string]func(ctx context.Context, r *rig) bool{
		"check":   func(ctx context.Context, r *rig) bool { return r.Check(ctx) == nil },
		"keyless": func(ctx context.Context, r *rig) bool { _, s := r.Keyless(ctx, keyless(t, "flush_all")); return !s.Failed() },
	}
	for wait, begin := range waits {
		for name, ask := range asks {
			t.Run(name+" waits for "+wait, func(t *testing.T) {
				fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.ConnectTimeout, c.RequestTimeout = time.Hour, time.Hour })
				over := begin(t, fake, r)
				for _, end := range []func() (context.Context, context.CancelFunc){
					func() (context.Context, context.CancelFunc) { return context.WithTimeout(t.Context(), settleTime) },
					func() (context.Context, context.CancelFunc) {
						ctx, cancel := context.WithCancel(t.Context())
						time.AfterFunc(settleTime, cancel)
						return ctx, cancel
					},
				} {
					ctx, cancel := end()
					testkit.Within(t, "who waits for "+wait, func() {
						if ask(ctx, r) {
							t.Error("it is answered")
						}
					})
					cancel()
				}
				if r.gate.shut() || r.logs.FilterMessage("server down").Len() > 0 {
					t.Error("memcached counts as down")
				}
				over()
				if err := r.Check(t.Context()); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				r.wantFree()
			})
		}
	}
}

// stall has nothing answered until it is over.
func stall(fake *testkit.Fake) (over func()) {
	fake.OnRequest(func(int, []byte) testkit.Fault { return testkit.Stall() })
	return func() { fake.OnRequest(nil) }
}

// TestProbeThatIsGivenUp lets the next one dial, and keeps the gate as it was.
func TestProbeThatIsGivenUp(t *testing.T) {
	g := gate{min: time.Millisecond, max: time.Second}
	now := time.Unix(1000, 0)
	g.failed(now, false)
	probe, ok := g.enter(g.until)
	if !probe || !ok {
		t.Fatal("nobody may probe")
	}
	g.left(probe)
	if again, ok := g.enter(g.until); !again || !ok || !g.shut() {
		t.Errorf("probe %v, ok %v, shut %v after one was given up", again, ok, g.shut())
	}
	g.left(false) // of one that dialled before the failure
	if _, ok := g.enter(g.until); ok {
		t.Error("two probe at once")
	}
}

// TestAnswerAtTheEndOfAContext: of a connection whose deadline may change at any
// moment nothing is kept.
func TestAnswerAtTheEndOfAContext(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int64
	fake.OnRequest(func(int, []byte) testkit.Fault {
		if asked.Add(1) > 2 { // those of the handshake
			cancel()
		}
		return testkit.Fault{}
	})
	if err := r.Check(ctx); err == nil {
		t.Error("answered in spite of the end")
	}
	if n := len(r.idle); n != 0 {
		t.Errorf("%d connections are kept", n)
	}
	fake.OnRequest(nil)
	for range 3 {
		if reply, status := r.Keyless(t.Context(), keyless(t, "flush_all")); status != protocol.StatusOK {
			t.Errorf("then: %q, %d", reply, status)
		}
	}
	r.wantFree()
}
