package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/protocol"
)

// Sizes of a connection's buffers, in bytes. Replies are read into readSize;
// what is larger than that is copied out in pieces.
const (
	readSize  = 64 << 10
	writeSize = 64 << 10
)

var (
	errUnsolicited = errors.New("upstream: bytes or an end came while nothing was owed")
	errExpected    = errors.New("upstream: memcached said something else than it had to")
	errSize        = errors.New("upstream: value is larger than memcached takes")
)

// Info is what a connection learned of its memcached when it was made.
type Info struct {
	Version string
	MaxItem int // item size limit in bytes
	Meta    bool
	Knows   protocol.Features
}

// conn is one connection to memcached. One goroutine at a time uses it.
type conn struct {
	net.Conn
	info  Info
	seq   uint64 // of the last opaque; starts at random, so that none is ever guessed or met again
	rbuf  []byte
	r, w  int // rbuf[r:w] is read and not used
	wbuf  []byte
	slots chan struct{} // whose slot it takes while it is leased
	open  *atomic.Int64 // counts it until it is closed; nil if nothing does
}

// Close closes the connection, which is one less then.
func (c *conn) Close() error {
	if c.open != nil {
		c.open.Add(-1)
		c.open = nil
	}
	return c.Conn.Close()
}

// within bounds everything on c from now on: by patience, and by the end of ctx.
// The caller hands release how that went once it is over. If ctx has ended by then,
// c may be cut short at any moment, and there is an error in any case.
func (c *conn) within(ctx context.Context, patience time.Duration) (release func(error) error) {
	c.SetDeadline(time.Now().Add(patience))
	nc := c.Conn
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	return func(err error) error {
		if !stop() && err == nil {
			return ctx.Err()
		}
		return err
	}
}

// ended returns why ctx has ended, or has to any moment: a dialler that keeps to its
// deadline may be the first to notice.
func ended(ctx context.Context) error {
	if end, bounded := ctx.Deadline(); ctx.Err() == nil && bounded && !time.Now().Before(end) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// room moves what is not used to the front and returns the rest of rbuf.
func (c *conn) room() []byte {
	if c.r > 0 {
		c.w = copy(c.rbuf, c.rbuf[c.r:c.w])
		c.r = 0
	}
	return c.rbuf[c.w:]
}

// fill reads more bytes behind those that are there.
func (c *conn) fill() error {
	n, err := c.Read(c.room())
	c.w += n
	if n > 0 {
		return nil
	}
	return err
}

// send writes what was composed into wbuf, whole.
func (c *conn) send() error {
	_, err := c.Write(c.wbuf)
	c.sent()
	return err
}

// sent empties wbuf for the next write.
func (c *conn) sent() {
	if cap(c.wbuf) > 2*writeSize {
		c.wbuf = make([]byte, 0, writeSize)
	}
	c.wbuf = c.wbuf[:0]
}

// takes reports whether memcached can be asked for what cmd asks.
func (c *conn) takes(cmd *protocol.Command) bool { return c.info.Meta || cmd.FitsClassic() }

// compose appends cmd to what the next send writes and returns its opaque.
func (c *conn) compose(cmd *protocol.Command) uint64 {
	if !c.info.Meta {
		c.wbuf = protocol.AppendClassic(c.wbuf, cmd)
		return 0
	}
	c.seq++
	c.wbuf = protocol.AppendMeta(c.wbuf, cmd, c.seq)
	return c.seq
}

// head reads the line of the reply to cmd. The value, if any, is still to be
// read with chunks.
func (c *conn) head(cmd *protocol.Command, opaque uint64, r *protocol.Reply) error {
	for {
		if err := c.parse(cmd, opaque, r); err != protocol.ErrShort {
			return err
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// parse takes the line of the reply to cmd, if all of it is there.
func (c *conn) parse(cmd *protocol.Command, opaque uint64, r *protocol.Reply) (err error) {
	n := 0
	if c.info.Meta {
		n, err = protocol.ParseMeta(c.rbuf[c.r:c.w], cmd, opaque, r)
	} else {
		n, err = protocol.ParseClassic(c.rbuf[c.r:c.w], cmd, opaque, r)
	}
	switch {
	case err != nil:
		return err
	case r.Size > c.info.MaxItem:
		return errSize
	}
	c.r += n
	return nil
}

// proves reports whether r shows by itself which command it answers. In the
// classic dialect each does, or none: it was alone.
func (c *conn) proves(r *protocol.Reply) bool { return !c.info.Meta || r.Proven }

// prove makes sure that memcached owes nothing: what it says next is the answer
// to a command that does nothing.
func (c *conn) prove() error {
	c.wbuf = append(c.wbuf, "mn\r\n"...)
	if err := c.send(); err != nil {
		return err
	}
	return c.expect(protocol.MN)
}

// chunks hands the value that r announced to sink, piece by piece, and reads its
// end. A piece is only valid during the call.
func (c *conn) chunks(r *protocol.Reply, sink func([]byte) error) error {
	for left := r.Size; left > 0; {
		if c.r == c.w {
			if err := c.fill(); err != nil {
				return err
			}
		}
		piece := c.rbuf[c.r:min(c.w, c.r+left)]
		if err := sink(piece); err != nil {
			return err
		}
		c.r += len(piece)
		left -= len(piece)
	}
	return c.expect(r.Trailer)
}

// expect reads what must come now.
func (c *conn) expect(text string) error {
	for {
		if err := c.skip(text); err != protocol.ErrShort {
			return err
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// skip takes what must come now, if all of it is there.
func (c *conn) skip(text string) error {
	switch {
	case c.w-c.r < len(text):
		return protocol.ErrShort
	case string(c.rbuf[c.r:c.r+len(text)]) != text:
		return errExpected
	}
	c.r += len(text)
	return nil
}

// drained reports an error if bytes were read that nobody asked for.
func (c *conn) drained() error {
	if c.r != c.w {
		return errUnsolicited
	}
	return nil
}

// quiet reports an error if memcached said something or closed the connection.
func (c *conn) quiet() error {
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	var peeked error
	// Not raw.Read: it looks at the deadline of the last command, which may have
	// passed since.
	err = raw.Control(func(fd uintptr) { peeked = peek(int(fd)) })
	if err = errors.Join(err, peeked); err != nil {
		return fmt.Errorf("%w: %w", errUnsolicited, err)
	}
	return nil
}

// peek looks for bytes or an end on fd without waiting or taking any.
func peek(fd int) error {
	var b [1]byte
	n, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return nil
	case err != nil:
		return err
	case n == 0:
		return io.EOF
	}
	return errors.New("bytes")
}

// burnOf tells why err burns a connection.
func burnOf(err error) metrics.Burn {
	var op *net.OpError
	switch {
	case errors.Is(err, errSink), errors.Is(err, errSpent): // first: a client's error may look like memcached's
		return metrics.BurnClient
	case errors.Is(err, errUnsolicited):
		return metrics.BurnIdle
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return metrics.BurnTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &op):
		return metrics.BurnEOF
	}
	return metrics.BurnProof
}
