package certs

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/internal/testkit"
)

// rig is a good configuration and the authority behind it, for a test to break.
type rig struct {
	*testkit.PKI
	Config
	dir string
}

// newRig returns a configuration that loads without a finding.
func newRig(t testing.TB) *rig {
	t.Helper()
	p := testkit.NewPKI(t)
	c := Default()
	c.Cert, c.Key = p.Server(t)
	c.ClientCA = p.CAFile()
	return &rig{PKI: p, Config: c, dir: t.TempDir()}
}

// file writes parts to a new file of mode 0600.
func (r *rig) file(t testing.TB, parts ...[]byte) string {
	t.Helper()
	f, err := os.CreateTemp(r.dir, "*.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(bytes.Join(parts, nil)); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// server makes the rig serve the certificate that template describes.
func (r *rig) server(t testing.TB, key crypto.Signer, change func(*x509.Certificate)) {
	t.Helper()
	c := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "forged"},
		DNSNames:    []string{"localhost"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(c)
	}
	leaf := r.Issue(t, c, key)
	r.Cert, r.Key = leaf.CertFile, leaf.KeyFile
}

// authority writes a CA of its own that change describes.
func (r *rig) authority(t testing.TB, change func(*x509.Certificate)) []byte {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "another CA"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	change(c)
	key := testkit.NewKey(t)
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return certPEM(der)
}

// rsaKey returns a new RSA key.
func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// block returns a PEM block.
func block(kind, body string) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(body)})
}

// bytesOf returns the content of a file.
func bytesOf(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// codes are the codes of a list with their keys, in alphabetical order.
func codes(l finding.List) string {
	var all []string
	for _, f := range l {
		all = append(all, f.Code+" "+f.Key)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// checkWords fails the test for findings that don't say what to do.
func checkWords(t *testing.T, l finding.List) {
	t.Helper()
	for _, f := range l {
		if f.Fix == "" || f.Problem == "" || strings.HasSuffix(f.Problem, ".") || strings.Contains(f.Problem, "%!") {
			t.Errorf("finding %+v: want a problem without full stop and a fix", f)
		}
	}
}

// chmod changes a mode whatever the umask.
func chmod(t testing.TB, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// missing is a path at which there is nothing.
func (r *rig) missing() string { return filepath.Join(r.dir, "missing.pem") }

// replace moves a file over another, as whoever renews certificates should.
func replace(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
