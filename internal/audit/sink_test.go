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
	"time"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/metrics"
)

// noon is the time of every event of these tests, in a zone that is not UTC.
func noon() time.Time {
	return time.Date(2030, 1, 2, 13, 4, 5, 600, time.FixedZone("CET", 3600))
}

// open opens a log of files with mode 0640 in one folder.
func open(t *testing.T, names ...string) (*Log, *metrics.Metrics, string) {
	t.Helper()
	dir, m := t.TempDir(), new(metrics.Metrics)
	var files []File
	for _, name := range names {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		files = append(files, File{name, 0o640})
	}
	l, err := Open(files, m, noon)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, m, dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The lines are a format that other systems read: a change here breaks them.
func TestLinesAreWhatOthersRead(t *testing.T) {
	l, _, dir := open(t, "audit.jsonl", "copy.jsonl")
	for _, e := range []Event{
		{Kind: Deny, Listener: "main", Peer: "192.0.2.1:4711", Identity: "web", Source: auth.SourceCert, Verb: "get", Rule: "own", Reason: "key_not_covered", Key: `"other:1"`},
		{Kind: WouldDeny, Listener: "main", Peer: "unix", Identity: "web", Source: auth.SourceListener, Verb: "set", Reason: "no_rule", Count: 41},
		{Kind: AuthFail, Listener: "main", Peer: "192.0.2.1:4711", Reason: "password"},
		{Kind: Reload, Digest: "3f9a"},
		{Kind: ReloadRefuse, Digest: "3f9a"},
		{Kind: Revoke, Listener: "main", Peer: "[2001:db8::1]:4711", Identity: "web", Source: auth.SourceLogin},
		{Kind: Deny, Time: "never", Seq: 99, Key: "<\u2028&\n>"},
	} {
		l.Write(e)
	}
	const want = `{"time":"2030-01-02T12:04:05.0000006Z","seq":1,"event":"deny","listener":"main","peer":"192.0.2.1:4711","identity":"web","source":"certificate","verb":"get","rule":"own","reason":"key_not_covered","key":"\"other:1\""}
{"time":"2030-01-02T12:04:05.0000006Z","seq":2,"event":"would_deny","listener":"main","peer":"unix","identity":"web","source":"listener","verb":"set","reason":"no_rule","count":41}
{"time":"2030-01-02T12:04:05.0000006Z","seq":3,"event":"auth_fail","listener":"main","peer":"192.0.2.1:4711","reason":"password"}
{"time":"2030-01-02T12:04:05.0000006Z","seq":4,"event":"reload","digest":"3f9a"}
{"time":"2030-01-02T12:04:05.0000006Z","seq":5,"event":"reload_refuse","digest":"3f9a"}
{"time":"2030-01-02T12:04:05.0000006Z","seq":6,"event":"revoke","listener":"main","peer":"[2001:db8::1]:4711","identity":"web","source":"login"}
{"time":"2030-01-02T12:04:05.0000006Z","seq":7,"event":"deny","key":"\u003c\u2028\u0026\n\u003e"}
`
	for _, name := range []string{"audit.jsonl", "copy.jsonl"} {
		if got := read(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestFilesAreAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	for range 2 {
		l, err := Open([]File{{path, 0o600}}, new(metrics.Metrics), noon)
		if err != nil {
			t.Fatal(err)
		}
		l.Write(Event{Kind: Reload})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, path); strings.Count(got, "\n") != 2 || strings.Count(got, `"seq":1,`) != 2 {
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
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		if tc.there != 0 {
			if err := os.WriteFile(path, nil, tc.there); err != nil {
				t.Fatal(err)
			}
		}
		l, err := Open([]File{{path, tc.asked}}, new(metrics.Metrics), noon)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != tc.want {
			t.Errorf("%04o asked of a file with %04o: got %v, %v, want %04o", tc.asked, tc.there, fi.Mode(), err, tc.want)
		}
	}
}

func TestOpenOpensAllFilesOrNone(t *testing.T) {
	before := descriptors(t)
	dir := t.TempDir()
	l, err := Open([]File{{filepath.Join(dir, "a"), 0o600}, {filepath.Join(dir, "no/such/b"), 0o600}}, new(metrics.Metrics), noon)
	if l != nil || !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "audit: ") {
		t.Errorf("got %v, %v, want no log and what is missing", l, err)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d files are open, %d were before", after, before)
	}
}

// descriptors counts the open files of the process.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("SKIP: no /proc: %v", err)
	}
	return len(list)
}

