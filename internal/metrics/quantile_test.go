package metrics

import (
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	for name, tt := range map[string]struct {
		took []time.Duration
		q    float64
		want time.Duration
	}{
		"none":            {nil, 0.99, 0},
		"one":             {[]time.Duration{time.Microsecond}, 0.5, 25 * time.Microsecond},
		"second bucket":   {[]time.Duration{1, 1, 75 * time.Microsecond, 75 * time.Microsecond}, 0.75, 75 * time.Microsecond},
		"all of a bucket": {[]time.Duration{1, 1}, 1, Bounds[0]},
		"beyond":          {[]time.Duration{time.Minute}, 0.99, Bounds[len(Bounds)-1]},
		"a gap":           {[]time.Duration{1, 40 * time.Millisecond}, 1, 50 * time.Millisecond},
	} {
		var h Histogram
		for _, d := range tt.took {
			h.Observe(d, 1)
		}
		if got := h.Counts().Quantile(tt.q); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// A window forgets what is two spans old, tells identities apart, and does not mind one
// that begins anew.
func TestWindow(t *testing.T) {
	var w Window
	m, start := new(Metrics), time.Unix(1e9, 0)
	slow := func(n int) {
		m.Duration[1].Observe(40*time.Millisecond, n)
		m.Identities.Of("web").Duration.Observe(40*time.Millisecond, n)
	}
	fast := func(n int) {
		m.Duration[0].Observe(time.Microsecond, n)
		m.Identities.Of("shop").Duration.Observe(time.Microsecond, n)
	}
	slow(10)
	fast(10)
	check := func(when string, all, web, shop time.Duration) {
		t.Helper()
		gotAll, of := w.Quantiles(1, m)
		if gotAll != all || of["web"] != web || of["shop"] != shop {
			t.Errorf("%s: got %v, %v; want %v, web %v, shop %v", when, gotAll, of, all, web, shop)
		}
	}
	check("before the first turn", 50*time.Millisecond, 50*time.Millisecond, 50*time.Microsecond)
	w.Turn(start, m)
	check("in the first span", 50*time.Millisecond, 50*time.Millisecond, 50*time.Microsecond)
	fast(1)
	w.Turn(start.Add(WindowSpan-1), m)
	check("at its end", 50*time.Millisecond, 50*time.Millisecond, 50*time.Microsecond)
	w.Turn(start.Add(WindowSpan), m)
	check("in the second span", 50*time.Microsecond, 0, 50*time.Microsecond)
	w.Turn(start.Add(2*WindowSpan), m)
	check("after two spans without a request", 0, 0, 0)
	m.Identities.Keep(func(string) bool { return false })
	slow(1)
	check("of an identity that came again", 50*time.Millisecond, 50*time.Millisecond, 0)
}
