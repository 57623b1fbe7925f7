package generations

import (
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// openAt opens a ledger of its own.
func openAt(t testing.TB, path string) *ledger {
	t.Helper()
	l, err := openLedger(path, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.close() })
	return l
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLedgerKeepsWhatItIsGiven(t *testing.T) {
	path := filepath.Join(t.TempDir(), "g")
	l := openAt(t, path)
	want := map[string]entry{"t/a/": {noon, 0, false}, "t/b/": {0, 5, false}, "ü": {maxGeneration, 1 << 60, true}}
	for root, e := range want {
		l.put(root, entry{generation: 1, owed: true})
		l.put(root, e)
	}
	want["t/b/"] = entry{1, 5, false} // what is lower does not count
	l.close()
	again := openAt(t, path)
	if !maps.Equal(again.entries, want) {
		t.Errorf("got %v, want %v", again.entries, want)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v, want mode 0600", st.Mode(), err)
	}
	if text, line := read(t, path), "t/a/ 1764158400000 0 told "; !strings.HasPrefix(text, header) || !strings.Contains(text, "\n"+line) {
		t.Errorf("the file is %q, want a line %q in it", text, line)
	}
}

// TestLedgerRefusesWhatIsNotWhole cuts a file at every byte, and changes each.
func TestLedgerRefusesWhatIsNotWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "g")
	l := openAt(t, path)
	l.put("t/a/", entry{generation: noon})
	l.put("t/b/", entry{generation: noon, owed: true})
	l.close()
	whole := read(t, path)
	ends := map[int]bool{len(header): true, strings.Index(whole, "t/b/"): true}
	for at := range len(whole) {
		changed := []byte(whole)
		changed[at] ^= 4
		for _, text := range []string{whole[:at], string(changed)} {
			_, err := parseLedger(text, map[string]entry{})
			var file *FileError
			if cut := len(text) == at; cut && ends[at] {
				continue // a shorter file that is whole
			}
			if !errors.As(err, &file) || file.Line < 1 || file.Why == "" {
				t.Errorf("%q is taken: %v", text, err)
			}
		}
	}
}

// TestLedgerLeavesOutATornLine: a line that the host did not finish is no reason to
// serve nobody.
func TestLedgerLeavesOutATornLine(t *testing.T) {
	good := string(entry{generation: 7}.appendLine(nil, "t/a/"))
	for _, torn := range []string{"t", "t/b/ 9 0 told", strings.TrimSuffix(string(entry{generation: 9}.appendLine(nil, "t/b/")), "\n")} {
		path := filepath.Join(t.TempDir(), "g")
		if err := os.WriteFile(path, []byte(header+good+torn), 0o600); err != nil {
			t.Fatal(err)
		}
		l := openAt(t, path)
		if a, b := l.entry("t/a/"), l.entry("t/b/"); a.generation != 7 || b.generation != 0 {
			t.Errorf("%q: got %+v and %+v", torn, a, b)
		}
		l.close()
		if got := read(t, path); got != header+good {
			t.Errorf("%q: the file is %q", torn, got)
		}
	}
}

func TestLedgerTellsWhatIsWrong(t *testing.T) {
	good := string(entry{generation: 7}.appendLine(nil, "t/a/"))
	for _, tt := range []struct{ text, want string }{
		{"", `:1: it does not begin with the line "slabgate generations 1"`},
		{"slabgate generations 2\n", `:1: it does not begin`},
		{"slabgate generations 1", `:1: it does not begin`},
		{header + good + "t/a/ 7 0 told\n", ":3: the line was changed"},
		{header + strings.Replace(good, "7", "8", 1), ":2: the line was changed"},
		{header + string(entry{generation: maxGeneration + 1}.appendLine(nil, "t/a/")), ":2: the line has a number"},
		{header + string(entry{due: -1}.appendLine(nil, "t/a/")), ":2: the line has a number"},
		{header + string(entry{}.appendLine(nil, "a b")), ":2: the line has another form"},
		{header + sealed("t/a/ 7 +5 told"), ":2: the line has a number"},
		{header + sealed("t/a/ 07 0 told"), ":2: the line has a number"},
		{header + sealed("t/a/ 7 0 "), ":2: the line has another form"},
		{header + "\n", ":2: the line was changed"},
	} {
		path := filepath.Join(t.TempDir(), "g")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Config{File: path}, newCache(), zap.NewNop())
		if err == nil || !strings.Contains(err.Error(), "generations: "+path+tt.want) {
			t.Errorf("%q: got %v, want %s", tt.text, err, tt.want)
		}
		if got := read(t, path); got != tt.text {
			t.Errorf("%q became %q", tt.text, got)
		}
	}
}

func TestLedgerRefusesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, maxLedger+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		big:                              "more than it ever grows to",
		dir:                              "is a directory",
		filepath.Join(dir, "no", "file"): "no such file",
	} {
		if _, err := openLedger(path, zap.NewNop()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}

// TestLedgerIsWrittenAnewNowAndThen flushes many namespaces many times.
func TestLedgerIsWrittenAnewNowAndThen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "g")
	l := openAt(t, path)
	const roots = 1000
	for i := range uint64(10_000) {
		l.put(fmt.Sprint("t/", i%roots, "/"), entry{generation: noon + i})
		if i%97 == 0 && strings.Count(read(t, path), "\n") > 2*roots+spareLines+1 {
			t.Fatalf("after %d changes the file has %d lines", i, strings.Count(read(t, path), "\n"))
		}
	}
	if n := strings.Count(read(t, path), "\n"); n != l.lines+1 || int(l.size) != len(read(t, path)) {
		t.Errorf("%d lines, %d bytes; it counts %d and %d", n, len(read(t, path)), l.lines+1, l.size)
	}
	was := maps.Clone(l.entries)
	l.close()
	if err := os.WriteFile(path+".new", []byte("left by a crash"), 0o644); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, path)
	if !maps.Equal(again.entries, was) {
		t.Error("what is read is not what was written")
	}
	again.mu.Lock()
	defer again.mu.Unlock()
	if err := again.rewrite(); err != nil || again.lines != roots {
		t.Errorf("%d lines, %v; want %d", again.lines, err, roots)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the new file is %v, %v, want mode 0600", st.Mode(), err)
	}
}

func TestLedgerLeavesOutWhatNobodyUses(t *testing.T) {
	l := openAt(t, "")
	for i := range maxKept + 10 {
		l.entries[fmt.Sprint(i)] = entry{generation: noon}
	}
	l.entries["owed"], l.entries["due"] = entry{owed: true}, entry{due: 1}
	l.entry("7")
	l.leaveOut()
	_, used := l.entries["7"]
	if !used || !l.entries["owed"].owed || l.entries["due"].due == 0 || len(l.entries) != maxKept {
		t.Errorf("%d are left, used among them: %t", len(l.entries), used)
	}
}

// TestLedgerThatCannotWrite takes its file away. A flush says so, and what it lacks
// is written as soon as that is possible.
func TestLedgerThatCannotWrite(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	c := newCache()
	s := start(t, c)
	s.use(shop)
	s.ledger.log = zap.New(core)
	s.ledger.file.Close()
	hindrance := s.cfg.File + ".new"
	if err := os.Mkdir(hindrance, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, to, err := s.Flush(t.Context(), shop); err == nil || s.use(shop).Generation() != to {
			t.Errorf("flushed to %d, error %v; want it in force, and an error", to, err)
		}
		s.lookAt(1)
	}
	if err := os.Remove(hindrance); err != nil {
		t.Fatal(err)
	}
	s.lookAt(1)
	_, to := s.flushed(shop)
	s.restart()
	c.setDown(true)
	s.want("in the file", shop, to, nil)
	said := []string{}
	for _, e := range logs.All() {
		said = append(said, e.Message)
	}
	if got, want := fmt.Sprint(said), "[generations are not written down generations are written down again]"; got != want {
		t.Errorf("the log says %s, want %s", got, want)
	}
}

func FuzzLedger(f *testing.F) {
	f.Add(header)
	f.Add(header + string(entry{generation: 7}.appendLine(nil, "t/a/")))
	f.Add(header + string(entry{7, 9, true}.appendLine(nil, "ü")) + "x")
	f.Add("t/a/ 7 0 told")
	f.Add("t/a/ 7 05 owed")
	f.Fuzz(func(t *testing.T, text string) {
		// Once with a right checksum, else almost nothing gets past that.
		root, e, why := parseLine(text)
		if why != "" {
			line, _, _ := strings.Cut(text, "\n")
			root, e, why = parseLine(sealed(line))
			text = sealed(line)
		}
		if why == "" && string(e.appendLine(nil, root)) != text {
			t.Errorf("%q is read as %q, %+v, which is written as %q", text, root, e, e.appendLine(nil, root))
		}
	})
}

// sealed is a line with its checksum.
func sealed(line string) string {
	return fmt.Sprintf("%s %08x\n", line, crc32.ChecksumIEEE([]byte(line)))
}
