package upstream

import (
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// TestGateWaits checks that the time between dials doubles up to its bound, is
// not the same for everybody, and starts anew after a success.
func TestGateWaits(t *testing.T) {
	const least, most = 5 * time.Millisecond, 50 * time.Millisecond
	now := time.Unix(1000, 0)
	for range 2 { // the second time after a success
		spread := map[time.Duration]bool{}
		for range 200 {
			g := gate{min: least, max: most}
			for n, wait := range []time.Duration{5, 10, 20, 40, 50, 50} {
				wait *= time.Millisecond
				probe, ok := g.enter(now)
				if !ok || probe != (n > 0) {
					t.Fatalf("dial %d: probe %v, ok %v", n, probe, ok)
				}
				if first := g.failed(now, probe); first != (n == 0) {
					t.Fatalf("failure %d: first %v", n, first)
				}
				pause := g.until.Sub(now)
				if pause < wait/2 || pause > wait {
					t.Fatalf("after failure %d: closed for %v, want %v to %v", n, pause, wait/2, wait)
				}
				if _, ok := g.enter(g.until.Add(-1)); ok {
					t.Fatalf("after failure %d: open too early", n)
				}
				if n == 5 {
					spread[pause] = true
				}
				now = g.until
			}
			if probe, _ := g.enter(now); !g.succeeded(probe) || g.shut() {
				t.Fatal("a success after failures is not the first")
			}
			if g.succeeded(false) {
				t.Fatal("a second success is the first")
			}
		}
		if len(spread) < 100 {
			t.Errorf("%d different pauses of 200", len(spread))
		}
	}
}

// TestGateProbe checks that after a failure only one dials, and that dials that
// failed together count once.
func TestGateProbe(t *testing.T) {
	g := gate{min: 8 * time.Millisecond, max: 100 * time.Millisecond}
	now := time.Unix(1000, 0)
	for range 5 { // all dial while memcached is thought to be up
		if probe, ok := g.enter(now); probe || !ok {
			t.Fatalf("probe %v, ok %v", probe, ok)
		}
	}
	firsts := 0
	for range 5 {
		if g.failed(now, false) {
			firsts++
		}
	}
	if firsts != 1 || g.wait != g.min {
		t.Errorf("five failures: %d firsts, wait %v", firsts, g.wait)
	}
	now = g.until
	if probe, ok := g.enter(now); !probe || !ok {
		t.Fatalf("probe %v, ok %v", probe, ok)
	}
	if _, ok := g.enter(now.Add(time.Hour)); ok {
		t.Error("a second dial beside the probe")
	}
	g.failed(now, false) // a dial from before ends
	if _, ok := g.enter(now.Add(time.Hour)); ok {
		t.Error("a second dial after a late failure")
	}
	g.failed(now, true)
	if g.wait != 2*g.min {
		t.Errorf("wait %v after the probe failed, want %v", g.wait, 2*g.min)
	}
	now = g.until
	g.enter(now)
	if !g.succeeded(true) {
		t.Error("the probe's success is not the first")
	}
	for range 3 {
		if probe, ok := g.enter(now); probe || !ok {
			t.Errorf("after a success: probe %v, ok %v", probe, ok)
		}
	}
}

// TestGateRace checks under load that never two probe at a time.
func TestGateRace(t *testing.T) {
	g := gate{min: time.Microsecond, max: time.Microsecond}
	g.failed(time.Now(), false)
	var mu sync.Mutex
	var wg sync.WaitGroup
	probes := 0
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				probe, ok := g.enter(time.Now())
				if !ok {
					continue
				}
				if !probe || !mu.TryLock() {
					t.Error("two dial at a time")
					return
				}
				probes++
				mu.Unlock()
				g.failed(time.Now(), probe)
			}
		})
	}
	wg.Wait()
	if probes == 0 {
		t.Error("nobody dialled")
	}
}

// TestBackOff checks that a memcached that is down is dialled now and then, not
// for every command, and that nobody waits for a dial but who makes it.
func TestBackOff(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.ConnectTimeout = time.Second })
	r.do(cmd("get", "k"))
	fake.OnRequest(func(int, []byte) testkit.Fault { return testkit.Stall() })
	fake.CloseConns()
	time.Sleep(settleTime)
	if got := r.do(cmd("get", "k")).Calls[0].Reply.Status; got != protocol.StatusDown {
		t.Fatalf("status %d, want down", got)
	}
	l := r.lanes[0]
	var wg sync.WaitGroup
	testkit.Eventually(t, "a probe", func() bool {
		wg.Go(func() { l.Do(batchOf(cmd("get", "k"))) })
		time.Sleep(5 * time.Millisecond)
		refuses := false
		l.on(func() { refuses = l.refuses })
		return refuses
	})
	failed, received := r.m.DialFails.Load(), len(fake.Received())
	for n := range 1000 {
		if n == 1 && r.m.DialFails.Load() != failed {
			t.Error("a command waited for somebody else's dial")
		}
		if got := r.do(cmd("get", "k")).Calls[0].Reply.Status; got != protocol.StatusDown {
			t.Fatalf("status %d, want down", got)
		}
	}
	testkit.Within(t, "the probe", wg.Wait)
	if got := r.m.DialFails.Load() - failed; got > 500 {
		t.Errorf("%d dials for 1000 commands", got)
	}
	if got := len(fake.Received()) - received; got > 500*len("version\r\n") {
		t.Errorf("memcached was sent %d bytes", got)
	}
	fake.OnRequest(nil)
	testkit.Eventually(t, "service", func() bool {
		return r.do(cmd("get", "k")).Calls[0].Reply.Status == protocol.StatusMiss
	})
	r.wantIdle()
}
