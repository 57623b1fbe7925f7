package poll

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slabgate/slabgate/internal/testkit"
)

// parked waits until a Read has found nothing and knows of nothing that happened
// since: whatever wakes it happens after this.
func parked(t testing.TB, c *Conn) {
	t.Helper()
	testkit.Eventually(t, "a Read that waits", func() bool {
		return !c.readable.Load() && len(c.rd.wake) == 0
	})
}

// TestWakesWhoWaits checks what wakes a Read that has found nothing, and what only
// changes for how long it waits. TestWaits does not know whether it waits yet.
func TestWakesWhoWaits(t *testing.T) {
	past, hour := time.Unix(1, 0), time.Now().Add(time.Hour)
	say := func(_ *Conn, peer net.Conn) { peer.Write([]byte("x")) }
	set := func(at time.Time) func(*Conn, net.Conn) {
		return func(c *Conn, _ net.Conn) { c.SetReadDeadline(at) }
	}
	tests := []struct {
		name   string
		before time.Time // deadline
		steps  []func(c *Conn, peer net.Conn)
		want   error
	}{
		{"bytes", time.Time{}, []func(*Conn, net.Conn){say}, nil},
		{"a past deadline after none", time.Time{}, []func(*Conn, net.Conn){set(past)}, os.ErrDeadlineExceeded},
		{"a past deadline after a later one", hour, []func(*Conn, net.Conn){set(past)}, os.ErrDeadlineExceeded},
		{"a later deadline, a past one", time.Time{}, []func(*Conn, net.Conn){set(hour), set(past)}, os.ErrDeadlineExceeded},
		{"no deadline any more, bytes", hour, []func(*Conn, net.Conn){set(time.Time{}), say}, nil},
		{"the other way's deadline, bytes", time.Time{}, []func(*Conn, net.Conn){func(c *Conn, _ net.Conn) { c.SetWriteDeadline(past) }, say}, nil},
		{"an event for nothing, bytes", time.Time{}, []func(*Conn, net.Conn){func(c *Conn, _ net.Conn) { c.Wake(Event{Read: true}) }, say}, nil},
		{"Abort", time.Time{}, []func(*Conn, net.Conn){func(c *Conn, _ net.Conn) { c.Abort() }}, io.EOF},
		{"Close", time.Time{}, []func(*Conn, net.Conn){func(c *Conn, _ net.Conn) { c.Close() }}, net.ErrClosed},
		{"Close with a deadline to come", hour, []func(*Conn, net.Conn){func(c *Conn, _ net.Conn) { c.Close() }}, net.ErrClosed},
		{"the peer writes no more", time.Time{}, []func(*Conn, net.Conn){func(_ *Conn, peer net.Conn) { peer.(*net.UnixConn).CloseWrite() }}, io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := startLoop(t)
			c, peer := l.pair()
			c.SetReadDeadline(tt.before)
			read := waiting(func() error { _, err := c.Read(make([]byte, 1)); return err })
			for _, step := range tt.steps {
				parked(t, c)
				step(c, peer)
			}
			testkit.Within(t, "Read", func() {
				if err := read(); !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
}

// TestInterruptedWait checks that a signal to the very thread that waits makes the
// loop look again and nothing else.
func TestInterruptedWait(t *testing.T) {
	l := newLoop(t)
	ours, peer := sockets(t)
	c := take(t, ours)
	var turns, events counter
	l.watch(c, teller(func(e Event) { events.Add(1); c.Wake(e) }))
	thread := make(chan int, 1)
	l.ran.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		if err := l.Run(func() Outlook { turns.Add(1); return Idle }); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	id := <-thread
	for range 50 {
		before := turns.Load() // nothing but a signal makes for another
		testkit.Eventually(t, "an interrupted wait", func() bool {
			// The runtime takes SIGURG for its own and goes on.
			if err := unix.Tgkill(unix.Getpid(), id, unix.SIGURG); err != nil {
				t.Error(err)
			}
			return turns.Load() > before
		})
	}
	if n := events.Load(); n != 0 {
		t.Errorf("%d events of a connection on which nothing happened", n)
	}
	peer.Write([]byte("x"))
	testkit.Within(t, "Read", func() {
		if n, err := c.Read(make([]byte, 2)); n != 1 || err != nil {
			t.Errorf("read %d, %v; want 1", n, err)
		}
	})
}
