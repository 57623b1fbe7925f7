package testkit

import (
	"net"
	"os"
	"strings"
	"testing"
)

// maxUnixPath is the longest socket path that bind(2) takes on every system.
const maxUnixPath = 103

// dial opens a connection to an address as slabgate's configuration writes it:
// "unix:/path" or "127.0.0.1:port".
func dial(addr string) (net.Conn, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	return net.DialTimeout(network, addr, patience)
}

// dialFor dials addr for one test and closes the connection when it ends.
func dialFor(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := dial(addr)
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// socketDir makes a directory with a path short enough for sockets, which that
// of t.TempDir is not, and removes it when the test ends.
func socketDir(t testing.TB) string {
	t.Helper()
	parent := os.TempDir()
	if len(parent) > maxUnixPath-len("/mc1234567890/s") {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "mc")
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
