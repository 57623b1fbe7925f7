package e2e_test

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/testkit"
)

// The usual configuration of a site. @DIR@ is its folder and @MC@ its memcached.
const (
	usualConfig = `version: 1
listeners:
  - name: main
    address: "127.0.0.1:0"
    transport: tls
    tls:
      cert: @DIR@/server.pem
      key: @DIR@/server-key.pem
      client_ca: @DIR@/ca.pem
      client_auth: request
  - name: plain
    address: "127.0.0.1:0"
    transport: plaintext
upstreams:
  - name: local
    address: "@MC@"
logins: {ascii: [memcached], sasl: [PLAIN, SCRAM-SHA-256], users: @DIR@/users.yaml}
policy: @DIR@/policy.yaml
limits: {max_per_source: 256}
log: {level: debug, format: json}
audit: {sinks: [{file: @DIR@/audit.jsonl}]}
reload: {watch: false}
`
	usualPolicy = `version: 1
categories: 1
identities:
  shop:
    match: [{tls: {uri: "spiffe://test/shop"}}, {sasl: shop}]
    rules: [{id: shop, allow: ["@rw"], keys: ["prefix:shop:"]}]
  blog:
    match: [{tls: {uri: "spiffe://test/blog"}}, {sasl: blog}]
    rules: [{id: blog, allow: ["@rw"], keys: ["prefix:blog:"]}]
  all:
    match: [{tls: {uri: "spiffe://test/all"}}, {listener: plain}]
    rules: [{id: all, allow: ["@all"], keys: ["*"]}]
`
	usualUsers = `users:
  - name: shop
    secrets: [{scram: "@SHOP@"}]
  - name: blog
    secrets: [{scram: "@BLOG@"}]
`
)

// Passwords of the users of every site.
const (
	shopPassword = "shop-password-canary-1"
	blogPassword = "blog-password-canary-2"
)

// site is a folder that slabgate runs from.
type site struct {
	dir     string
	pki     *testkit.PKI
	mc      string                     // address of its memcached
	leafs   map[string]tls.Certificate // of its clients
	daemons map[string]*daemon         // by arguments: see shared
}

// newSite makes a site in front of the memcached at mc.
func newSite(t *testing.T, mc string) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "slabgate-site")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &site{dir: dir, pki: testkit.NewPKI(t), mc: mc, leafs: map[string]tls.Certificate{}, daemons: map[string]*daemon{}}
	for _, name := range []string{"shop", "blog", "all", "nobody"} {
		leaf := s.pki.Client(t, testkit.ClientSpec{URI: []string{"spiffe://test/" + name}})
		s.leafs[name] = leaf.TLS
		s.copy(t, leaf.CertFile, "client-"+name+".pem")
		s.copy(t, leaf.KeyFile, "client-"+name+"-key.pem")
	}
	s.copy(t, s.pki.CAFile(), "ca.pem")
	s.renewCertificate(t)
	s.write(t, "slabgate.yaml", usualConfig)
	s.write(t, "policy.yaml", usualPolicy)
	s.write(t, "users.yaml", usualUsers)
	return s
}

// renewCertificate writes a new pair of the server and returns its certificate
// in PEM.
func (s *site) renewCertificate(t *testing.T) {
	t.Helper()
	cert, key := s.pki.Server(t)
	s.copy(t, cert, "server.pem")
	s.copy(t, key, "server-key.pem")
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// copy copies a file into the site.
func (s *site) copy(t *testing.T, from, name string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, name, string(data))
}

// write puts a file in the site's folder, whole at once, with mode 0640.
func (s *site) write(t *testing.T, name, text string) {
	t.Helper()
	text = strings.NewReplacer("@DIR@", s.dir, "@MC@", s.mc, "@SHOP@", record(t, shopPassword), "@BLOG@", record(t, blogPassword)).Replace(text)
	if err := os.WriteFile(s.path(name+".new"), []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.path(name+".new"), s.path(name)); err != nil {
		t.Fatal(err)
	}
	giveToDaemon(t, s.dir)
}

// edit replaces old, which must be there once.
func (s *site) edit(t *testing.T, name, old, text string) {
	t.Helper()
	was := s.read(t, name)
	if strings.Count(was, old) != 1 {
		t.Fatalf("%s holds %q %d times, want once:\n%s", name, old, strings.Count(was, old), was)
	}
	s.write(t, name, strings.Replace(was, old, text, 1))
}

// recorded waits for the record, which is written a moment after what it tells of,
// to have so many events of a kind, and fails the test if it has others.
func (s *site) recorded(t *testing.T, kind string, want int) {
	t.Helper()
	count := func() int { return strings.Count(s.read(t, "audit.jsonl"), `"event":"`+kind+`"`) }
	eventually(t, func() string { return fmt.Sprintf("%d events %s; there are %d", want, kind, count()) },
		func() bool { return count() >= want })
	if got := count(); got != want {
		t.Errorf("the audit has %d events %s, want %d", got, kind, want)
	}
}

func (s *site) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(s.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// record is what a users file stores of a password.
func record(t *testing.T, password string) string {
	t.Helper()
	r, err := auth.NewRecord(auth.Secret(password), auth.MinIterations, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return r.String()
}

// call runs a one-shot command as the daemon's user and returns its exit code
// and all it printed.
func (s *site) call(t *testing.T, stdin string, args ...string) (int, string) {
	t.Helper()
	cmd := asNobody(exec.Command(binary, args...))
	cmd.Env = environ()
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &said, &said
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

// memcached starts a memcached that the daemon's user can reach.
func memcached(t *testing.T, args ...string) *testkit.Memcached {
	t.Helper()
	return testkit.MemcachedConfig{TCP: true, Args: args}.Start(t)
}

// tlsConfig is what the client called name dials with; without a name it has
// no certificate.
func (s *site) tlsConfig(name string) *tls.Config {
	if name == "" {
		return s.pki.ClientTLS(nil, "localhost")
	}
	leaf := s.leafs[name]
	return s.pki.ClientTLS(&leaf, "localhost")
}

// dial connects to the daemon's TLS listener as name, and closes the connection
// when the test ends.
func (s *site) dial(t *testing.T, d *daemon, name string) net.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", d.addr(t, "main"), s.tlsConfig(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// serverOnly is the extended key usage of a certificate that clients must not
// show.
var serverOnly = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}

// whatever shows a certificate although the server has not asked for its CA.
func whatever(cert tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
}

// shared is start, once for each list of arguments.
func (s *site) shared(t *testing.T, args ...string) *daemon {
	t.Helper()
	key := strings.Join(args, " ")
	if s.daemons[key] == nil {
		s.daemons[key] = s.start(t, args...)
	}
	return s.daemons[key]
}
