package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

func TestSocketHasItsModeAndGroup(t *testing.T) {
	dir := socketDir(t)
	group, err := user.LookupGroupId(itoa(os.Getgid()))
	if err != nil {
		t.Skipf("this process's group has no name: %v", err)
	}
	for i, c := range []struct {
		options string
		mode    os.FileMode
	}{
		{"", 0o600},
		{"?mode=0660", 0o660},
		{"?mode=0600&group=" + group.Name, 0o600},
		{"?group=" + group.Name + "&mode=0666", 0o666},
		{"?group=" + group.Name, 0o600},
	} {
		path := filepath.Join(dir, itoa(i))
		l, err := Listen(ListenerConfig{Name: "main", Address: "unix:" + path + c.options})
		if err != nil {
			t.Errorf("%q: %v", c.options, err)
			continue
		}
		fi, err := os.Stat(path)
		if err != nil || fi.Mode().Perm() != c.mode || fi.Mode()&os.ModeSocket == 0 {
			t.Errorf("%q: got mode %v, %v, want %v", c.options, fi.Mode(), err, c.mode)
		}
		l.Close()
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: the socket is left behind, %v", c.options, err)
		}
	}
}

func TestSocketOfACrashIsReplaced(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
	l, err := Listen(ListenerConfig{Name: "main", Address: "unix:" + path})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestListenSaysWhatIsInTheWay(t *testing.T) {
	dir := socketDir(t)
	used, file := filepath.Join(dir, "used"), filepath.Join(dir, "file")
	l, err := Listen(ListenerConfig{Name: "first", Address: "unix:" + used})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tcp, err := Listen(ListenerConfig{Name: "tcp", Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ address, want string }{
		{"unix:" + used, "proxy: listener main: " + used + " is in use by another process"},
		{"unix:" + file, "proxy: listener main: " + file + " is in the way and is no socket"},
		{"unix:" + dir + "/none/s", "no such file or directory"},
		{"unix:" + file + "/s", "not a directory"},
		{"unix:" + dir + "/g?group=no-such-group", "unknown group no-such-group"},
		{"unix:" + dir + "/m?mode=0999", "invalid syntax"},
		{"unix:" + dir + "/q?%zz", "invalid URL escape"},
		{tcp.Addr().String(), "address already in use"},
		{"127.0.0.1:99999", "invalid port"},
	} {
		l, err := Listen(ListenerConfig{Name: "main", Address: c.address})
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.address, err, c.want)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
		t.Errorf("what was in the way holds %q, %v", text, err)
	}
	for _, left := range []string{"g", "m"} {
		if _, err := os.Lstat(filepath.Join(dir, left)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a socket that could not be set up is left behind: %s", left)
		}
	}
}

// brittle is a listener whose Accept fails a few times.
type brittle struct {
	net.Listener
	fails int
	tries int
}

func (b *brittle) Accept() (net.Conn, error) {
	b.tries++
	if b.tries <= b.fails {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return b.Listener.Accept()
}

// TestAcceptBacksOffAndGoesOn fails as when descriptors run out.
func TestAcceptBacksOffAndGoesOn(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	b := &brittle{Listener: inner, fails: 4}
	l := &Listener{Listener: b, slots: make(chan struct{}, 1)}
	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	start := time.Now()
	got, err := l.accept(make(chan struct{}))
	if err != nil {
		t.Fatal(err)
	}
	got.Close()
	if waited := time.Since(start); b.tries != 5 || waited < 15*minAcceptWait {
		t.Errorf("%d tries in %v, want 5 that wait longer each time", b.tries, waited)
	}
	if len(l.slots) != 1 {
		t.Error("the client has no place")
	}
	l.done()
}

// TestAcceptStops holds that it stops wherever it waits, and keeps no place.
func TestAcceptStops(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	close(stopped)
	full := &Listener{Listener: inner, slots: make(chan struct{})}
	failing := &Listener{Listener: &brittle{Listener: inner, fails: 1 << 30}, slots: make(chan struct{}, 1)}
	closed := &Listener{Listener: inner, slots: make(chan struct{}, 1)}
	inner.Close()
	for name, c := range map[string]struct {
		l    *Listener
		stop <-chan struct{}
	}{
		"while it is full":     {full, stopped},
		"while it backs off":   {failing, stopped},
		"once it is closed":    {closed, make(chan struct{})},
		"once closed, stopped": {closed, stopped},
	} {
		if _, err := c.l.accept(c.stop); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: got %v", name, err)
		}
		if len(c.l.slots) != 0 {
			t.Errorf("%s: a place is taken", name)
		}
	}
}

// TestFullListenerLeavesClientsWaiting serves one at a time.
func TestFullListenerLeavesClientsWaiting(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{places: 1, tcp: true})
	first, second := r.client(t), r.client(t)
	first.asks("mn\r\n", "MN\r\n")
	second.send("mn\r\n")
	first.asks("mn\r\n", "MN\r\n")
	if n := r.server.Metrics.Accepted.Load(); n != 1 {
		t.Errorf("%d clients were accepted", n)
	}
	first.Close()
	second.wants("MN\r\n")
}

