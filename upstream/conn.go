package upstream

import (
	"errors"
	"io"
	"net"
	"os"
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

// idleCheck is how long a connection must have been unused before it is worth a
// system call to see whether memcached has closed it or said something.
const idleCheck = 2 * time.Millisecond

var (
	errUnsolicited = errors.New("upstream: bytes came while nothing was owed")
	errTrailer     = errors.New("upstream: value is not followed by its end")
)

// Info is what a connection learned of its memcached when it was made.
type Info struct {
	Version string
	MaxItem int // item size limit in bytes
	Meta    bool
}

// conn is one connection to memcached. One goroutine at a time uses it.
type conn struct {
	net.Conn
	info    Info
	seq     uint64 // of the last opaque; starts at random, so that none is ever guessed or met again
	rbuf    []byte
	r, w    int // rbuf[r:w] is read and not used
	wbuf    []byte
	lastUse time.Time
}

// fill reads more bytes behind those that are there.
func (c *conn) fill() error {
	if c.r > 0 {
		copy(c.rbuf, c.rbuf[c.r:c.w])
		c.w -= c.r
		c.r = 0
	}
	n, err := c.Read(c.rbuf[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	return err
}

// send writes what was composed into wbuf, whole.
func (c *conn) send() error {
	_, err := c.Write(c.wbuf)
	if cap(c.wbuf) > 2*writeSize {
		c.wbuf = make([]byte, 0, writeSize)
	}
	c.wbuf = c.wbuf[:0]
	return err
}

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
// read with value or discard.
func (c *conn) head(cmd *protocol.Command, opaque uint64, r *protocol.Reply) error {
	parse := protocol.ParseMeta
	if !c.info.Meta {
		parse = protocol.ParseClassic
	}
	for {
		n, err := parse(c.rbuf[c.r:c.w], cmd, opaque, r)
		if err == nil {
			c.r += n
			return nil
		}
		if err != protocol.ErrShort {
			return err
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// value reads the value that r announced, all of it into dst, and its end.
func (c *conn) value(dst []byte, r *protocol.Reply) error {
	n := copy(dst, c.rbuf[c.r:c.w])
	c.r += n
	if n < len(dst) {
		if _, err := io.ReadFull(c, dst[n:]); err != nil {
			return err
		}
	}
	return c.trailer(r)
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
	return c.trailer(r)
}

// trailer reads what must follow a value.
func (c *conn) trailer(r *protocol.Reply) error {
	for c.w-c.r < len(r.Trailer) {
		if err := c.fill(); err != nil {
			return err
		}
	}
	if string(c.rbuf[c.r:c.r+len(r.Trailer)]) != r.Trailer {
		return errTrailer
	}
	c.r += len(r.Trailer)
	return nil
}

// idle reports whether the connection is fit to be used: nothing has come on it
// since its last reply, and it is open.
func (c *conn) idle(now time.Time) error {
	if c.r != c.w {
		return errUnsolicited
	}
	if now.Sub(c.lastUse) < idleCheck {
		return nil
	}
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	var peeked error
	err = raw.Read(func(fd uintptr) bool {
		peeked = peek(int(fd))
		return true
	})
	return errors.Join(err, peeked)
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
	return errUnsolicited
}

// burnOf tells why err burns a connection.
func burnOf(err error) metrics.Burn {
	var op *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return metrics.BurnTimeout
	case errors.Is(err, errUnsolicited):
		return metrics.BurnIdle
	case errors.Is(err, errSink):
		return metrics.BurnClient
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &op):
		return metrics.BurnEOF
	}
	return metrics.BurnProof
}
