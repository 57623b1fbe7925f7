package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
)

// The lines are a format that other systems read: a change here breaks them.
func TestLinesAreWhatOthersRead(t *testing.T) {
	dir := t.TempDir()
	l, _ := start(t, dropping(filepath.Join(dir, "audit.jsonl"), filepath.Join(dir, "copy.jsonl")))
	for _, e := range []Event{
		{Kind: Deny, ID: "7Q2", Listener: "main", Peer: "192.0.2.1:4711", Identity: "web", Source: auth.SourceCert, Verb: "get", Rule: "own", Reason: "key_not_covered", Generation: 3, RawKey: []byte("other:1")},
		{Kind: WouldDeny, Listener: "main", Peer: "unix", Identity: "web", Source: auth.SourceListener, Verb: "set", Reason: "no_rule", Count: 41},
		{Kind: AuthFail, Listener: "main", Peer: "192.0.2.1:4711", Reason: "password"},
		{Kind: Reload, Digest: "3f9a", Generation: 4},
		{Kind: ReloadRefuse, Digest: "3f9a"},
		{Kind: Revoke, Listener: "main", Peer: "[2001:db8::1]:4711", Identity: "web", Source: auth.SourceLogin},
		{Kind: Flush, Identity: "web", Namespace: "t/web/", Verb: "flush_all", Flushed: "7 → 8"},
		{Kind: Keyspace, Verb: "lru_crawler metadump"},
		{Kind: Settings, Verb: "verbosity"},
		{Kind: Admin, Verb: "reload"},
		{Kind: Allow, Verb: "get", RawKey: []byte("web:1")},
		{Kind: Deny, Schema: "other", Time: "never", Seq: 99, Key: "mine", Reason: "<\u2028&\n>"},
	} {
		l.Write(e)
	}
	shut(t, l)
	const head = `{"schema":"slabgate.audit/1","time":"2030-01-02T12:04:05.0000006Z","seq":`
	want := head + strings.Join([]string{
		`1,"event":"deny","id":"7Q2","listener":"main","peer":"192.0.2.1:4711","identity":"web","source":"certificate","verb":"get","rule":"own","reason":"key_not_covered","key":"\"other:1\"","generation":3}`,
		`2,"event":"would_deny","listener":"main","peer":"unix","identity":"web","source":"listener","verb":"set","reason":"no_rule","count":41}`,
		`3,"event":"auth_fail","listener":"main","peer":"192.0.2.1:4711","reason":"password"}`,
		`4,"event":"reload","digest":"3f9a","generation":4}`,
		`5,"event":"reload_refuse","digest":"3f9a"}`,
		`6,"event":"revoke","listener":"main","peer":"[2001:db8::1]:4711","identity":"web","source":"login"}`,
		`7,"event":"flush","identity":"web","namespace":"t/web/","verb":"flush_all","flushed":"7 → 8"}`,
		`8,"event":"keyspace","verb":"lru_crawler metadump"}`,
		`9,"event":"settings","verb":"verbosity"}`,
		`10,"event":"admin","verb":"reload"}`,
		`11,"event":"allow","verb":"get","key":"\"web:1\""}`,
		`12,"event":"deny","reason":"\u003c\u2028\u0026\n\u003e"}`,
	}, "\n"+head) + "\n"
	for _, name := range []string{"audit.jsonl", "copy.jsonl"} {
		if got := read(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

// The key of an event lies in a buffer that its client fills again at once.
func TestKeyIsReadBeforeWriteReturns(t *testing.T) {
	file := path(t, "audit.jsonl")
	o := dropping(file)
	o.Keys = "full"
	l, _ := open(t, o)
	key := []byte("web:1")
	l.Write(Event{Kind: Deny, RawKey: key})
	copy(key, "xxxxx")
	shut(t, l)
	if got, _ := events(t, file); len(got) != 1 || got[0].Key != `"web:1"` {
		t.Errorf("got %+v, want the key web:1", got)
	}
}

func TestOnlyWantedEventsAreWrittenAndCounted(t *testing.T) {
	file := path(t, "audit.jsonl")
	o := dropping(file)
	o.Events = []string{"deny", "reload"}
	l, _ := open(t, o)
	for _, kind := range []Kind{AuthFail, Deny, WouldDeny, ReloadRefuse, Revoke, Allow, Flush, Reload} {
		l.Write(Event{Kind: kind})
	}
	shut(t, l)
	var got []string
	list, _ := events(t, file)
	for _, e := range list {
		got = append(got, fmt.Sprint(e.Seq, " ", e.Kind))
	}
	if want := "1 deny, 2 reload_refuse, 3 allow, 4 flush, 5 reload"; strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %s", got, want)
	}
}

func TestFilesAreAppendedTo(t *testing.T) {
	file := path(t, "audit.jsonl")
	for range 2 {
		l, _ := open(t, dropping(file))
		l.Write(Event{Kind: Reload})
		shut(t, l)
	}
	if got := read(t, file); strings.Count(got, "\n") != 2 || strings.Count(got, `"seq":1,`) != 2 {
		t.Errorf("got %q, want the first event of two processes", got)
	}
}

func TestModeOfFiles(t *testing.T) {
	for _, tc := range []struct {
		there os.FileMode // 0 is a file that is not
		asked os.FileMode
		want  os.FileMode
	}{
		{0, 0o640, 0o640},
		{0, 0o660, 0o660}, // the umask says otherwise
		{0, 0o600, 0o600},
		{0o600, 0o640, 0o600}, // what the operator made stays as it is
	} {
		defer syscall.Umask(syscall.Umask(0o077))
		file := path(t, "audit.jsonl")
		if tc.there != 0 {
			if err := os.WriteFile(file, nil, tc.there); err != nil {
				t.Fatal(err)
			}
		}
		o := Default()
		o.Sinks = []SinkOptions{{File: file, Mode: tc.asked}}
		l, _ := open(t, o)
		shut(t, l)
		if fi, err := os.Stat(file); err != nil || fi.Mode().Perm() != tc.want {
			t.Errorf("%04o asked of a file with %04o: got %v, %v, want %04o", tc.asked, tc.there, fi.Mode(), err, tc.want)
		}
	}
}

func TestOpenOpensAllFilesOrNone(t *testing.T) {
	before := descriptors(t)
	dir := t.TempDir()
	l, err := Open(dropping(filepath.Join(dir, "a"), filepath.Join(dir, "no/such/b")), new(metrics.Metrics), noon)
	if l != nil || !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "audit: ") {
		t.Errorf("got %v, %v, want no log and what is missing", l, err)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d files are open, %d were before", after, before)
	}
}

func TestWhatAFullDiskLosesIsCountedAndTold(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("SKIP: there is no /dev/full")
	}
	file := path(t, "audit.jsonl")
	l, m := open(t, dropping("/dev/full", file))
	var told []string
	l.Told = func(output string, err error) { told = append(told, fmt.Sprint(output, " ", err)) }
	for range 3 {
		l.Write(Event{Kind: Deny})
	}
	shut(t, l)
	if got := m.AuditDrops.Load(); got != 3 {
		t.Errorf("drops: got %d, want 3", got)
	}
	if got := read(t, file); strings.Count(got, "\n") != 3 {
		t.Errorf("the other file has %q, want 3 lines", got)
	}
	if len(told) != 1 || !strings.HasPrefix(told[0], "/dev/full ") || !strings.Contains(told[0], "no space left") {
		t.Errorf("told %q, want the full disk once", told)
	}
}

