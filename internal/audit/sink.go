package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
)

// Sink takes events. It never blocks its caller for longer than a local write
// takes, and may be called by many goroutines.
type Sink interface {
	Write(Event)
}

// Discard is the sink of a configuration that names none.
type Discard struct{}

// Write forgets e.
func (Discard) Write(Event) {}

// Log is a sink of files. An event that can't be written is dropped and counted.
type Log struct {
	metrics *metrics.Metrics
	now     func() time.Time

	mu    sync.Mutex
	files []*target
	seq   uint64
	line  []byte
}

// target is one open file of a Log.
type target struct {
	*os.File
	torn bool // its last line broke off
}

// File names one file of a Log.
type File struct {
	Path string
	Mode os.FileMode
}

// Open opens every file for appending, or none.
func Open(files []File, m *metrics.Metrics, now func() time.Time) (*Log, error) {
	l := &Log{metrics: m, now: now}
	for _, f := range files {
		file, err := openFile(f)
		if err != nil {
			l.Close()
			return nil, err
		}
		l.files = append(l.files, &target{File: file})
	}
	return l, nil
}

// openFile opens one file, and gives it its mode if it had to be created: the
// process's umask is not the operator's word on who may read the audit.
func openFile(f File) (*os.File, error) {
	_, missing := os.Lstat(f.Path)
	file, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, f.Mode)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if missing == nil {
		return file, nil
	}
	if err := file.Chmod(f.Mode); err != nil {
		file.Close()
		return nil, fmt.Errorf("audit: %w", err)
	}
	return file, nil
}

// Write appends e to every file, as one line in one write.
func (l *Log) Write(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	e.Seq = l.seq
	e.Time = l.now().UTC().Format(time.RFC3339Nano)
	line, err := json.Marshal(e)
	if err != nil {
		l.metrics.AuditDrops.Add(1)
		return
	}
	l.line = append(append(append(l.line[:0], '\n'), line...), '\n')
	for _, f := range l.files {
		if f.append(l.line) != nil {
			l.metrics.AuditDrops.Add(1)
		}
	}
}

// append writes a line that has a line end on both sides. The first of them is
// written only if a full disk tore the line before: a reader then loses that one
// and not this.
func (f *target) append(line []byte) error {
	if !f.torn {
		line = line[1:]
	}
	n, err := f.Write(line)
	if n > 0 {
		f.torn = n < len(line)
	}
	return err
}

// Close closes every file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first error
	for _, f := range l.files {
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
	}
	l.files = nil
	return first
}

var _ io.Closer = (*Log)(nil)
