package auth

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Limits of names, in bytes. They are those of the SPIFFE ID standard (§2.3)
// for all URIs.
const (
	maxURI         = 2048
	maxTrustDomain = 255
)

// oidCommonName is id-at-commonName.
var oidCommonName = asn1.ObjectIdentifier{2, 5, 4, 3}

// plainURI is the grammar of a URI that is no SPIFFE ID: a lower-case scheme
// and then only characters that no reader decodes, normalises or reads as user,
// query or fragment.
var plainURI = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:[A-Za-z0-9._~:/+,;=()!$&'*-]+$`)

// FromCertificate returns the names of a parsed client certificate, and the pin of
// its key. That it is verified is the caller's business: names are read here and
// not believed. The common name is read only if asked for.
//
// It refuses a certificate with more than one URI, with a name that could be
// read in two ways, or with no name at all. NotAfter is that of the leaf; a
// chain may end sooner.
func FromCertificate(leaf *x509.Certificate, commonName bool) (*Cert, error) {
	uris, dns, err := rawNames(leaf)
	if err != nil {
		return nil, err
	}
	c := &Cert{NotAfter: leaf.NotAfter, Pin: sha256.Sum256(leaf.RawSubjectPublicKeyInfo)}
	if c.URI, err = oneURI(uris); err != nil {
		return nil, err
	}
	if c.DNS, err = dnsNames(dns); err != nil {
		return nil, err
	}
	if commonName {
		if c.CN, err = oneCommonName(leaf); err != nil {
			return nil, err
		}
	}
	if c.URI == "" && len(c.DNS) == 0 && c.CN == "" {
		return nil, errors.New("auth: certificate names nobody: it has no URI or DNS name, and no common name that counts")
	}
	return c, nil
}

// oneURI returns the only URI, byte for byte, or nothing if there is none.
func oneURI(uris []string) (string, error) {
	if len(uris) == 0 {
		return "", nil
	}
	if len(uris) > 1 {
		return "", fmt.Errorf("auth: certificate has %d URI names; want one at most", len(uris))
	}
	uri := uris[0]
	if len(uri) > maxURI {
		return "", fmt.Errorf("auth: URI name of %d bytes; at most %d are allowed", len(uri), maxURI)
	}
	for segment := range strings.SplitSeq(uri, "/") {
		if segment == "." || segment == ".." { // the trust domain included
			return "", fmt.Errorf("auth: URI name %s holds a dot segment", quote(uri))
		}
	}
	// In capitals the scheme is still SPIFFE's; no grammar here lets it through.
	if strings.HasPrefix(uri, "spiffe:") {
		return uri, checkSPIFFE(uri)
	}
	return uri, checkPlainURI(uri)
}

// checkSPIFFE holds a SPIFFE ID to the grammar of its standard, on the bytes as
// they are in the certificate.
func checkSPIFFE(uri string) error {
	id, err := spiffeid.FromString(uri)
	if err != nil {
		return fmt.Errorf("auth: URI name %s is no SPIFFE ID: %v", quote(uri), err)
	}
	if n := len(id.TrustDomain().Name()); n > maxTrustDomain {
		return fmt.Errorf("auth: trust domain of %d bytes; at most %d are allowed", n, maxTrustDomain)
	}
	return nil
}

func checkPlainURI(uri string) error {
	if !plainURI.MatchString(uri) {
		return fmt.Errorf("auth: URI name %s has no lower-case scheme, or holds a user, query, fragment, escape or control character", quote(uri))
	}
	return nil
}

// dnsNames returns the names in lower case. It asks no more of a name than that
// it is one word of printable ASCII: they are compared and never looked up.
func dnsNames(names []string) ([]string, error) {
	lower := make([]string, 0, len(names))
	for _, name := range names {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, fmt.Errorf("auth: DNS name %s is empty or not printable ASCII", quote(name))
		}
		lower = append(lower, strings.ToLower(name))
	}
	return lower, nil
}

// oneCommonName returns the only common name of the subject, or nothing if
// there is none.
func oneCommonName(leaf *x509.Certificate) (string, error) {
	name, count := "", 0
	for _, attribute := range leaf.Subject.Names {
		if !attribute.Type.Equal(oidCommonName) {
			continue
		}
		s, ok := attribute.Value.(string)
		if !ok || s == "" || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return "", fmt.Errorf("auth: common name %s is empty or holds a character that does not print", quote(s))
		}
		name = s
		count++
	}
	if count > 1 {
		return "", fmt.Errorf("auth: certificate has %d common names; want one at most", count)
	}
	return name, nil
}
