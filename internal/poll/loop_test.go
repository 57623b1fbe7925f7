package poll

import (
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/slabgate/slabgate/internal/testkit"
)

// TestPost checks that what is posted is called in order, one thing at a time, and
// by the loop's goroutine.
func TestPost(t *testing.T) {
	l := startLoop(t)
	var got []int // guarded by nothing: the race detector watches
	for i := range 1000 {
		if !l.Post(func() { got = append(got, i) }) {
			t.Fatalf("post %d was refused", i)
		}
	}
	l.on(func() {})
	for i, n := range got {
		if n != i {
			t.Fatalf("call %d was of post %d", i, n)
		}
	}
	if len(got) != 1000 {
		t.Errorf("%d of 1000 posts were called", len(got))
	}
}

// TestPostFromMany posts from many goroutines at once, each in its order.
func TestPostFromMany(t *testing.T) {
	l := startLoop(t)
	var wg sync.WaitGroup
	got := make([][]int, 16)
	for g := range got {
		wg.Go(func() {
			for i := range 500 {
				l.Post(func() { got[g] = append(got[g], i) })
			}
		})
	}
	testkit.Within(t, "posting", wg.Wait)
	l.on(func() {})
	for g := range got {
		if len(got[g]) != 500 || !slices.IsSorted(got[g]) {
			t.Errorf("goroutine %d: %d of 500 were called, in order: %v", g, len(got[g]), slices.IsSorted(got[g]))
		}
	}
}

// TestPostFromPosted checks that what posted functions post is called in a later
// cycle, and the turn between.
func TestPostFromPosted(t *testing.T) {
	l := newLoop(t)
	var order []string
	done := make(chan struct{})
	l.Post(func() {
		order = append(order, "first")
		l.Post(func() {
			order = append(order, "third")
			l.Post(func() { close(done) })
		})
	})
	l.Post(func() { order = append(order, "second") })
	l.start(func() Outlook {
		if len(order) > 0 && order[len(order)-1] != "turn" {
			order = append(order, "turn")
		}
		return Idle
	})
	testkit.Within(t, "the posts", func() { <-done })
	if want := []string{"first", "second", "turn", "third", "turn"}; !slices.Equal(order, want) {
		t.Errorf("got %v, want %v", order, want)
	}
}

