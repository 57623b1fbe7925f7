package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// toolPath returns the path of a program of libmemcached, of which Debian has
// changed the names, or skips the test.
func toolPath(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("SKIP: %s is not installed: apt-get install libmemcached-tools", names[0])
	return ""
}

// toolRun is one call of one of the programs.
type toolRun struct {
	name, arg string
	says      string // is in what it prints, if it succeeds
	all       bool   // it succeeds for an identity that may do everything
	shop      bool   // and for one that may use keys of shop: only
}

var toolRuns = []toolRun{
	{"ping", "", "", true, true},
	{"exist", "shop:a", "", false, false},
	{"cp", "shop:a", "", true, true},
	{"cat", "shop:a", "apple", true, true},
	{"exist", "shop:a", "", true, true},
	{"touch", "shop:a", "", true, true},
	{"cp", "other:a", "", true, false},
	{"cat", "other:a", "pear", true, false},
	{"exist", "other:a", "", true, false},
	{"touch", "other:a", "", true, false},
	{"rm", "other:a", "", true, false},
	{"rm", "shop:a", "", true, true},
	{"cat", "shop:a", "", false, false},
	{"rm", "shop:a", "", false, false},
	{"stat", "", "curr_connections", true, false},
	{"flush", "", "", true, false},
}

func TestLibmemcachedTools(t *testing.T) {
	toolPath(t, "memccp", "memcp")
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"shop:a": "apple", "other:a": "pear"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range toolRuns {
		r.check(t, dir, d.addr(t, "plain"), r.all)
	}
	talk(t, s.dial(t, d, "all"), "set other:a 0 0 4\r\npear\r\n", "STORED\r\n")
	s.edit(t, "policy.yaml", ", {listener: plain}]", "]")
	s.edit(t, "policy.yaml", "{sasl: shop}]", "{sasl: shop}, {listener: plain}]")
	d.reload(t, "reloaded")
	for _, r := range toolRuns {
		r.check(t, dir, d.addr(t, "plain"), r.shop)
	}
	talk(t, s.dial(t, d, "all"), "get other:a\r\n", "VALUE other:a 0 4\r\npear\r\nEND\r\n")
}

// check runs the program and fails the test unless it ends as it should.
func (r toolRun) check(t *testing.T, dir, server string, succeeds bool) {
	t.Helper()
	args := append([]string{"--servers=" + server}, strings.Fields(r.arg)...)
	cmd := exec.Command(toolPath(t, "memc"+r.name, "mem"+r.name), args...)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	// Some of them end well although they were refused, and print nothing.
	if got := err == nil && strings.Contains(string(said), r.says); got != succeeds {
		t.Errorf("memc%s %s: got %q, %v, want success: %v, with %q", r.name, r.arg, said, err, succeeds, r.says)
	}
	if !succeeds && r.says != "" && strings.Contains(string(said), r.says) {
		t.Errorf("memc%s %s: got %q, which it may not see", r.name, r.arg, said)
	}
}

// testResult is one line of memccapable: the name of a test and how it ended.
var testResult = regexp.MustCompile(`(?m)^(ascii .*?) +\[(.*)\]$`)

// The compatibility test of libmemcached finds nothing wrong with slabgate that
// it does not find wrong with memcached itself.
func TestMemccapable(t *testing.T) {
	path := toolPath(t, "memccapable", "memcapable")
	mc := testkit.MemcachedConfig{TCP: true}.Start(t)
	s := newSite(t, mc.Addr())
	d := s.start(t)
	failures := map[string][]string{}
	for _, addr := range []string{mc.Addr(), d.addr(t, "plain")} {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		// Its exit code only says whether anything failed.
		said, _ := exec.Command(path, "-h", host, "-p", port, "-a", "-t", "10").CombinedOutput()
		results := testResult.FindAllStringSubmatch(string(said), -1)
		if len(results) < 20 {
			t.Fatalf("it has run %d tests only:\n%s", len(results), said)
		}
		for _, r := range results {
			if r[2] != "pass" {
				failures[addr] = append(failures[addr], r[1])
			}
		}
	}
	direct, through := failures[mc.Addr()], failures[d.addr(t, "plain")]
	t.Logf("memcached fails %q, slabgate fails %q", direct, through)
	for _, name := range through {
		if !slices.Contains(direct, name) {
			t.Errorf("%s fails through slabgate only", name)
		}
	}
}
