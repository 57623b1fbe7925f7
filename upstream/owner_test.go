package upstream

import (
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/poll"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// counted is an owner that counts how often it is told, and may panic.
type counted struct {
	told   int
	panics bool
}

func (c *counted) Served() {
	c.told++
	if c.panics {
		panic("owner")
	}
}

// TestOwnerPanics checks that an owner that panics each time it is told takes no
// other with it: each is told once, and the loop sees no panic.
func TestOwnerPanics(t *testing.T) {
	loop, err := poll.New()
	if err != nil {
		t.Fatal(err)
	}
	r := startRig(t, "unix:/nonexistent/s", nil)
	l := r.NewLane(loop)
	owners := []*counted{{}, {panics: true}, {}}
	for _, o := range owners {
		l.Add(batchOf(cmd("get", "k")), o)
	}
	r.Close() // so that nothing is dialled: all fail at once
	func() {
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("the loop saw the panic %v", p)
			}
		}()
		l.Turn()
	}()
	for i, o := range owners {
		if o.told != 1 {
			t.Errorf("owner %d was told %d times, want 1", i, o.told)
		}
	}
	loop.Stop()
	if err := loop.Run(func() poll.Outlook { return poll.Idle }); err != nil {
		t.Error(err)
	}
}

// TestIdleEndIsSeenAtOnce checks that what happens on a connection that owes
// nothing burns it although nobody asks for anything, and that the next one is
// made when somebody does.
func TestIdleEndIsSeenAtOnce(t *testing.T) {
	tests := []struct {
		name   string
		happen func(*testkit.Fake)
	}{
		{"end", (*testkit.Fake).CloseConns},
		{"one byte", func(f *testkit.Fake) { f.Say("H") }},
		{"bytes and an end", func(f *testkit.Fake) { f.Say("HD\r\n"); f.CloseConns() }},
	}
	for _, tt := range tests {
		for _, dialect := range []string{"meta", "classic"} {
			t.Run(tt.name+", "+dialect, func(t *testing.T) {
				fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.Dialect = dialect })
				r.do(cmd("get", "k"))
				tt.happen(fake)
				testkit.Eventually(t, "the burn", func() bool { return r.burns() == burns{metrics.BurnIdle: 1} })
				testkit.Eventually(t, "the end of the connection", func() bool { return fake.Conns() == 0 })
				r.lanes[0].on(func() {
					if r.lanes[0].conn != nil || r.lanes[0].dialling {
						t.Error("the lane has a connection, or makes one, that nobody asked for")
					}
				})
				if got := statuses(r.do(cmd("get", "k"))); got[0] != protocol.StatusMiss {
					t.Errorf("afterwards: statuses %v, want a miss", got)
				}
				if n := r.m.Dials.Load(); n != 2 {
					t.Errorf("%d dials, want 2", n)
				}
			})
		}
	}
}

// TestTimeoutOfLaterRound checks that a round is late by its own clock: the timer
// still runs for an earlier one.
func TestTimeoutOfLaterRound(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.RequestTimeout = 200 * time.Millisecond })
	for range 10 {
		r.do(cmd("get", "k"))
	}
	timed := false
	r.lanes[0].on(func() { timed = r.lanes[0].timed })
	if !timed {
		t.Fatal("the timer does not run")
	}
	start := time.Now()
	fake.Inject(testkit.Stall())
	b := r.do(store("set", "k", []byte("v")), cmd("get", "k"))
	if took := time.Since(start); took < 200*time.Millisecond {
		t.Errorf("the round failed after %v, which is the time of an earlier one", took)
	}
	if got, want := statuses(b), []protocol.Status{protocol.StatusLost, protocol.StatusLost}; !slices.Equal(got, want) {
		t.Errorf("statuses %v, want %v", got, want)
	}
	r.wantBurns(burns{metrics.BurnTimeout: 1})
	r.wantIdle()
	if got := statuses(r.do(cmd("get", "k"))); got[0] != protocol.StatusMiss && got[0] != protocol.StatusValue {
		t.Errorf("afterwards: statuses %v", got)
	}
}

// TestNoDescriptorForDial checks that a connection that can't be given to the loop
// is closed.
func TestNoDescriptorForDial(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, nil)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	restore := func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(restore)
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it closes what nobody holds any more
	fake.OnRequest(func(_ int, req []byte) testkit.Fault {
		if string(req) != "stats settings\r\n" {
			return testkit.Fault{}
		}
		free, err := syscall.Dup(0) // the next descriptor
		if err != nil {
			t.Error(err)
			return testkit.Fault{}
		}
		syscall.Close(free)
		limit := before
		limit.Cur = uint64(free)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
		return testkit.Fault{}
	})
	got := statuses(r.do(cmd("get", "k")))
	restore()
	if got[0] != protocol.StatusDown {
		t.Fatalf("statuses %v, want down", got)
	}
	testkit.Eventually(t, "the connection to be closed", func() bool { return fake.Conns() == 0 })
}

// owned is an owner that looks at its lane when it is told.
type owned func()

func (o owned) Served() { o() }

// TestNextRoundBeforeOwnersAreTold checks that memcached has what waits before the
// owners of the last round do whatever they do.
func TestNextRoundBeforeOwnersAreTold(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, nil)
	r.do(cmd("get", "warm"))
	l := r.lanes[0]
	var once sync.Once
	fake.OnRequest(func(int, []byte) testkit.Fault {
		once.Do(func() { testkit.Eventually(t, "the next batch", func() bool { return l.queued() == 1 }) })
		return testkit.Fault{}
	})
	flying := make(chan int, 1)
	first, second := batchOf(cmd("get", "a")), batchOf(cmd("get", "b"), cmd("get", "c"))
	l.on(func() { l.Add(first, owned(func() { flying <- len(l.flight) })) })
	testkit.Eventually(t, "the first batch to be sent", func() bool { return l.flying() == 1 })
	testkit.Within(t, "the next batch", l.add(second))
	if n := <-flying; n != 2 {
		t.Errorf("%d calls were under way when the first owner was told, want those of the next batch", n)
	}
	fake.OnRequest(nil)
}
