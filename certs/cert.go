package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"time"
)

// weakSignatures are hashes that collisions are known for.
var weakSignatures = map[x509.SignatureAlgorithm]bool{
	x509.MD2WithRSA:    true,
	x509.MD5WithRSA:    true,
	x509.SHA1WithRSA:   true,
	x509.DSAWithSHA1:   true,
	x509.ECDSAWithSHA1: true,
}

// weakness says what is wrong with a public key, or "" if nothing is.
func weakness(pub crypto.PublicKey) string {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		// Go's own clients refuse to check signatures of more than 8192 bits.
		if n := pub.N.BitLen(); n < 2048 || n > 8192 {
			return fmt.Sprintf("an RSA key of %d bits instead of 2048 to 8192", n)
		}
	case *ecdsa.PublicKey:
		if n := pub.Curve.Params().BitSize; n < 256 {
			return fmt.Sprintf("an ECDSA key of %d bits instead of 256 or more", n)
		}
	case ed25519.PublicKey:
	default:
		return "a key that is none of RSA, ECDSA and Ed25519"
	}
	return ""
}

// samePublic reports whether two public keys are one.
func samePublic(a, b crypto.PublicKey) bool {
	eq, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && eq.Equal(b)
}

// issuedBy reports whether the key of issuer has signed c. It leaves aside
// whether issuer was allowed to, which is for the client to judge.
func issuedBy(c, issuer *x509.Certificate) bool {
	return string(c.RawIssuer) == string(issuer.RawSubject) &&
		issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// selfIssued reports whether c names itself as its issuer, in which case nobody
// relies on its signature.
func selfIssued(c *x509.Certificate) bool { return string(c.RawIssuer) == string(c.RawSubject) }

// name is what a certificate calls its holder, quoted and clipped: its subject,
// or its first alternative name if the subject is empty.
func name(c *x509.Certificate) string {
	s := c.Subject.String()
	switch {
	case s != "":
	case len(c.URIs) > 0:
		s = c.URIs[0].String()
	case len(c.DNSNames) > 0:
		s = c.DNSNames[0]
	case len(c.IPAddresses) > 0:
		s = c.IPAddresses[0].String()
	}
	return fmt.Sprintf("%q", clip(s))
}

// date is how a message writes an instant.
func date(t time.Time) string { return t.UTC().Format(time.RFC3339) }
