package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Recorder is a source that writes what it reads of another into a captured tree.
// Of files that may hold secrets it writes a likeness without them.
type Recorder struct {
	from Source
	dir  string

	mu    sync.Mutex
	noted map[string]bool // what has been written
	err   error           // the first that was not written
}

// Record returns a source that is from, and writes everything that is read of it
// into the folder dir, from which [Tree] tells the same. Contents of files are
// written if they lie in /proc or /sys or are known to hold no secret, without the
// values of variables and options that might be one; of any other file only the
// number of its lines and the length of the longest.
func Record(from Source, dir string) *Recorder {
	return &Recorder{from: from, dir: dir, noted: map[string]bool{}}
}

// Err is why the tree is not complete, or nil if it is.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// first tells whether something is to be written for the first time. The lock is
// held until the returned function is called with what came of it.
func (r *Recorder) first(what string) (bool, func(error)) {
	r.mu.Lock()
	isNew := !r.noted[what]
	r.noted[what] = true
	return isNew, func(err error) {
		if err != nil && r.err == nil {
			r.err = fmt.Errorf("host: record of %s: %w", what, err)
		}
		r.mu.Unlock()
	}
}

// write writes a file of the tree.
func (r *Recorder) write(name string, data []byte) {
	isNew, end := r.first(name)
	if !isNew {
		end(nil)
		return
	}
	path := filepath.Join(r.dir, inside(name))
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	end(err)
}

// add adds a line to a file of the tree.
func (r *Recorder) add(file, line string) {
	isNew, end := r.first(file + ": " + line)
	if !isNew {
		end(nil)
		return
	}
	f, err := os.OpenFile(filepath.Join(r.dir, file), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(line + "\n")
		err = errors.Join(err, f.Close())
	}
	end(err)
}

// fail writes down that something may not be seen. What does not exist does not in
// the tree either.
func (r *Recorder) fail(op, name string, err error) {
	if op == "ask" || !errors.Is(err, fs.ErrNotExist) {
		reason := whyNot(err)
		if errors.Is(err, fs.ErrPermission) {
			reason = needsRoot
		}
		r.add(errorsFile, op+" "+quoted(name)+" "+strings.Join(strings.Fields(reason), " "))
	}
}

// ReadFile is that of the source.
func (r *Recorder) ReadFile(name string) ([]byte, error) {
	data, err := r.from.ReadFile(name)
	if err != nil {
		r.fail("read", name, err)
		return data, err
	}
	r.write(name, harmless(name, data))
	return data, nil
}

// ReadDir is that of the source.
func (r *Recorder) ReadDir(name string) ([]string, error) {
	names, err := r.from.ReadDir(name)
	if err != nil {
		r.fail("list", name, err)
		return names, err
	}
	isNew, end := r.first("folder " + name)
	if isNew {
		err = os.MkdirAll(filepath.Join(r.dir, inside(name)), 0o700)
	}
	end(err)
	return names, nil
}

// Readlink is that of the source.
func (r *Recorder) Readlink(name string) (string, error) {
	target, err := r.from.Readlink(name)
	if err != nil {
		r.fail("link", name, err)
		return target, err
	}
	isNew, end := r.first("link " + name)
	if !isNew {
		end(nil)
		return target, nil
	}
	path := filepath.Join(r.dir, inside(name))
	err = os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.Symlink(target, path)
	}
	end(err)
	return target, nil
}

// Stat is that of the source.
func (r *Recorder) Stat(name string) (Info, error) {
	info, err := r.from.Stat(name)
	if err != nil {
		r.fail("stat", name, err)
		return info, err
	}
	r.add(statFile, info.line(name))
	return info, nil
}

// List is that of the source.
func (r *Recorder) List(ctx context.Context, listing string) ([]byte, error) {
	data, err := r.from.List(ctx, listing)
	if err != nil {
		r.fail("run", listing, err)
		return data, err
	}
	r.write(Listings[listing].File, data)
	return data, nil
}

// Ask is that of the source.
func (r *Recorder) Ask(ctx context.Context, address string) (Reply, error) {
	reply, err := r.from.Ask(ctx, address)
	if err != nil {
		r.fail("ask", address, err)
		return reply, err
	}
	first := ""
	if reply.PeerUID >= 0 {
		first = fmt.Sprintf("# peer uid %d pid %d\n", reply.PeerUID, reply.PeerPID)
	}
	r.write(askName(address), append([]byte(first), reply.Text...))
	return reply, nil
}

// Clock is that of the source.
func (r *Recorder) Clock() (Clock, error) {
	clock, err := r.from.Clock()
	if err != nil {
		r.fail("clock", "clock", err)
		return clock, err
	}
	r.write(clockFile, fmt.Appendf(nil, "synced=%v max_error=%v\n", clock.Synced, clock.MaxError))
	return clock, nil
}

// Now is that of the source.
func (r *Recorder) Now() time.Time {
	now := r.from.Now()
	r.write(timeFile, []byte(now.Format(time.RFC3339Nano)+"\n"))
	return now
}

// Live is that of the source.
func (r *Recorder) Live() bool { return r.from.Live() }

// keepSubject writes down the configuration that is examined.
func (r *Recorder) keepSubject(s *Subject) {
	if s == nil {
		return
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		_, end := r.first(subjectFile)
		end(err)
		return
	}
	r.write(subjectFile, append(data, '\n'))
}
