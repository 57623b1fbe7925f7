package metrics

import (
	"sync/atomic"
	"time"
)

// Bounds are the upper ends of a histogram's buckets. A last one holds the rest.
var Bounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, time.Second,
}

// Histogram counts durations. The zero value is ready to use, by many goroutines.
type Histogram struct {
	buckets [len(Bounds) + 1]atomic.Int64
	sum     atomic.Int64 // nanoseconds
}

// Observe counts n that took d each.
func (h *Histogram) Observe(d time.Duration, n int) {
	i := 0
	for i < len(Bounds) && d > Bounds[i] {
		i++
	}
	h.buckets[i].Add(int64(n))
	h.sum.Add(int64(d) * int64(n))
}

// Load returns how many took at most as long as each bound, how many there are, and
// how long all took together. What is observed meanwhile may be half in it.
func (h *Histogram) Load() (upTo [len(Bounds)]uint64, count uint64, sum time.Duration) {
	for i := range h.buckets {
		count += uint64(h.buckets[i].Load())
		if i < len(upTo) {
			upTo[i] = count
		}
	}
	return upTo, count, time.Duration(h.sum.Load())
}
