package auth

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
)

// oidSAN is id-ce-subjectAltName (RFC 5280 §4.2.1.6).
var oidSAN = asn1.ObjectIdentifier{2, 5, 29, 17}

// Tags of a GeneralName.
const (
	tagDNS = 2
	tagURI = 6
)

var errSAN = errors.New("auth: subject alternative names of the certificate are malformed")

// rawNames returns the URI and DNS names of a parsed certificate as its issuer
// wrote them. x509.Certificate.URIs does not do: parsing a URL changes the case
// of its scheme, drops an empty fragment and decodes escapes, so that names that
// differ would become one.
func rawNames(leaf *x509.Certificate) (uris, dns []string, err error) {
	names, err := generalNames(leaf)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		if n.Class != asn1.ClassContextSpecific || n.Tag != tagURI && n.Tag != tagDNS {
			continue
		}
		if n.IsCompound {
			return nil, nil, errSAN
		}
		if n.Tag == tagURI {
			uris = append(uris, string(n.Bytes))
		} else {
			dns = append(dns, string(n.Bytes))
		}
	}
	// Two readings of one certificate that differ are a reason to trust neither.
	if len(uris) != len(leaf.URIs) || len(dns) != len(leaf.DNSNames) {
		return nil, nil, errSAN
	}
	return uris, dns, nil
}

// generalNames returns the elements of the one SAN extension, or none.
func generalNames(leaf *x509.Certificate) ([]asn1.RawValue, error) {
	var names []asn1.RawValue
	found := false
	for _, ext := range leaf.Extensions {
		if !ext.Id.Equal(oidSAN) {
			continue
		}
		if found {
			return nil, errSAN
		}
		found = true
		rest, err := asn1.Unmarshal(ext.Value, &names)
		if err != nil || len(rest) > 0 {
			return nil, errSAN
		}
	}
	return names, nil
}
