package certs

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// outcome is what both sides of a handshake made of it.
type outcome struct {
	client, server error
	state          tls.ConnectionState // of the server
}

// shake does one handshake over loopback. A handshake has worked for the client
// only once it has read from the server: in TLS 1.3 the server judges the
// client's certificate after the client believes to be done.
func shake(t testing.TB, server, client *tls.Config) outcome {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan outcome, 1)
	go func() {
		raw, err := l.Accept()
		if err != nil {
			accepted <- outcome{server: err}
			return
		}
		defer raw.Close()
		raw.SetDeadline(time.Now().Add(10 * time.Second))
		conn := tls.Server(raw, server)
		if err = conn.Handshake(); err == nil {
			_, err = conn.Write([]byte("ok"))
		}
		accepted <- outcome{server: err, state: conn.ConnectionState()}
		io.Copy(io.Discard, conn) // until the client has read all of it
	}()
	conn, err := tls.Dial("tcp", l.Addr().String(), client)
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, 2))
		conn.Close()
	}
	o := <-accepted
	o.client = err
	return o
}

// dialer is a client that shows leaf, if there is one, whatever CAs the server
// says it accepts.
func (r *rig) dialer(leaf *testkit.Leaf, version uint16) *tls.Config {
	c := r.ClientTLS(nil, "localhost")
	c.MinVersion, c.MaxVersion = version, version
	if leaf != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &leaf.TLS, nil }
	}
	return c
}

// versions are those a listener can be asked for.
var versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// TestClientAuth shows every kind of client to every kind of listener. A
// certificate that is no good is refused even where none would be fine.
func TestClientAuth(t *testing.T) {
	r := newRig(t)
	r.MinVersion = "1.2"
	stranger := testkit.NewPKI(t)
	server := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	clients := []struct {
		name    string
		leaf    *testkit.Leaf
		refused string // part of the server's error; empty is accepted
	}{
		{"good", r.Client(t, testkit.ClientSpec{CN: "web"}), ""},
		{"for both sides", r.Client(t, testkit.ClientSpec{EKU: append(server, x509.ExtKeyUsageClientAuth)}), ""},
		{"of another CA", stranger.Client(t, testkit.ClientSpec{CN: "web"}), "unknown authority"},
		{"expired", r.Client(t, testkit.ClientSpec{NotAfter: time.Now().Add(-time.Minute)}), "expired"},
		{"for servers", r.Client(t, testkit.ClientSpec{EKU: server}), "incompatible key usage"},
		{"for nothing", r.Client(t, testkit.ClientSpec{EKU: []x509.ExtKeyUsage{}}), "no extended key usage clientAuth"},
		{"for anything", r.Client(t, testkit.ClientSpec{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}), "no extended key usage clientAuth"},
		{"for encryption", r.Client(t, testkit.ClientSpec{KeyUsage: x509.KeyUsageKeyEncipherment}), "without digitalSignature"},
		{"with a weak key", r.weakClient(t, rsaKey(t, 1024)), "RSA key of 1024 bits"},
	}
	for _, auth := range []string{"none", "request", "require"} {
		c := r.Config
		c.ClientAuth = auth
		m, l := Load(c)
		if m == nil {
			t.Fatal(l)
		}
		for _, version := range versions {
			where := auth + ", " + tls.VersionName(version)
			bare := shake(t, m.Config(), r.dialer(nil, version))
			checkOutcome(t, where+", no certificate", bare, map[string]string{"require": "client didn't provide a certificate"}[auth])
			for _, tc := range clients {
				got := shake(t, m.Config(), r.dialer(tc.leaf, version))
				want := tc.refused
				if auth == "none" {
					want = ""
				}
				checkOutcome(t, where+", "+tc.name, got, want)
				if shown := len(got.state.PeerCertificates) > 0; want == "" && shown != (auth != "none") {
					t.Errorf("%s, %s: server saw a certificate: %t", where, tc.name, shown)
				}
			}
		}
	}
}

// weakClient issues a client certificate for key.
func (r *rig) weakClient(t testing.TB, key *rsa.PrivateKey) *testkit.Leaf {
	t.Helper()
	return r.Issue(t, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "weak"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key)
}

// checkOutcome wants both sides to be happy, or the server to have refused with
// the words that are wanted and the client not to have been served.
func checkOutcome(t *testing.T, what string, got outcome, refused string) {
	t.Helper()
	if refused == "" {
		if err := errors.Join(got.client, got.server); err != nil {
			t.Errorf("%s: %v, want no error", what, err)
		}
		return
	}
	if got.client == nil || got.server == nil || !strings.Contains(got.server.Error(), refused) {
		t.Errorf("%s: server %v, client %v, want both to fail with %q", what, got.server, got.client, refused)
	}
}

// TestVersions asks for every version of TLS, with an environment that would
// widen a default.
func TestVersions(t *testing.T) {
	t.Setenv("GODEBUG", "tls10server=1,tlsrsakex=1,tls3des=1")
	for _, tc := range []struct {
		min    string
		lowest uint16
	}{{"1.3", tls.VersionTLS13}, {"1.2", tls.VersionTLS12}} {
		r := newRig(t)
		r.ClientAuth, r.ClientCA, r.MinVersion = "none", "", tc.min
		m := mustLoad(t, r.Config)
		for v := uint16(tls.VersionTLS10); v <= tls.VersionTLS13; v++ {
			refused := ""
			if v < tc.lowest {
				refused = "unsupported versions"
			}
			checkOutcome(t, "min_version "+tc.min+", client "+tls.VersionName(v),
				shake(t, m.Config(), r.dialer(nil, v)), refused)
		}
	}
}

// TestSuites offers every TLS 1.2 suite there is, alone, to a listener with
// each kind of key: what is accepted is forward secret and an AEAD.
func TestSuites(t *testing.T) {
	t.Setenv("GODEBUG", "tlsrsakex=1,tls3des=1")
	for kind, key := range map[string]*rsa.PrivateKey{"_RSA_": rsaKey(t, 2048), "_ECDSA_": nil} {
		r := newRig(t)
		if key != nil {
			r.server(t, key, nil)
		}
		r.ClientAuth, r.ClientCA, r.MinVersion = "none", "", "1.2"
		m := mustLoad(t, r.Config)
		accepted := 0
		for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if s.SupportedVersions[0] == tls.VersionTLS13 {
				continue
			}
			good := strings.HasPrefix(s.Name, "TLS_ECDHE"+kind) &&
				(strings.Contains(s.Name, "_GCM_") || strings.Contains(s.Name, "_CHACHA20_"))
			c := r.dialer(nil, tls.VersionTLS12)
			c.CipherSuites = []uint16{s.ID}
			got := shake(t, m.Config(), c)
			if (got.client == nil) != good || (got.server == nil) != good {
				t.Errorf("%s, key %s: client %v, server %v, want accepted: %t", s.Name, kind, got.client, got.server, good)
			}
			if good {
				accepted++
			}
		}
		if accepted != 3 {
			t.Errorf("key %s: %d suites accepted, want 3", kind, accepted)
		}
	}
}

// countingCache counts the sessions that a client was given to come back with.
type countingCache struct {
	tls.ClientSessionCache
	given atomic.Int32
}

// Put counts a session.
func (c *countingCache) Put(key string, s *tls.ClientSessionState) {
	if s != nil {
		c.given.Add(1)
	}
	c.ClientSessionCache.Put(key, s)
}

// TestNoResumption comes back with a session cache, to a listener that serves a
// Material directly and to one that looks it up for every client.
func TestNoResumption(t *testing.T) {
	r := newRig(t)
	r.MinVersion = "1.2"
	m := mustLoad(t, r.Config)
	leaf := r.Client(t, testkit.ClientSpec{CN: "web"})
	looked := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return m.Config(), nil }}
	for how, server := range map[string]*tls.Config{"direct": m.Config(), "looked up": looked} {
		for _, version := range versions {
			cache := &countingCache{ClientSessionCache: tls.NewLRUClientSessionCache(4)}
			c := r.dialer(leaf, version)
			c.ClientSessionCache = cache
			for i := range 2 {
				got := shake(t, server, c)
				checkOutcome(t, how, got, "")
				if got.state.DidResume || cache.given.Load() != 0 {
					t.Errorf("%s, %s, connection %d: resumed %t, %d sessions given, want neither",
						how, tls.VersionName(version), i+1, got.state.DidResume, cache.given.Load())
				}
			}
		}
	}
}

// TestClock moves the listener's clock past the end of a client certificate,
// and in front of its beginning.
func TestClock(t *testing.T) {
	r := newRig(t)
	now := time.Now()
	m, l := load(r.Config, func() time.Time { return now })
	if m == nil {
		t.Fatal(l)
	}
	leaf := r.Client(t, testkit.ClientSpec{CN: "web", NotAfter: time.Now().Add(time.Hour)})
	for _, tc := range []struct {
		move    time.Duration
		refused string
	}{{0, ""}, {2 * time.Hour, "expired"}, {-2 * time.Hour, "not yet valid"}, {0, ""}} {
		now = time.Now().Add(tc.move)
		checkOutcome(t, "clock moved by "+tc.move.String(),
			shake(t, m.Config(), r.dialer(leaf, tls.VersionTLS13)), tc.refused)
	}
}

