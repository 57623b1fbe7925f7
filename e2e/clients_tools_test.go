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
)

// loginRuns are calls of libmemcached's programs by a user whose keys are shop:
// and who may do nothing else.
var loginRuns = []toolRun{
	{name: "exist", arg: "shop:a"},
	{name: "cp", arg: "shop:a", shop: true},
	{name: "cat", arg: "shop:a", says: "apple", shop: true},
	{name: "exist", arg: "shop:a", shop: true},
	{name: "touch", arg: "shop:a", shop: true},
	{name: "cp", arg: "other:a"},
	{name: "cat", arg: "other:a", says: "pear"},
	{name: "exist", arg: "other:a"},
	{name: "touch", arg: "other:a"},
	{name: "rm", arg: "other:a"},
	{name: "rm", arg: "shop:a", shop: true},
	{name: "rm", arg: "shop:a"},
	{name: "stat", says: "curr_connections"},
}

// loginArgs make a program log in.
func loginArgs(password string) string {
	return "--binary --username=shop --password=" + password + " "
}

// The programs log in with SCRAM where that is all a plaintext listener offers,
// and with PLAIN through a tunnel.
func TestLibmemcachedToolsLogIn(t *testing.T) {
	toolPath(t, "memccp", "memcp")
	needCyrus(t, caller{user: "shop"})
	dir := t.TempDir()
	for name, text := range map[string]string{"shop:a": "apple", "other:a": "peach"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, d := startSASL(t, "PLAIN, SCRAM-SHA-256")
	talk(t, d.dialTo(t, "whole"), "set other:a 0 0 4\r\npear\r\n", "STORED\r\n")
	addrs := []string{d.addr(t, "plain"), s.tunnel(t, d, "main").addr()}
	for _, addr := range addrs {
		for _, r := range loginRuns {
			r.arg = loginArgs(shopPassword) + r.arg
			r.check(t, dir, addr, r.shop)
		}
	}
	for _, addr := range addrs {
		r := toolRun{name: "cp", arg: loginArgs(guess) + "shop:a"}
		r.check(t, dir, addr, false)
	}
	d.awaitCount(t, "login refused", len(addrs))
	talk(t, d.dialTo(t, "whole"), "get other:a\r\n", "VALUE other:a 0 4\r\npear\r\nEND\r\n")
}

// binaryResult is one line of memccapable about the binary dialect.
var binaryResult = regexp.MustCompile(`(?m)^(binary .*?) +\[(.*)\]$`)

// failuresOf are the tests of memccapable's binary part that the server at addr
// fails.
func failuresOf(t *testing.T, path, addr string) (failed []string) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	// Its exit code only says whether anything failed.
	said, _ := exec.Command(path, "-h", host, "-p", port, "-b", "-t", "10").CombinedOutput()
	results := binaryResult.FindAllStringSubmatch(string(said), -1)
	if len(results) < 27 {
		t.Fatalf("it has run %d tests only:\n%s", len(results), said)
	}
	for _, r := range results {
		if r[2] != "pass" {
			failed = append(failed, r[1])
		}
	}
	return failed
}

// What memccapable tests of the binary dialect, slabgate does as memcached does.
func TestMemccapableBinary(t *testing.T) {
	path := toolPath(t, "memccapable", "memcapable")
	s, d := startSASL(t, "PLAIN, SCRAM-SHA-256")
	direct, through := failuresOf(t, path, s.mc), failuresOf(t, path, d.addr(t, "whole"))
	t.Logf("memcached fails %q, slabgate fails %q", direct, through)
	through = slices.DeleteFunc(through, func(name string) bool { return slices.Contains(direct, name) })
	if len(through) > 0 {
		t.Errorf("these fail through slabgate only: %s", strings.Join(through, ", "))
	}
}
