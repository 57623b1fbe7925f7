package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"runtime"
	"strings"

	"github.com/slabgate/slabgate/certs"
	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/host"
)

// subjectOf is what doctor needs to know of a configuration, which may be one that
// run would refuse. It holds no secret.
func subjectOf(path string, l *loaded) *host.Subject {
	c := l.config
	up := &c.Upstreams[0]
	s := &host.Subject{
		Path: path, Upstream: up.Address, ExpectUID: up.ExpectUID, PoolMax: up.PoolMax, AdminHTTP: c.Admin.HTTP,
		Files: filesOf(path, c), GoVersion: runtime.Version(), Build: thisBuild().Version,
	}
	if up.Unsafe {
		s.Unsafe = append(s.Unsafe, "upstreams[0].unsafe")
	}
	for i := range c.Listeners {
		listener := &c.Listeners[i]
		s.Listeners = append(s.Listeners, subjectListener(c, listener))
		s.Connection += listener.MaxConnections
		if listener.PlainInClear {
			s.Unsafe = append(s.Unsafe, "listeners["+listener.Name+"].unsafe_plain")
		}
	}
	for i := range l.found {
		f := &l.found[i]
		s.Findings = append(s.Findings, host.SubjectFinding{
			Severity: f.Severity.String(), Code: f.Code, File: f.File, Line: f.Line, Problem: f.Problem, Fix: f.Fix,
		})
	}
	return s
}

func subjectListener(c *config.Config, l *config.Listener) host.SubjectListener {
	s := host.SubjectListener{
		Name: l.Name, Address: l.Address, TLS: l.TLS != nil, PlainClear: l.PlainInClear, ASCIILogin: len(c.Logins.ASCII) > 0,
	}
	if l.TLS == nil {
		return s
	}
	s.ClientAuth, s.MinVersion, s.CertFile, s.CAFile = l.TLS.ClientAuth, l.TLS.MinVersion, l.TLS.Cert, l.TLS.ClientCA
	if s.CertFile == "" {
		s.CertFile = l.TLS.Bundle
	}
	chain, cas := certs.Inspect(*l.TLS)
	s.Chain, s.ClientCAs = shownOf(chain), shownOf(cas)
	if len(chain) == 0 {
		s.Error = s.CertFile + " holds no certificate that can be read"
	}
	return s
}

// shownOf is what doctor judges of certificates.
func shownOf(list []*x509.Certificate) (shown []host.Certificate) {
	for _, c := range list {
		kind, bits := keyOf(c)
		shown = append(shown, host.Certificate{
			Subject: c.Subject.String(), Issuer: c.Issuer.String(), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
			Names:   len(c.DNSNames) + len(c.IPAddresses) + len(c.URIs) + len(c.EmailAddresses),
			KeyType: kind, KeyBits: bits, Signature: c.SignatureAlgorithm.String(),
		})
	}
	return shown
}

// keyOf is the kind of a certificate's key and how many bits it has.
func keyOf(c *x509.Certificate) (kind string, bits int) {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return "RSA", key.N.BitLen()
	case *ecdsa.PublicKey:
		return "ECDSA", key.Curve.Params().BitSize
	case ed25519.PublicKey:
		return "Ed25519", 8 * len(key)
	}
	return c.PublicKeyAlgorithm.String(), 0
}

// filesOf is what the configuration names, and itself, by path.
func filesOf(path string, c *config.Config) map[string]string {
	files := map[string]string{path: "config", c.Policy: "policy", c.Logins.Users: "users", c.State: "state", c.Admin.Socket: "socket"}
	for i := range c.Listeners {
		l := &c.Listeners[i]
		if socket, ok := strings.CutPrefix(l.Address, "unix:"); ok {
			socket, _, _ = strings.Cut(socket, "?")
			files[socket] = "socket"
		}
		if l.TLS != nil {
			files[l.TLS.Bundle], files[l.TLS.Key] = "key", "key"
			files[l.TLS.Cert], files[l.TLS.ClientCA] = "certificate", "certificate"
		}
	}
	for i := range c.Audit.Sinks {
		files[c.Audit.Sinks[i].File] = "audit"
	}
	delete(files, "") // of what is not set
	return files
}
