package metrics

import (
	"sync"
	"time"
)

// WindowSpan is how much of the past a [Window] tells of at least; it is less than
// twice that.
const WindowSpan = time.Minute

// Window tells how long requests took lately: all of them, and those of each identity.
// The zero value is ready to use, by many goroutines.
type Window struct {
	mu           sync.Mutex
	turned       time.Time
	before, last delays // at the end of the spans before this one
}

// delays are counts of the requests of all clients, and of each identity.
type delays struct {
	all Counts
	of  map[string]Counts
}

// delays returns what there has been since the start.
func (m *Metrics) delays() delays {
	d := delays{of: map[string]Counts{}}
	for g := range m.Duration {
		d.all = d.all.Plus(m.Duration[g].Counts())
	}
	m.Identities.Each(func(name string, id *Identity) { d.of[name] = id.Duration.Counts() })
	return d
}

// Turn is to be called once a second or so.
func (w *Window) Turn(now time.Time, m *Metrics) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.turned) >= WindowSpan {
		w.before, w.last, w.turned = w.last, m.delays(), now
	}
}

// Quantiles returns the time that a share q of the latest requests took at most: of
// all, and of those of each identity that was measured.
func (w *Window) Quantiles(q float64, m *Metrics) (all time.Duration, of map[string]time.Duration) {
	d := m.delays()
	w.mu.Lock()
	defer w.mu.Unlock()
	of = map[string]time.Duration{}
	for name, c := range d.of {
		if t := c.since(w.before.of[name]).Quantile(q); t > 0 {
			of[name] = t
		}
	}
	return d.all.since(w.before.all).Quantile(q), of
}
