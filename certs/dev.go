package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// devOrganization marks everything that WriteDev makes, so that Load can refuse
// it where nobody asked for it.
const devOrganization = "slabgate DEV"

// devLife is how long development certificates live.
const devLife = 7 * 24 * time.Hour

// DevNames is whom development certificates are for.
type DevNames struct {
	Hosts   []string // names and addresses of the server, beside those of this host's loopback
	Clients []string // one certificate each: letters, digits, '.', '_' and '-'
	Domain  string   // a client is also called NAME.Domain; empty is dev.local
}

// devFile is one file to be written.
type devFile struct {
	name string
	mode os.FileMode
	data []byte
}

// devCA signs. Its key is in no file: what was not issued with it at once never
// will be, and there is nothing to leave behind.
type devCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	now  time.Time
}

// WriteDev makes a throw-away CA, a server certificate and one certificate a
// client, valid for seven days from now, and returns the paths it wrote in dir.
// It makes dir with mode 0700 if there is none, replaces no file, and leaves no
// file of its own behind after an error.
func WriteDev(dir string, names DevNames, now time.Time) ([]string, error) {
	files, err := devFiles(names, now)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("certs: %v", err)
	}
	var written []string
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := f.write(path); err != nil {
			for _, p := range written {
				err = errors.Join(err, os.Remove(p))
			}
			return nil, err
		}
		written = append(written, path)
	}
	return written, nil
}

// write makes path, which must not exist.
func (f devFile) write(path string) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("certs: %q exists and is not replaced", path)
	}
	if err != nil {
		return fmt.Errorf("certs: %v", err)
	}
	_, err = out.Write(f.data)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("certs: %v", errors.Join(err, os.Remove(path)))
	}
	return nil
}

// devFiles makes all that WriteDev writes.
func devFiles(names DevNames, now time.Time) ([]devFile, error) {
	if names.Domain == "" {
		names.Domain = "dev.local"
	}
	ca, err := newDevCA(now)
	if err != nil {
		return nil, err
	}
	server, err := devServer(names.Hosts)
	if err != nil {
		return nil, err
	}
	cert, key, err := ca.issue(server)
	if err != nil {
		return nil, err
	}
	chain := slices.Concat(cert, certPEM(ca.cert.Raw))
	files := []devFile{
		{"ca.pem", 0o644, certPEM(ca.cert.Raw)},
		{"server.pem", 0o644, chain},
		{"server-key.pem", 0o600, key},
		{"server-bundle.pem", 0o600, slices.Concat(key, chain)},
	}
	for _, name := range names.Clients {
		client, err := devClient(name, names.Domain)
		if err != nil {
			return nil, err
		}
		if cert, key, err = ca.issue(client); err != nil {
			return nil, err
		}
		files = append(files,
			devFile{"client-" + name + ".pem", 0o644, cert},
			devFile{"client-" + name + "-key.pem", 0o600, key})
	}
	return files, nil
}

// devSubject is the subject of every development certificate.
func devSubject(name string) pkix.Name {
	return pkix.Name{Organization: []string{devOrganization}, CommonName: name}
}

// isDev reports whether WriteDev made c, or the CA that c comes from.
func isDev(c *x509.Certificate) bool {
	return slices.Contains(c.Subject.Organization, devOrganization) ||
		slices.Contains(c.Issuer.Organization, devOrganization)
}

// hostName is what a server may be called: a DNS name, of which the first label may
// be a wildcard.
var hostName = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?$`)

// devServer describes the server certificate.
func devServer(hosts []string) (*x509.Certificate, error) {
	c := &x509.Certificate{
		Subject:     devSubject("localhost"),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
			continue
		}
		if !hostName.MatchString(h) {
			return nil, fmt.Errorf("certs: %q is neither a host name nor an address", clip(h))
		}
		c.DNSNames = append(c.DNSNames, h)
	}
	return c, nil
}

// clientName is what a client may be called: it becomes part of a file name, a URI
// and a host name.
var clientName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

// devClient describes the certificate of one client.
func devClient(name, domain string) (*x509.Certificate, error) {
	if !clientName.MatchString(name) {
		return nil, fmt.Errorf("certs: client name %q is not letters, digits and inner '.', '_', '-' of at most 63 bytes", clip(name))
	}
	dns := name + "." + domain
	if !hostName.MatchString(dns) {
		return nil, fmt.Errorf("certs: %q is not a host name", clip(dns))
	}
	return &x509.Certificate{
		Subject:     devSubject(name),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{dns},
		URIs:        []*url.URL{{Scheme: "spiffe", Host: "dev", Path: "/ns/dev/sa/" + name}},
	}, nil
}

// newDevCA makes the authority.
func newDevCA(now time.Time) (*devCA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certs: %v", err)
	}
	ca := &devCA{key: key, now: now}
	template := &x509.Certificate{
		Subject:        devSubject("slabgate DEV CA"),
		IsCA:           true,
		MaxPathLenZero: true,
		KeyUsage:       x509.KeyUsageCertSign,
	}
	ca.cert, err = ca.sign(template, template, &key.PublicKey)
	return ca, err
}

// issue makes a key and the certificate that c describes, both in PEM.
func (ca *devCA) issue(c *x509.Certificate) (cert, key []byte, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("certs: %v", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, nil, fmt.Errorf("certs: %v", err)
	}
	c.KeyUsage = x509.KeyUsageDigitalSignature
	signed, err := ca.sign(c, ca.cert, &k.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return certPEM(signed.Raw), key, nil
}

// sign fills in what all development certificates share.
func (ca *devCA) sign(c, parent *x509.Certificate, pub *ecdsa.PublicKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("certs: %v", err)
	}
	c.SerialNumber = serial
	c.NotBefore = ca.now.Add(-time.Minute) // for clients whose clock is a little behind
	c.NotAfter = ca.now.Add(devLife)
	c.BasicConstraintsValid = true
	der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, ca.key)
	if err != nil {
		return nil, fmt.Errorf("certs: %v", err)
	}
	return x509.ParseCertificate(der)
}

// certPEM encodes one certificate.
func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
