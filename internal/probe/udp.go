package probe

import (
	"context"
	"encoding/binary"
	"net"
	"time"
)

const (
	frame        = 8 // bytes before the text of a datagram
	frameID      = 0x5347
	maxDatagrams = 64
	gap          = 200 * time.Millisecond // without a datagram, after the first, ends a reply
)

// datagram is a request over UDP, with memcached's frame before it.
func datagram(text []byte) []byte {
	b := make([]byte, frame, frame+len(text))
	binary.BigEndian.PutUint16(b, frameID)
	b[5] = 1 // of one
	return append(b, text...)
}

// textOf is the text of a datagram that answers one of ours. It points into it.
func textOf(b []byte) ([]byte, bool) {
	if len(b) < frame || binary.BigEndian.Uint16(b) != frameID {
		return nil, false
	}
	return b[frame:], true
}

// askUDP sends one datagram and adds up what comes back, framed or not. size is
// how many bytes were received, for one sent or many.
func (l *link) askUDP(ctx context.Context, p place, send []byte) (r reply, size int) {
	if err := l.pace.wait(ctx); err != nil {
		return reply{end: endError, err: err}, 0
	}
	conn, err := net.Dial("udp", p.address)
	if err != nil {
		return reply{end: endError, err: err}, 0
	}
	defer conn.Close()
	l.note(conn)
	conn.SetDeadline(l.deadline(ctx))
	if _, err := conn.Write(send); err != nil {
		return reply{end: endOf(err), err: err}, 0
	}
	b := make([]byte, listLimit)
	for range maxDatagrams {
		n, err := conn.Read(b)
		if err != nil {
			r.end, r.err = endOf(err), err
			break
		}
		size += n
		if text, ok := textOf(b[:n]); ok && len(r.data)+len(text) <= listLimit {
			r.data = append(r.data, text...)
		}
		if soon := time.Now().Add(gap); soon.Before(l.deadline(ctx)) {
			conn.SetDeadline(soon)
		}
	}
	return r, size
}
