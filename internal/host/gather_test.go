package host

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// openMachine is a host on which memcached is open to its network, over TCP and UDP.
const openMachine = `
-- time.txt --
2026-03-01T12:00:00Z
-- clock.txt --
synced=true max_error=12ms
-- slabgate.json --
{"path": "/etc/slabgate/slabgate.yaml", "upstream": "127.0.0.1:11211", "expect_uid": 109,
 "listeners": [{"name": "tls", "address": "10.1.2.3:11212", "tls": true}],
 "files": {"/etc/slabgate/tls.key": "key", "/gone/file": "config"}}
-- /etc/slabgate/tls.key mode=0644 owner=0:112 --
-- /etc/memcached.users mode=0640 owner=109:109 --
alice:secret
bob:secretsecret

-- /etc/passwd --
root:x:0:0:root:/root:/bin/bash
memcache:x:109:112::/nonexistent:/usr/sbin/nologin
alice:x:1000:1000::/home/alice:
# a comment
-- /proc/self -> 900 --
-- /proc/900/status --
Name:	slabgate
Uid:	110	110	110	110
Gid:	112	112	112	112
Groups:	112 4
CapEff:	0000000000000000
CapBnd:	000001ffffffffff
NoNewPrivs:	1
Seccomp:	2
-- /proc/900/cmdline --
/usr/bin/slabgate
-- /proc/900/exe -> /usr/bin/slabgate (deleted) --
-- /proc/900/ns/net -> net:[4026531840] --
-- /proc/900/environ --
GODEBUG=x509sha1=1
-- /proc/900/limits --
Limit                     Soft Limit           Hard Limit           Units     
Max core file size        0                    unlimited            bytes     
Max open files            65536                524288               files     
-- /proc/900/oom_score_adj --
-500
-- /proc/900/cgroup --
0::/system.slice/slabgate.service
-- /sys/fs/cgroup/system.slice/slabgate.service/memory.max --
max
-- /sys/fs/cgroup/system.slice/memory.max --
536870912
-- /proc/900/mountinfo --
27 1 254:0 / / ro,relatime shared:1 - ext4 /dev/vda rw,discard
28 27 0:30 / /run/a\040b rw - tmpfs tmpfs rw
-- /proc/812/status owner=109:109 --
Name:	memcached
Uid:	109	109	109	109
Gid:	109	109	109	109
Groups:	
-- /proc/812/cmdline --
/usr/bin/memcached` + "\x00-u\x00memcache\x00-Y\x00/etc/memcached.users" + `
-- /proc/812/ns/net --
net:[4026531840]
-- /proc/812/fd/26 -> socket:[4711] --
-- /proc/812/fd/27 --
socket:[4712]
-- /proc/2/status --
Name:	kthreadd
Uid:	0	0	0	0
Gid:	0	0	0	0
-- /proc/net/tcp --
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:2BCB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   109        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0302010A:2BCC 00000000:0000 0A 00000000:00000000 00:00000000 00000000   110        0 4720 1 0000000000000000 100 0 0 10 0
   2: 0302010A:2BCC 0402010A:9999 01 00000000:00000000 00:00000000 00000000   110        0 4721 1 0000000000000000 100 0 0 10 0
-- /proc/net/udp --
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  100: 00000000:2BCB 00000000:0000 07 00000000:00000000 00:00000000 00000000   109        0 4712 2 0000000000000000 0
-- /proc/net/fib_trie --
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.1.2.0
        /24 link UNICAST
     |-- 10.1.2.3
        /32 host LOCAL
     |-- 10.1.2.255
        /32 link BROADCAST
     |-- 127.0.0.1
        /32 host LOCAL
-- /proc/net/if_inet6 --
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 02 40 20 80     eth0
-- /proc/sys/net/ipv4/conf/all/route_localnet --
0
-- /proc/sys/net/ipv4/conf/eth0.7/route_localnet --
1
-- /proc/sys/net/core/somaxconn --
4096
-- nft.txt --
table inet filter {
}
-- ask/127.0.0.1_11211.txt --
VERSION 1.6.18
STAT pid 812
STAT version 1.6.18
END
STAT maxconns 1024
STAT inter NULL
END
-- ask/10.1.2.3_11211.txt --
VERSION 1.6.18
-- ask/udp_10.1.2.3_11211.txt --
VERSION 1.6.18
`

func gatherTree(t *testing.T, text string, options Options) *Facts {
	t.Helper()
	source, err := Tree(testkit.Tree(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return Gather(context.Background(), source, options)
}

func TestGatherOfATree(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	f := gatherTree(t, openMachine, Options{})
	if f.Live || f.Time.Format("2006-01-02 15:04") != "2026-03-01 12:00" || !f.Clock.Synced || f.Clock.MaxError.String() != "12ms" {
		t.Errorf("live %v, time %v, clock %+v", f.Live, f.Time, f.Clock)
	}
	checkSelf(t, &f.Self)
	checkSockets(t, f)
	checkMemcached(t, f)
	checkRest(t, f)
}

func checkSelf(t *testing.T, p *Process) {
	t.Helper()
	got := []any{p.PID, p.Comm, p.Exe, p.UID, p.GID, slices.Equal(p.Groups, []int{112, 4}), p.CapEff, p.CapBnd, p.NoNewPrivs,
		p.Seccomp, p.Dumpable, p.CoreLimit, p.FileLimit, p.OOMScore, p.Network, p.MemoryMax, p.RootRO,
		slices.Equal(p.Environ, []string{"GODEBUG=x509sha1=1"}), p.EnvironOK, p.LimitsOK, p.StatusOK}
	want := []any{900, "slabgate", "/usr/bin/slabgate", 110, 112, true, uint64(0), uint64(0x1ffffffffff), true,
		2, false, int64(0), int64(65536), -500, "net:[4026531840]", int64(536870912), true, true, true, true, true}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("field %d of the process that looks is %v, want %v", i, got[i], want[i])
		}
	}
}

