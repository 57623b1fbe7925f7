package generations

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// beside opens a second slabgate with the folder, clock and memcached of s.
func beside(t *testing.T, s *slabgate) *slabgate {
	t.Helper()
	other := &slabgate{t: t, cfg: s.cfg, up: s.up, clock: s.clock}
	other.open()
	t.Cleanup(func() { other.Close() })
	return other
}

// The process that takes another one's place knows what that one has written down,
// and leaves the file alone until it has ended.
func TestTheNextProcessWaitsForTheFile(t *testing.T) {
	c := newCache()
	old := start(t, c)
	_, flushed := old.flushed("t/a/")
	next := beside(t, old)
	c.setDown(true)
	next.want("what the file has", "t/a/", flushed, nil)
	c.setDown(false)
	next.flushed("t/b/")
	next.lookAt(3)
	if text := read(t, old.cfg.File); strings.Contains(text, "t/b/") {
		t.Errorf("the file was written to while another process had it: %q", text)
	}
	_, last := old.flushed("t/c/")
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	next.lookAt(1)
	next.want("what the other did meanwhile", "t/c/", last, c)
	for _, root := range []string{"t/a/", "t/b/", "t/c/"} {
		if text := read(t, old.cfg.File); strings.Count(text, root) != 1 {
			t.Errorf("the file has %s not once: %q", root, text)
		}
	}
	_, last = next.flushed("t/c/")
	c.setDown(true)
	next.restart()
	next.want("what was written down later", "t/c/", last, nil)
}

// What the other process could not do any more is done by this one, once.
func TestTheNextProcessFinishesWhatTheOtherBegan(t *testing.T) {
	c := newCache()
	old := start(t, c)
	_, told := old.flushed("t/owed/")
	next := beside(t, old)
	next.want("before", "t/owed/", told, c)
	c.setDown(true)
	if _, _, err := old.Flush(context.Background(), "t/owed/"); err == nil {
		t.Fatal("memcached is down, and was told")
	}
	owed := old.use("t/owed/").Generation()
	old.use("t/put-off/").setDue(noon + 5000)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	next.lookAt(1)
	if got := next.use("t/owed/").Generation(); got < owed {
		t.Errorf("generation %d, want at least that of the flush that is owed, %d", got, owed)
	}
	c.setDown(false)
	next.lookAt(2)
	now := next.use("t/owed/").Generation()
	next.want("once memcached is back", "t/owed/", now, c)
	if now < owed {
		t.Errorf("generation %d, want at least %d", now, owed)
	}
	was := next.use("t/put-off/").Generation()
	next.clock.set(noon + 6000)
	next.lookAt(2)
	if got := next.use("t/put-off/").Generation(); got <= was {
		t.Errorf("the flush that was put off: generation %d, want more than %d", got, was)
	}
}

// A file whose last line is being written is read without it, and not touched.
func TestTheNextProcessReadsHalfALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "g")
	l := openAt(t, path)
	l.put("t/a/", entry{generation: noon})
	torn := read(t, path) + "t/b/ 17641"
	if err := os.WriteFile(path, []byte(torn), 0o600); err != nil {
		t.Fatal(err)
	}
	next := openAt(t, path)
	if e := next.entry("t/a/"); e.generation != noon || len(next.entries) != 1 {
		t.Errorf("got %v", next.entries)
	}
	if got := read(t, path); got != torn {
		t.Errorf("the file is %q, want it as it was, %q", got, torn)
	}
	if news := next.takeOver(); news != nil || !next.waiting {
		t.Errorf("the file was taken from a process that lives: %v", news)
	}
}

// Of two that wait, the second waits for the first.
func TestTheFileHasOneWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "g")
	first := openAt(t, path)
	second, third := openAt(t, path), openAt(t, path)
	first.close()
	second.takeOver()
	third.takeOver()
	if second.waiting || !third.waiting {
		t.Errorf("the second waits: %v, the third: %v; want false, true", second.waiting, third.waiting)
	}
}
