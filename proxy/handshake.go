package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"runtime"
	"time"

	"github.com/slabgate/slabgate/auth"
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
	s.wire.left.Store(maxHandshake)
	began := time.Now()
	c := tls.Server(s.wire, config)
	ctx, cancel := context.WithTimeout(context.Background(), s.limits.HandshakeTimeout)
	defer cancel()
	err := s.server.handshakes.hold(func() error { return c.HandshakeContext(ctx) })
	s.listener.counters.Shaken.Of(shakenOf(err)).Add(1)
	if err != nil {
		s.server.Metrics.HandshakeFails.Add(1)
		return err
	}
	s.server.Metrics.Handshake.Observe(time.Since(began), 1)
	s.wire.left.Store(-1)
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
