package host

import (
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// seed gives a fuzz target its first texts.
func seed(f *testing.F, texts ...string) {
	f.Helper()
	for _, text := range texts {
		f.Add(text)
	}
}

const (
	tcpLine  = "   0: 0100007F:2BCB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   109        0 4711 1 0000 100 0 0 10 0"
	tcp6Line = "   1: 00000000000000000000000001000000:2BCB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 12 1 0 100"
)

func TestParseSocket(t *testing.T) {
	for _, row := range []struct {
		line, want string
	}{
		{tcpLine, "127.0.0.1:11211 109 4711"},
		{tcp6Line, "[::1]:11211 0 12"},
		{strings.Replace(tcp6Line, "00000000000000000000000001000000", "0000000000000000FFFF00000100007F", 1), "[::ffff:127.0.0.1]:11211 0 12"},
		{strings.Replace(tcpLine, " 0A ", " 01 ", 1), ""},
		{strings.Replace(tcpLine, "0100007F", "0100007", 1), ""},
		{strings.Replace(tcpLine, "0100007F", "0100", 1), ""},
		{strings.Replace(tcpLine, "2BCB", "12BCB", 1), ""},
		{strings.Replace(tcpLine, "   109", "   -1", 1), ""},
		{"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", ""},
		{"", ""},
	} {
		got := ""
		if s, ok := parseSocket(row.line, "0A"); ok {
			got = fmt.Sprint(s.Addr, " ", s.UID, " ", s.Inode)
		}
		if got != row.want {
			t.Errorf("%q: got %q, want %q", row.line, got, row.want)
		}
	}
}

// FuzzSocket: what is read can be written as the kernel writes it, and is read
// the same again.
func FuzzSocket(f *testing.F) {
	seed(f, tcpLine, tcp6Line, "", "0: :0 :0 0A 0 0 0 0 0 0")
	f.Fuzz(func(t *testing.T, line string) {
		s, ok := parseSocket(line, "0A")
		if !ok {
			return
		}
		again := fmt.Sprintf("0: %s 00000000:0000 0A 0:0 0:0 0 %d 0 %d", kernelAddr(s.Addr), s.UID, s.Inode)
		if got, ok := parseSocket(again, "0A"); !ok || got != s {
			t.Errorf("%q is %+v, and written as %q is %+v", line, s, again, got)
		}
	})
}

func kernelAddr(at netip.AddrPort) string {
	raw := at.Addr().AsSlice()
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	return fmt.Sprintf("%X:%04X", raw, at.Port())
}

func TestSocketInode(t *testing.T) {
	for target, want := range map[string]uint64{"socket:[4711]": 4711, "socket:[]": 0, "socket:[12": 0, "pipe:[3]": 0, "/dev/null": 0, "socket:[-1]": 0} {
		if got, ok := socketInode(target); ok != (want != 0) || ok && got != want {
			t.Errorf("%q is %d %v, want %d", target, got, ok, want)
		}
	}
}

// FuzzTrie: an address that is told stands there, before a line that says LOCAL.
func FuzzTrie(f *testing.F) {
	seed(f, "Local:\n  |-- 127.0.0.1\n   /32 host LOCAL\n", "|-- 10.0.0.0\n/24 link UNICAST\n", "|-- x\n/32 host LOCAL", "|-- ::1\n/32 host LOCAL")
	f.Fuzz(func(t *testing.T, text string) {
		for _, addr := range parseTrie(text) {
			if !addr.Is4() || !strings.Contains(text, "LOCAL") || !strings.Contains(text, addr.String()) {
				t.Errorf("%q has no local address %s", text, addr)
			}
		}
	})
}

func TestParseInet6(t *testing.T) {
	text := "00000000000000000000000000000001 01 80 10 80       lo\nfe80000000000000000000000000000a 02 40 20 80     eth0\nshort 02 40 20 80 eth0\nzz000000000000000000000000000001 01 80 10 80 lo\n\n"
	if got := join(parseInet6(text)); got != "[::1 fe80::a%eth0]" {
		t.Errorf("got %s", got)
	}
}

func FuzzInet6(f *testing.F) {
	seed(f, "00000000000000000000000000000001 01 80 10 80       lo\n")
	f.Fuzz(func(t *testing.T, text string) {
		all := parseInet6(text)
		if len(all) > strings.Count(text, "\n")+1 {
			t.Errorf("%q has %d addresses", text, len(all))
		}
		for _, addr := range all {
			if !addr.Is6() || addr.IsLinkLocalUnicast() != (addr.Zone() != "") {
				t.Errorf("%q has %s", text, addr)
			}
		}
	})
}

func TestTakeStatus(t *testing.T) {
	for _, row := range []struct {
		text string
		ok   bool
	}{
		{"Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n", true},
		{"Uid:\t1\t2\t3\t4\n", false},
		{"Uid:\t1\t2\t3\nGid:\t5\t6\t7\t8\n", false},
		{"Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nSeccomp:\tx\n", false},
		{"Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\tx\n", false},
		{"Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nCapEff:\tx\n", false},
		{"", false},
	} {
		var p Process
		p.takeStatus(row.text)
		if p.StatusOK != row.ok || row.ok && (p.UID != 2 || p.GID != 6 || p.Comm != "x") {
			t.Errorf("%q: %+v, want ok %v", row.text, p, row.ok)
		}
	}
}

// FuzzStatus: ids are told only with the lines that have them.
func FuzzStatus(f *testing.F) {
	seed(f, "Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t4 5\nCapEff:\t0f\nSeccomp:\t2\n", "Uid:\nGid:\n")
	f.Fuzz(func(t *testing.T, text string) {
		var p Process
		p.takeStatus(text)
		if p.StatusOK && (!strings.Contains(text, "Uid:") || !strings.Contains(text, "Gid:")) || p.UID < 0 || p.GID < 0 {
			t.Errorf("%q is %+v", text, p)
		}
	})
}

func TestParseLimits(t *testing.T) {
	const core, files = "Max core file size        unlimited            unlimited            bytes\n", "Max open files            1024                 4096                 files\n"
	for _, row := range []struct {
		text  string
		core  int64
		files int64
		ok    bool
	}{
		{core + files, -1, 1024, true},
		{core, -1, 0, false},
		{files, 0, 1024, false},
		{core + "Max open files x y files\n", -1, 0, false},
		{core + "Max open files 18446744073709551615 x files\n", -1, 9223372036854775807, true},
		{"", 0, 0, false},
	} {
		if c, n, ok := parseLimits(row.text); c != row.core || n != row.files || ok != row.ok {
			t.Errorf("%q: got %d %d %v, want %+v", row.text, c, n, ok, row)
		}
	}
}

func FuzzLimits(f *testing.F) {
	seed(f, "Max core file size 0 unlimited bytes\nMax open files 1024 4096 files\n", "Max open files")
	f.Fuzz(func(t *testing.T, text string) {
		if core, files, ok := parseLimits(text); core < -1 || files < -1 || ok && !strings.Contains(text, "Max open files") {
			t.Errorf("%q: got %d %d %v", text, core, files, ok)
		}
	})
}

func TestParseMounts(t *testing.T) {
	text := `27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
28 27 0:30 /a\040b /run/c\134d ro,nosuid shared:1 master:2 - tmpfs my\040disk rw
29 27 0:31 / /x rw - overlay
30 27 0:32 / /y rw - overlay none ro,lowerdir=/l
short
`
	want := []Mount{
		{"/", "/", "ext4", "/dev/vda", false, "", 1},
		{"/a b", `/run/c\d`, "tmpfs", "my disk", true, "shared:1 master:2", 2},
		{"/", "/y", "overlay", "none", true, "", 4},
	}
	if got := parseMounts(text); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// FuzzMounts: each mount is of a line of its own that has its type.
func FuzzMounts(f *testing.F) {
	seed(f, `27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw`, `28 27 0:30 /a\040b /run/c\ ro - tmpfs x rw`, "- - - - - - - - -")
	f.Fuzz(func(t *testing.T, text string) {
		lines, last := strings.Split(text, "\n"), 0
		for _, m := range parseMounts(text) {
			if m.Line <= last || m.Line > len(lines) || !strings.Contains(lines[m.Line-1], m.Type) || m.Point == "" {
				t.Errorf("%q has %+v", text, m)
			}
			last = m.Line
		}
	})
}

func TestParseStats(t *testing.T) {
	all, err := parseStats("# modes\n/etc/key mode=4640 owner=1:2\n\n\"/a\\x20b\" kind=folder free=0.25\n/s mode=0600 kind=socket\n/etc/x/../y\n")
	want := map[string]Info{
		"/etc/key": {Mode: fs.ModeSetuid | 0o640, UID: 1, GID: 2, Free: 1},
		"/a b":     {Mode: fs.ModeDir | 0o755, Free: 0.25},
		"/s":       {Mode: fs.ModeSocket | 0o600, Free: 1},
		"/etc/y":   {Mode: 0o644, Free: 1},
	}
	if err != nil || len(all) != len(want) {
		t.Fatalf("got %v, error %v", all, err)
	}
	for name, info := range want {
		if all[name] != info {
			t.Errorf("%s is %+v, want %+v", name, all[name], info)
		}
	}
	for _, bad := range []string{"/x mode=9", "/x mode=17777", "/x owner=a:b", "/x owner=1", "/x kind=fifo", "/x free=2", "/x free=NaN", "/x free=-1", "/x size=3", `"/x`} {
		if _, err := parseStats("/ok\n" + bad); err == nil || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("%q: error %v, want one of line 2", bad, err)
		}
	}
}

// FuzzStats: what is read is read the same again from the lines it is written as.
func FuzzStats(f *testing.F) {
	seed(f, "/etc/key mode=4640 owner=1:2\n", "\"/a\\x20b\" kind=folder free=0.25", "/s mode=0600 kind=socket", `"\xff" owner=0:0`, "/x\u00a0y")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseStats(text)
		if err != nil {
			return
		}
		for name, info := range all {
			again, err := parseStats(info.line(name))
			if err != nil || len(again) != 1 || again[name] != info {
				t.Errorf("%q: %q is %+v, and written as %q is %+v, error %v", text, name, info, info.line(name), again, err)
			}
		}
	})
}

