package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// suites12 are the TLS 1.2 cipher suites: forward secrecy and an AEAD, nothing
// else. TLS 1.3 has no others. The list is written out because a default could
// be widened from the environment, and an explicit list can't.
var suites12 = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// serverConfig is the configuration of one load. ClientCAs is never nil: a nil
// pool would stand for the public CAs of the system.
func serverConfig(c Config, p pair, cas []*x509.Certificate, now func() time.Time) *tls.Config {
	shown := tls.Certificate{PrivateKey: p.secret.keys[0], Leaf: p.chain.certs[0]}
	for _, cert := range p.chain.certs {
		shown.Certificate = append(shown.Certificate, cert.Raw)
	}
	pool := x509.NewCertPool()
	for _, cert := range cas {
		pool.AddCert(cert)
	}
	holder := holder{auth: clientAuths[c.ClientAuth], now: now}
	return &tls.Config{
		Time:         now,
		Certificates: []tls.Certificate{shown},
		ClientCAs:    pool,
		ClientAuth:   holder.auth,
		MinVersion:   minVersions[c.MinVersion],
		CipherSuites: slices.Clone(suites12), // never looked at by TLS 1.3
		// A resumed session would outlive the revocation of its certificate, and
		// a full handshake is cheap for connections that live as long as ours.
		SessionTicketsDisabled: true,
		// Small first records help who renders a page while it loads. Here a value
		// is of no use before its end.
		DynamicRecordSizingDisabled: true,
		Renegotiation:               tls.RenegotiateNever,
		VerifyConnection:            holder.verify,
	}
}

// holder judges the certificate of a client. Being called once a connection,
// resumed or not, it repeats what the handshake has checked: a verdict is never
// inherited from an earlier connection.
type holder struct {
	auth tls.ClientAuthType
	now  func() time.Time
}

// verify refuses a client certificate that is not one for clients, now.
func (h holder) verify(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		if h.auth == tls.RequireAndVerifyClientCert {
			return errors.New("certs: no client certificate")
		}
		return nil
	}
	leaf := cs.PeerCertificates[0]
	if why := h.fault(cs, leaf); why != "" {
		return fmt.Errorf("certs: client certificate %s %s", name(leaf), why)
	}
	return nil
}

// fault says what is wrong with a leaf, or "" if nothing is.
func (h holder) fault(cs tls.ConnectionState, leaf *x509.Certificate) string {
	now := h.now()
	switch {
	case len(cs.VerifiedChains) == 0:
		return "comes from no CA in client_ca"
	case now.After(leaf.NotAfter):
		return "expired on " + date(leaf.NotAfter)
	case now.Before(leaf.NotBefore):
		return "is not valid before " + date(leaf.NotBefore)
	case leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return "has key usage without digitalSignature"
	case !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth):
		return "has no extended key usage clientAuth"
	}
	if why := weakness(leaf.PublicKey); why != "" {
		return "has " + why
	}
	return ""
}
