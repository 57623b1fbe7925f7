// Package watch notices that files have changed: because they were written, given
// another mode, or replaced, or because a link on the way to them leads elsewhere
// now, as in the volumes of Kubernetes.
//
// It reads no file and knows nothing of what is in them; what a change means is for
// whoever asked. It starts no goroutine.
package watch

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
)

// poll is how often the files are looked at if nothing is told of them: not every
// file system tells.
const poll = time.Minute

// mostWaits bounds how long files that keep changing are waited for, in debounces.
const mostWaits = 5

// Watcher watches files. Its fields are filled in by whoever makes it.
type Watcher struct {
	Files    func() []string // their absolute paths, asked for before each look
	Changed  func()          // is called when they may have changed
	Debounce time.Duration   // for which they must have been left alone
	Log      *zap.Logger

	notify *fsnotify.Watcher // nil if the kernel has none to give
	dirs   map[string]dir    // that are watched
	seen   string            // the files as they were at the last look
	ready  *time.Timer       // of the next look
	since  time.Time         // of the first change that it is for; zero for none
}

// dir is a folder that is watched.
type dir struct {
	id    string          // which folder it was
	names map[string]bool // what counts in it
}

// Run calls Changed once, for what may have happened since the files were read, and
// then whenever they have changed, until ctx is done. It may be called once.
func (w *Watcher) Run(ctx context.Context) {
	w.dirs = map[string]dir{}
	var events chan fsnotify.Event
	var faults chan error
	var err error
	if w.notify, err = fsnotify.NewWatcher(); err != nil {
		w.Log.Warn("files are looked at every minute only", zap.Error(err))
	} else {
		defer w.notify.Close()
		events, faults = w.notify.Events, w.notify.Errors
	}
	w.arm(w.Files())
	w.ready = time.NewTimer(w.Debounce)
	defer w.ready.Stop()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if w.concerns(e.Name) {
				w.wait()
			}
		case <-faults: // some events were lost
			w.wait()
		case <-tick.C:
			w.look()
		case <-w.ready.C:
			w.look()
		}
	}
}

// wait puts the next look off until the files have been left alone for a while, but
// not for ever.
func (w *Watcher) wait() {
	now := time.Now()
	if w.since.IsZero() {
		w.since = now
	}
	last := w.since.Add(mostWaits * w.Debounce)
	w.ready.Reset(min(w.Debounce, max(0, last.Sub(now))))
}

// look calls Changed if the files are not as they were. They are watched before they
// are looked at, so that no change is missed.
func (w *Watcher) look() {
	w.since = time.Time{}
	files := w.Files()
	w.arm(files)
	now := state(files)
	if now == w.seen {
		return
	}
	w.seen = now
	w.Changed()
	if again := w.Files(); strings.Join(again, "\n") != strings.Join(files, "\n") {
		w.arm(again) // others are to be watched now
		w.seen = state(again)
	}
}

// state is what tells files from themselves after a change.
func state(files []string) string {
	var b strings.Builder
	for _, path := range files {
		fi, err := os.Stat(path)
		if err != nil {
			fmt.Fprintf(&b, "%s %v\n", path, err)
			continue
		}
		fmt.Fprintf(&b, "%s %s %v %d %v", path, identity(fi), fi.Mode(), fi.Size(), fi.ModTime().UnixNano())
		if st, ok := fi.Sys().(*syscall.Stat_t); ok {
			fmt.Fprintf(&b, " %d %d %v", st.Uid, st.Gid, st.Ctim)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// identity tells a file or folder from another one at the same path.
func identity(fi os.FileInfo) string {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	}
	return ""
}
