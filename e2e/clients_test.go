package e2e_test

import (
	"bytes"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// call is one call of a client library and what it must return. OWN is a prefix
// that the client may use, OTHER one that it may not.
type call struct{ text, want string }

// calls is one suite for every client library. What a library has no function
// for it leaves out.
var calls = []call{
	{"version", "ok"},
	{"get OWN:a", "miss"},
	{"set OWN:a apple", "ok"},
	{"get OWN:a", "apple"},
	{"quiet OWN:a quietly", "ok"},
	{"get OWN:a", "quietly"},
	{"set OWN:a apple", "ok"},
	{"add OWN:a pear", "not stored"},
	{"add OWN:b banana", "ok"},
	{"replace OWN:none pear", "not stored"},
	{"replace OWN:b berry", "ok"},
	{"append OWN:b -tail", "ok"},
	{"prepend OWN:b head-", "ok"},
	{"append OWN:none x", "not stored"},
	{"get OWN:b", "head-berry-tail"},
	{"multi OWN:a OWN:none OWN:b", "OWN:a=apple OWN:b=head-berry-tail"},
	{"multi OWN:none", ""},
	{"cas OWN:a avocado", "ok"},
	{"get OWN:a", "avocado"},
	{"race OWN:a apricot", "exists"},
	{"get OWN:a", "between"},
	{"cas OWN:none x", "miss"},
	{"set OWN:n 41", "ok"},
	{"incr OWN:n 1", "42"},
	{"decr OWN:n 2", "40"},
	{"decr OWN:n 99", "0"},
	{"incr OWN:none 1", "miss"},
	{"touch OWN:a", "ok"},
	{"touch OWN:none", "miss"},
	{"gat OWN:a", "between"},
	{"gat OWN:none", "miss"},
	{"delete OWN:a", "ok"},
	{"delete OWN:a", "miss"},
	{"get OWN:a", "miss"},
	// A denial is an error, and never a miss or somebody else's value.
	{"get OTHER:secret", "denied"},
	{"multi OWN:b OTHER:secret", "denied"},
	{"set OTHER:secret mine", "denied"},
	{"add OTHER:new mine", "denied"},
	{"replace OTHER:secret mine", "denied"},
	{"append OTHER:secret mine", "denied"},
	{"delete OTHER:secret", "denied"},
	{"incr OTHER:secret 1", "denied"},
	{"touch OTHER:secret", "denied"},
	{"gat OTHER:secret", "denied"},
	{"flush", "denied"},
	// The connection goes on all the same.
	{"get OWN:b", "head-berry-tail"},
	{"delete OWN:b", "ok"},
	{"delete OWN:n", "ok"},
}

// runCalls makes the calls with a program, as an identity with a prefix of its
// own, and leaves out those that the program has no function for.
func runCalls(t *testing.T, cmd *exec.Cmd, own, other string, without ...string) {
	t.Helper()
	suite := slices.DeleteFunc(slices.Clone(calls), func(c call) bool { return c.oneOf(without) })
	runSuite(t, cmd, suite, own, other)
}

// oneOf reports whether c is a call of one of these names.
func (c call) oneOf(names []string) bool {
	name, _, _ := strings.Cut(c.text, " ")
	return slices.Contains(names, name)
}

// runSuite makes the calls of a suite with a program, and fails the test where
// an answer is not the one wanted.
func runSuite(t *testing.T, cmd *exec.Cmd, suite []call, own, other string) {
	t.Helper()
	prefixes := strings.NewReplacer("OWN", own, "OTHER", other)
	var in strings.Builder
	for _, c := range suite {
		in.WriteString(prefixes.Replace(c.text) + "\n")
	}
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in.String()), &out, &said
	err := cmd.Run()
	answers := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if err != nil || len(answers) != len(suite) {
		t.Errorf("%v, %d answers to %d calls: %s\n%s", err, len(answers), len(suite), said.String(), out.String())
		return
	}
	for i, c := range suite {
		if want := prefixes.Replace(c.want); answers[i] != want {
			t.Errorf("%s: got %q, want %q", prefixes.Replace(c.text), answers[i], want)
		}
	}
}

// secretsOfBoth stores what neither of the two clients may see of the other.
func (s *site) secretsOfBoth(t *testing.T, d *daemon) {
	t.Helper()
	talk(t, s.dial(t, d, "all"), "set shop:secret 0 0 6\r\nsecret\r\nset blog:secret 0 0 6\r\nsecret\r\n", "STORED\r\nSTORED\r\n")
}

// wantSecretsUntouched fails the test if a client has changed what it may not.
func (s *site) wantSecretsUntouched(t *testing.T, d *daemon) {
	t.Helper()
	for _, key := range []string{"shop:secret", "blog:secret"} {
		talk(t, s.dial(t, d, "all"), "get "+key+"\r\n", "VALUE "+key+" 0 6\r\nsecret\r\nEND\r\n")
	}
}

func TestGomemcache(t *testing.T) {
	program := filepath.Join(t.TempDir(), "gomemcache")
	source := filepath.Join("testdata", "gomemcache")
	if said, err := exec.Command("go", "-C", source, "mod", "download").CombinedOutput(); err != nil {
		t.Skipf("SKIP: github.com/bradfitz/gomemcache is not to be had: %s", said)
	}
	if said, err := exec.Command("go", "-C", source, "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	s.secretsOfBoth(t, d)
	args := []string{"-addr", d.addr(t, "main"), "-ca", s.path("ca.pem")}
	shop := exec.Command(program, append(args, "-cert", s.path("client-shop.pem"), "-key", s.path("client-shop-key.pem"))...)
	blog := exec.Command(program, append(args, "-login", "blog "+blogPassword)...)
	var both sync.WaitGroup
	both.Go(func() { runCalls(t, shop, "shop", "blog") })
	both.Go(func() { runCalls(t, blog, "blog", "shop") })
	both.Wait()
	s.wantSecretsUntouched(t, d)
}

func TestPymemcache(t *testing.T) {
	python := pythonWith(t, "pymemcache")
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	s.secretsOfBoth(t, d)
	host, port, err := net.SplitHostPort(d.addr(t, "main"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shop", "blog"} {
		cmd := exec.Command(python, filepath.Join("testdata", "pymemcache", "calls.py"), host, port,
			s.path("ca.pem"), s.path("client-"+name+".pem"), s.path("client-"+name+"-key.pem"))
		runCalls(t, cmd, name, map[string]string{"shop": "blog", "blog": "shop"}[name], "gat")
	}
	s.wantSecretsUntouched(t, d)
}

// pythonWith returns a Python that has a module, or skips the test.
func pythonWith(t *testing.T, module string) string {
	t.Helper()
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", "import "+module).Run() == nil {
			return python
		}
	}
	t.Skipf("SKIP: %s is not installed: apt-get install python3-%s", module, module)
	return ""
}
