package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// causeOf is what the last session ended with, behind its End.
func (r *rig) causeOf(t *testing.T) string {
	t.Helper()
	all := r.logs.FilterMessage("session ended").All()
	if len(all) == 0 {
		t.Fatal("no session has ended")
	}
	return fmt.Sprint(all[len(all)-1].ContextMap()["cause"])
}

func TestHandshakeHasToCome(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	// A client hello that is never whole: its message says 65535 bytes.
	hello := "\x16\x03\x01\x40\x00" + "\x01\x00\xff\xff" + strings.Repeat("x", 0x4000-4)
	more := "\x16\x03\x01\x40\x00" + strings.Repeat("x", 0x4000)
	for _, c := range []struct{ name, in, cause string }{
		{"in time", "", ""},
		{"in time, once begun", hello[:100], ""},
		{"in TLS", "get a\r\n", "first record does not look like a TLS handshake"},
		{"in few bytes", hello + more, errHandshakeBytes.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			limit := 100 * time.Millisecond
			if c.cause != "" {
				limit = 20 * time.Second // it must not be what ends it
			}
			r := startRig(t, fake.Addr(), rigOptions{tls: w.server, limits: func(l *Limits) { l.HandshakeTimeout = limit }})
			cl := newClient(t, r.dialWith(t, nil))
			cl.send(c.in)
			if rest, err := cl.in.ReadString(0); err == nil || strings.Contains(rest, "ERROR") {
				t.Errorf("got %q, then %v", rest, err)
			}
			r.ends(t, EndHandshake)
			if got := r.causeOf(t); !strings.Contains(got, c.cause) {
				t.Errorf("got cause %q, want %q", got, c.cause)
			}
			if n := r.server.Metrics.HandshakeFails.Load(); n != 1 {
				t.Errorf("%d failed handshakes were counted", n)
			}
		})
	}
}

// TestHandshakesWaitWithoutAToken opens many handshakes that never go on, and
// then one that does.
func TestHandshakesWaitWithoutAToken(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["everything"](), tls: w.server, clients: w.app(t)})
	for range 4 * cap(r.server.handshakes) {
		newClient(t, r.dialWith(t, nil)).send("\x16\x03\x01")
	}
	r.client(t).asks("mn\r\n", "MN\r\n")
}

// TestPanicInAHandshakeKeepsNoToken shows that the next handshake goes on.
func TestPanicInAHandshakeKeepsNoToken(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	server := w.server.Clone()
	server.VerifyConnection = func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) == 0 {
			panic("as the test asked")
		}
		return nil
	}
	panics := 2 * int64(cap(newHandshakeTokens()))
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["everything"](), tls: server, clients: w.app(t), panics: panics})
	for range panics {
		c := newClient(t, r.dialWith(t, w.stranger()))
		c.send("mn\r\n")
		c.wantsEnd()
	}
	r.client(t).asks("mn\r\n", "MN\r\n")
}

func TestListenerWithoutACertificateServesNobody(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{tls: w.server, clients: w.stranger()})
	r.server.Swap(&Snapshot{Limits: DefaultLimits(), Policy: compile(t, everything("main"))})
	c := newClient(t, r.dialWith(t, nil))
	c.send("mn\r\n")
	c.wantsEnd()
	r.ends(t, EndHandshake)
}