func checkSockets(t *testing.T, f *Facts) {
	t.Helper()
	want := []Socket{
		{"tcp", netip.MustParseAddrPort("0.0.0.0:11211"), 109, 4711, 812, "/proc/net/tcp", 2},
		{"tcp", netip.MustParseAddrPort("10.1.2.3:11212"), 110, 4720, 0, "/proc/net/tcp", 3},
		{"udp", netip.MustParseAddrPort("0.0.0.0:11211"), 109, 4712, 812, "/proc/net/udp", 2},
	}
	if !slices.Equal(f.Sockets, want) {
		t.Errorf("sockets\n got %+v\nwant %+v", f.Sockets, want)
	}
	addresses := "[10.1.2.3 127.0.0.1 ::1 fe80::fc:ff:fe00:1%eth0]"
	if got := join(f.Addresses); got != addresses {
		t.Errorf("addresses %s, want %s", got, addresses)
	}
	if why := f.WhyUnseen("/proc/net/tcp6"); why != "no such file" {
		t.Errorf("tcp6 is unseen because %q", why)
	}
}

func checkMemcached(t *testing.T, f *Facts) {
	t.Helper()
	if len(f.Memcached) != 1 {
		t.Fatalf("%d memcached were found, want 1: %+v", len(f.Memcached), f.Memcached)
	}
	m := &f.Memcached[0]
	if m.Process != f.Process(812) || m.Address != "127.0.0.1:11211" || m.Version != "1.6.18" || m.Error != "" ||
		m.Stats["pid"] != "812" || m.Settings["maxconns"] != "1024" || m.Settings["inter"] != "NULL" || m.PeerUID != -1 {
		t.Errorf("memcached is %+v", m)
	}
	if !m.Process.Dumpable || len(m.Logins) != 1 || m.Logins[0].Users != 2 || m.Logins[0].Longest != 16 || m.Logins[0].Mode != 0o640 {
		t.Errorf("process %+v, logins %+v", m.Process, m.Logins)
	}
	answers := map[string]string{}
	for _, a := range f.Answers {
		answers[a.Address] = a.Version + a.Error
	}
	for address, want := range map[string]string{
		"127.0.0.1:11211": "1.6.18", "10.1.2.3:11211": "1.6.18", "udp:10.1.2.3:11211": "1.6.18",
		"udp:127.0.0.1:11211": "connection refused", "[::1]:11211": "connection refused",
	} {
		if got := answers[address]; got != want {
			t.Errorf("%s answered %q, want %q", address, got, want)
		}
	}
}

func checkRest(t *testing.T, f *Facts) {
	t.Helper()
	if f.Settings["net.ipv4.conf.all.route_localnet"] != "0" || f.Settings["net.ipv4.conf.eth0/7.route_localnet"] != "1" || f.Settings["net.core.somaxconn"] != "4096" {
		t.Errorf("settings %v", f.Settings)
	}
	if !f.Firewall.Seen || f.Firewall.NFT == "" || f.WhyUnseen("iptables-save") != "" {
		t.Errorf("firewall %+v", f.Firewall)
	}
	accounts := []Account{{"root", "/bin/bash", 0, true}, {"memcache", "/usr/sbin/nologin", 109, false}, {"alice", "", 1000, true}}
	if !slices.Equal(f.Accounts, accounts) {
		t.Errorf("accounts %+v", f.Accounts)
	}
	if f.Place.Scope != "host" || !f.Place.RootRO || len(f.Place.Mounts) != 2 || f.Place.Mounts[1].Point != "/run/a b" {
		t.Errorf("place %+v", f.Place)
	}
	files := []File{
		{Path: "/", For: "folder", Mode: 0o755, Kind: "folder", Free: 1},
		{Path: "/etc", For: "folder", Mode: 0o755, Kind: "folder", Free: 1},
		{Path: "/etc/slabgate", For: "folder", Mode: 0o755, Kind: "folder", Free: 1},
		{Path: "/etc/slabgate/tls.key", For: "key", Mode: 0o644, Kind: "file", GID: 112},
		{Path: "/gone", For: "folder", Error: "no such file"},
		{Path: "/gone/file", For: "config", Error: "no such file"},
	}
	if !slices.Equal(f.Files, files) {
		t.Errorf("files\n got %+v\nwant %+v", f.Files, files)
	}
}

func join(addresses []netip.Addr) string {
	text := "["
	for i, a := range addresses {
		if i > 0 {
			text += " "
		}
		text += a.String()
	}
	return text + "]"
}
