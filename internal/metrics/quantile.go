package metrics

import "time"

// Counts is how many durations a histogram has in each bucket.
type Counts [len(Bounds) + 1]int64

// Counts returns the buckets as they are.
func (h *Histogram) Counts() (c Counts) {
	for i := range h.buckets {
		c[i] = h.buckets[i].Load()
	}
	return c
}

// Plus returns both together.
func (c Counts) Plus(o Counts) Counts {
	for i := range c {
		c[i] += o[i]
	}
	return c
}

// since returns what has come to c that was not in o. Of a histogram that began anew
// meanwhile that is all of it.
func (c Counts) since(o Counts) Counts {
	d := c
	for i := range d {
		if d[i] -= o[i]; d[i] < 0 {
			return c
		}
	}
	return d
}

// Quantile is the time that a share q of the durations took at most, as Prometheus
// estimates it: evenly spread over a bucket, and the last bound beyond that. It is 0
// if there are none.
func (c Counts) Quantile(q float64) time.Duration {
	total := int64(0)
	for _, n := range c {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank, below, from := q*float64(total), int64(0), time.Duration(0)
	for i, to := range Bounds {
		if n := c[i]; n > 0 && float64(below+n) >= rank {
			return from + time.Duration(float64(to-from)*(rank-float64(below))/float64(n))
		}
		below, from = below+c[i], to
	}
	return from
}