func TestSourceOfAnAddress(t *testing.T) {
	for _, c := range []struct{ a, b string }{
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.1", "::ffff:192.0.2.1"},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9"},
		{"2001:db8::1%eth0", "2001:db8::2"},
	} {
		a, b := netip.MustParseAddr(c.a), netip.MustParseAddr(c.b)
		if sourceOf(a) != sourceOf(b) {
			t.Errorf("%s is %s, %s is %s, want one source", a, sourceOf(a), b, sourceOf(b))
		}
	}
	seen := map[netip.Prefix]string{sourceOf(netip.Addr{}): "a socket"}
	for _, text := range []string{"192.0.2.1", "192.0.2.2", "2001:db8:1:2::1", "2001:db8:1:3::1", "::1"} {
		p := sourceOf(netip.MustParseAddr(text))
		if old, ok := seen[p]; ok {
			t.Errorf("%s and %s are one source, %s", text, old, p)
		}
		seen[p] = text
	}
}

func TestAdmissionCountsBothWays(t *testing.T) {
	var a admission
	l := &Limits{MaxUnauthenticated: 9, MaxPerSource: 2}
	one, two, socket := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.Addr{}
	for i, step := range []struct {
		addr  netip.Addr
		leave bool
		ok    bool
	}{
		{one, false, true}, {one, false, true}, {one, false, true}, {one, false, true},
		{one, false, true}, {one, false, true}, {one, false, true}, {one, false, true},
		{one, false, false}, // two of one source, and six in line
		{two, false, true},
		{two, false, false}, // nine in all
		{socket, false, false},
		{one, true, true},
		{socket, false, true},
		{one, true, true}, {two, true, true},
		{socket, false, true}, {socket, false, true}, // a socket is no source to bound
		{socket, false, false},
	} {
		if step.leave {
			a.leave(step.addr)
			continue
		}
		if _, ok := a.enter(step.addr, l); ok != step.ok {
			t.Errorf("step %d, %v: got %v, want %v", i, step.addr, ok, step.ok)
		}
	}
	if fmt.Sprint(a.all, len(a.sources)) != "9 1" {
		t.Errorf("got %d in all from %d sources", a.all, len(a.sources))
	}
}

// TestFloodMeetsAWallEarly: past the first half, ever more are dropped.
func TestFloodMeetsAWallEarly(t *testing.T) {
	for _, tt := range []struct{ here, most, least, atMost int }{
		{0, 256, 0, 0}, {127, 256, 0, 0}, {128, 256, 200, 400}, {192, 256, 550, 750}, {255, 256, 970, 1000},
		{40, 63, 0, 0}, // a small bound is exact
	} {
		dropped := 0
		for range 1000 {
			if dropEarly(tt.here, tt.most) {
				dropped++
			}
		}
		if dropped < tt.least || dropped > tt.atMost {
			t.Errorf("%d of %d here: %d of 1000 were dropped, want %d to %d", tt.here, tt.most, dropped, tt.least, tt.atMost)
		}
	}
}
