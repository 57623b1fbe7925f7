package poll

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var errStopped = errors.New("poll: loop was stopped")

// ErrAgain says that nothing can be read, or written, without waiting. It is
// temporary, which is how crypto/tls is told to go on with a record later.
var ErrAgain error = again{}

type again struct{}

func (again) Error() string   { return "poll: not ready" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// Conn is a connection by its descriptor. TryRead and TryWrite never wait. Read
// and Write do, and so take a loop that watches the connection and calls Wake
// when it is ready. One goroutine at a time reads, and one writes.
type Conn struct {
	fd            int
	loop          *Loop
	local, remote net.Addr
	readable      atomic.Bool // there may be bytes, or an end
	gone          atomic.Bool // there may be an end behind what is read
	rd, wr        direction

	mu     sync.Mutex
	closed bool
}

// direction is what waits in one.
type direction struct {
	wake     chan struct{} // something happened: look again
	deadline time.Time     // guarded by Conn.mu
}

// Take makes a Conn of c, which must not be used any more: the runtime would be
// woken for what is the loop's.
func Take(c net.Conn) (*Conn, error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("poll: %T has no descriptor", c)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("poll: %w", err)
	}
	fd, dupErr := -1, error(nil)
	err = raw.Control(func(old uintptr) { fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, dupErr); err != nil {
		return nil, fmt.Errorf("poll: dup: %w", err)
	}
	n := &Conn{fd: fd, local: c.LocalAddr(), remote: c.RemoteAddr()}
	n.rd.wake, n.wr.wake = make(chan struct{}, 1), make(chan struct{}, 1)
	n.readable.Store(true)
	c.Close()
	return n, nil
}

// TryRead reads what is there, or returns [ErrAgain]. At the end it returns
// io.EOF.
func (c *Conn) TryRead(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	// Cleared first: what comes while we read sets it again.
	if !c.readable.Swap(false) {
		return 0, ErrAgain
	}
	n, err := retry(unix.Read, c.fd, b)
	switch {
	case err == unix.EAGAIN:
		return 0, ErrAgain
	case err != nil:
		c.readable.Store(true)
		return 0, c.wrap("read", err)
	case n == 0:
		c.readable.Store(true)
		return 0, io.EOF
	}
	if n == len(b) || c.gone.Load() {
		c.readable.Store(true) // there may be more; else there will be an event
	}
	return n, nil
}

// Look has the next TryRead ask the kernel, whatever the loop has been told.
func (c *Conn) Look() { c.readable.Store(true) }

// TryWrite writes what there is room for. It returns ErrAgain with less than all
// of b.
func (c *Conn) TryWrite(b []byte) (done int, err error) {
	for done < len(b) {
		n, err := retry(unix.Write, c.fd, b[done:])
		switch {
		case err == unix.EAGAIN:
			return done, ErrAgain
		case err != nil:
			return done, c.wrap("write", err)
		}
		done += n
	}
	return done, nil
}

// retry calls a system call until no signal interrupts it.
func retry(call func(int, []byte) (int, error), fd int, b []byte) (int, error) {
	for {
		if n, err := call(fd, b); err != unix.EINTR {
			return n, err
		}
	}
}

// wrap makes an error look like the net package's.
func (c *Conn) wrap(op string, err error) error {
	if err == unix.EBADF {
		err = net.ErrClosed
	}
	return &net.OpError{Op: op, Net: c.remote.Network(), Source: c.local, Addr: c.remote, Err: err}
}

// Wake passes an event on to whoever waits in Read or Write, and to the next
// TryRead. The loop's handler calls it.
func (c *Conn) Wake(e Event) {
	if e.Gone {
		c.gone.Store(true)
	}
	if e.Read {
		c.readable.Store(true)
		c.rd.nudge()
	}
	if e.Write {
		c.wr.nudge()
	}
}

func (d *direction) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Read waits until there is something to read.
func (c *Conn) Read(b []byte) (int, error) {
	for {
		if err := c.late(&c.rd); err != nil {
			return 0, c.wrap("read", err)
		}
		n, err := c.TryRead(b)
		if err != ErrAgain {
			return n, err
		}
		c.await(&c.rd)
	}
}

// Write waits until all of b is written.
func (c *Conn) Write(b []byte) (done int, err error) {
	for {
		if err := c.late(&c.wr); err != nil {
			return done, c.wrap("write", err)
		}
		n, err := c.TryWrite(b[done:])
		if done += n; err != ErrAgain {
			return done, err
		}
		if err := c.awaitRoom(); err != nil {
			return done, err
		}
	}
}

// awaitRoom waits until there is room.
func (c *Conn) awaitRoom() error {
	if err := c.WantRoom(true); err != nil {
		return err
	}
	c.await(&c.wr)
	return c.WantRoom(false)
}

// WantRoom has the loop tell, or tell no more, when something can be written.
func (c *Conn) WantRoom(yes bool) error {
	events := uint32(watched)
	if yes {
		events = andRoom
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.loop == nil {
		return c.wrap("wait", net.ErrClosed)
	}
	return c.loop.control(unix.EPOLL_CTL_MOD, c.fd, events)
}

// late returns why nothing may be waited for any more in one direction.
func (c *Conn) late(d *direction) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return net.ErrClosed
	case !d.deadline.IsZero() && !time.Now().Before(d.deadline):
		return os.ErrDeadlineExceeded
	}
	return nil
}

// await waits until something happened in one direction, or its deadline.
func (c *Conn) await(d *direction) {
	c.mu.Lock()
	at := d.deadline
	c.mu.Unlock()
	if at.IsZero() {
		<-d.wake
		return
	}
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-d.wake:
	case <-timer.C:
	}
}

// SetDeadline sets until when Read and Write wait. The zero time is for ever.
func (c *Conn) SetDeadline(t time.Time) error {
	c.setDeadline(&c.rd, t)
	c.setDeadline(&c.wr, t)
	return nil
}

// SetReadDeadline does so for Read, also for one that waits.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.setDeadline(&c.rd, t)
	return nil
}

// SetWriteDeadline does so for Write.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.setDeadline(&c.wr, t)
	return nil
}

func (c *Conn) setDeadline(d *direction, t time.Time) {
	c.mu.Lock()
	d.deadline = t
	c.mu.Unlock()
	d.nudge()
}

// CloseWrite says that nothing more will be written.
func (c *Conn) CloseWrite() error { return c.shutdown(unix.SHUT_WR) }

// Abort ends the connection for whoever has it, who finds an end or an error, and
// still has to close it.
func (c *Conn) Abort() { _ = c.shutdown(unix.SHUT_RDWR) } // not connected is just as well

func (c *Conn) shutdown(how int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.wrap("close", net.ErrClosed)
	}
	if err := unix.Shutdown(c.fd, how); err != nil {
		return c.wrap("close", err)
	}
	return nil
}

// Close gives the descriptor back. Only whoever has the connection may do so: the
// next connection may get the same one. It wakes Read and Write.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.wrap("close", net.ErrClosed)
	}
	c.closed = true
	if c.loop != nil {
		c.loop.forget(c.fd)
	}
	c.rd.nudge()
	c.wr.nudge()
	if err := unix.Close(c.fd); err != nil {
		return c.wrap("close", err)
	}
	return nil
}

// LocalAddr is the address of this end.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the address of the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }
