package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"time"
)

// TLS is what a place shows of its TLS to one without a certificate.
type TLS struct {
	Versions []string  `json:"versions"` // those it takes
	Cipher   string    `json:"cipher"`   // what it chooses
	Weak     []string  `json:"weak"`     // broken or outdated ones that it takes if nothing else is offered
	AsksCert bool      `json:"asks_certificate"`
	Refusal  string    `json:"refusal,omitempty"` // the alert, if no handshake came to its end
	Names    []string  `json:"names"`             // of the certificate
	Name     string    `json:"name,omitempty"`    // what it should be for
	Matches  bool      `json:"matches"`
	From     time.Time `json:"not_before,omitzero"`
	Until    time.Time `json:"not_after,omitzero"`
}

const (
	maxNames = 8
	maxWeak  = 24 // handshakes that look for weak ciphers
)

var tlsVersions = []uint16{tls.VersionTLS13, tls.VersionTLS12, tls.VersionTLS11, tls.VersionTLS10}

// suites are what is offered up to TLS 1.2: everything, so that what is taken is
// known.
func suites() (strong, weak []uint16) {
	for _, s := range tls.CipherSuites() {
		strong = append(strong, s.ID)
	}
	for _, s := range tls.InsecureCipherSuites() {
		weak = append(weak, s.ID)
	}
	return strong, weak
}

// hello is a config that takes any certificate, and shows none: it wants to see
// what a stranger does.
func hello(least, most uint16, ciphers []uint16) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: least, MaxVersion: most, CipherSuites: ciphers}
}

// greeted is one handshake.
type greeted struct {
	state *tls.ConnectionState // nil if the place chose no version
	asks  bool                 // for a certificate
	alert string
}

// greetTLS does one handshake and hangs up. It has a state even if the place ends
// the handshake later, for want of a certificate.
func (l *link) greetTLS(ctx context.Context, p place, cfg *tls.Config) (g greeted) {
	cfg.VerifyConnection = func(s tls.ConnectionState) error { g.state = &s; return nil }
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		g.asks = true
		return &tls.Certificate{}, nil
	}
	conn, err := l.open(ctx, p, cfg)
	if err != nil {
		g.alert = alertOf(err)
		return g
	}
	conn.Close()
	return g
}

// lookTLS finds out what TLS a place has, and returns nil if it has none. The
// config is the one that works best.
func (l *link) lookTLS(ctx context.Context, p place) (*TLS, *tls.Config) {
	strong, weak := suites()
	all := slices.Concat(strong, weak)
	if g := l.greetTLS(ctx, p, hello(tls.VersionTLS10, tls.VersionTLS13, all)); g.state == nil && g.alert == "" {
		return nil, nil
	}
	found := &TLS{Versions: []string{}, Weak: []string{}, Names: []string{}, Name: p.name}
	var best *tls.Config
	old := uint16(0) // the newest version with ciphers to choose from
	for _, v := range tlsVersions {
		g := l.greetTLS(ctx, p, hello(v, v, all))
		if g.state == nil {
			if g.alert != "" && found.Refusal == "" {
				found.Refusal = g.alert
			}
			continue
		}
		found.Versions = append(found.Versions, tls.VersionName(v))
		found.AsksCert = found.AsksCert || g.asks
		if v < tls.VersionTLS13 && old == 0 {
			old = v
		}
		if best == nil {
			best = hello(v, v, all)
			found.Cipher = tls.CipherSuiteName(g.state.CipherSuite)
			found.certificate(g.state.PeerCertificates)
		}
	}
	if best == nil && found.Refusal == "" {
		return nil, nil
	}
	if best != nil {
		found.Refusal = ""
	}
	if old != 0 {
		found.Weak = l.weakOf(ctx, p, old, weak)
	}
	return found, best
}

// weakOf offers weak ciphers alone, without those that were taken already, until
// none is taken.
func (l *link) weakOf(ctx context.Context, p place, version uint16, offer []uint16) []string {
	taken := []string{}
	for range maxWeak {
		if len(offer) == 0 {
			break
		}
		g := l.greetTLS(ctx, p, hello(version, version, offer))
		if g.state == nil {
			break
		}
		taken = append(taken, tls.CipherSuiteName(g.state.CipherSuite))
		offer = slices.DeleteFunc(slices.Clone(offer), func(id uint16) bool { return id == g.state.CipherSuite })
	}
	return taken
}

// certificate reads what a certificate says of itself. Whom it was issued by can't
// be judged from here.
func (t *TLS) certificate(chain []*x509.Certificate) {
	if len(chain) == 0 {
		return
	}
	leaf := chain[0]
	t.From, t.Until = leaf.NotBefore.UTC(), leaf.NotAfter.UTC()
	t.Matches = t.Name == "" || leaf.VerifyHostname(t.Name) == nil
	names := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	for _, u := range leaf.URIs {
		names = append(names, u.String())
	}
	for _, name := range names[:min(len(names), maxNames)] {
		t.Names = append(t.Names, clean([]byte(name)))
	}
}
