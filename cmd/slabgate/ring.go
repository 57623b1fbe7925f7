package main

import (
	"io"
	"sync/atomic"
	"time"
)

// Bounds of a ring.
const (
	ringLines = 1024            // lines that wait for a reader of the log
	ringFlush = 2 * time.Second // for them to be read when the process ends

	ringLook  = 10 * time.Millisecond // between two looks whether they have been
	ringLooks = 20
)

// ring stands between the log and whoever reads it. A reader that stops must not
// stop the service: lines that find no room are dropped and counted.
type ring struct {
	out     io.Writer
	lines   chan []byte
	end     chan struct{} // closed when no more lines come
	done    chan struct{}
	dropped atomic.Int64
}

func newRing(out io.Writer) *ring {
	return &ring{out: out, lines: make(chan []byte, ringLines), end: make(chan struct{}), done: make(chan struct{})}
}

// Write queues one line. It never blocks and never fails.
func (r *ring) Write(line []byte) (int, error) {
	select {
	case r.lines <- append([]byte(nil), line...):
	default:
		r.dropped.Add(1)
	}
	return len(line), nil
}

// run writes lines out until close has been called and none is left.
func (r *ring) run() {
	defer close(r.done)
	for {
		select {
		case line := <-r.lines:
			r.print(line)
		case <-r.end:
			for len(r.lines) > 0 {
				r.print(<-r.lines)
			}
			return
		}
	}
}

func (r *ring) print(line []byte) {
	if _, err := r.out.Write(line); err != nil {
		r.dropped.Add(1)
	}
}

// close ends run, and gives it a moment to write what is left. What is logged from
// then on may be lost. A reader that is stuck keeps run for as long as the process
// lives, which is no longer.
func (r *ring) close() {
	close(r.end)
	select {
	case <-r.done:
	case <-time.After(ringFlush):
	}
}

// flush gives run a moment to write what there is.
func (r *ring) flush() {
	for range ringLooks {
		time.Sleep(ringLook)
		if len(r.lines) == 0 {
			return
		}
	}
}
