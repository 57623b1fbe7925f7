package admin

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSocketIsItsOwnersAlone(t *testing.T) {
	dir := socketDir(t)
	path := filepath.Join(dir, "admin.sock")
	l, err := listenAt(path)
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Lstat(path)
	if err != nil || fi.Mode() != os.ModeSocket|0o600 {
		t.Errorf("got %v, %v, want a socket of mode 0600", fi, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("got %v, want the socket alone", left)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("got %v after the end, want nothing", left)
	}
}

func TestStaleSocketIsReplacedAndNothingElse(t *testing.T) {
	dir := socketDir(t)
	stale, live, file := filepath.Join(dir, "stale"), filepath.Join(dir, "live"), filepath.Join(dir, "file")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
	other, err := listenAt(live)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := listenAt(stale)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	defer l.Close()
	for path, want := range map[string]string{
		live: "in use by another process", file: "in the way and is no socket", filepath.Join(dir, "none", "s"): "no such file",
	} {
		if _, err := listenAt(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	if c, err := net.Dial("unix", live); err != nil {
		t.Errorf("the live one: %v", err)
	} else {
		c.Close()
	}
	if left, _ := os.ReadDir(dir); len(left) != 3 {
		t.Errorf("got %v, want no folder that was left", left)
	}
}

// A slabgate that stops late must not take away the socket of the next one.
func TestCloseLeavesAnothersSocket(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	first, err := listenAt(path)
	if err != nil {
		t.Fatal(err)
	}
	first.Listener.Close()
	second, err := listenAt(path)
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the second one's socket: %v", err)
	}
	second.Close()
}

// listenAt has a socket in its place.
func listenAt(path string) (*Listener, error) { return published(Prepare(path, false)) }

// takeOver is listenAt for the next process.
func takeOver(path string) (*Listener, error) { return published(Prepare(path, true)) }

func published(l *Listener, err error) (*Listener, error) {
	if err == nil {
		err = l.Publish()
	}
	return l, err
}

// A slabgate that does not start in the end has taken nothing over.
func TestSocketThatIsNotPublishedIsNobodys(t *testing.T) {
	dir := socketDir(t)
	path := filepath.Join(dir, "s")
	running, err := listenAt(path)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	next, err := Prepare(path, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the one that runs: %v", err)
	}
	c.Close()
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("got %v, want the socket alone", left)
	}
}
