package e2e_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// metaCalls is the suite of a client library that speaks the meta dialect. A
// lease makes a key that is not there, for its first reader to fill.
var metaCalls = []call{
	{"get OWN:a", "miss"},
	{"set OWN:a apple", "ok"},
	{"get OWN:a", "apple"},
	{"cas OWN:a avocado", "ok"},
	{"race OWN:a apricot", "exists"},
	{"cas OWN:none x", "miss"},
	{"multi OWN:a OWN:none OWN:a", "OWN:a=between OWN:none=miss OWN:a=between"},
	{"mixed OWN:x OWN:y", "ok OWN:x ok ok OWN:y ok"},
	{"lease OWN:l", "won"},
	{"lease OWN:l", "taken"},
	{"set OWN:l lemon", "ok"},
	{"lease OWN:l", "lemon"},
	{"stale OWN:l", "ok"},
	{"lease OWN:l", "lemon won stale"},
	{"lease OWN:l", "lemon stale taken"},
	{"big OWN:big 500000", "ok"},
	{"many OWN:m 1000", "1000"},
	{"delete OWN:a", "ok"},
	{"delete OWN:a", "miss"},
	{"set OWN:a apple", "ok"},
}

// metaDenied follow them: a denial is an error of that one request, in its place
// among the others of its pipeline.
var metaDenied = []call{
	{"get OTHER:secret", "denied"},
	{"get OWN:a", "apple"},
	{"multi OWN:a OTHER:secret OWN:a", "OWN:a=apple OTHER:secret=denied OWN:a=apple"},
	{"mixed OTHER:x OWN:x", "denied denied denied ok OWN:x ok"},
	{"set OTHER:secret mine", "denied"},
	{"lease OTHER:l", "denied"},
	{"stale OTHER:secret", "denied"},
	{"delete OTHER:secret", "denied"},
	{"flush", "denied"},
	{"get OWN:a", "apple"},
}

// metaHidden follow them for an identity whose denials look like misses.
var metaHidden = []call{
	{"get OTHER:secret", "miss"},
	{"get OWN:a", "apple"},
	{"multi OWN:a OTHER:secret OWN:a", "OWN:a=apple OTHER:secret=miss OWN:a=apple"},
	{"mixed OTHER:x OWN:x", "not stored miss miss ok OWN:x ok"},
	{"set OTHER:secret mine", "not stored"},
	{"lease OTHER:l", ""},
	{"stale OTHER:secret", "miss"},
	{"delete OTHER:secret", "miss"},
	{"flush", "denied"},
	{"get OWN:a", "apple"},
}

// goMemcacheProgram builds the program of go-memcache, or skips the test.
func goMemcacheProgram(t *testing.T) string {
	t.Helper()
	source, program := clientSource("go-memcache"), filepath.Join(t.TempDir(), "go-memcache")
	if said, err := exec.Command("go", "-C", source, "mod", "download", "github.com/QuangTung97/go-memcache").CombinedOutput(); err != nil {
		t.Skipf("SKIP: github.com/QuangTung97/go-memcache is not to be had: %s", said)
	}
	if said, err := exec.Command("go", "-C", source, "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	return program
}

// The library has neither TLS nor a login: it is who its tunnel is, or who the
// listener says. It makes one connection, which a denial doesn't end.
func TestGoMemcache(t *testing.T) {
	program := goMemcacheProgram(t)
	s := newSite(t, memcached(t).Addr())
	s.edit(t, "policy.yaml", "{sasl: shop}]", "{sasl: shop}, {listener: plain}]")
	s.edit(t, "policy.yaml", ", {listener: plain}]\n    rules: [{id: all", "]\n    rules: [{id: all")
	s.edit(t, "policy.yaml", "{sasl: blog}]", "{sasl: blog}]\n    deny_reply: quiet")
	d := s.start(t)
	s.secretsOfBoth(t, d)
	for _, tc := range []struct {
		name       string
		path       *relay
		own, other string
		denied     []call
	}{
		{"client certificate", s.tunnelAs(t, d, "shop"), "shop:tls", "blog", metaDenied},
		{"denials hidden", s.tunnelAs(t, d, "blog"), "blog:tls", "shop", metaHidden},
		{"listener", d.straight(t, "plain"), "shop:plain", "blog", metaDenied},
	} {
		t.Run(tc.name, func(t *testing.T) {
			runSuite(t, exec.Command(program, "-addr", tc.path.addr()), slices.Concat(metaCalls, tc.denied), tc.own, tc.other)
			if n := tc.path.connections(); n != 1 {
				t.Errorf("it has made %d connections, want 1", n)
			}
		})
	}
	s.wantSecretsUntouched(t, d)
}
