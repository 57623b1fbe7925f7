package host

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// listen is a line of /proc/net/tcp for a listener on 127.0.0.1, or on all.
func listen(address string, port, uid, inode int) string {
	raw := map[string]string{"127.0.0.1": "0100007F", "0.0.0.0": "00000000", "10.1.2.3": "0302010A"}[address]
	return fmt.Sprintf("0: %s:%04X 00000000:0000 0A 0:0 00:0 0 %d 0 %d 1\n", raw, port, uid, inode)
}

// processTree is the part of a tree that is a process.
func processTree(pid, uid int, holds string, argv ...string) string {
	text := fmt.Sprintf("-- /proc/%d/status --\nName:\t%s\nUid:\t%d\t%d\t%d\t%d\nGid:\t0\t0\t0\t0\n-- /proc/%d/cmdline --\n%s\n",
		pid, argv[0], uid, uid, uid, uid, pid, strings.Join(argv, "\x00"))
	if holds != "" {
		text += fmt.Sprintf("-- /proc/%d/fd/3 -> socket:[%s] --\n", pid, holds)
	}
	return text
}

const (
	trie     = "-- /proc/net/fib_trie --\n|-- 10.1.2.3\n/32 host LOCAL\n|-- 127.0.0.1\n/32 host LOCAL\n"
	tcpTable = "-- /proc/net/tcp --\nheader\n"
	version  = " --\nVERSION 1.6.18\n"
)

// told is each memcached as process id, address, version and error.
func told(f *Facts) (all []string) {
	for _, m := range f.Memcached {
		pid := 0
		if m.Process != nil {
			pid = m.Process.PID
		}
		all = append(all, strings.TrimSpace(fmt.Sprintf("%d %s %s %s", pid, m.Address, m.Version, m.Error)))
	}
	return all
}

