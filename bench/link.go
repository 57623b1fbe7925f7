package main

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// setupTime bounds everything that happens on a connection before and after it
// carries load.
const setupTime = 10 * time.Second

// sendBuffer takes any single batch, so that the load never waits to send.
const sendBuffer = 256 << 10

// link is a connection that is ready to carry requests.
type link struct {
	wire *wire
	io.ReadWriter
}

// close ends the connection without the TLS farewell: no peer waits for it.
func (l *link) close() { _ = l.wire.Close() }

// dial connects, shakes hands and logs in as the row says.
func (r *row) dial() (*link, error) {
	conn, err := net.DialTimeout(r.network, r.address, setupTime)
	if err != nil {
		return nil, err
	}
	l := &link{wire: &wire{Conn: conn, fd: -1}}
	if err := r.open(l); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// open makes of a connected link one that is ready.
func (r *row) open(l *link) error {
	if err := l.wire.SetDeadline(time.Now().Add(setupTime)); err != nil {
		return err
	}
	if c, ok := l.wire.Conn.(*net.TCPConn); ok {
		if err := c.SetWriteBuffer(sendBuffer); err != nil {
			return err
		}
	}
	l.ReadWriter = l.wire
	if r.tls != nil {
		secure := tls.Client(l.wire, r.tls)
		if err := secure.Handshake(); err != nil {
			return err
		}
		l.ReadWriter = secure
	}
	if r.login {
		return l.saslPlain()
	}
	return nil
}

// saslPlain logs in as the user that slabgate's users file has.
func (l *link) saslPlain() error {
	request := packet{magic: magicRequest, op: opSASLAuth, key: []byte("PLAIN"), value: []byte("\x00" + userName + "\x00" + userPassword)}
	if _, err := l.Write(request.appendTo(nil)); err != nil {
		return err
	}
	var header [packetHeader]byte
	if _, err := io.ReadFull(l, header[:]); err != nil {
		return err
	}
	body := make([]byte, min(1<<10, binary.BigEndian.Uint32(header[8:])))
	if _, err := io.ReadFull(l, body); err != nil {
		return err
	}
	if status := binary.BigEndian.Uint16(header[6:]); status != 0 {
		return fmt.Errorf("bench: login was refused with status %#x: %s", status, body)
	}
	return nil
}

// play sends one batch and waits for its replies.
func (l *link) play(b *batch) error {
	if _, err := l.Write(b.out); err != nil {
		return err
	}
	got := make([]byte, len(b.want))
	if _, err := io.ReadFull(l, got); err != nil {
		return err
	}
	return b.check(got)
}

// fill stores every key of a script.
func (l *link) fill(s *script) error {
	for i := range s.fill {
		if err := l.play(&s.fill[i]); err != nil {
			return err
		}
	}
	return nil
}

// silent reports whether nothing more has come than was asked for.
func (l *link) silent() error {
	var one [1]byte
	n, err := l.Read(one[:])
	if errors.Is(err, again{}) {
		return nil
	}
	return fmt.Errorf("bench: %d bytes more than asked for, error %v", n, err)
}
