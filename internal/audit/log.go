package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
)

// Bounds of a Log.
const (
	queueLines = 4096                   // lines that wait to be written
	retryPause = 100 * time.Millisecond // between two tries of a line that an output refuses
	closeWait  = 5 * time.Second        // for what is queued to be written at the end
)

// Log is a sink of files and syslogs. Lines wait in a queue for Run to write
// them. What is lost is counted in metrics.AuditDrops: an event that found no
// room, and a line for each output that refused it.
type Log struct {
	// Told, unless nil, is called by Run when an output begins to refuse lines,
	// and with a nil error when it takes them again. Set it before Run.
	Told func(output string, err error)

	metrics  *metrics.Metrics
	now      func() time.Time
	wanted   map[Kind]bool
	keys     Keys
	block    bool // rather wait than lose a line
	outputs  []*output
	queue    chan []byte
	reopened chan struct{} // there is something for renew to take
	released chan struct{} // closed when nobody may wait any more
	release  func()
	running  atomic.Bool
	wait     time.Duration // of Close
	done     chan struct{} // closed when Run has returned
	err      error         // of closing the outputs; read it after done

	mu     sync.Mutex
	seq    uint64
	closed bool
}

// output is one place that lines go to, and what Run knows of it.
type output struct {
	destination
	refuses bool // its last line
}

// destination takes lines, which come without a line end, from one goroutine.
type destination interface {
	fmt.Stringer
	append(line []byte) error
	reopen() error // may be called by any goroutine
	renew()
	close() error
}

// Open opens every sink of o, which must be valid, or none. Somebody has to call
// Run.
func Open(o Options, m *metrics.Metrics, now func() time.Time) (*Log, error) {
	l := &Log{
		metrics: m, now: now, wanted: o.wanted(), block: o.OnFull != Drop,
		queue: make(chan []byte, queueLines), reopened: make(chan struct{}, 1),
		released: make(chan struct{}), wait: closeWait, done: make(chan struct{}),
	}
	l.release = sync.OnceFunc(func() { close(l.released) })
	var err error
	if l.keys, err = ParseKeys(o.Keys); err != nil {
		return nil, err
	}
	for _, s := range o.Sinks {
		d, err := s.open()
		if err != nil {
			return nil, errors.Join(err, l.closeOutputs())
		}
		l.outputs = append(l.outputs, &output{destination: d})
	}
	return l, nil
}

// open opens the file or syslog that s names.
func (s *SinkOptions) open() (destination, error) {
	if s.Syslog != "" {
		return openJournal("", "")
	}
	return openFile(s.File, s.Mode)
}

// Write queues e as one line for every output, if its kind is wanted. With a full
// queue it waits, or loses e and counts it. After Close it does nothing.
func (l *Log) Write(e Event) {
	if len(l.outputs) == 0 || !l.wanted[e.Kind] {
		return
	}
	l.mu.Lock() // until e is queued, so that the lines stand in the order of seq
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.seq++
	e.Schema, e.Seq, e.Time, e.Key = Schema, l.seq, l.now().UTC().Format(time.RFC3339Nano), l.keys.Text(e.RawKey)
	line, err := json.Marshal(e)
	if err != nil || !l.enqueue(line) {
		l.metrics.AuditDrops.Add(1)
	}
}

// Keys is how keys are written. What is hashed looks as it does in events.
func (l *Log) Keys() Keys { return l.keys }

// enqueue reports whether there was room, or came to be.
func (l *Log) enqueue(line []byte) bool {
	select {
	case l.queue <- line:
		return true
	default:
	}
	if !l.block {
		return false
	}
	select {
	case l.queue <- line:
		return true
	case <-l.released:
		return false
	}
}

// Run writes what is queued until Close is called, then closes the outputs. A
// second Run does nothing.
func (l *Log) Run() {
	if !l.running.CompareAndSwap(false, true) {
		return
	}
	defer close(l.done)
	for {
		select {
		case <-l.reopened:
			for _, o := range l.outputs {
				o.renew()
			}
		case line, more := <-l.queue:
			if !more {
				l.err = l.closeOutputs()
				return
			}
			for _, o := range l.outputs {
				l.deliver(o, line)
			}
		}
	}
}

// deliver writes line to o, again and again if lines are not to be lost.
func (l *Log) deliver(o *output, line []byte) {
	for {
		err := o.append(line)
		if l.Told != nil && o.refuses != (err != nil) {
			l.Told(o.String(), err)
		}
		o.refuses = err != nil
		if err == nil {
			return
		}
		if !l.mayRetry() {
			l.metrics.AuditDrops.Add(1)
			return
		}
	}
}

// mayRetry reports, after a pause, whether a line that was refused is to be tried
// again.
func (l *Log) mayRetry() bool {
	if !l.block {
		return false
	}
	select {
	case <-l.released:
		return false
	case <-time.After(retryPause):
		return true
	}
}

// Reopen opens every file anew by its path, for the lines from now on. Where that
// can't be done the old file stays in use, and the error says why. It does not
// wait for a line that is being written.
func (l *Log) Reopen() error {
	var err error
	for _, o := range l.outputs {
		err = errors.Join(err, o.reopen())
	}
	select {
	case l.reopened <- struct{}{}:
	default: // Run has not seen the last one yet
	}
	return err
}

// Release lets nobody wait any more: from now on an event that finds no room and
// a line that is refused are lost and counted, whatever the options say.
func (l *Log) Release() { l.release() }

// Close releases, writes what is queued, and closes the outputs. If that takes
// more than five seconds it returns with an error, and what is left is lost. Call
// it when nobody writes or reopens any more; it may be called twice.
func (l *Log) Close() error {
	l.release()
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	l.Run() // unless it runs already
	select {
	case <-l.done:
		return l.err
	case <-time.After(l.wait):
		left := len(l.queue) + 1 // and the one that is being written
		l.metrics.AuditDrops.Add(int64(left))
		return fmt.Errorf("audit: %d events were not written within %v", left, l.wait)
	}
}

// closeOutputs closes every output and returns what went wrong.
func (l *Log) closeOutputs() error {
	var err error
	for _, o := range l.outputs {
		err = errors.Join(err, o.close())
	}
	return err
}

var _ Sink = (*Log)(nil)
