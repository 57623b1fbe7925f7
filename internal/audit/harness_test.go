package audit

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
)

// noon is the time of every event of these tests, in a zone that is not UTC.
func noon() time.Time {
	return time.Date(2030, 1, 2, 13, 4, 5, 600, time.FixedZone("CET", 3600))
}

// dropping are options that lose what finds no room, to files with mode 0640.
func dropping(paths ...string) Options {
	o := Default()
	o.OnFull = Drop
	for _, path := range paths {
		o.Sinks = append(o.Sinks, SinkOptions{File: path, Mode: 0o640})
	}
	return o
}

// blocking are options that rather wait.
func blocking(paths ...string) Options {
	o := dropping(paths...)
	o.OnFull = Block
	return o
}

// open opens a log that nobody runs, and closes it when the test ends.
func open(t *testing.T, o Options) (*Log, *metrics.Metrics) {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	m := new(metrics.Metrics)
	l, err := Open(o, m, noon)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, m
}

// start opens a log that runs.
func start(t *testing.T, o Options) (*Log, *metrics.Metrics) {
	t.Helper()
	l, m := open(t, o)
	go l.Run()
	return l, m
}

// path is a file of the test that does not exist yet.
func path(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(t.TempDir(), name)
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// events are the lines of a file, and how many of them are broken.
func events(t *testing.T, path string) (list []Event, broken int) {
	t.Helper()
	for line := range strings.Lines(read(t, path)) {
		var e Event
		if json.Unmarshal([]byte(line), &e) != nil {
			broken++
			continue
		}
		list = append(list, e)
	}
	return list, broken
}

// shut closes a log and wants no error.
func shut(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// descriptors counts the open files of the process.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("SKIP: no /proc: %v", err)
	}
	return len(list)
}

// refuser is a destination that refuses its first lines.
type refuser struct {
	refuse int64 // how many; less than none are all
	tries  atomic.Int64
	lines  []string // read it when the log is closed
}

func (r *refuser) append(line []byte) error {
	if n := r.tries.Add(1); r.refuse < 0 || n <= r.refuse {
		return errors.New("no room")
	}
	r.lines = append(r.lines, string(line))
	return nil
}

func (r *refuser) reopen() error  { return nil }
func (r *refuser) renew()         {}
func (r *refuser) close() error   { return nil }
func (r *refuser) String() string { return "refuser" }

// stuck is a destination that takes no line before it is freed.
type stuck struct {
	refuser
	free chan struct{}
}

func (s *stuck) append(line []byte) error {
	<-s.free
	return s.refuser.append(line)
}
