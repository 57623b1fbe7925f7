package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/buffers"
)

// maxHandshake bounds the bytes a client may send before its handshake is done:
// without a bound, crypto/tls would hold several times as much for each.
const maxHandshake = 32 << 10

var errHandshakeBytes = errors.New("proxy: handshake is too long")

// handshake ends the client's TLS, if its listener speaks TLS, and gathers what
// that proves.
func (s *session) handshake() error {
	s.snap = s.server.snapshot.Load()
	config := s.snap.TLS[s.listener.Name]
	if s.listener.Transport != "tls" {
		return nil
	}
	if config == nil {
		return errors.New("proxy: listener has no certificate")
	}
	raw := &meteredConn{Conn: s.conn, cpu: s.server.handshakes}
	raw.left.Store(maxHandshake)
	c := tls.Server(raw, config)
	ctx, cancel := context.WithTimeout(context.Background(), s.server.Limits.HandshakeTimeout)
	defer cancel()
	if err := s.server.handshakes.hold(func() error { return c.HandshakeContext(ctx) }); err != nil {
		s.server.Metrics.HandshakeFails.Add(1)
		return err
	}
	raw.left.Store(-1)
	s.wire = raw
	if len(config.Certificates) > 0 {
		s.leaf = config.Certificates[0].Leaf
	}
	s.setConn(c)
	return s.takeCertificate(c)
}

// setConn puts TLS on top of the connection that a drain or a reload may close.
func (s *session) setConn(c net.Conn) {
	s.mu.Lock()
	s.conn = c
	s.mu.Unlock()
	s.facts.TLS = true
}

// takeCertificate reads who the client's certificate says it is. One that says
// nothing usable, or two things, ends the session: it was meant to say something.
func (s *session) takeCertificate(c *tls.Conn) error {
	chains := c.ConnectionState().VerifiedChains
	if len(chains) == 0 {
		return nil
	}
	cert, err := auth.FromCertificate(chains[0][0], s.snap.CNs[s.listener.Name])
	if err != nil {
		return err
	}
	s.chain = c.ConnectionState().PeerCertificates
	for _, issuer := range chains[0] {
		if issuer.NotAfter.Before(cert.NotAfter) {
			cert.NotAfter = issuer.NotAfter
		}
	}
	s.facts.Cert = cert
	return nil
}

// trusts reports whether the certificate authorities of a snapshot still stand
// behind the certificate a client showed.
func (snap *Snapshot) trusts(listener string, chain []*x509.Certificate, now time.Time) bool {
	config := snap.TLS[listener]
	if config == nil || config.ClientCAs == nil {
		return false
	}
	others := x509.NewCertPool()
	for _, c := range chain[1:] {
		others.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: config.ClientCAs, Intermediates: others, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err == nil
}

// tokens bounds how many goroutines do something at once.
type tokens chan struct{}

// newHandshakeTokens lets half the cores shake hands, so that a flood of new
// clients can't keep the others from being served.
func newHandshakeTokens() tokens { return make(tokens, max(1, runtime.GOMAXPROCS(0)/2)) }

func (t tokens) acquire() { t <- struct{}{} }
func (t tokens) release() { <-t }

// hold calls f with a token in hand.
func (t tokens) hold(f func() error) error {
	t.acquire()
	defer t.release()
	return f()
}

// meteredConn is a client's connection below TLS. During the handshake, bytes
// count against a budget, and waiting for them gives up the token that is held
// for computing. Later it can hold back what is written, so that the records of a
// large reply leave in one write.
type meteredConn struct {
	net.Conn
	left atomic.Int64 // bytes still allowed; negative once the handshake is done
	cpu  tokens
	held []byte // what is held back; nil if nothing is to be
}

func (m *meteredConn) Read(b []byte) (int, error) {
	left := m.left.Load()
	if left < 0 {
		return m.Conn.Read(b)
	}
	if left == 0 {
		return 0, errHandshakeBytes
	}
	m.cpu.release()
	defer m.cpu.acquire()
	n, err := m.Conn.Read(b[:min(int64(len(b)), left)])
	m.left.Store(left - int64(n))
	return n, err
}

// Write gives the token up as well: a client that takes nothing makes it wait.
func (m *meteredConn) Write(b []byte) (int, error) {
	switch {
	case m.held != nil:
		return m.hold(b)
	case m.left.Load() < 0:
		return m.Conn.Write(b)
	}
	m.cpu.release()
	defer m.cpu.acquire()
	return m.Conn.Write(b)
}

// Sizes of what is held back, in bytes: TLS has records of up to 16 KiB and a
// little, and a write of several is much cheaper than as many writes.
const (
	maxRecord = 16 << 10
	maxHeld   = 128 << 10
)

// hold keeps b until there is enough for a write.
func (m *meteredConn) hold(b []byte) (int, error) {
	if len(m.held)+len(b) > cap(m.held) {
		if err := m.letGo(); err != nil {
			return 0, err
		}
	}
	m.held = append(m.held, b...)
	return len(b), nil
}

func (m *meteredConn) letGo() error {
	_, err := m.Conn.Write(m.held)
	m.held = m.held[:0]
	return err
}

// together writes b to c, which is the TLS above, and sends the records that makes
// in as few writes as can be.
func (m *meteredConn) together(c net.Conn, b []byte) error {
	m.held = buffers.Get(maxHeld)
	_, err := c.Write(b)
	if err == nil {
		err = m.letGo()
	}
	buffers.Put(m.held)
	m.held = nil
	return err
}
