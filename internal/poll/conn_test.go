package poll

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slabgate/slabgate/internal/testkit"
)

var _ net.Conn = (*Conn)(nil)

// TestErrAgain checks what crypto/tls asks of an error to go on after it.
func TestErrAgain(t *testing.T) {
	var ne net.Error
	if !errors.As(ErrAgain, &ne) || !ne.Timeout() || ErrAgain.Error() == "" {
		t.Errorf("%v is no net.Error", ErrAgain)
	}
	if e, ok := ErrAgain.(interface{ Temporary() bool }); !ok || !e.Temporary() {
		t.Errorf("%v is not temporary", ErrAgain)
	}
}

// TestTake checks what a connection is made of, and that the old one is over.
func TestTake(t *testing.T) {
	if c, err := Take(fakeConn{}); err == nil {
		t.Errorf("got %v of a connection that has no descriptor", c)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	old, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	local, remote := old.LocalAddr(), old.RemoteAddr()
	c := take(t, old)
	if c.LocalAddr() != local || c.RemoteAddr() != remote {
		t.Errorf("addresses %v and %v, want %v and %v", c.LocalAddr(), c.RemoteAddr(), local, remote)
	}
	if _, err := old.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write to the old one: %v, want that it is closed", err)
	}
	if flags, err := unix.FcntlInt(uintptr(c.fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %v: a child would inherit it", flags, err)
	}
	if _, err := Take(old); err == nil {
		t.Error("a closed connection was taken")
	}
}

type fakeConn struct{ net.Conn }

// TestReadWrite sends much both ways at once, through sockets that take little.
func TestReadWrite(t *testing.T) {
	l := startLoop(t)
	c, peer := l.narrow()
	there, back := testkit.Value("c", "there", 1, 1<<20), testkit.Value("c", "back", 1, 1<<20)
	var wg sync.WaitGroup
	for _, way := range []struct {
		name     string
		from, to net.Conn
		data     []byte
	}{{"to the peer", c, peer, there}, {"from the peer", peer, c, back}} {
		wg.Go(func() {
			if n, err := way.from.Write(way.data); n != len(way.data) || err != nil {
				t.Errorf("%s: wrote %d, %v", way.name, n, err)
			}
		})
		wg.Go(func() {
			got := make([]byte, len(way.data))
			if _, err := io.ReadFull(way.to, got); err != nil || !bytes.Equal(got, way.data) {
				t.Errorf("%s: %v, or it came changed", way.name, err)
			}
		})
	}
	testkit.Within(t, "reading and writing", wg.Wait)
}

// waiting starts an operation that waits, and lets it be waited for.
func waiting(op func() error) (result func() error) {
	started, done := make(chan struct{}), make(chan error, 1)
	go func() {
		close(started)
		done <- op()
	}()
	<-started
	return func() error { return <-done }
}

// fill writes until there is no room.
func fill(t testing.TB, c *Conn) (n int) {
	t.Helper()
	for {
		done, err := c.TryWrite(make([]byte, 64<<10))
		n += done
		if err == ErrAgain {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestWaits checks what ends a Read and a Write that wait, and how.
func TestWaits(t *testing.T) {
	past := time.Unix(1, 0)
	soon := func() time.Time { return time.Now().Add(20 * time.Millisecond) }
	tests := []struct {
		name        string
		end         func(c *Conn, peer net.Conn)
		read, write error // nil for none at all
	}{
		{"both deadlines pass", func(c *Conn, _ net.Conn) { c.SetDeadline(soon()) }, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded},
		{"both deadlines are past", func(c *Conn, _ net.Conn) { c.SetDeadline(past) }, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded},
		{"one after the other", func(c *Conn, _ net.Conn) { c.SetReadDeadline(past); c.SetWriteDeadline(past) }, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded},
		{"a later deadline, then a past one", func(c *Conn, _ net.Conn) { c.SetDeadline(time.Now().Add(time.Hour)); c.SetDeadline(past) }, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded},
		{"Abort", func(c *Conn, _ net.Conn) { c.Abort() }, io.EOF, unix.EPIPE},
		{"Close", func(c *Conn, _ net.Conn) { c.Close() }, net.ErrClosed, net.ErrClosed},
		{"the peer closes", func(_ *Conn, peer net.Conn) { peer.Close() }, io.EOF, unix.EPIPE},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := startLoop(t)
			c, peer := l.narrow()
			fill(t, c)
			read := waiting(func() error { _, err := c.Read(make([]byte, 1)); return err })
			write := waiting(func() error { _, err := c.Write([]byte("x")); return err })
			tt.end(c, peer)
			testkit.Within(t, "Read", func() { wantErr(t, "Read", read(), tt.read) })
			testkit.Within(t, "Write", func() { wantErr(t, "Write", write(), tt.write) })
		})
	}
}

// wantErr compares an error with what it must be. A late one must say so.
func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	// What was not read when the peer closed resets the connection.
	if !errors.Is(got, want) && !(want == io.EOF && errors.Is(got, unix.ECONNRESET)) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
	var ne net.Error
	if late := want == os.ErrDeadlineExceeded; late && (!errors.As(got, &ne) || !ne.Timeout()) {
		t.Errorf("%s: %v is no timeout", what, got)
	}
}

// TestOneDeadline checks that a deadline is one of its direction only, that it is
// no end, and that bytes which are there do not excuse being late.
func TestOneDeadline(t *testing.T) {
	l := startLoop(t)
	c, peer := l.pair()
	peer.Write([]byte("ab"))
	c.SetReadDeadline(time.Unix(1, 0))
	_, err := c.Read(make([]byte, 1))
	wantErr(t, "Read", err, os.ErrDeadlineExceeded)
	if _, err := c.Write([]byte("x")); err != nil {
		t.Errorf("Write: %v", err)
	}
	c.SetReadDeadline(time.Time{})
	c.SetWriteDeadline(time.Unix(1, 0))
	_, err = c.Write([]byte("y"))
	wantErr(t, "Write", err, os.ErrDeadlineExceeded)
	b := make([]byte, 2)
	testkit.Within(t, "Read", func() {
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "ab" {
			t.Errorf("Read: %q, %v; want ab", b, err)
		}
	})
	c.SetDeadline(time.Now().Add(time.Hour))
	read := waiting(func() error { _, err := c.Read(b[:1]); return err })
	peer.Write([]byte("c"))
	testkit.Within(t, "Read", func() {
		if err := read(); err != nil || b[0] != 'c' {
			t.Errorf("Read with an hour to go: %q, %v; want c", b[:1], err)
		}
	})
}

// TestCloseWrite checks that the peer finds an end, and can still be heard.
func TestCloseWrite(t *testing.T) {
	l := startLoop(t)
	c, peer := l.pair()
	if _, err := c.Write([]byte("bye")); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	testkit.Within(t, "the conversation", func() {
		if got, err := io.ReadAll(peer); string(got) != "bye" || err != nil {
			t.Errorf("the peer got %q, %v; want bye", got, err)
		}
		peer.Write([]byte("well"))
		peer.Close()
		if got, err := io.ReadAll(c); string(got) != "well" || err != nil {
			t.Errorf("got %q, %v; want well", got, err)
		}
	})
	if _, err := c.Write([]byte("x")); !errors.Is(err, unix.EPIPE) {
		t.Errorf("Write: %v, want %v", err, unix.EPIPE)
	}
}

// TestAfterClose checks that a closed connection is left alone by whoever does not
// know yet.
func TestAfterClose(t *testing.T) {
	l := startLoop(t)
	c, peer := l.pair()
	ours, other := sockets(t)
	next := take(t, ours) // which gets the descriptor
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		do   func() error
	}{
		{"Read", func() error { _, err := c.Read(make([]byte, 1)); return err }},
		{"Write", func() error { _, err := c.Write([]byte("x")); return err }},
		{"CloseWrite", c.CloseWrite},
		{"WantRoom", func() error { return c.WantRoom(true) }},
		{"Close", c.Close},
	}
	move(t, next, c.fd)
	for _, tt := range tests {
		if err := tt.do(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v, want %v", tt.name, err, net.ErrClosed)
		}
	}
	c.Abort()
	c.Wake(Event{Read: true, Write: true, Gone: true})
	if err := c.SetDeadline(time.Now()); err != nil {
		t.Errorf("SetDeadline: %v", err)
	}
	if n, err := peer.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the peer read %d bytes, %v", n, err)
	}
	l.watch(next, waker{next})
	other.Write([]byte("x"))
	testkit.Within(t, "Read", func() {
		if n, err := next.Read(make([]byte, 2)); n != 1 || err != nil {
			t.Errorf("the next connection: %d, %v", n, err)
		}
	})
}

