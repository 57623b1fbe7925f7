package certs

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
)

func TestWeakness(t *testing.T) {
	bits := func(n uint) crypto.PublicKey {
		return &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), n-1), E: 65537}
	}
	curve := func(c elliptic.Curve) crypto.PublicKey { return &ecdsa.PublicKey{Curve: c} }
	for _, tc := range []struct {
		pub  crypto.PublicKey
		want string
	}{
		{bits(1024), "an RSA key of 1024 bits instead of 2048 to 8192"},
		{bits(2047), "an RSA key of 2047 bits instead of 2048 to 8192"},
		{bits(2048), ""},
		{bits(8192), ""},
		{bits(8193), "an RSA key of 8193 bits instead of 2048 to 8192"},
		{curve(elliptic.P224()), "an ECDSA key of 224 bits instead of 256 or more"},
		{curve(elliptic.P256()), ""},
		{curve(elliptic.P521()), ""},
		{ed25519.PublicKey{}, ""},
		{&ecdh.PublicKey{}, "a key that is none of RSA, ECDSA and Ed25519"},
		{nil, "a key that is none of RSA, ECDSA and Ed25519"},
	} {
		if got := weakness(tc.pub); got != tc.want {
			t.Errorf("weakness(%T) = %q, want %q", tc.pub, got, tc.want)
		}
	}
}

func TestName(t *testing.T) {
	uri := &url.URL{Scheme: "spiffe", Host: "td", Path: "/a"}
	for _, tc := range []struct {
		cert x509.Certificate
		want string
	}{
		{x509.Certificate{}, `""`},
		{x509.Certificate{Subject: pkix.Name{CommonName: "a"}, DNSNames: []string{"b"}}, `"CN=a"`},
		{x509.Certificate{URIs: []*url.URL{uri}, DNSNames: []string{"b"}}, `"spiffe://td/a"`},
		{x509.Certificate{DNSNames: []string{"b", "c"}}, `"b"`},
		{x509.Certificate{IPAddresses: []net.IP{net.IPv6loopback}}, `"::1"`},
		{x509.Certificate{DNSNames: []string{"\x1b[2J\r\n"}}, `"\x1b[2J\r\n"`},
		{x509.Certificate{DNSNames: []string{strings.Repeat("a", 65)}}, `"` + strings.Repeat("a", 64) + `"`},
	} {
		if got := name(&tc.cert); got != tc.want {
			t.Errorf("name(%v, %v) = %s, want %s", tc.cert.Subject, tc.cert.DNSNames, got, tc.want)
		}
	}
}
