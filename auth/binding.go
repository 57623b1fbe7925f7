package auth

import (
	"crypto"
	_ "crypto/sha256" // the hashes a binding is made with
	_ "crypto/sha512"
	"crypto/x509"
)

// What tls-exporter asks a TLS connection for (RFC 9266 §4): keying material of
// this label and length, without a context.
const (
	ExporterLabel  = "EXPORTER-Channel-Binding"
	ExporterLength = 32 // bytes
)

// endPointHashes are the hashes of RFC 5929 §4.1: that of the certificate's
// signature, and SHA-256 in the place of those that are broken. A signature that
// is not here has no one hash, and its certificate no binding.
var endPointHashes = map[x509.SignatureAlgorithm]crypto.Hash{
	x509.MD5WithRSA:       crypto.SHA256,
	x509.SHA1WithRSA:      crypto.SHA256,
	x509.ECDSAWithSHA1:    crypto.SHA256,
	x509.SHA256WithRSA:    crypto.SHA256,
	x509.SHA256WithRSAPSS: crypto.SHA256,
	x509.ECDSAWithSHA256:  crypto.SHA256,
	x509.SHA384WithRSA:    crypto.SHA384,
	x509.SHA384WithRSAPSS: crypto.SHA384,
	x509.ECDSAWithSHA384:  crypto.SHA384,
	x509.SHA512WithRSA:    crypto.SHA512,
	x509.SHA512WithRSAPSS: crypto.SHA512,
	x509.ECDSAWithSHA512:  crypto.SHA512,
}

// EndPointBinding is the tls-server-end-point binding of a connection on which
// the server showed this certificate of its own, or nil if it has none.
func EndPointBinding(leaf *x509.Certificate) []byte {
	h, ok := endPointHashes[leaf.SignatureAlgorithm]
	if !ok {
		return nil
	}
	sum := h.New()
	sum.Write(leaf.Raw)
	return sum.Sum(nil)
}