func TestWhatAFullDiskLosesIsCounted(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("SKIP: there is no /dev/full")
	}
	l, m, dir := open(t, "/dev/full", "audit.jsonl")
	for range 3 {
		l.Write(Event{Kind: Deny})
	}
	if got := m.AuditDrops.Load(); got != 3 {
		t.Errorf("drops: got %d, want 3", got)
	}
	if got := read(t, filepath.Join(dir, "audit.jsonl")); strings.Count(got, "\n") != 3 {
		t.Errorf("the other file: got %q, want 3 lines", got)
	}
}

// A line that a full disk tears costs itself only.
func TestTornLineCostsNoOther(t *testing.T) {
	l, m, dir := open(t, "audit.jsonl")
	path := filepath.Join(dir, "audit.jsonl")
	l.Write(Event{Kind: Deny})
	atMost(t, len(read(t, path))+10, func() {
		l.Write(Event{Kind: Deny})
		l.Write(Event{Kind: Deny})
	})
	l.Write(Event{Kind: Deny})
	l.Write(Event{Kind: Deny})
	if got := m.AuditDrops.Load(); got != 2 {
		t.Errorf("drops: got %d, want 2", got)
	}
	var seqs []uint64
	torn := 0
	for line := range strings.Lines(read(t, path)) {
		var e Event
		if json.Unmarshal([]byte(line), &e) != nil {
			torn++
			continue
		}
		seqs = append(seqs, e.Seq)
	}
	if fmt.Sprint(seqs) != "[1 4 5]" || torn != 1 {
		t.Errorf("got events %v and %d torn lines, want 1, 4, 5 and one:\n%s", seqs, torn, read(t, path))
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
	do()
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
}

func TestConcurrentWritersWriteWholeLines(t *testing.T) {
	const writers, each = 8, 200
	l, m, dir := open(t, "audit.jsonl")
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				l.Write(Event{Kind: Deny, Identity: fmt.Sprintf("w%d", w), Key: strings.Repeat("k", i), Count: int64(i)})
			}
		})
	}
	wg.Wait()
	seen := map[string]int64{}
	lines := bytes.Split(bytes.TrimSuffix([]byte(read(t, filepath.Join(dir, "audit.jsonl"))), []byte("\n")), []byte("\n"))
	for i, line := range lines {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("line %d: %v: %q", i+1, err, line)
		}
		if e.Seq != uint64(i+1) || e.Count != seen[e.Identity] || len(e.Key) != int(e.Count) {
			t.Fatalf("line %d: got %+v, want seq %d and count %d", i+1, e, i+1, seen[e.Identity])
		}
		seen[e.Identity]++
	}
	if len(lines) != writers*each || m.AuditDrops.Load() != 0 {
		t.Errorf("got %d lines and %d drops, want %d and none", len(lines), m.AuditDrops.Load(), writers*each)
	}
}

func TestCloseMayComeTwiceAndWriteAfterIt(t *testing.T) {
	l, m, dir := open(t, "audit.jsonl")
	for range 2 {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	l.Write(Event{Kind: Deny})
	if got := read(t, filepath.Join(dir, "audit.jsonl")); got != "" || m.AuditDrops.Load() != 0 {
		t.Errorf("after close: wrote %q, counted %d drops", got, m.AuditDrops.Load())
	}
}

func TestDiscardForgets(t *testing.T) {
	var s Sink = Discard{}
	s.Write(Event{Kind: Deny})
}
