package admin

import (
	"errors"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/testkit"
)

func TestMayUse(t *testing.T) {
	for _, tc := range []struct {
		uid  uint32
		own  int
		want bool
	}{
		{0, 0, true}, {0, 990, true}, {990, 990, true}, {991, 990, false}, {990, 0, false}, {1<<32 - 1, -1, false},
	} {
		if got := mayUse(tc.uid, tc.own); got != tc.want {
			t.Errorf("user %d of a slabgate of %d: got %v, want %v", tc.uid, tc.own, got, tc.want)
		}
	}
}

// as runs f on a thread that has another effective user.
func as(t *testing.T, uid uintptr, f func()) {
	t.Helper()
	const same = ^uintptr(0)
	done := make(chan syscall.Errno)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		_, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uid, uid, same)
		if errno == 0 {
			f()
		}
		done <- errno
	}()
	if errno := <-done; errno != 0 {
		t.Fatalf("another user: %v", errno)
	}
}

// TestAnotherUserIsClosed opens the socket to everybody, as somebody may do by
// mistake.
func TestAnotherUserIsClosed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: needs root")
	}
	r := startRig(t)
	connect := func() (err error) {
		as(t, 65534, func() {
			var c net.Conn
			if c, err = net.Dial("unix", r.path); err != nil {
				return
			}
			defer c.Close()
			_, err = c.Read(make([]byte, 1))
		})
		return err
	}
	if err := connect(); !errors.Is(err, syscall.EACCES) {
		t.Errorf("got %v, want the socket's mode to refuse", err)
	}
	if err := os.Chmod(r.path, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := connect(); err == nil || errors.Is(err, syscall.EACCES) {
		t.Errorf("got %v, want the connection to be closed", err)
	}
	entries := r.logs.FilterMessage("admin refused").FilterField(zap.Uint32("uid", 65534)).All()
	if len(entries) != 1 || r.metrics.AdminRefused.Load() != 1 {
		t.Errorf("%d are logged and %d counted, want 1", len(entries), r.metrics.AdminRefused.Load())
	}
	if _, err := r.client.Denials(t.Context()); err != nil {
		t.Errorf("its own user: %v", err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	r := startRig(t)
	var open []net.Conn
	for range maxConns {
		c, err := net.Dial("unix", r.path)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	if _, err := r.client.Denials(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("one more: got %v, want it closed", err)
	}
	for _, c := range open {
		c.Close()
	}
	testkit.Eventually(t, "a place", func() bool {
		_, err := r.client.Denials(t.Context())
		return err == nil
	})
	if r.metrics.AdminRefused.Load() == 0 {
		t.Error("none is counted")
	}
}

func TestOnlyAUnixSocketHasAUser(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if _, err := peerOf(a); !errors.Is(err, errNoUnixSocket) {
		t.Errorf("got %v", err)
	}
}
