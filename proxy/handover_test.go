package proxy

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// sharedListener binds an address that others may bind as well.
func sharedListener(t *testing.T, address string) *Listener {
	t.Helper()
	l, err := Listen(ListenerConfig{Name: "main", Address: address, Transport: "tls", ReusePort: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// Once the older of two has yielded, every new connection is the younger's, so that
// the older can be closed without losing one.
func TestYieldLeavesNewConnectionsToTheOther(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	old := sharedListener(t, "127.0.0.1:0")
	next := sharedListener(t, old.Addr().String())
	if err := old.Yield(); err != nil {
		t.Fatal(err)
	}
	const conns = 64
	for i := range conns {
		c, err := net.Dial("tcp", old.Addr().String())
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer c.Close()
		next.Listener.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second))
		accepted, err := next.Accept()
		if err != nil {
			t.Fatalf("connection %d is not the younger's: %v", i, err)
		}
		accepted.Close()
	}
	old.Listener.(*net.TCPListener).SetDeadline(time.Now())
	if c, err := old.Accept(); err == nil {
		t.Errorf("the older one has a connection of %v", c.RemoteAddr())
	}
}

func TestYieldWithoutAnotherChangesNothing(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	for name, cfg := range map[string]ListenerConfig{
		"shared": {Address: "127.0.0.1:0", ReusePort: true},
		"alone":  {Address: "127.0.0.1:0"},
		"unix":   {Address: "unix:" + filepath.Join(socketDir(t), "s")},
	} {
		l, err := Listen(cfg)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer l.Close()
		if err := l.Yield(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		c, err := net.Dial(l.Addr().Network(), l.Addr().String())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer c.Close()
		if a, err := l.Accept(); err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			a.Close()
		}
	}
}

// An address that is not to be shared is bound once.
func TestListenWithoutReusePortIsAlone(t *testing.T) {
	l := sharedListener(t, "127.0.0.1:0")
	other, err := Listen(ListenerConfig{Name: "other", Address: l.Addr().String(), Transport: "tls"})
	if err == nil {
		other.Close()
		t.Error("a listener without reuse_port was bound beside another")
	}
}

// strange is a listener of neither TCP nor unix.
type strange struct{ net.Listener }

func (strange) Addr() net.Addr { return &net.UDPAddr{} }
func (strange) Close() error   { return nil }

func TestAdoptLooksAtTheSocket(t *testing.T) {
	bind := func(network, address string) net.Listener {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	for _, tc := range []struct {
		name, transport string
		l               net.Listener
		want            error
	}{
		{"plaintext on loopback", "plaintext", bind("tcp", "127.0.0.1:0"), nil},
		{"plaintext on a unix socket", "plaintext", bind("unix", filepath.Join(socketDir(t), "s")), nil},
		{"plaintext everywhere", "plaintext", bind("tcp", ":0"), errExposed},
		{"TLS everywhere", "tls", bind("tcp", ":0"), nil},
		{"a stranger", "tls", strange{}, errNoStream},
	} {
		l, err := Adopt(ListenerConfig{Name: "main", Address: "systemd:web", Transport: tc.transport, MaxConnections: 1}, tc.l)
		if !errors.Is(err, tc.want) || err != nil && !strings.Contains(err.Error(), "listener main: the socket for systemd:web") {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
		if err == nil && cap(l.slots) != 1 {
			t.Errorf("%s: %d places, want 1", tc.name, cap(l.slots))
		}
	}
}