// TestNewCertificateServesNewClients shows that a reload replaces what is shown,
// and leaves alone whoever is there.
func TestNewCertificateServesNewClients(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	o := rigOptions{doc: policies["everything"](), tls: w.server, clients: w.app(t)}
	r := startRig(t, fake.Addr(), o)
	shown := func(c *client) string {
		c.asks("mn\r\n", "MN\r\n")
		return c.Conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	living := r.client(t)
	old := shown(living)
	o.tls = w.newServer(t)
	r.server.Swap(o.snapshot(t, o.doc))
	if young := shown(r.client(t)); young == old {
		t.Errorf("the certificate is still number %s", old)
	}
	if now := shown(living); now != old {
		t.Errorf("the certificate of a living session became number %s", now)
	}
}

// TestReloadThatDropsAnAuthorityEndsItsSessions shows who stays when other
// authorities are trusted: those whose own still is, and those who need none.
func TestReloadThatDropsAnAuthorityEndsItsSessions(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	o := rigOptions{doc: policies["everything"](), tls: w.server, clients: w.app(t)}
	r := startRig(t, fake.Addr(), o)
	living, between := r.client(t), newClient(t, r.dialWith(t, chained(t, w, time.Now().Add(time.Hour))))
	nameless := newClient(t, r.dialWith(t, w.stranger()))
	trust := func(cas ...*world) {
		o.tls = w.server.Clone()
		o.tls.ClientCAs = x509.NewCertPool()
		for _, ca := range cas {
			o.tls.ClientCAs.AddCert(ca.pki.CA())
		}
		r.server.Swap(o.snapshot(t, o.doc))
	}
	for _, c := range []*client{living, between, nameless} {
		c.asks("mn\r\n", "MN\r\n")
	}
	trust(w, other)
	for _, c := range []*client{living, between, nameless} {
		c.asks("mn\r\n", "MN\r\n")
	}
	trust(other)
	living.wantsEnd()
	between.wantsEnd()
	r.ends(t, EndRevoked, EndRevoked)
	nameless.asks("mn\r\n", "MN\r\n")
	late := r.client(t)
	late.send("mn\r\n")
	late.wantsEnd()
}

// chained issues a client certificate by an authority between, which is valid
// only until the given time.
func chained(t *testing.T, w *world, until time.Time) *tls.Config {
	t.Helper()
	between := w.pki.Issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "between"}, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	uri, err := url.Parse(appURI)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(99), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, URIs: []*url.URL{uri},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, between.TLS.Leaf, key.Public(), between.TLS.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := tls.Certificate{Certificate: [][]byte{der, between.TLS.Certificate[0]}, PrivateKey: key}
	return w.pki.ClientTLS(&cert, "slabgate.test")
}

// TestSessionEndsWithItsCertificate shows that a certificate, or one between it
// and the authority, which expires takes its session along: idle, busy, or in
// the middle of a request.
func TestSessionEndsWithItsCertificate(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["everything"](), tls: w.server})
	until := time.Now().Add(2 * time.Second)
	short := w.client(t, testkit.ClientSpec{URI: []string{appURI}, NotAfter: until})

	var clients []*client
	for _, config := range []*tls.Config{short, short, short, chained(t, w, until)} {
		c := newClient(t, r.dialWith(t, config))
		c.asks("mn\r\n", "MN\r\n")
		clients = append(clients, c)
	}
	living := newClient(t, r.dialWith(t, w.app(t)))
	clients[1].send("set a 0 0 5\r\nabc")
	busy := make(chan struct{})
	go func() {
		defer close(busy)
		for c := clients[2]; ; {
			if _, err := c.Write([]byte("mn\r\n")); err != nil {
				return
			}
			if _, err := c.in.ReadString('\n'); err != nil {
				return
			}
		}
	}()
	for _, i := range []int{0, 1, 3} {
		clients[i].wantsEnd()
	}
	<-busy
	r.ends(t, EndExpired, EndExpired, EndExpired, EndExpired)
	living.asks("mn\r\n", "MN\r\n")
}

// TestMeterStopsAtItsBudget reads through the meter of a handshake.
func TestMeterStopsAtItsBudget(t *testing.T) {
	here, there := pair(t)
	defer here.Close()
	go func() {
		there.Write(make([]byte, 100))
		there.Close()
	}()
	m := newWire(here, make(tokens, 1))
	m.left.Store(10)
	m.cpu.acquire()
	read := 0
	for b := make([]byte, 7); ; {
		n, err := m.Read(b)
		read += n
		if errors.Is(err, errHandshakeBytes) {
			break
		}
		if err != nil || read > 10 {
			t.Fatalf("read %d bytes, then %v", read, err)
		}
	}
	m.left.Store(-1)
	if n, err := m.Read(make([]byte, 200)); n != 90 || err != nil || read != 10 {
		t.Errorf("read %d bytes of 10, and then %d, %v", read, n, err)
	}
	if len(m.cpu) != 1 {
		t.Error("the token is gone")
	}
}
