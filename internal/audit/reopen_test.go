package audit

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// seqs are the numbers of the events in a file.
func seqs(t *testing.T, path string) string {
	t.Helper()
	list, broken := events(t, path)
	var out []string
	for _, e := range list {
		out = append(out, fmt.Sprint(e.Seq))
	}
	if broken > 0 {
		t.Errorf("%s has %d lines that are no event:\n%s", path, broken, read(t, path))
	}
	return strings.Join(out, " ")
}

// moved moves a file out of the way, as logrotate does, and returns where it is.
func moved(t *testing.T, path string) string {
	t.Helper()
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	return path + ".1"
}

func TestReopenGoesOnInANewFile(t *testing.T) {
	file := path(t, "audit.jsonl")
	l, _ := start(t, blocking(file))
	write := func(n int) {
		for range n {
			l.Write(Event{Kind: Deny})
		}
		testkit.Eventually(t, "the lines", func() bool { return strings.Count(read(t, file), "\n") == n })
	}
	write(2)
	old := moved(t, file)
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	write(3)
	shut(t, l)
	if got := seqs(t, old) + ", " + seqs(t, file); got != "1 2, 3 4 5" {
		t.Errorf("the files have %s, want 1 2, 3 4 5", got)
	}
}

func TestReopenLosesNothingOfManyWriters(t *testing.T) {
	const events = 300
	file := path(t, "audit.jsonl")
	l, m := start(t, blocking(file))
	old := ""
	for i := range events {
		l.Write(Event{Kind: Deny})
		if i == events/2 {
			old = moved(t, file)
			if err := l.Reopen(); err != nil {
				t.Fatal(err)
			}
		}
	}
	shut(t, l)
	var want []string
	for i := range events {
		want = append(want, fmt.Sprint(i+1))
	}
	if got := strings.TrimSpace(seqs(t, old) + " " + seqs(t, file)); got != strings.Join(want, " ") || m.AuditDrops.Load() != 0 {
		t.Errorf("got %s and %d losses, want every event in order", got, m.AuditDrops.Load())
	}
}

// A file that logrotate has deleted takes its room until it is closed.
func TestReopenLeavesNoFileOpen(t *testing.T) {
	before := descriptors(t)
	file := path(t, "audit.jsonl")
	l, _ := start(t, blocking(file))
	for range 5 {
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, "one open file, without a line to write", func() bool { return descriptors(t) <= before+1 })
	shut(t, l)
	if after := descriptors(t); after != before {
		t.Errorf("%d files are open, %d were before", after, before)
	}
}

func TestReopenKeepsTheOldFileIfThereIsNoNewOne(t *testing.T) {
	file, good := path(t, "audit.jsonl"), path(t, "good.jsonl")
	l, m := start(t, blocking(file, good))
	old, oldGood := moved(t, file), moved(t, good)
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), good) {
		t.Errorf("got %v, want the name of the file that is in the way", err)
	}
	l.Write(Event{Kind: Deny})
	shut(t, l)
	if seqs(t, old) != "1" || seqs(t, good) != "1" || seqs(t, oldGood) != "" || m.AuditDrops.Load() != 0 {
		t.Errorf("old %q, good %q and %q, want the event in the old file and the new one of the other", seqs(t, old), seqs(t, good), seqs(t, oldGood))
	}
}

func TestATornLineIsMendedInTheSameFileOnly(t *testing.T) {
	for _, rotated := range []bool{false, true} {
		file := path(t, "audit.jsonl")
		f, err := openFile(file, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		f.torn = true
		if rotated {
			moved(t, file)
		}
		if err := f.reopen(); err != nil {
			t.Fatal(err)
		}
		if err := f.append([]byte("{}")); err != nil {
			t.Fatal(err)
		}
		f.close()
		want := "\n{}\n"
		if rotated {
			want = "{}\n"
		}
		if got := read(t, file); got != want {
			t.Errorf("rotated %v: got %q, want %q", rotated, got, want)
		}
	}
}
