package generations

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/protocol"
)

// Bounds of the file.
const (
	maxLedger  = 64 << 20 // bytes that are read
	spareLines = 1000     // lines that are no namespace's newest before the file is written anew
	maxKept    = 100_000  // namespaces, beyond which those nobody uses are left out
)

// ledger is what is known of every namespace, and the file that has it: a line for
// each change, appended in one write, so that the end of the process tears none.
// When most lines are out of date the file is written anew, beside the old one. A
// ledger without a path has no file; one whose folder another process has locked
// only reads the file until that process has ended.
type ledger struct {
	path   string
	log    *zap.Logger
	folder *os.File // locked, unless waiting: its file is written by one process only

	mu      sync.Mutex
	entries map[string]entry
	used    map[string]bool  // asked for or changed since the start
	waiting bool             // another process has the file
	first   map[string]entry // what the file had when the wait began
	file    *os.File
	size    int64 // bytes
	lines   int   // without the first
	fault   error // why the file lacks something that entries have; nil if it does not
}

// openLedger reads the file at path, or makes it.
func openLedger(path string, log *zap.Logger) (*ledger, error) {
	l := &ledger{path: path, log: log, entries: map[string]entry{}, used: map[string]bool{}}
	if path == "" {
		return l, nil
	}
	if err := l.open(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *ledger) open() (err error) {
	if l.folder, err = os.Open(filepath.Dir(l.path)); err != nil {
		return fmt.Errorf("generations: %w", err)
	}
	switch locked, err := l.lock(); {
	case err != nil:
		return err
	case !locked:
		return l.wait()
	}
	l.file, err = os.OpenFile(l.path, os.O_RDWR|os.O_APPEND|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return l.rewrite()
	}
	if err != nil {
		return fmt.Errorf("generations: %w", err)
	}
	if err := l.read(); err != nil {
		return err
	}
	return l.tidy()
}

// read reads the whole file.
func (l *ledger) read() error {
	st, err := l.file.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("generations: %w", err)
	case !st.Mode().IsRegular():
		return &FileError{Path: l.path, Why: "it is no regular file"}
	case st.Size() > maxLedger:
		return &FileError{Path: l.path, Why: fmt.Sprintf("it has %d bytes, more than it ever grows to", st.Size())}
	}
	text, err := io.ReadAll(io.LimitReader(l.file, maxLedger))
	if err != nil {
		return fmt.Errorf("generations: %w", err)
	}
	l.size = int64(len(text))
	whole := withoutTorn(string(text))
	if l.lines, err = parseLedger(whole, l.entries); err != nil {
		err.(*FileError).Path = l.path
		return err
	}
	if len(whole) < len(text) && !l.waiting {
		l.log.Warn("generations file ends in part of a line, which is left out", zap.String("path", l.path))
		return l.rewrite()
	}
	return nil
}

// withoutTorn is text without a last line that breaks off: the host stopped while
// it was written, so that nobody was told of what it says.
func withoutTorn(text string) string {
	if end := strings.LastIndexByte(text, '\n') + 1; end >= len(header) {
		return text[:end]
	}
	return text
}

// entry is what is known of a root.
func (l *ledger) entry(root string) entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used[root] = true
	return l.entries[root]
}

// unfinished are the roots with something left to do.
func (l *ledger) unfinished() (roots []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for root, e := range l.entries {
		if e.owed || e.due != 0 {
			roots = append(roots, root)
		}
	}
	return roots
}

// put changes what is known of a root, and appends it to the file.
func (l *ledger) put(root string, e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[root], l.used[root] = e, true
	if l.path == "" || l.waiting || l.fault != nil || !protocol.ValidKey([]byte(root)) {
		return
	}
	err := l.append(e.appendLine(nil, root))
	if err == nil {
		err = l.tidy()
	}
	if err != nil {
		l.fault = err
		l.log.Warn("generations are not written down", zap.Error(err))
	}
}

// append appends a line, or nothing.
func (l *ledger) append(line []byte) error {
	n, err := l.file.Write(line)
	if err != nil {
		if n > 0 {
			err = errors.Join(err, l.file.Truncate(l.size))
		}
		return fmt.Errorf("generations: %w", err)
	}
	l.size += int64(n)
	l.lines++
	return nil
}

// tidy writes the file anew if most of it is out of date.
func (l *ledger) tidy() error {
	if l.lines <= 2*len(l.entries)+spareLines {
		return nil
	}
	return l.rewrite()
}

// lacks is nil, or why the file lacks something.
func (l *ledger) lacks() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

// mend writes the file anew if it lacks something.
func (l *ledger) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault != nil && l.rewrite() == nil {
		l.log.Info("generations are written down again")
	}
}

// rewrite puts a new file in the place of the old one, which stays if that is not
// possible.
func (l *ledger) rewrite() error {
	f, err := os.OpenFile(l.path+".new", os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("generations: %w", err)
	}
	size, err := l.writeAll(f)
	if err == nil {
		err = errors.Join(os.Rename(f.Name(), l.path), l.folder.Sync())
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("generations: %w", err)
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file, l.size, l.lines, l.fault = f, size, len(l.entries), nil
	return nil
}

// writeAll writes every entry, and waits until the disk has them: unlike a lost
// line, a lost file would be missed.
func (l *ledger) writeAll(f *os.File) (size int64, err error) {
	if err := f.Chmod(0o600); err != nil {
		return 0, err
	}
	l.leaveOut()
	w := bufio.NewWriter(f)
	w.WriteString(header)
	size = int64(len(header))
	var line []byte
	for root, e := range l.entries {
		line = e.appendLine(line[:0], root)
		w.Write(line) // an error stays until Flush
		size += int64(len(line))
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	return size, f.Sync()
}

// leaveOut forgets what nobody uses if there is too much. Whoever uses it after
// all finds it flushed, unless memcached knows it.
func (l *ledger) leaveOut() {
	for root, e := range l.entries {
		if len(l.entries) <= maxKept {
			return
		}
		if !l.used[root] && !e.owed && e.due == 0 {
			delete(l.entries, root)
		}
	}
}

// close closes the file and unlocks the folder.
func (l *ledger) close() (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range []*os.File{l.file, l.folder} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	l.path, l.file, l.folder, l.fault, l.waiting = "", nil, nil, nil, false // what is put from now on is lost
	return err
}