// TestTryRead checks when there is nothing, some, and an end.
func TestTryRead(t *testing.T) {
	l := newLoop(t)
	c, peer := l.pair()
	b := make([]byte, 4)
	want := func(step string, n int, text string, wantErr error) {
		t.Helper()
		got, err := c.TryRead(b[:n])
		if string(b[:got]) != text || err != wantErr {
			t.Errorf("%s: got %q, %v; want %q, %v", step, b[:got], err, text, wantErr)
		}
	}
	want("no room", 0, "", nil)
	want("nothing", 4, "", ErrAgain)
	peer.Write([]byte("abcdef"))
	want("not told yet", 4, "", ErrAgain)
	c.Wake(Event{Write: true})
	want("told of room", 4, "", ErrAgain)
	c.Wake(Event{Read: true})
	want("full", 4, "abcd", nil)
	want("the rest", 4, "ef", nil)
	want("nothing again", 4, "", ErrAgain)
	peer.Write([]byte("gh"))
	c.Look()
	want("after Look", 2, "gh", nil)
	want("full, and nothing after it", 2, "", ErrAgain)
	c.Look()
	want("Look for nothing", 2, "", ErrAgain)
	peer.Write([]byte("i"))
	peer.Close()
	c.Wake(Event{Read: true, Gone: true})
	want("short, with an end behind it", 4, "i", nil)
	want("end", 4, "", io.EOF)
	want("end again", 4, "", io.EOF)
}

