package certs

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/finding"
)

// TestWriteDev writes for two clients and looks at every file.
func TestWriteDev(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	now := time.Now().Truncate(time.Second)
	names := DevNames{Hosts: []string{"cache.example", "*.cache", "10.0.0.7"}, Clients: []string{"web", "a.b-c_d"}}
	paths, err := WriteDev(dir, names, now)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]os.FileMode{
		"ca.pem": 0o644, "server.pem": 0o644, "server-key.pem": 0o600, "server-bundle.pem": 0o600,
		"client-web.pem": 0o644, "client-web-key.pem": 0o600,
		"client-a.b-c_d.pem": 0o644, "client-a.b-c_d-key.pem": 0o600,
	}
	if len(paths) != len(want) {
		t.Errorf("wrote %q, want %v", paths, want)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		// A umask may take more away from the public ones.
		mode := want[filepath.Base(path)]
		if filepath.Dir(path) != dir || mode == 0 || info.Mode().Perm()&^mode != 0 {
			t.Errorf("%s has mode %v, want one of %v", path, info.Mode(), want)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v, want mode 0700", info, err)
	}
	server := parse(t, filepath.Join(dir, "server.pem"))
	for _, h := range []string{"localhost", "127.0.0.1", "::1", "cache.example", "a.cache", "10.0.0.7"} {
		if err := server.VerifyHostname(h); err != nil {
			t.Error(err)
		}
	}
	if !server.NotAfter.Equal(now.Add(devLife)) {
		t.Errorf("server expires on %s, want %s", server.NotAfter, now.Add(devLife))
	}
	client := parse(t, filepath.Join(dir, "client-web.pem"))
	if client.Subject.CommonName != "web" || len(client.URIs) != 1 || client.URIs[0].String() != "spiffe://dev/ns/dev/sa/web" ||
		!slices.Equal(client.DNSNames, []string{"web.dev.local"}) || !isDev(client) {
		t.Errorf("client is %s %v %v", client.Subject, client.URIs, client.DNSNames)
	}
}

// TestDevHandshake serves and dials with what was written.
func TestDevHandshake(t *testing.T) {
	dir := t.TempDir()
	if _, err := WriteDev(dir, DevNames{Clients: []string{"web"}, Domain: "test"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	pair, bundle := Default(), Default()
	pair.Cert, pair.Key, pair.ClientCA = in("server.pem"), in("server-key.pem"), in("ca.pem")
	bundle.Bundle, bundle.ClientCA = in("server-bundle.pem"), in("ca.pem")
	leaf, err := tls.LoadX509KeyPair(in("client-web.pem"), in("client-web-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parse(t, in("ca.pem")))
	for name, c := range map[string]Config{"SG1338 cert, SG1338 client_ca": pair, "SG1338 bundle, SG1338 client_ca": bundle} {
		if m, l := Load(c); m != nil || codes(l) != name {
			t.Errorf("Load without Dev = %v, %q, want %q", m, codes(l), name)
		}
		c.Dev = true
		m := mustLoad(t, c)
		got := shake(t, m.Config(), &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: []tls.Certificate{leaf}})
		checkOutcome(t, name, got, "")
		if dns := got.state.PeerCertificates[0].DNSNames; !slices.Equal(dns, []string{"web.test"}) {
			t.Errorf("client is called %q, want web.test", dns)
		}
	}
}

// TestWriteDevReplacesNothing meets each of its files in turn.
func TestWriteDevReplacesNothing(t *testing.T) {
	names := DevNames{Clients: []string{"web"}}
	for _, name := range []string{"ca.pem", "server-bundle.pem", "client-web-key.pem"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		paths, err := WriteDev(dir, names, time.Now())
		if err == nil || !strings.Contains(err.Error(), path) || paths != nil {
			t.Errorf("WriteDev over %s = %q, %v, want an error with its name", name, paths, err)
		}
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 1 || string(bytesOf(t, path)) != "mine" {
			t.Errorf("WriteDev over %s left %v, %v, want that file alone and as it was", name, left, err)
		}
	}
}

// TestWriteDevNames refuses names that would not stay inside dir, a URI or a
// host name, before anything is written.
func TestWriteDevNames(t *testing.T) {
	for _, names := range []DevNames{
		{Clients: []string{""}},
		{Clients: []string{".."}},
		{Clients: []string{"../web"}},
		{Clients: []string{"a/b"}},
		{Clients: []string{"a b"}},
		{Clients: []string{"a%2e"}},
		{Clients: []string{"-a"}},
		{Clients: []string{"a\n"}},
		{Clients: []string{strings.Repeat("a", 64)}},
		{Clients: []string{"web"}, Domain: "a b"},
		{Clients: []string{"web"}, Domain: "."},
		{Hosts: []string{""}},
		{Hosts: []string{"a b"}},
		{Hosts: []string{"https://a"}},
		{Hosts: []string{"a:11212"}},
		{Hosts: []string{"*"}},
	} {
		dir := filepath.Join(t.TempDir(), "new")
		if paths, err := WriteDev(dir, names, time.Now()); err == nil {
			t.Errorf("WriteDev(%q) wrote %q, want an error", names, paths)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("WriteDev(%q) made its directory", names)
		}
	}
}

// TestWriteDevTwice asks for one client twice.
func TestWriteDevTwice(t *testing.T) {
	for _, clients := range [][]string{{"web", "web"}, {"web", "web-key"}} {
		dir := t.TempDir()
		if paths, err := WriteDev(dir, DevNames{Clients: clients}, time.Now()); err == nil {
			t.Errorf("WriteDev(%q) wrote %q, want an error", clients, paths)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("WriteDev(%q) left %v, %v, want nothing", clients, left, err)
		}
	}
}

// parse returns the first certificate of a file.
func parse(t testing.TB, path string) *x509.Certificate {
	t.Helper()
	s := source{path: path, holds: certificates, data: bytesOf(t, path)}
	var l finding.List
	got := s.decode(&l)
	if len(got.certs) == 0 {
		t.Fatal(l)
	}
	return got.certs[0]
}
