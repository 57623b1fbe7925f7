package main

import (
	"math/bits"
	"slices"
	"time"
)

// histogram counts latencies in buckets that are 1/32 of a power of two wide, so
// that a quantile is right within 3 %. It allocates nothing while it counts.
type histogram struct {
	counts [64 * perPower]uint32
	total  uint64
}

const (
	perPower = 32
	subBits  = 5
)

func (h *histogram) add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 1)))]++
	h.total++
}

// bucket is exact below perPower; above, the highest bit and the five after it.
func bucket(n uint64) int {
	if n < perPower {
		return int(n)
	}
	shift := bits.Len64(n) - subBits - 1
	return shift*perPower + int(n>>shift)
}

// lowest is the smallest latency of a bucket.
func lowest(b int) time.Duration {
	if b < 2*perPower {
		return time.Duration(b)
	}
	shift := b/perPower - 1
	return time.Duration(b-shift*perPower) << shift
}

// merge adds the counts of other.
func (h *histogram) merge(other *histogram) {
	for b, n := range other.counts {
		h.counts[b] += n
	}
	h.total += other.total
}

// quantile is the latency that a share q of the requests did not exceed, in
// microseconds; 0 if there were none.
func (h *histogram) quantile(q float64) float64 {
	left := int64(q * float64(h.total))
	for b, n := range h.counts {
		if left -= int64(n); left < 0 {
			return micros(lowest(b))
		}
	}
	return 0
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// median is the middle one of values, 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
