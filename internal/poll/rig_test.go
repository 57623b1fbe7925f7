package poll

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slabgate/slabgate/internal/testkit"
)

// hang bounds every wait of these tests. It is never what they measure.
const hang = 20 * time.Second

// liveLoop is a loop that runs.
type liveLoop struct {
	*Loop
	t   testing.TB
	ran sync.WaitGroup
}

// newLoop makes a loop that does not run yet. Start comes later, or none at all.
func newLoop(t testing.TB) *liveLoop {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	live := &liveLoop{Loop: l, t: t}
	t.Cleanup(func() {
		l.Stop()
		live.ran.Wait()
	})
	return live
}

// start runs the loop until the test ends.
func (l *liveLoop) start(turn func() Outlook) {
	l.ran.Go(func() {
		if err := l.Run(turn); err != nil {
			l.t.Errorf("Run: %v", err)
		}
	})
}

func startLoop(t testing.TB) *liveLoop {
	t.Helper()
	l := newLoop(t)
	l.start(idle)
	return l
}

func idle() Outlook { return Idle }

// on calls f on the loop's goroutine and waits for it.
func (l *liveLoop) on(f func()) {
	l.t.Helper()
	done := make(chan struct{})
	if !l.Post(func() { defer close(done); f() }) {
		l.t.Fatal("the loop has been stopped")
	}
	testkit.Within(l.t, "the loop", func() { <-done })
}

// sockets returns both ends of a connection. They end with the test.
func sockets(t testing.TB) (ours, peer *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = c.(*net.UnixConn)
		t.Cleanup(func() { c.Close() })
	}
	return ends[0], ends[1]
}

// take makes a Conn of c. It ends with the test.
func take(t testing.TB, c net.Conn) *Conn {
	t.Helper()
	conn, err := Take(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// move gives c a descriptor that has just been closed. Nothing may have been opened
// since, which would have got it.
func move(t testing.TB, c *Conn, fd int) {
	t.Helper()
	if c.fd == fd {
		return
	}
	if err := unix.Dup3(c.fd, fd, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	unix.Close(c.fd)
	c.fd = fd
}

// pair returns a connection that the loop watches and wakes, and its peer.
func (l *liveLoop) pair() (*Conn, *net.UnixConn) {
	l.t.Helper()
	ours, peer := sockets(l.t)
	c := take(l.t, ours)
	l.watch(c, waker{c})
	return c, peer
}

// narrow is pair with a socket that takes few bytes at once.
func (l *liveLoop) narrow() (*Conn, *net.UnixConn) {
	l.t.Helper()
	ours, peer := sockets(l.t)
	if err := ours.SetWriteBuffer(4 << 10); err != nil {
		l.t.Fatal(err)
	}
	c := take(l.t, ours)
	l.watch(c, waker{c})
	return c, peer
}

func (l *liveLoop) watch(c *Conn, h Handler) {
	l.t.Helper()
	if err := l.Watch(c, h); err != nil {
		l.t.Fatal(err)
	}
}

// waker passes events on to whoever waits.
type waker struct{ c *Conn }

func (w waker) Ready(e Event) { w.c.Wake(e) }

// teller is a handler that calls a function.
type teller func(Event)

func (f teller) Ready(e Event) { f(e) }

// counter counts what happens.
type counter struct{ atomic.Int64 }

// reach waits until it has counted so many.
func (c *counter) reach(t testing.TB, what string, n int64) {
	t.Helper()
	testkit.Eventually(t, what, func() bool { return c.Load() >= n })
}