func TestParseFailures(t *testing.T) {
	all, err := parseFailures("read /proc/1/environ needs-root\nask 127.0.0.1:1 no answer within 500ms\n")
	if err != nil || whyNot(all[failure{"read", "/proc/1/environ"}]) != "needs root" || whyNot(all[failure{"ask", "127.0.0.1:1"}]) != "no answer within 500ms" {
		t.Errorf("got %v, error %v", all, err)
	}
	for _, bad := range []string{"read /x", `read "x y`} {
		if all, err := parseFailures(bad); err == nil {
			t.Errorf("%q: got %v", bad, all)
		}
	}
}

func FuzzFailures(f *testing.F) {
	seed(f, "read /proc/1/environ needs-root\n", `link "/a\x20b" gone`)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseFailures(text)
		if err != nil {
			return
		}
		for what, why := range all {
			if why == nil || whyNot(why) == "" {
				t.Errorf("%q: %v has no reason", text, what)
			}
		}
	})
}

func TestParseClock(t *testing.T) {
	c, err := parseClock("synced=false max_error=16s\n")
	if err != nil || c != (Clock{true, false, 16 * time.Second}) {
		t.Errorf("got %+v, error %v", c, err)
	}
	for _, bad := range []string{"synced=maybe", "max_error=3", "drift=1"} {
		if c, err := parseClock(bad); err == nil {
			t.Errorf("%q is %+v", bad, c)
		}
	}
}

