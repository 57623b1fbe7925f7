package proxy

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// draining shuts the rig down in the background, and waits until it has begun.
func (r *rig) draining(t *testing.T, grace time.Duration) (done <-chan error) {
	t.Helper()
	result := make(chan error, 1)
	go func() { result <- r.shutdown(grace) }()
	testkit.Eventually(t, "the drain to begin", func() bool {
		sessions := r.server.all()
		for _, s := range sessions {
			if !s.draining.Load() {
				return false
			}
		}
		r.server.mu.Lock()
		defer r.server.mu.Unlock()
		return r.server.draining
	})
	return result
}

func TestDrainEndsIdleSessionsAtOnce(t *testing.T) {
	w := newWorld(t)
	for name, o := range map[string]rigOptions{
		"plain": {doc: policies["everything"]()},
		"tls":   {doc: policies["everything"](), tls: w.server, clients: w.app(t)},
	} {
		t.Run(name, func(t *testing.T) {
			fake := testkit.StartFake(t, testkit.FakeOptions{})
			r := startRig(t, fake.Addr(), o)
			c := r.client(t)
			c.asks("mn\r\n", "MN\r\n")
			if err := r.shutdown(20 * time.Second); err != nil {
				t.Errorf("got %v", err)
			}
			c.wantsEnd()
			r.ends(t, EndDrain)
		})
	}
}

func TestDrainLetsRequestsBeAnswered(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	c := r.client(t)
	g := holdRequests(fake)
	c.send("set a 0 0 1\r\n1\r\nincr a 1\r\nmn\r\n")
	<-g.asked
	done := r.draining(t, 20*time.Second)
	close(g.open)
	c.wants("STORED\r\n2\r\nMN\r\n")
	c.wantsEnd()
	if err := <-done; err != nil {
		t.Errorf("got %v", err)
	}
	r.ends(t, EndDrain)
}

// TestDrainWaitsForARequestThatHasBegun shows that it may be finished, and that
// none may be begun after it.
func TestDrainWaitsForARequestThatHasBegun(t *testing.T) {
	for _, c := range []struct{ first, rest, want string }{
		{"ge", "t a\r\n", "END\r\n"},
		{"set a 0 0 5\r\nab", "cde\r\n", "STORED\r\n"},
		{"set a 0 0 5\r\n", "abcde\r\nmn\r\n", "STORED\r\nMN\r\n"},
		{"set a 0 0 100000\r\nab", strings.Repeat("v", 99998) + "\r\n", "STORED\r\n"},
		{"set a x 0 5\r\nab", "cde\r\n", ""}, // it was answered before
	} {
		t.Run(c.first[:2]+c.rest[:1], func(t *testing.T) {
			fake := testkit.StartFake(t, testkit.FakeOptions{})
			r := startRig(t, fake.Addr(), rigOptions{})
			cl := r.client(t)
			cl.asks("mn\r\n", "MN\r\n")
			cl.send(c.first)
			if c.want == "" {
				cl.wants("CLIENT_ERROR bad command line format\r\n")
			}
			testkit.Eventually(t, "the request to begin", func() bool {
				for _, s := range r.server.all() {
					begun := false
					s.onLoop(func() { begun = !s.partial.IsZero() })
					return begun
				}
				return false
			})
			done := r.draining(t, 20*time.Second)
			cl.asks(c.rest, c.want)
			cl.wantsEnd()
			if err := <-done; err != nil {
				t.Errorf("got %v", err)
			}
			r.ends(t, EndDrain)
		})
	}
}

func TestDrainCutsOffAfterItsGrace(t *testing.T) {
	w := newWorld(t)
	for name, o := range map[string]rigOptions{
		"plain": {doc: policies["everything"]()},
		"tls":   {doc: policies["everything"](), tls: w.server, clients: w.app(t)},
	} {
		t.Run(name, func(t *testing.T) {
			fake := testkit.StartFake(t, testkit.FakeOptions{})
			r := startRig(t, fake.Addr(), o)
			stuck, deaf := r.client(t), r.client(t)
			deaf.asks("set a 0 0 1000000\r\n"+strings.Repeat("v", 1000000)+"\r\n", "STORED\r\n")
			deaf.send(strings.Repeat("get a\r\n", 20)) // and does not read
			stuck.asks("mn\r\nset a 0 0 5\r\nab", "MN\r\n")
			if _, err := deaf.in.Peek(1); err != nil {
				t.Fatal(err)
			}
			if err := r.shutdown(200 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want that the time was up", err)
			}
			stuck.wantsEnd()
			r.ends(t, EndDrain, EndDrain)
		})
	}
}

func TestDrainTakesNoMoreClients(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{tcp: true})
	c := r.client(t)
	c.asks("mn\r\nset a 0 0 5\r\nab", "MN\r\n")
	r.draining(t, 20*time.Second)
	if n, err := net.Dial("tcp", r.addr); err == nil {
		newClient(t, n).wantsEnd() // if the kernel had taken it already
	}
	c.asks("cde\r\n", "STORED\r\n")
	c.wantsEnd()
}

