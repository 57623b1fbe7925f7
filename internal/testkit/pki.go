package testkit

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// PKI is a certificate authority of one test. Everything it writes is under the
// test's own temporary directory. It is not safe for concurrent use.
type PKI struct {
	dir    string
	ca     *x509.Certificate
	key    crypto.Signer
	issued int // makes serial numbers and file names differ
}

// Leaf is a certificate with its key, in memory and as PEM files. The chain in
// it ends below the CA.
type Leaf struct {
	TLS      tls.Certificate
	CertFile string // mode 0644
	KeyFile  string // mode 0600, PKCS #8
}

// ClientSpec says what a client certificate claims. The zero value is a
// certificate without a name that every listener may accept.
type ClientSpec struct {
	CN       string
	DNS      []string
	URI      []string
	NotAfter time.Time          // zero is in one day
	EKU      []x509.ExtKeyUsage // nil is clientAuth; empty is none at all
	KeyUsage x509.KeyUsage      // 0 is digitalSignature
}

// NewPKI returns an authority with a new ECDSA P-256 key, valid from an hour
// ago for two days.
func NewPKI(t testing.TB) *PKI {
	t.Helper()
	p := &PKI{dir: t.TempDir(), key: NewKey(t)}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "testkit CA"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(48 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	p.ca = p.sign(t, template, template, p.key.Public())
	writePEM(t, p.CAFile(), 0o644, &pem.Block{Type: "CERTIFICATE", Bytes: p.ca.Raw})
	return p
}

// NewKey returns a new ECDSA P-256 key.
func NewKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// CA returns the certificate of the authority.
func (p *PKI) CA() *x509.Certificate { return p.ca }

// CAFile returns the path of the authority's certificate in PEM.
func (p *PKI) CAFile() string { return filepath.Join(p.dir, "ca.pem") }

// Pool returns a new pool that holds the authority and nothing else.
func (p *PKI) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.ca)
	return pool
}

// Server issues a server certificate for hosts, which are names or addresses
// ("localhost" and 127.0.0.1 if there are none), and returns its files.
func (p *PKI) Server(t testing.TB, hosts ...string) (certFile, keyFile string) {
	t.Helper()
	if len(hosts) == 0 {
		hosts = []string{"localhost", "127.0.0.1"}
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: hosts[0]},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, h)
	}
	leaf := p.Issue(t, template, nil)
	return leaf.CertFile, leaf.KeyFile
}

// Client issues the client certificate that spec describes.
func (p *PKI) Client(t testing.TB, spec ClientSpec) *Leaf {
	t.Helper()
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: spec.CN},
		DNSNames:    spec.DNS,
		NotAfter:    spec.NotAfter,
		ExtKeyUsage: spec.EKU,
		KeyUsage:    spec.KeyUsage,
	}
	if spec.EKU == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if spec.KeyUsage == 0 {
		template.KeyUsage = x509.KeyUsageDigitalSignature
	}
	for _, s := range spec.URI {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, u)
	}
	return p.Issue(t, template, nil)
}

// Issue signs template as it stands, for tests that need a broken certificate,
// and writes its files. A nil key is a new one; a zero serial number or date of
// the template is filled in.
func (p *PKI) Issue(t testing.TB, template *x509.Certificate, key crypto.Signer) *Leaf {
	t.Helper()
	if key == nil {
		key = NewKey(t)
	}
	p.issued++
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(int64(p.issued) + 1)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(24 * time.Hour)
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = p.ca.NotBefore
	}
	cert := p.sign(t, template, p.ca, key.Public())
	return p.leaf(t, cert, key)
}

// ClientTLS returns what a client of this authority dials with. A nil cert is a
// client without a certificate.
func (p *PKI) ClientTLS(cert *tls.Certificate, serverName string) *tls.Config {
	c := &tls.Config{RootCAs: p.Pool(), ServerName: serverName, MinVersion: tls.VersionTLS12}
	if cert != nil {
		c.Certificates = []tls.Certificate{*cert}
	}
	return c
}

// leaf writes cert and key to files of their own.
func (p *PKI) leaf(t testing.TB, cert *x509.Certificate, key crypto.Signer) *Leaf {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(p.dir, fmt.Sprintf("leaf-%d", p.issued))
	l := &Leaf{
		TLS:      tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert},
		CertFile: base + ".pem",
		KeyFile:  base + "-key.pem",
	}
	writePEM(t, l.CertFile, 0o644, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	writePEM(t, l.KeyFile, 0o600, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return l
}

// sign returns the certificate that parent issues for pub.
func (p *PKI) sign(t testing.TB, template, parent *x509.Certificate, pub crypto.PublicKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, p.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// writePEM writes block to a new file whatever the umask says of mode.
func writePEM(t testing.TB, path string, mode os.FileMode, block *pem.Block) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(block), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
