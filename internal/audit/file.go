package audit

import (
	"fmt"
	"os"
	"sync/atomic"
)

// file is an output that appends to a file. All but reopen belong to Run.
type file struct {
	path string
	mode os.FileMode

	now  *os.File
	next atomic.Pointer[os.File] // opened anew; takes the place of now before the next line
	torn bool                    // the last line of now broke off
	line []byte
}

// openFile opens a file for appending.
func openFile(path string, mode os.FileMode) (*file, error) {
	f := &file{path: path, mode: mode}
	var err error
	f.now, err = f.open()
	return f, err
}

// open opens the file, and gives it its mode if it had to be created: the
// process's umask is not the operator's word on who may read the audit.
func (f *file) open() (*os.File, error) {
	_, missing := os.Lstat(f.path)
	opened, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, f.mode)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if missing == nil {
		return opened, nil
	}
	if err := opened.Chmod(f.mode); err != nil {
		opened.Close()
		return nil, fmt.Errorf("audit: %w", err)
	}
	return opened, nil
}

// append writes line with a line end on both sides. The first of them is written
// only if a full disk tore the line before: a reader then loses that one and not
// this.
func (f *file) append(line []byte) error {
	f.renew()
	f.line = append(append(append(f.line[:0], '\n'), line...), '\n')
	whole := f.line
	if !f.torn {
		whole = whole[1:]
	}
	n, err := f.now.Write(whole)
	if n > 0 {
		f.torn = n < len(whole)
	}
	return err
}

// reopen opens the path again, for renew to take. After an error the file that
// is open stays in use. It waits for nobody who writes.
func (f *file) reopen() error {
	opened, err := f.open()
	if err != nil {
		return err
	}
	if unused := f.next.Swap(opened); unused != nil {
		unused.Close()
	}
	return nil
}

// renew takes what reopen has opened.
func (f *file) renew() {
	opened := f.next.Swap(nil)
	if opened == nil {
		return
	}
	f.torn = f.torn && same(f.now, opened)
	f.now.Close() // every line in it was one write, whose error was told
	f.now = opened
}

// same reports whether two open files are one on the disk.
func same(a, b *os.File) bool {
	x, errX := a.Stat()
	y, errY := b.Stat()
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func (f *file) close() error {
	f.renew()
	return f.now.Close()
}

// String is the file's name in a log.
func (f *file) String() string { return f.path }
