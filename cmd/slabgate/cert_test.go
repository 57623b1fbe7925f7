package main

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCertDevWritesWhatItPrints(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	o := slabgate(t, "cert", "dev", "--dir", dir, "--client", "shop", "--client", "blog", "--host", "cache.example", "--host", "192.0.2.7")
	o.want(t, exitOK)
	for path := range strings.Lines(o.out) {
		path = strings.TrimSuffix(path, "\n")
		fi, err := os.Stat(path)
		if err != nil || strings.Contains(path, "-key") && fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v, want a file, and a key with mode 0600", path, fi, err)
		}
	}
	if n := strings.Count(o.out, "\n"); n != 8 || o.err != "" {
		t.Errorf("got %d paths and %q beside them, want 8 and nothing:\n%s", n, o.err, o.out)
	}
	cert := readCert(t, filepath.Join(dir, "server.pem"))
	for _, host := range []string{"localhost", "127.0.0.1", "cache.example", "192.0.2.7"} {
		if err := cert.VerifyHostname(host); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if left := time.Until(cert.NotAfter); left > 8*24*time.Hour || left < 6*24*time.Hour {
		t.Errorf("it is valid for %v, want about a week", left)
	}
}

// readCert returns the first certificate of a file.
func readCert(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s holds no PEM block", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestCertDevRefuses(t *testing.T) {
	s := newSite(t)
	was := s.read(t, "tls/ca.pem")
	for _, tc := range []struct {
		args []string
		says string
	}{
		{[]string{"--dir", s.path("tls")}, "exists and is not replaced"},
		{[]string{"--dir", s.path("new"), "--client", "../evil"}, "client name"},
		{[]string{"--dir", s.path("new"), "--host", "two words"}, "neither a host name nor an address"},
		{[]string{"--dir", s.path("policy.yaml")}, "not a directory"},
	} {
		o := slabgate(t, append([]string{"cert", "dev"}, tc.args...)...)
		o.want(t, exitFindings, "error: ", tc.says)
		if o.out != "" {
			t.Errorf("%q: printed %q, want nothing", tc.args, o.out)
		}
	}
	if s.read(t, "tls/ca.pem") != was {
		t.Error("a file was replaced")
	}
	if _, err := os.Stat(s.path("new")); !os.IsNotExist(err) {
		t.Errorf("a folder was made for names that were refused: %v", err)
	}
}
