package upstream

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// transports are ways to reach a server of this process, by each transport.
var transports = map[string]func(t *testing.T) net.Listener{
	"tcp4": func(t *testing.T) net.Listener { return listenOn(t, "tcp4", "127.0.0.1:0") },
	"tcp6": func(t *testing.T) net.Listener { return listenOn(t, "tcp6", "[::1]:0") },
	"tcp4 at a listener for both": func(t *testing.T) net.Listener {
		return listenOn(t, "tcp", "[::]:0")
	},
	"unix": func(t *testing.T) net.Listener { return listenOn(t, "unix", t.TempDir()+"/s") },
}

func listenOn(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skip("SKIP: no " + network + " here: " + err.Error())
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestOwnerOfAConnection tells who has accepted it, and of one that nobody has
// accepted that it is nobody's.
func TestOwnerOfAConnection(t *testing.T) {
	for name, listen := range transports {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			network, address := l.Addr().Network(), l.Addr().String()
			if name == "tcp4 at a listener for both" {
				address = net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
			}
			c, err := net.Dial(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if network == "tcp" {
				if uid, err := ownerOf(c); err != errUnowned {
					t.Errorf("before it is accepted: uid %d, %v", uid, err)
				}
			}
			accepted, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer accepted.Close()
			if uid, err := ownerOf(c); err != nil || uid != os.Geteuid() {
				t.Errorf("uid %d, %v; want %d", uid, err, os.Geteuid())
			}
		})
	}
}

// TestImpostorGetsNoRequest: whoever has taken memcached's place is asked for the
// version, and nothing that a client sent reaches it.
func TestImpostorGetsNoRequest(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.ExpectUID = os.Geteuid() + 1 })
	for range 3 {
		b := batchOf(store("set", "secret", []byte("of a client")))
		r.Lane().Do(b)
		if got := b.Calls[0].Reply.Status; got != protocol.StatusDown {
			t.Errorf("status %d, want %d", got, protocol.StatusDown)
		}
		if _, status := r.Keyless(t.Context(), keyless(t, "flush_all")); !status.Failed() {
			t.Error("an unexpected owner was asked to flush")
		}
	}
	if err := r.Check(t.Context()); err == nil {
		t.Error("it counts as memcached")
	}
	asked := fake.Requests()
	if len(asked) == 0 {
		t.Error("nobody was asked")
	}
	for _, got := range asked {
		if !slices.Contains([]string{"version\r\n", "stats settings\r\n"}, string(got)) {
			t.Errorf("it was sent %q", got)
		}
	}
	logs := r.logs.FilterMessage("server down").All()
	if len(logs) != 1 || !strings.Contains(logs[0].ContextMap()["error"].(string), "expect_uid") {
		t.Errorf("logged %v", logs)
	}
}

// TestExpectedOwnerIsServed takes the user that memcached does run as.
func TestExpectedOwnerIsServed(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.ExpectUID = os.Geteuid() })
	b := batchOf(store("set", "k", []byte("v")))
	r.Lane().Do(b)
	if b.Calls[0].Reply.Status.Failed() {
		t.Errorf("status %d", b.Calls[0].Reply.Status)
	}
}

// TestOwnersOfRealMemcached: once as itself, and once after another user has taken
// the place of one that ended.
func TestOwnersOfRealMemcached(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: this test must run as root")
	}
	for _, tcp := range []bool{true, false} {
		m := testkit.MemcachedConfig{TCP: tcp}.Start(t)
		uid := runsAs(t, m.Pid())
		if uid == 0 {
			t.Fatal("memcached runs as root")
		}
		r := startRig(t, m.Addr(), func(c *Config) { c.ExpectUID = uid })
		if err := r.Check(t.Context()); err != nil {
			t.Errorf("tcp %v, expected uid %d: %v", tcp, uid, err)
		}
		other := startRig(t, m.Addr(), func(c *Config) { c.ExpectUID = 0 })
		if err := other.Check(t.Context()); err == nil || !strings.Contains(err.Error(), strconv.Itoa(uid)) {
			t.Errorf("tcp %v, root expected: %v", tcp, err)
		}
	}
}

// runsAs is the user of a process.
func runsAs(t *testing.T, pid int) int {
	t.Helper()
	fi, err := os.Stat("/proc/" + strconv.Itoa(pid))
	if err != nil {
		t.Fatal(err)
	}
	return int(fi.Sys().(*syscall.Stat_t).Uid)
}

func TestFindOwner(t *testing.T) {
	const table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 0100007F:2BCB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   998        0 4711 1\n" +
		"   1: 0100007F:2BCB 0100007F:C001 01 00000000:00000000 00:00000000 00000000   997        0 4712 1\n" +
		"   2: 0100007F:2BCB 0100007F:C002 01 00000000:00000000 00:00000000 00000000     0        0 0 1\n"
	there := netip.MustParseAddrPort("127.0.0.1:11211")
	for port, want := range map[uint16]struct {
		uid int
		err error
	}{0xC001: {997, nil}, 0xC002: {0, errUnowned}, 0xC003: {0, errNoOwner}} {
		uid, err := findOwner(strings.NewReader(table), there, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port))
		if uid != want.uid || err != want.err {
			t.Errorf("port %x: uid %d, %v; want %v", port, uid, err, want)
		}
	}
}

// FuzzFindOwner finds nobody's uid unless a line has both ends in it, and stands
// whatever the table is.
func FuzzFindOwner(f *testing.F) {
	f.Add("   1: 0100007F:2BCB 0100007F:C001 01 00000000:00000000 00:00000000 00000000   997        0 4712 1\n")
	f.Add("x 0:0 : 1 2 3 4 5 6 7 8 9")
	local, remote := netip.MustParseAddrPort("127.0.0.1:11211"), netip.MustParseAddrPort("127.0.0.1:49153")
	f.Fuzz(func(t *testing.T, table string) {
		uid, err := findOwner(strings.NewReader(table), local, remote)
		if err == nil && (!strings.Contains(strings.ToUpper(table), ":2BCB") || !strings.Contains(strings.ToUpper(table), ":C001")) {
			t.Errorf("uid %d of %q", uid, table)
		}
	})
}

// TestUsersThatAreHidden: one id stands for all of them, and is nobody's word.
func TestUsersThatAreHidden(t *testing.T) {
	for uidMap, want := range map[string]bool{
		"         0          0 4294967295\n": true, "0 990 1\n": false, "0 0 1\n990 990 1\n": false, "": false, "0 100000 65536\n": false,
	} {
		if got := isWhole(uidMap); got != want {
			t.Errorf("%q: whole %v, want %v", uidMap, got, want)
		}
	}
}
