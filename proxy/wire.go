package proxy

import (
	"net"
	"sync/atomic"

	"github.com/slabgate/slabgate/internal/buffers"
	"github.com/slabgate/slabgate/internal/poll"
)

// wire is a client's connection below TLS, if there is any. During the handshake,
// bytes count against a budget, and waiting for them gives up the token that is
// held for computing. Later it reads without waiting while the session is on its
// loop, and gathers what TLS writes, so that all records of a flush leave in one
// write.
type wire struct {
	*poll.Conn
	left   atomic.Int64 // bytes of the handshake that are still allowed; negative if there is none
	cpu    tokens
	onLoop bool
	held   *[]byte // gathers what is written; nil if nothing does
}

// newWire returns the wire above a connection, on which nothing is counted.
func newWire(c *poll.Conn, cpu tokens) *wire {
	w := &wire{Conn: c, cpu: cpu}
	w.left.Store(-1)
	return w
}

func (w *wire) Read(b []byte) (int, error) {
	if w.onLoop {
		return w.TryRead(b)
	}
	left := w.left.Load()
	if left < 0 {
		return w.Conn.Read(b)
	}
	if left == 0 {
		return 0, errHandshakeBytes
	}
	w.cpu.release()
	defer w.cpu.acquire()
	n, err := w.Conn.Read(b[:min(int64(len(b)), left)])
	w.left.Store(left - int64(n))
	return n, err
}

// Write gives the token up as well: a client that takes nothing makes it wait.
func (w *wire) Write(b []byte) (int, error) {
	switch {
	case w.held != nil:
		*w.held = append(*w.held, b...)
		return len(b), nil
	case w.left.Load() < 0:
		return w.Conn.Write(b)
	}
	w.cpu.release()
	defer w.cpu.acquire()
	return w.Conn.Write(b)
}

// Close only ends the connection as long as it is TLS that closes it because the
// handshake's time is up: the session's goroutine may be using the descriptor, and
// closes it itself.
func (w *wire) Close() error {
	if w.left.Load() >= 0 {
		w.Abort()
		return nil
	}
	return w.Conn.Close()
}

// gathered reports whether something waits to be sent.
func (w *wire) gathered() bool { return w.held != nil && len(*w.held) > 0 }

// maxRecord is the largest record of TLS, in bytes without its frame.
const maxRecord = 16 << 10

// together writes b to c, which is the TLS above, and sends the records that makes
// in one write.
func (w *wire) together(c net.Conn, b []byte) error {
	records := buffers.Get(len(b) + len(b)/8)
	w.held = &records
	_, err := c.Write(b)
	w.held = nil
	if err == nil {
		_, err = w.Conn.Write(records)
	}
	buffers.Put(records)
	return err
}
