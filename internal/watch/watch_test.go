package watch

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/testkit"
)

// rig is a watcher of some files that counts what it is told.
type rig struct {
	t     *testing.T
	dir   string
	count atomic.Int64
}

// start watches files by their paths in a folder of the test's own, once build has
// made them.
func start(t *testing.T, debounce time.Duration, build func(r *rig), files ...string) *rig {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	r := &rig{t: t, dir: t.TempDir()}
	build(r)
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = r.path(f)
	}
	w := &Watcher{
		Files: func() []string { return paths }, Changed: func() { r.count.Add(1) },
		Debounce: debounce, Log: zap.NewNop(),
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		testkit.Within(t, "the watcher's end", func() { <-done })
	})
	r.told("the first look", 1)
	return r
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// write writes a file in place.
func (r *rig) write(name, text string) {
	r.t.Helper()
	r.check(os.MkdirAll(filepath.Dir(r.path(name)), 0o755))
	r.check(os.WriteFile(r.path(name), []byte(text), 0o644))
}

// put writes a file beside its place and moves it there.
func (r *rig) put(name, text string) {
	r.t.Helper()
	r.write(name+".new", text)
	r.check(os.Rename(r.path(name+".new"), r.path(name)))
}

// link makes or replaces a link as Kubernetes does.
func (r *rig) link(target, name string) {
	r.t.Helper()
	r.check(os.Symlink(target, r.path(name+"_tmp")))
	r.check(os.Rename(r.path(name+"_tmp"), r.path(name)))
}

// told waits until the watcher has told of at least so many changes.
func (r *rig) told(what string, want int64) {
	r.t.Helper()
	testkit.Eventually(r.t, what, func() bool { return r.count.Load() >= want })
}

// next does something, and waits until the watcher tells of it.
func (r *rig) next(what string, do func()) {
	r.t.Helper()
	was := r.count.Load()
	do()
	r.told(what, was+1)
}

const short = 20 * time.Millisecond

func TestEveryWayToChangeAFile(t *testing.T) {
	r := start(t, short, func(r *rig) { r.write("a/f", "1") }, "a/f")
	r.next("a write", func() { r.write("a/f", "2") })
	r.next("a replacement", func() { r.put("a/f", "3") })
	r.next("another one", func() { r.put("a/f", "4") })
	r.next("another mode", func() { r.check(os.Chmod(r.path("a/f"), 0o600)) })
	r.next("the end of the file", func() { r.check(os.Remove(r.path("a/f"))) })
	r.next("its return", func() { r.write("a/f", "5") })
}

func TestAFolderThatComesBack(t *testing.T) {
	r := start(t, short, func(r *rig) { r.write("a/b/f", "1") }, "a/b/f")
	for range 3 {
		r.next("the end of the folders", func() { r.check(os.RemoveAll(r.path("a"))) })
		r.next("their return", func() { r.write("a/b/f", "2") })
		r.next("a write in the new ones", func() { r.write("a/b/f", "3") })
	}
	r.next("a folder in its place", func() {
		r.write("c/f", "4")
		r.check(os.Rename(r.path("a/b"), r.path("a/old")))
		r.check(os.Rename(r.path("c"), r.path("a/b")))
	})
	r.next("a write in that", func() { r.write("a/b/f", "5") })
}

func TestAVolumeOfKubernetes(t *testing.T) {
	r := start(t, short, func(r *rig) {
		r.write("v/..1/f", "1")
		r.link("..1", "v/..data")
		r.link("..data/f", "v/f")
	}, "v/f")
	for _, next := range []string{"..2", "..3", "..4"} {
		r.next("the swap to "+next, func() {
			r.write("v/"+next+"/f", next)
			r.link(next, "v/..data")
		})
	}
	r.next("a write behind the links", func() { r.write("v/..4/f", "5") })
}

func TestALinkOnTheWay(t *testing.T) {
	r := start(t, short, func(r *rig) {
		r.write("v1/f", "1")
		r.write("v2/f", "2")
		r.write("real/f", "3")
		r.link(r.path("v1"), "now")
		r.check(os.Mkdir(r.path("x"), 0o755))
		r.link("../x/../real", "x/dir")
	}, "now/f", "x/dir/f")
	r.next("another target", func() { r.link(r.path("v2"), "now") })
	r.next("a write there", func() { r.write("v2/f", "4") })
	r.next("a write through a link with ..", func() { r.write("real/f", "5") })
}

// What happens beside the files is no change of them, and changes that follow each
// other closely are one.
func TestOnlyTheFilesCount(t *testing.T) {
	r := start(t, time.Second, func(r *rig) { r.write("a/f", "1") }, "a/f")
	for range 100 {
		r.write("a/log", "x")
	}
	for _, text := range []string{"2", "3", "4", "5"} {
		r.put("a/f", text)
	}
	r.told("the change", 2)
	if n := r.count.Load(); n != 2 {
		t.Errorf("told %d times, want once at the start and once of all", n)
	}
	w := &Watcher{Files: func() []string { return []string{r.path("a/f")} }, dirs: map[string]dir{}, Log: zap.NewNop()}
	w.arm(w.Files())
	for path, want := range map[string]bool{"a/f": true, "a/log": false, "a": true, "b": false} {
		if got := w.concerns(r.path(path)); got != want {
			t.Errorf("%s concerns the file: %v, want %v", path, got, want)
		}
	}
}

// A file that changes all the time is read now and then all the same.
func TestAWaitEnds(t *testing.T) {
	w := &Watcher{Debounce: time.Hour, ready: time.NewTimer(time.Hour)}
	defer w.ready.Stop()
	w.since = time.Now().Add(-mostWaits * time.Hour)
	w.wait()
	testkit.Within(t, "the look", func() { <-w.ready.C })
}

// A link to itself is no way to anywhere.
func TestALoopOfLinks(t *testing.T) {
	r := &rig{t: t, dir: t.TempDir()}
	r.check(os.Symlink("b", r.path("a")))
	r.check(os.Symlink("a", r.path("b")))
	wanted := map[string]map[string]bool{}
	steps(r.path("a/f"), wanted)
	if names := wanted[r.dir]; !names["a"] || !names["b"] {
		t.Errorf("in the folder %v count, want a and b", names)
	}
}