func TestDrainEndsClientsThatAreNotIn(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	t.Run("before a login", func(t *testing.T) {
		r := loginRig(t, fake.Addr(), func(l *Limits) { l.LoginTimeout = time.Minute })
		silent, wrong := r.client(t), r.client(t)
		wrong.asks(login("alice", "wrong"), "CLIENT_ERROR authentication failure\r\n")
		if err := r.shutdown(20 * time.Second); err != nil {
			t.Errorf("got %v", err)
		}
		silent.wantsEnd()
		wrong.wantsEnd()
		r.ends(t, EndDrain, EndDrain)
	})
	t.Run("in a handshake", func(t *testing.T) {
		r := startRig(t, fake.Addr(), rigOptions{tls: w.server, limits: func(l *Limits) { l.HandshakeTimeout = time.Minute }})
		c := newClient(t, r.dialWith(t, nil))
		c.send("\x16\x03\x01")
		testkit.Eventually(t, "the session", func() bool { return len(r.server.all()) == 1 })
		if err := r.shutdown(20 * time.Second); err != nil {
			t.Errorf("got %v", err)
		}
		c.wantsEnd()
		r.ends(t, EndHandshake)
	})
}

// TestLoginIsNotAwaitedWhileDraining holds what happens if the drain comes
// between two steps of a session.
func TestLoginIsNotAwaitedWhileDraining(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	defer here.Close()
	limits := DefaultLimits()
	s := &session{server: new(Server), limits: &limits, conn: here, started: time.Now()}
	s.x = newExchange(s.limits, s)
	s.drain()
	for name, wait := range map[string]func() error{
		"a login":   s.login,
		"a request": s.read,
		"a client that nobody knows": func() error {
			return s.turnAway(errors.New("nobody"))
		},
	} {
		if err := wait(); err == nil || endOf(err) != EndDrain {
			t.Errorf("%s: got %v, want the end of a drain", name, err)
		}
	}
	if err := s.broken(net.ErrClosed, EndSlow); endOf(err) != EndDrain {
		t.Errorf("got %v for what was cut off", err)
	}
}

func TestServerThatWasStoppedDoesNotServe(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	s := &Server{Pool: r.pool, Log: r.server.Log, Metrics: r.server.Metrics}
	for range 2 {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	}
	if err := s.Serve(nil); !errors.Is(err, errStopped) {
		t.Errorf("got %v, want %v", err, errStopped)
	}
}

// idle counts the clients that wait for a request.
func (r *rig) idle() (n int) {
	for _, s := range r.server.all() {
		waits := make(chan bool, 1)
		s.loop.Post(func() { waits <- s.idle })
		if <-waits {
			n++
		}
	}
	return n
}

// A client that is idle when the drain begins may ask once more until its turn to go
// has come.
func TestDrainAnswersUntilTheClientsTurn(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	r.server.Spread = time.Minute
	old, fresh := r.client(t), r.client(t)
	old.asks("mn\r\n", "MN\r\n")
	fresh.asks("mn\r\n", "MN\r\n")
	testkit.Eventually(t, "both to be idle", func() bool { return r.idle() == 2 })
	done := r.draining(t, 20*time.Second)
	fresh.asks("set a 0 0 1\r\n1\r\n", "STORED\r\n")
	fresh.wantsEnd()
	old.wantsEnd()
	if err := <-done; err != nil {
		t.Errorf("got %v", err)
	}
}

// A drain of idle clients leaves those that are in the middle of something, and the
// door, open.
func TestDrainIdleGoesOnServingTheOthers(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	idle, busy := r.client(t), r.client(t)
	idle.asks("mn\r\n", "MN\r\n")
	busy.asks("mn\r\n", "MN\r\n")
	busy.send("set a 0 0 5\r\nhel")
	testkit.Eventually(t, "half a request to arrive", func() bool { return r.idle() == 1 })
	r.server.DrainIdle(context.Background())
	idle.wantsEnd()
	r.ends(t, EndDrain)
	busy.asks("lo\r\n", "STORED\r\n")
	busy.asks("get a\r\n", "VALUE a 0 5\r\nhello\r\nEND\r\n")
	r.client(t).asks("get a\r\n", "VALUE a 0 5\r\nhello\r\nEND\r\n")
}

func TestDrainIdleEndsWithItsContext(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	r.server.Spread = time.Minute
	c := r.client(t)
	c.asks("mn\r\n", "MN\r\n")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.server.DrainIdle(ctx)
	c.asks("mn\r\n", "MN\r\n")
	r.server.Spread = 0
}

// TestDrainIdleLeavesWhoIsBusy also without a time to spread it over: between two of
// its requests a client is not idle.
func TestDrainIdleLeavesWhoIsBusy(t *testing.T) {
	r := startRig(t, testkit.StartFake(t, testkit.FakeOptions{}).Addr(), rigOptions{})
	busy, idle := r.client(t), r.client(t)
	busy.asks("mn\r\n", "MN\r\n")
	idle.asks("mn\r\n", "MN\r\n")
	var drained atomic.Bool
	var draining sync.WaitGroup
	draining.Go(func() { r.server.DrainIdle(context.Background()); drained.Store(true) })
	for !drained.Load() {
		busy.asks("mn\r\n", "MN\r\n")
		time.Sleep(time.Millisecond)
	}
	draining.Wait()
	busy.asks("mn\r\n", "MN\r\n")
	idle.wantsEnd()
}
