package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// pki is a throw-away authority with one server and one client. All keys are
// ECDSA P-256, so that every peer signs at the same price.
type pki struct {
	dir    string
	caKey  *ecdsa.PrivateKey
	ca     *x509.Certificate
	client tls.Certificate
}

// newPKI writes ca.pem, and for the server and the client NAME.pem, NAME-key.pem
// and both in NAME-both.pem, into dir.
func newPKI(dir string) (*pki, error) {
	p := &pki{dir: dir}
	if err := p.makeCA(); err != nil {
		return nil, err
	}
	server := certTemplate("server", x509.ExtKeyUsageServerAuth)
	server.DNSNames, server.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	if _, err := p.issue("server", server); err != nil {
		return nil, err
	}
	client := certTemplate("app", x509.ExtKeyUsageClientAuth)
	client.URIs = []*url.URL{{Scheme: "spiffe", Host: "bench", Path: "/app"}}
	var err error
	p.client, err = p.issue("client", client)
	return p, err
}

// certTemplate is a certificate for a day from an hour ago.
func certTemplate(name string, usage ...x509.ExtKeyUsage) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62)) // never fails
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(23 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           usage,
		BasicConstraintsValid: true,
	}
}

// makeCA makes the authority and writes its certificate.
func (p *pki) makeCA() (err error) {
	if p.caKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	t := certTemplate("bench CA")
	t.IsCA, t.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, p.caKey.Public(), p.caKey)
	if err != nil {
		return err
	}
	if p.ca, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	return p.write("ca.pem", block("CERTIFICATE", der))
}

// issue signs t for a new key and writes both.
func (p *pki) issue(name string, t *x509.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	cert, err := x509.CreateCertificate(rand.Reader, t, p.ca, key.Public(), p.caKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	certPEM, keyPEM := block("CERTIFICATE", cert), block("PRIVATE KEY", der)
	for file, text := range map[string][]byte{
		name + ".pem": certPEM, name + "-key.pem": keyPEM, name + "-both.pem": slices.Concat(keyPEM, certPEM),
	} {
		if err := p.write(file, text); err != nil {
			return tls.Certificate{}, err
		}
	}
	return tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key}, nil
}

func (p *pki) write(name string, text []byte) error {
	return os.WriteFile(filepath.Join(p.dir, name), text, 0o600)
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// config is what every client uses. One version and one key exchange, so that all
// peers do the same work: left alone, some would agree on a dearer exchange than
// others have.
func (p *pki) config(mutual bool) *tls.Config {
	c := &tls.Config{
		RootCAs:          x509.NewCertPool(),
		ServerName:       "localhost",
		MinVersion:       tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519},
	}
	c.RootCAs.AddCert(p.ca)
	if mutual {
		c.Certificates = []tls.Certificate{p.client}
	}
	return c
}
