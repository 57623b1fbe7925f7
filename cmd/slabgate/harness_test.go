package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/certs"
)

// outcome is what a call of slabgate left behind.
type outcome struct {
	code     int
	out, err string
}

// slabgate calls run as main does, with nothing on standard input.
func slabgate(t *testing.T, args ...string) outcome {
	t.Helper()
	return slabgateIn(t, "", args...)
}

// slabgateIn calls run with stdin to read.
func slabgateIn(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	var out, err buffer
	code := run(context.Background(), args, stdio{strings.NewReader(stdin), &out, &err})
	return outcome{code, out.String(), err.String()}
}

// want fails the test unless o has the code and each of the texts in what it
// printed, in either place.
func (o outcome) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code: got %d, want %d\nout: %s\nerr: %s", o.code, code, o.out, o.err)
	}
	for _, text := range texts {
		if !strings.Contains(o.out+o.err, text) {
			t.Errorf("printed:\n%s%s\nwant in it: %q", o.out, o.err, text)
		}
	}
}

// buffer is a bytes.Buffer that a daemon may write to while a test reads it.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// The three files of a site, which is right as it stands. Tests change them, and
// know their lines by number.
const (
	siteConfig = `version: 1
listeners:
  - name: main
    address: "127.0.0.1:0"
    transport: tls
    tls:
      bundle: tls/server-bundle.pem
      client_ca: tls/ca.pem
      client_auth: request
upstreams:
  - name: local
    address: "unix:/nonexistent/mc.sock"
logins: {ascii: [memcached], users: users.yaml}
policy: policy.yaml
log: {format: json}
reload: {watch: false}
`
	sitePolicy = `version: 1
categories: 1
identities:
  web:
    match: [{ascii: web}]
    rules:
      - {id: own, allow: ["@rw"], keys: ["prefix:web:"]}
      - {id: kept, deny: ["@delete"], write: ["prefix:web:kept:"]}
  trial:
    match: [{ascii: trial}]
    mode: audit
    rules: [{id: own, allow: ["@read"], keys: ["prefix:trial:"]}]
tests:
  - {as: web, cmd: "get web:1", expect: allow}
`
	siteUsers = `users:
  - name: web
    secrets:
      - scram: "SCRAM-SHA-256$4096:766kesa8vlBvcxtlXQRf+g==$ljW1ncvzinbRJIcDGRQIA1NHwAhFDecjdmxdPx3DY+s=:mG9Tbd2Vh/jHD8jyD01/uAhmqXM1LAY5EI4ZKIXQs4s="
`
)

// site is a folder with a whole configuration and development certificates.
type site struct{ dir string }

func newSite(t *testing.T) site {
	t.Helper()
	s := site{t.TempDir()}
	if _, err := certs.WriteDev(s.path("tls"), certs.DevNames{Clients: []string{"web"}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	s.write(t, "slabgate.yaml", siteConfig)
	s.write(t, "policy.yaml", sitePolicy)
	s.write(t, "users.yaml", siteUsers)
	return s
}

// path is where name lies in the site.
func (s site) path(name string) string { return filepath.Join(s.dir, name) }

// write writes a file with mode 0640.
func (s site) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	s.chmod(t, name, 0o640)
}

// chmod changes the mode of a file.
func (s site) chmod(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(s.path(name), mode); err != nil {
		t.Fatal(err)
	}
}

// edit replaces old, which must be there once, by text.
func (s site) edit(t *testing.T, name, old, text string) {
	t.Helper()
	was := s.read(t, name)
	if strings.Count(was, old) != 1 {
		t.Fatalf("%s holds %q %d times, want once:\n%s", name, old, strings.Count(was, old), was)
	}
	s.write(t, name, strings.Replace(was, old, text, 1))
}

// read returns the text of a file.
func (s site) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(s.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// call calls a command on the site's configuration, development certificates
// accepted.
func (s site) call(t *testing.T, args ...string) outcome {
	t.Helper()
	return s.callIn(t, "", args...)
}

func (s site) callIn(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	return slabgateIn(t, stdin, append(args, "--dev", "-c", s.path("slabgate.yaml"))...)
}