// TestStop checks that a loop that is stopped does what was posted before, and
// takes nothing more.
func TestStop(t *testing.T) {
	l := newLoop(t)
	called, turns := 0, 0
	for range 10 {
		l.Post(func() { called++ })
	}
	l.Post(func() {
		if l.Post(func() { t.Error("was called after Stop") }) {
			t.Error("a post after Stop was taken from a posted function")
		}
	})
	l.Stop()
	l.Stop()
	if l.Post(func() { t.Error("was called after Stop") }) {
		t.Error("a post after Stop was taken")
	}
	ours, _ := sockets(t)
	if err := l.Watch(take(t, ours), teller(func(Event) {})); err == nil {
		t.Error("a stopped loop watches")
	}
	testkit.Within(t, "Run", func() {
		if err := l.Run(func() Outlook { turns++; return Now }); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	if called != 10 || turns != 0 {
		t.Errorf("%d of 10 posts were called, with %d turns", called, turns)
	}
	l.Stop()
	if l.Post(func() {}) {
		t.Error("a post after the end was taken")
	}
}

// TestStopRace posts while another stops: what was taken is called.
func TestStopRace(t *testing.T) {
	for range 200 {
		l := startLoop(t)
		var wg sync.WaitGroup
		taken, called := 0, 0
		wg.Go(func() {
			for l.Post(func() { called++ }) {
				taken++
			}
		})
		wg.Go(l.Stop)
		testkit.Within(t, "the loop", func() { wg.Wait(); l.ran.Wait() })
		if taken != called {
			t.Fatalf("%d posts were taken, %d called", taken, called)
		}
	}
}

// TestStopFromWithin checks that the loop can be stopped by what it calls.
func TestStopFromWithin(t *testing.T) {
	l := newLoop(t)
	ours, peer := sockets(t)
	c := take(t, ours)
	l.watch(c, teller(func(Event) { l.Stop() }))
	l.start(idle)
	peer.Write([]byte("x"))
	testkit.Within(t, "the loop", l.ran.Wait)
}

// TestTurn checks that turn is called after each cycle, and again without an event
// only if it says that there is more to do.
func TestTurn(t *testing.T) {
	l := newLoop(t)
	turns, done := 0, make(chan struct{})
	l.Post(func() {})
	l.start(func() Outlook {
		if turns++; turns == 100 {
			close(done)
		}
		if turns < 100 {
			return Now
		}
		return Soon
	})
	testkit.Within(t, "100 turns", func() { <-done })
	l.on(func() {}) // it still hears
}

// TestTurnHearsWhileBusy checks that a loop that always has more to do still hears
// its connections and what is posted.
func TestTurnHearsWhileBusy(t *testing.T) {
	l := newLoop(t)
	ours, peer := sockets(t)
	c := take(t, ours)
	var events counter
	l.watch(c, teller(func(Event) { events.Add(1) }))
	l.start(func() Outlook { return Now })
	peer.Write([]byte("x"))
	events.reach(t, "the event", 1)
	l.on(func() {})
}

// TestEager checks that a loop that does not sleep between short waits hears
// whatever comes: both kinds, often enough to be eager.
func TestEager(t *testing.T) {
	for _, outlook := range []Outlook{Idle, Soon} {
		l := newLoop(t)
		ours, peer := sockets(t)
		c := take(t, ours)
		l.watch(c, teller(func(e Event) {
			c.Wake(e)
			b := make([]byte, 8)
			if n, err := c.TryRead(b); err == nil {
				c.TryWrite(b[:n])
			}
		}))
		l.habits[outlook].score = mostScore
		l.start(func() Outlook { return outlook })
		testkit.Within(t, "an echo", func() {
			b := make([]byte, 1)
			for i := range 2000 {
				peer.Write([]byte{byte(i)})
				if _, err := io.ReadFull(peer, b); err != nil || b[0] != byte(i) {
					t.Fatalf("echo %d: %d, %v", i, b[0], err)
				}
			}
		})
		l.on(func() {})
	}
}

// TestWatch checks what is told of a connection, also of what happened before.
func TestWatch(t *testing.T) {
	tests := []struct {
		name   string
		happen func(peer *net.UnixConn)
		want   Event
	}{
		{"bytes", func(p *net.UnixConn) { p.Write([]byte("x")) }, Event{Read: true}},
		{"an end", func(p *net.UnixConn) { p.Close() }, Event{Read: true, Write: true, Gone: true}},
		{"an end of writing", func(p *net.UnixConn) { p.CloseWrite() }, Event{Read: true, Write: true, Gone: true}},
		{"bytes and an end", func(p *net.UnixConn) { p.Write([]byte("x")); p.Close() }, Event{Read: true, Write: true, Gone: true}},
	}
	for _, tt := range tests {
		for _, before := range []bool{true, false} {
			l := newLoop(t)
			ours, peer := sockets(t)
			c := take(t, ours)
			told := make(chan Event, 16)
			if before {
				tt.happen(peer)
			}
			l.watch(c, teller(func(e Event) { told <- e }))
			l.start(idle)
			if !before {
				l.on(func() { tt.happen(peer) })
			}
			testkit.Within(t, tt.name, func() {
				if got := <-told; got != tt.want {
					t.Errorf("%s, before %v: got %+v, want %+v", tt.name, before, got, tt.want)
				}
			})
		}
	}
}

// TestEndWithoutAnotherEvent checks that one event is enough for bytes and the end
// behind them, though the bytes did not fill what they were read into.
func TestEndWithoutAnotherEvent(t *testing.T) {
	l := newLoop(t)
	ours, peer := sockets(t)
	c := take(t, ours)
	peer.Write([]byte("bye"))
	peer.Close()
	type result struct {
		text string
		err  error
	}
	results := make(chan result, 8)
	l.watch(c, teller(func(e Event) {
		c.Wake(e)
		b := make([]byte, 16)
		for range 2 {
			n, err := c.TryRead(b)
			results <- result{string(b[:n]), err}
		}
	}))
	l.start(idle)
	testkit.Within(t, "the event", func() {
		for _, want := range []result{{"bye", nil}, {"", io.EOF}} {
			if got := <-results; got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
	})
}

// TestStaleEvent checks that an event of a connection that has been closed since,
// whose descriptor another one got, does that one no harm.
func TestStaleEvent(t *testing.T) {
	for _, end := range []bool{false, true} {
		l := newLoop(t)
		ours, peer := sockets(t)
		old := take(t, ours)
		l.watch(old, teller(func(Event) { t.Error("an event of a closed connection") }))
		peer.Write([]byte("old"))
		if end {
			peer.Close()
		}
		events := make([]unix.EpollEvent, 8)
		n, err := unix.EpollWait(l.epoll, events, int(hang.Milliseconds()))
		if n != 1 || err != nil {
			t.Fatalf("%d events, %v; want 1", n, err)
		}
		ours, peer = sockets(t)
		next := take(t, ours)
		old.Close()
		if l.gather(events[:n]); len(l.due) != 0 {
			t.Errorf("%d handlers are told of a connection that nobody has", len(l.due))
		}

		move(t, next, old.fd)
		l.watch(next, waker{next})
		l.gather(events[:n])
		for _, d := range l.due {
			d.handler.Ready(d.event)
		}
		l.due = l.due[:0]
		b := make([]byte, 8)
		if n, err := next.TryRead(b); n != 0 || err != ErrAgain {
			t.Errorf("end %v: read %q, %v; want %v", end, b[:n], err, ErrAgain)
		}
		l.start(idle)
		for _, text := range []string{"new", "newer"} {
			peer.Write([]byte(text))
			testkit.Within(t, "Read", func() {
				if n, err := next.Read(b); string(b[:n]) != text || err != nil {
					t.Errorf("end %v: read %q, %v; want %q", end, b[:n], err, text)
				}
			})
		}
	}
}

// TestCloseFromOtherHandler checks that a connection that is closed by the handler
// of another, in the same cycle, is not told of by a later one.
func TestCloseFromOtherHandler(t *testing.T) {
	l := newLoop(t)
	var conns []*Conn
	told := 0
	for range 8 {
		ours, peer := sockets(t)
		conns = append(conns, take(t, ours))
		peer.Write([]byte("x"))
	}
	for _, c := range conns {
		l.watch(c, teller(func(Event) {
			told++
			for _, c := range conns {
				c.Close()
			}
		}))
	}
	l.start(idle)
	l.on(func() {})
	l.on(func() {
		if told == 0 || told > len(conns) {
			t.Errorf("%d events, want 1 to %d", told, len(conns))
		}
		if len(l.handlers) != 0 {
			t.Errorf("%d handlers are left", len(l.handlers))
		}
		told = 0
	})
	l.on(func() {
		if told != 0 {
			t.Errorf("%d events of closed connections", told)
		}
	})
}

// TestManyConnections has more connections ready at once than a wait reports.
func TestManyConnections(t *testing.T) {
	const many = 2*maxEvents + 17
	l := newLoop(t)
	var got [many]int
	var all counter
	for i := range many {
		ours, peer := sockets(t)
		c := take(t, ours)
		peer.Write([]byte{byte(i)})
		l.watch(c, teller(func(e Event) {
			c.Wake(e)
			b := make([]byte, 4)
			n, err := c.TryRead(b)
			if n != 1 || err != nil || b[0] != byte(i) {
				t.Errorf("connection %d: %q, %v", i, b[:n], err)
			}
			got[i]++
			all.Add(1)
		}))
	}
	l.start(idle)
	all.reach(t, "every connection", many)
	l.on(func() {
		for i, n := range got {
			if n != 1 {
				t.Errorf("connection %d was told of %d times, want 1", i, n)
			}
		}
	})
}

// TestSignals checks that a loop that waits takes no harm from a signal.
func TestSignals(t *testing.T) {
	l := startLoop(t)
	c, peer := l.pair()
	for range 200 {
		unix.Kill(unix.Getpid(), unix.SIGURG) // which the runtime takes for its own
		l.on(func() {})
	}
	peer.Write([]byte("x"))
	testkit.Within(t, "Read", func() {
		if n, err := c.Read(make([]byte, 2)); n != 1 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
	})
}

// TestDescriptors checks that a loop gives back its own descriptors.
func TestDescriptors(t *testing.T) {
	for range 300 {
		l, err := New()
		if err != nil {
			t.Fatal(err)
		}
		l.Stop()
		if err := l.Run(idle); err != nil {
			t.Fatal(err)
		}
		if l.epoll > 256 {
			t.Fatalf("descriptor %d: those before it are not given back", l.epoll)
		}
	}
}