// A line that a full disk tears costs itself only.
func TestTornLineCostsNoOther(t *testing.T) {
	file := path(t, "audit.jsonl")
	l, m := start(t, dropping(file))
	l.Write(Event{Kind: Deny})
	testkit.Eventually(t, "the first line", func() bool { return strings.HasSuffix(read(t, file), "\n") })
	atMost(t, len(read(t, file))+10, func() {
		l.Write(Event{Kind: Deny})
		l.Write(Event{Kind: Deny})
		testkit.Eventually(t, "two losses", func() bool { return m.AuditDrops.Load() == 2 })
	})
	l.Write(Event{Kind: Deny})
	l.Write(Event{Kind: Deny})
	shut(t, l)
	list, torn := events(t, file)
	var seqs []uint64
	for _, e := range list {
		seqs = append(seqs, e.Seq)
	}
	if fmt.Sprint(seqs) != "[1 4 5]" || torn != 1 || m.AuditDrops.Load() != 2 {
		t.Errorf("got events %v and %d torn lines, want 1, 4, 5 and one:\n%s", seqs, torn, read(t, file))
	}
}

// atMost runs do while no file may grow beyond size bytes.
func atMost(t *testing.T, size int, do func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(size), Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			t.Fatal(err)
		}
	}()
	do()
}

func TestConcurrentWritersWriteWholeLines(t *testing.T) {
	const writers, each = 8, 200
	file := path(t, "audit.jsonl")
	l, m := start(t, blocking(file))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				l.Write(Event{Kind: Deny, Identity: fmt.Sprintf("w%d", w), Reason: strings.Repeat("k", i), Count: int64(i)})
			}
		})
	}
	wg.Wait()
	shut(t, l)
	seen := map[string]int64{}
	lines := bytes.Split(bytes.TrimSuffix([]byte(read(t, file)), []byte("\n")), []byte("\n"))
	for i, line := range lines {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("line %d: %v: %q", i+1, err, line)
		}
		if e.Seq != uint64(i+1) || e.Count != seen[e.Identity] || len(e.Reason) != int(e.Count) {
			t.Fatalf("line %d: got %+v, want seq %d and count %d", i+1, e, i+1, seen[e.Identity])
		}
		seen[e.Identity]++
	}
	if len(lines) != writers*each || m.AuditDrops.Load() != 0 {
		t.Errorf("got %d lines and %d drops, want %d and none", len(lines), m.AuditDrops.Load(), writers*each)
	}
}

func TestCloseMayComeTwiceAndWriteAfterIt(t *testing.T) {
	file := path(t, "audit.jsonl")
	l, m := start(t, blocking(file))
	for range 2 {
		shut(t, l)
	}
	l.Write(Event{Kind: Deny})
	if got := read(t, file); got != "" || m.AuditDrops.Load() != 0 {
		t.Errorf("after close: wrote %q, counted %d drops", got, m.AuditDrops.Load())
	}
}

func TestDiscardForgets(t *testing.T) {
	var s Sink = Discard{}
	s.Write(Event{Kind: Deny})
}