func TestParseAccount(t *testing.T) {
	for line, want := range map[string]Account{
		"root:x:0:0:root:/root:/bin/bash\n": {"root", "/bin/bash", 0, true},
		"a:x:7:0::/:/usr/sbin/nologin":      {"a", "/usr/sbin/nologin", 7, false},
		"a:x:7:0::/:":                       {"a", "", 7, true},
		"a:x:-7:0::/:":                      {},
		":x:7:0::/:":                        {},
		"+@group":                           {},
	} {
		if a, ok := parseAccount(line); ok != (want != Account{}) || ok && a != want {
			t.Errorf("%q is %+v %v, want %+v", line, a, ok, want)
		}
	}
}

func FuzzAccount(f *testing.F) {
	seed(f, "root:x:0:0:root:/root:/bin/bash\n", "a:x:7:0::/:")
	f.Fuzz(func(t *testing.T, line string) {
		if a, ok := parseAccount(line); ok && (a.UID < 0 || !strings.HasPrefix(line, a.Name+":") || !strings.Contains(line, a.Shell)) {
			t.Errorf("%q is %+v", line, a)
		}
	})
}

func TestReadReply(t *testing.T) {
	for _, row := range []struct {
		text     string
		version  string
		stats    int
		settings int
	}{
		{"VERSION 1.6.18\r\nSTAT a 1\r\nSTAT b 2\r\nEND\r\nSTAT c\r\nEND\r\n", "1.6.18", 2, 1},
		{"VERSION 1.6.18\r\nERROR\r\nSTAT c 3\r\nEND\r\n", "1.6.18", 0, 1},
		{"VERSION 1\nVERSION 2\n", "1", 0, 0},
		{"CLIENT_ERROR unauthenticated\r\n", "", 0, 0},
		{"", "", 0, 0},
	} {
		version, stats, settings := readReply([]byte(row.text))
		if version != row.version || len(stats) != row.stats || len(settings) != row.settings {
			t.Errorf("%q: got %q %v %v, want %+v", row.text, version, stats, settings, row)
		}
	}
}

func FuzzReply(f *testing.F) {
	seed(f, "VERSION 1\r\nSTAT a 1\r\nEND\r\nSTAT c\r\nEND\r\n", "ERROR\r\nEND\nEND\nEND\nSTAT a b\n")
	f.Fuzz(func(t *testing.T, text string) {
		version, stats, settings := readReply([]byte(text))
		if !strings.Contains(text, version) || len(stats)+len(settings) > strings.Count(text, "STAT") {
			t.Errorf("%q: got %q %v %v", text, version, stats, settings)
		}
	})
}
