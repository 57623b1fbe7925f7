package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ending is why no more of a reply was read.
type ending uint8

const (
	endWhole  ending = iota // the reply is complete
	endClosed               // the target closed the connection
	endLate                 // nothing more came in time
	endFull                 // more came than is read
	endError                // the connection failed: see reply.err
)

// reply is what came back to one request. data is its own copy, and bounded.
type reply struct {
	data []byte
	end  ending
	err  error // why, for endError
}

// alert is the TLS alert the target ended with, or empty. crypto/tls has its type
// for itself, so that the words stand for it.
func (r reply) alert() string { return alertOf(r.err) }

func alertOf(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return clean([]byte(strings.TrimPrefix(op.Err.Error(), "tls: ")))
	}
	return ""
}

// link dials and talks, slowly and within bounds. It is not for concurrent use.
type link struct {
	pace    *pacer
	timeout time.Duration // for a connection, a handshake, a reply
	sources []string      // own addresses that were used, without ports
}

// open connects to a place, with TLS unless cfg is nil. The caller closes it.
func (l *link) open(ctx context.Context, p place, cfg *tls.Config) (net.Conn, error) {
	if err := l.pace.wait(ctx); err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: l.timeout}
	conn, err := d.DialContext(ctx, p.network, p.address)
	if err != nil {
		return nil, err
	}
	l.note(conn)
	if cfg == nil {
		return conn, nil
	}
	if err := l.pace.wait(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(l.deadline(ctx))
	tc := tls.Client(conn, cfg)
	if err := tc.Handshake(); err != nil {
		conn.Close()
		return nil, err
	}
	return tc, nil
}

// deadline is when a handshake or a reply is late, or when the time for all is up.
func (l *link) deadline(ctx context.Context) time.Time {
	at := time.Now().Add(l.timeout)
	if end, ok := ctx.Deadline(); ok && end.Before(at) {
		return end
	}
	return at
}

// note remembers the own address of a connection.
func (l *link) note(conn net.Conn) {
	addr := source(conn)
	if addr != "" && !slices.Contains(l.sources, addr) {
		l.sources = append(l.sources, addr)
	}
}

// source is the own address of a connection, as a target's log has it.
func source(conn net.Conn) string {
	switch a := conn.LocalAddr().(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap().String()
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap().String()
	}
	return ""
}

// whole reports whether what has come so far is a complete reply.
type whole func(data []byte) bool

// ask sends a request and reads its reply, limit bytes of it at most.
func (l *link) ask(ctx context.Context, conn net.Conn, send []byte, q question) reply {
	if err := l.pace.wait(ctx); err != nil {
		return reply{end: endError, err: err}
	}
	conn.SetDeadline(l.deadline(ctx))
	if _, err := conn.Write(send); err != nil {
		return reply{end: endOf(err), err: err}
	}
	return read(conn, q)
}

// question says how the reply to a request is read.
type question struct {
	done  whole
	limit int // bytes
}

// read reads one reply. It ends with it, with the connection or its deadline, or
// once there is more than the question's limit, whatever r sends.
func read(r io.Reader, q question) reply {
	data := make([]byte, q.limit)
	for n := 0; ; {
		m, err := r.Read(data[n:])
		n += m
		switch {
		case m > 0 && q.done(data[:n]):
			return reply{data: data[:n]}
		case n == len(data):
			return reply{data: data, end: endFull}
		case err != nil:
			return reply{data[:n], endOf(err), err}
		}
	}
}

func endOf(err error) ending {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return endClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return endLate
	}
	return endError
}
