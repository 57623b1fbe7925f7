package certs

import (
	"crypto/x509"

	"github.com/slabgate/slabgate/internal/finding"
)

// Inspect returns the certificates that the files of c hold, good or not: the chain
// that a listener would show, its own first, and the CAs of its clients. It is for
// looking at them; a listener is made with [Load].
func Inspect(c Config) (chain, cas []*x509.Certificate) {
	var ignored finding.List // Load tells what is wrong
	sources := c.sources()
	for i := range sources {
		s := &sources[i]
		if s.holds&certificates == 0 {
			continue
		}
		if s.read(&ignored); s.data == nil {
			continue
		}
		held := s.decode(&ignored)
		if s.key == "client_ca" {
			cas = held.certs
		} else {
			chain = held.certs
		}
	}
	return chain, cas
}
