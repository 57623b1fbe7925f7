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
)

// ring stands between the log and whoever reads it. A reader that stops must not
// stop the service: lines that find no room are dropped and counted.
type ring struct {
	out     io.Writer
	lines   chan []byte
	done    chan struct{}
	dropped atomic.Int64
}

func newRing(out io.Writer) *ring {
	return &ring{out: out, lines: make(chan []byte, ringLines), done: make(chan struct{})}
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
	for line := range r.lines {
		if _, err := r.out.Write(line); err != nil {
			r.dropped.Add(1)
		}
	}
}

// close ends run, and gives it a moment to write what is left. Nothing may be
// logged any more. A reader that is stuck keeps run for as long as the process
// lives, which is no longer.
func (r *ring) close() {
	close(r.lines)
	select {
	case <-r.done:
	case <-time.After(ringFlush):
	}
}
