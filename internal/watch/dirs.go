package watch

import (
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap"
)

// maxLinks bounds the links on the way to a file, as the kernel does.
const maxLinks = 40

// concerns reports whether a change at a path may be one of a file.
func (w *Watcher) concerns(path string) bool {
	folder, name := filepath.Split(path)
	return w.dirs[filepath.Clean(folder)].names[name]
}

// arm watches every folder on the way to the files, and no other. One that was
// replaced by another is watched anew.
func (w *Watcher) arm(files []string) {
	wanted := map[string]map[string]bool{}
	for _, path := range files {
		steps(path, wanted)
	}
	for path, d := range w.dirs {
		if wanted[path] == nil || folderID(path) != d.id {
			w.forget(path)
		}
	}
	for path, names := range wanted {
		d, watched := w.dirs[path]
		if !watched {
			d.id = folderID(path)
			w.add(path)
		}
		d.names = names
		w.dirs[path] = d
	}
}

// steps adds every folder on the way to a file, each with the names in it that the
// way goes through: the folders that path names, and those that links lead to. Where
// the way ends early, somebody may build it further.
func steps(path string, wanted map[string]map[string]bool) {
	at, rest := "/", split(path)
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		if wanted[at] == nil {
			wanted[at] = map[string]bool{}
		}
		wanted[at][name] = true
		next := filepath.Join(at, name)
		target, err := os.Readlink(next)
		if err != nil { // it is no link, or not there
			if fi, err := os.Stat(next); err != nil || !fi.IsDir() {
				return
			}
			at = next
			continue
		}
		if links++; links > maxLinks {
			return
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(split(target), rest...)
	}
}

// split is the names in a path. Unlike [filepath.Clean] it does not take a name and
// the ".." after it for nothing: the name may be a link.
func split(path string) (names []string) {
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			names = append(names, name)
		}
	}
	return names
}

// folderID tells a folder from another one at the same path; empty if none is there.
func folderID(path string) string {
	fi, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return identity(fi)
}

// add watches a folder. One that can't be is looked into now and then all the same.
func (w *Watcher) add(path string) {
	if w.notify == nil {
		return
	}
	if err := w.notify.Add(path); err != nil {
		w.Log.Debug("folder is not watched", zap.String("path", path), zap.Error(err))
	}
}

// forget watches a folder no more. It may be gone.
func (w *Watcher) forget(path string) {
	delete(w.dirs, path)
	if w.notify != nil {
		_ = w.notify.Remove(path)
	}
}
