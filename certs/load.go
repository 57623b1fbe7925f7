package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/slabgate/slabgate/internal/finding"
)

// Material is everything that one load of a listener's files gave. It does not
// change, and may be shared.
type Material struct {
	Subject  string    // what the server certificate calls itself
	NotAfter time.Time // when the first certificate of its chain expires
	Digest   string    // SHA-256 in hex of every file that was read
	config   *tls.Config
	cas      []*x509.Certificate
}

// Authorities are the certificates of client_ca in their order. The caller must not
// change them.
func (m *Material) Authorities() []*x509.Certificate { return m.cas }

// Config returns the configuration of this load, always the same one. The
// caller must not change it.
func (m *Material) Config() *tls.Config { return m.config }

// Load reads the files of c once and checks all of it. Without an error in the
// list there is a Material, with one there is none; there may be warnings
// beside either. Keys of the findings are relative to c.
func Load(c Config) (*Material, finding.List) {
	return load(c, time.Now)
}

// load is Load with a clock, which the Material goes on using to judge client
// certificates.
func load(c Config, now func() time.Time) (*Material, finding.List) {
	found := c.Validate()
	if found.Failed() {
		return nil, found
	}
	sources := c.sources()
	for i := range sources {
		sources[i].read(&found)
	}
	m := assemble(c, sources, now, &found)
	return m, found
}

// assemble checks what was read and makes a Material of it unless l holds an
// error by then. A source that could not be read is skipped, so that the rest
// is still reported.
func assemble(c Config, sources []source, now func() time.Time, l *finding.List) *Material {
	p, cas := pair{}, contents{}
	for i := range sources {
		s := &sources[i]
		if s.data == nil {
			continue
		}
		got := s.decode(l)
		if s.key == "client_ca" {
			cas = got
			continue
		}
		if s.holds&certificates != 0 {
			p.chain = got
		}
		if s.holds&keys != 0 {
			p.secret = got
		}
	}
	k := look{Config: c, now: now(), List: l}
	k.pair(p)
	k.authorities(cas)
	if l.Failed() {
		return nil
	}
	return &Material{
		Subject:  name(p.chain.certs[0]),
		NotAfter: firstToExpire(p.chain.certs),
		Digest:   digest(sources),
		config:   serverConfig(c, p, cas.certs, now),
		cas:      cas.certs,
	}
}

// firstToExpire is when a chain stops being one.
func firstToExpire(chain []*x509.Certificate) time.Time {
	first := chain[0].NotAfter
	for _, cert := range chain[1:] {
		if cert.NotAfter.Before(first) {
			first = cert.NotAfter
		}
	}
	return first
}

// digest sums up every file with its role and length, so that no two sets of
// files run together to the same bytes.
func digest(sources []source) string {
	h := sha256.New()
	for _, s := range sources {
		fmt.Fprintf(h, "%s %d\n", s.key, len(s.data))
		h.Write(s.data)
	}
	return hex.EncodeToString(h.Sum(nil))
}