func TestFindMemcached(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	upstream := func(address string) *Subject { return &Subject{Upstream: address, ExpectUID: -1} }
	for _, row := range []struct {
		name, tree string
		options    Options
		want       []string
	}{
		{"none", "", Options{}, nil},
		{"a listener of nobody that is to be seen, as in a pod", tcpTable + listen("127.0.0.1", 11211, 9, 1) + "-- ask/127.0.0.1_11211.txt" + version, Options{},
			[]string{"0 127.0.0.1:11211 1.6.18"}},
		{"one that demands a login", tcpTable + listen("127.0.0.1", 11211, 9, 1) + "-- ask/127.0.0.1_11211.txt --\nCLIENT_ERROR unauthenticated\n", Options{},
			[]string{"0 127.0.0.1:11211  CLIENT_ERROR unauthenticated"}},
		{"another service there", tcpTable + listen("127.0.0.1", 11211, 9, 1) + "-- ask/127.0.0.1_11211.txt --\n220 mail\n", Options{}, nil},
		{"a process whose files are not to be seen", tcpTable + listen("127.0.0.1", 11300, 9, 1) + processTree(5, 9, "", "memcached", "-p", "11300") + "-- ask/127.0.0.1_11300.txt" + version, Options{},
			[]string{"5 127.0.0.1:11300 1.6.18"}},
		{"a listener of another user is not its", tcpTable + listen("127.0.0.1", 11300, 8, 1) + processTree(5, 9, "", "memcached", "-p", "11300"), Options{},
			[]string{"5   no address of it was found"}},
		{"loopback first", tcpTable + listen("10.1.2.3", 4000, 9, 1) + listen("127.0.0.1", 4001, 9, 2) + processTree(5, 9, "1", "memcached") + "-- /proc/5/fd/4 -> socket:[2] --\n-- ask/127.0.0.1_4001.txt" + version, Options{},
			[]string{"5 127.0.0.1:4001 1.6.18"}},
		{"a socket", processTree(5, 9, "", "memcached", "-s", "/run/m.sock") + "-- ask/unix__run_m.sock.txt --\n# peer uid 9 pid 5\nVERSION 1.6.18\n", Options{},
			[]string{"5 unix:/run/m.sock 1.6.18"}},
		{"the upstream by its peer", processTree(5, 9, "", "memcached", "-s", "m.sock") + "-- ask/unix__run_m.sock.txt --\n# peer uid 9 pid 5\nVERSION 1.6.18\n", Options{Subject: upstream("unix:/run/m.sock")},
			[]string{"5   no address of it was found", "5 unix:/run/m.sock 1.6.18"}},
		{"the upstream by name", tcpTable + listen("127.0.0.1", 4001, 9, 2) + processTree(5, 9, "2", "memcached") + "-- ask/localhost_4001.txt" + version, Options{Subject: upstream("localhost:4001")},
			[]string{"5 localhost:4001 1.6.18"}},
		{"the upstream that is down", "", Options{Subject: upstream("127.0.0.1:4001")}, []string{"0 127.0.0.1:4001  connection refused"}},
		{"the upstream is no memcached", tcpTable + listen("127.0.0.1", 4001, 9, 2) + processTree(5, 9, "2", "nc"), Options{Subject: upstream("127.0.0.1:4001")},
			[]string{"5 127.0.0.1:4001  connection refused"}},
		{"only the address that was asked for", tcpTable + listen("127.0.0.1", 11211, 9, 1) + processTree(5, 9, "1", "memcached"), Options{Memcached: "127.0.0.1:4001"},
			[]string{"0 127.0.0.1:4001  connection refused"}},
		{"only the process that was asked for", tcpTable + listen("127.0.0.1", 4001, 9, 1) + listen("127.0.0.1", 4002, 9, 2) + processTree(5, 9, "1", "memcached") + processTree(6, 9, "2", "memcached"),
			Options{Memcached: "6"}, []string{"6 127.0.0.1:4002  connection refused"}},
		{"slabgate on memcached's port", tcpTable + listen("127.0.0.1", 11211, 110, 1) + processTree(7, 110, "1", "slabgate") + "-- ask/127.0.0.1_11211.txt" + version, Options{}, nil},
		{"slabgate that is not to be seen", tcpTable + listen("127.0.0.1", 11211, 110, 1) + "-- ask/127.0.0.1_11211.txt" + version,
			Options{Subject: &Subject{Listeners: []SubjectListener{{Address: "127.0.0.1:11211"}}}}, nil},
		{"tools around memcached", processTree(5, 9, "", "memcached_exporter") + processTree(6, 9, "", "memcached-tool"), Options{}, nil},
	} {
		if got := told(gatherTree(t, trie+row.tree, row.options)); !slices.Equal(got, row.want) {
			t.Errorf("%s:\n got %q\nwant %q", row.name, got, row.want)
		}
	}
}

func TestDoors(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	for _, address := range []string{"10.1.2.3", "0.0.0.0"} {
		tree := trie + tcpTable + listen("127.0.0.1", 11211, 9, 1) + listen(address, 11211, 110, 2) + processTree(5, 9, "1", "memcached")
		for name, f := range map[string]*Facts{
			"its process":       gatherTree(t, tree+processTree(7, 110, "2", "slabgate"), Options{}),
			"its configuration": gatherTree(t, tree, Options{Subject: &Subject{Listeners: []SubjectListener{{Address: strings.TrimPrefix(address, "0.0.0.0") + ":11211"}}}}),
		} {
			var got []string
			for _, a := range f.Answers {
				got = append(got, a.Address)
			}
			if want := []string{"127.0.0.1:11211"}; !slices.Equal(got, want) {
				t.Errorf("slabgate on %s, known by %s: tried %q, want %q: its own listener is no way around it", address, name, got, want)
			}
		}
	}
}

func TestElsewhere(t *testing.T) {
	tree := surroundings + tcpTable + listen("127.0.0.1", 11211, 9, 1) + processTree(5, 9, "", "memcached") +
		"-- /proc/7/ns/net -> net:[1] --\n-- /proc/5/ns/net -> net:[2] --\n-- ask/127.0.0.1_11211.txt" + version
	want := []string{"5   it is in another network namespace", "0 127.0.0.1:11211 1.6.18"}
	if got := told(gatherTree(t, tree, Options{})); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