// TestVerify judges connections that a handshake would not let happen: verify
// must not lean on it.
func TestVerify(t *testing.T) {
	now := time.Now()
	r := newRig(t)
	leaf := r.Client(t, testkit.ClientSpec{CN: "web\n"}).TLS.Leaf
	peer := []*x509.Certificate{leaf}
	good := tls.ConnectionState{PeerCertificates: peer, VerifiedChains: [][]*x509.Certificate{peer}}
	for _, tc := range []struct {
		name  string
		auth  string
		now   time.Time
		state tls.ConnectionState
		want  string
	}{
		{"good", "require", now, good, ""},
		{"good, resumed", "require", leaf.NotAfter.Add(time.Second), tls.ConnectionState{
			DidResume: true, PeerCertificates: good.PeerCertificates, VerifiedChains: good.VerifiedChains,
		}, `certs: client certificate "CN=web\n" expired on ` + date(leaf.NotAfter)},
		{"last second", "require", leaf.NotAfter, good, ""},
		{"first second", "require", leaf.NotBefore, good, ""},
		{"too early", "request", leaf.NotBefore.Add(-time.Second), good,
			`certs: client certificate "CN=web\n" is not valid before ` + date(leaf.NotBefore)},
		{"not verified", "request", now, tls.ConnectionState{PeerCertificates: peer},
			`certs: client certificate "CN=web\n" comes from no CA in client_ca`},
		{"none", "require", now, tls.ConnectionState{}, "certs: no client certificate"},
		{"none, requested", "request", now, tls.ConnectionState{}, ""},
		{"none, not asked", "none", now, tls.ConnectionState{}, ""},
	} {
		h := holder{auth: clientAuths[tc.auth], now: func() time.Time { return tc.now }}
		got := ""
		if err := h.verify(tc.state); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: verify = %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestServerConfig holds the fields that no handshake shows.
func TestServerConfig(t *testing.T) {
	for _, auth := range []string{"none", "request", "require"} {
		r := newRig(t)
		r.ClientAuth = auth
		m, l := Load(r.Config)
		if m == nil {
			t.Fatal(l)
		}
		c := m.Config()
		want := x509.NewCertPool()
		if auth != "none" {
			want = r.Pool()
		}
		for what, ok := range map[string]bool{
			"ClientCAs is the configured pool": c.ClientCAs != nil && c.ClientCAs.Equal(want),
			"VerifyConnection is set":          c.VerifyConnection != nil,
			"VerifyPeerCertificate is not set": c.VerifyPeerCertificate == nil,
			"KeyLogWriter is not set":          c.KeyLogWriter == nil,
			"NextProtos is not set":            c.NextProtos == nil,
			"CurvePreferences is not set":      c.CurvePreferences == nil,
			"no renegotiation":                 c.Renegotiation == tls.RenegotiateNever,
			"no tickets":                       c.SessionTicketsDisabled,
			"TLS 1.3":                          c.MinVersion == tls.VersionTLS13,
		} {
			if !ok {
				t.Errorf("client_auth %s: want %s", auth, what)
			}
		}
	}
}

// TestRefusedLoadChangesNothing replaces the files in use by a pair that does
// not match, and by one that does.
func TestRefusedLoadChangesNothing(t *testing.T) {
	r := newRig(t)
	r.ClientAuth, r.ClientCA = "none", ""
	r.Cert, r.Key = r.file(t, bytesOf(t, r.Cert)), r.file(t, bytesOf(t, r.Key))
	m := mustLoad(t, r.Config)
	cert, key := r.Server(t)
	replace(t, cert, r.Cert)
	if bad, l := Load(r.Config); bad != nil || codes(l) != "SG1330 key" {
		t.Fatalf("Load of a new certificate with the old key = %v, %v, want SG1330", bad, l)
	}
	checkOutcome(t, "after a refused load", shake(t, m.Config(), r.dialer(nil, tls.VersionTLS13)), "")
	replace(t, key, r.Key)
	next := mustLoad(t, r.Config)
	if next.Digest == m.Digest {
		t.Error("digest is that of the files before")
	}
	for _, m := range []*Material{m, next} {
		checkOutcome(t, "after a new load", shake(t, m.Config(), r.dialer(nil, tls.VersionTLS13)), "")
	}
}
