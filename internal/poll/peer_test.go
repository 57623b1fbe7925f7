package poll

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// accepted is our end of a connection to l that connect has made.
func accepted(t *testing.T, l net.Listener, connect func() (net.Conn, error)) *Conn {
	t.Helper()
	defer l.Close()
	peer, err := connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	ours, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return take(t, ours)
}

// unixSocket listens on a socket that everybody may connect to.
func unixSocket(t *testing.T) (net.Listener, string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "sg") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{dir: 0o755, path: 0o666} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	return l, path
}

// connectAs connects to a unix socket as a user and groups of which the first is
// the process's own. Its thread alone is changed, and ends.
func connectAs(path string, uid int, groups []uint32) (c net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: nobody else is to run as that user
		rest := groups[1:]
		for _, call := range [][4]uintptr{
			{unix.SYS_SETGROUPS, uintptr(len(rest)), uintptr(unsafe.Pointer(unsafe.SliceData(rest)))},
			{unix.SYS_SETRESGID, ^uintptr(0), uintptr(groups[0]), ^uintptr(0)},
			{unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)},
		} {
			if _, _, errno := unix.RawSyscall(call[0], call[1], call[2], call[3]); errno != 0 {
				err = errno
				return
			}
		}
		runtime.KeepAlive(rest)
		c, err = net.Dial("unix", path)
	}()
	<-done
	return c, err
}

func TestPeerOfAUnixSocket(t *testing.T) {
	l, path := unixSocket(t)
	c := accepted(t, l, func() (net.Conn, error) { return net.Dial("unix", path) })
	got, err := c.Peer()
	groups, _ := os.Getgroups()
	if err != nil || got.UID != uint32(os.Geteuid()) || got.GID != uint32(os.Getegid()) || len(got.Groups) != len(groups) {
		t.Errorf("got %+v, %v; want user %d, group %d and groups %v", got, err, os.Geteuid(), os.Getegid(), groups)
	}
}

func TestPeerIsWhoeverConnected(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to connect as other users")
	}
	many := []uint32{7}
	for i := range uint32(300) {
		many = append(many, 1000+i)
	}
	for _, groups := range [][]uint32{{33}, {33, 100, 101}, many} {
		l, path := unixSocket(t)
		c := accepted(t, l, func() (net.Conn, error) { return connectAs(path, 33, groups) })
		got, err := c.Peer()
		if err != nil || got.UID != 33 || got.GID != groups[0] || !slices.Equal(got.Groups, groups[1:]) {
			t.Errorf("got %+v, %v; want user 33 and groups %v", got, err, groups)
		}
	}
}

func TestNoPeerOverTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := accepted(t, l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) })
	if got, err := c.Peer(); err == nil {
		t.Errorf("got %+v, want an error", got)
	}
}

func TestNoPeerOnceClosed(t *testing.T) {
	l, path := unixSocket(t)
	c := accepted(t, l, func() (net.Conn, error) { return net.Dial("unix", path) })
	c.Close()
	_, err := c.Peer()
	wantErr(t, "Peer", err, net.ErrClosed)
}