// TestTryWrite checks that a loop tells of room while that is asked for, and no
// longer.
func TestTryWrite(t *testing.T) {
	l := newLoop(t)
	ours, peer := sockets(t)
	ours.SetWriteBuffer(4 << 10)
	c := take(t, ours)
	var room, bytesCame counter
	data, sent := testkit.Value("c", "k", 1, 256<<10), 0
	push := func() error {
		n, err := c.TryWrite(data[sent:])
		sent += n
		return err
	}
	l.watch(c, teller(func(e Event) {
		if e.Read {
			bytesCame.Add(1)
		}
		if !e.Write {
			return
		}
		room.Add(1)
		if sent == len(data) {
			return
		}
		if err := push(); err == nil {
			err = c.WantRoom(false)
			if err != nil {
				t.Error(err)
			}
		} else if err != ErrAgain {
			t.Error(err)
		}
	}))
	l.start(idle)
	if room.Load() != 0 {
		t.Error("there is room that nobody asked for")
	}
	l.on(func() {
		if err := push(); err != ErrAgain || sent == 0 || sent == len(data) {
			t.Errorf("wrote %d of %d, %v; want some, and %v", sent, len(data), err, ErrAgain)
		}
		if err := c.WantRoom(true); err != nil {
			t.Error(err)
		}
	})
	got := make([]byte, len(data))
	testkit.Within(t, "the peer", func() {
		if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%v, or it came changed", err)
		}
	})
	if room.Load() == 0 {
		t.Error("nobody told of room")
	}
	// What the peer reads now makes room that nobody asks for.
	l.on(func() { room.Store(0); fill(t, c) })
	testkit.Within(t, "the peer", func() { peer.Read(got) })
	peer.Write([]byte("x"))
	bytesCame.reach(t, "bytes of the peer", 1)
	l.on(func() {})
	if n := room.Load(); n != 0 {
		t.Errorf("%d events of room that nobody asked for", n)
	}
}

// TestWriteInPart checks that Write says how much of its bytes went.
func TestWriteInPart(t *testing.T) {
	l := startLoop(t)
	c, peer := l.narrow()
	data := testkit.Value("c", "k", 1, 256<<10)
	c.SetWriteDeadline(time.Now().Add(30 * time.Millisecond))
	n, err := c.Write(data)
	wantErr(t, "Write", err, os.ErrDeadlineExceeded)
	if n == 0 || n == len(data) {
		t.Errorf("wrote %d of %d, want some", n, len(data))
	}
	c.CloseWrite()
	testkit.Within(t, "the peer", func() {
		if got, err := io.ReadAll(peer); err != nil || !bytes.Equal(got, data[:n]) {
			t.Errorf("the peer got %d bytes, %v; want the first %d", len(got), err, n)
		}
	})
}

// TestWriteAsksNoLonger checks that the loop is not told of room any more once Write
// has had enough.
func TestWriteAsksNoLonger(t *testing.T) {
	l := newLoop(t)
	ours, peer := sockets(t)
	ours.SetWriteBuffer(4 << 10)
	c := take(t, ours)
	var room, came counter
	l.watch(c, teller(func(e Event) {
		if e.Write {
			room.Add(1)
		}
		if e.Read {
			came.Add(1)
		}
		c.Wake(e)
	}))
	l.start(idle)
	write := waiting(func() error { _, err := c.Write(make([]byte, 64<<10)); return err })
	testkit.Within(t, "the peer", func() {
		if _, err := io.ReadFull(peer, make([]byte, 64<<10)); err != nil {
			t.Error(err)
		}
		if err := write(); err != nil {
			t.Error(err)
		}
	})
	l.on(func() {})
	l.on(func() { // what was told until here was asked for
		if room.Swap(0) == 0 {
			t.Error("nobody told of room")
		}
		fill(t, c)
	})
	peer.Read(make([]byte, 64<<10))
	peer.Write([]byte("x"))
	came.reach(t, "bytes of the peer", 1)
	l.on(func() {})
	if n := room.Load(); n != 0 {
		t.Errorf("%d events of room that nobody asks for any more", n)
	}
}

// TestWithoutLoop checks that what would wait for a loop that does not watch says
// so.
func TestWithoutLoop(t *testing.T) {
	ours, _ := sockets(t)
	ours.SetWriteBuffer(4 << 10)
	c := take(t, ours)
	fill(t, c)
	testkit.Within(t, "Write", func() {
		if n, err := c.Write([]byte("x")); n != 0 || err == nil {
			t.Errorf("wrote %d, %v; want an error", n, err)
		}
	})
}
