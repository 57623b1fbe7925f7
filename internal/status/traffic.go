package status

import (
	"sync"
	"time"

	"github.com/slabgate/slabgate/proxy"
)

const (
	// Step is the time between two samples.
	Step = time.Second

	// Samples is how many are kept: those of five minutes.
	Samples = 300

	recent = 10 // samples that a rate is taken over
)

// Traffic is how much is going on.
type Traffic struct {
	Total    proxy.Traffic `json:"total"`               // since the start
	Requests float64       `json:"requests_per_second"` // over the last 10 seconds, as the two below
	BytesIn  float64       `json:"bytes_in_per_second"`
	BytesOut float64       `json:"bytes_out_per_second"`
	P99      float64       `json:"p99_seconds"` // that 99 of 100 requests of the last minute or two took at most; 0 if none was measured
	History  History       `json:"history"`
}

// History is the last five minutes, one figure a second, the latest last. It is
// shorter after a start.
type History struct {
	Until     time.Time `json:"until"` // time of the last figures
	Requests  []float64 `json:"requests_per_second"`
	BytesIn   []float64 `json:"bytes_in_per_second"`
	BytesOut  []float64 `json:"bytes_out_per_second"`
	RoundTrip []float64 `json:"upstream_seconds"` // of memcached's last answer to slabgate; 0 while it is down
}

// sample is the figures of one moment.
type sample struct {
	at        time.Time
	total     proxy.Traffic
	roundTrip float64
}

// Meter remembers the traffic of the last five minutes. The zero Meter is ready.
// Any number of goroutines may use it.
type Meter struct {
	mu      sync.Mutex
	samples []sample // the latest last, one more than rates
}

// Add remembers the figures of this moment. It is to be called once every [Step].
func (m *Meter) Add(now time.Time, total proxy.Traffic, roundTrip time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.samples) > Samples {
		m.samples = append(m.samples[:0], m.samples[len(m.samples)-Samples:]...)
	}
	m.samples = append(m.samples, sample{now, total, roundTrip.Seconds()})
}

// Traffic returns what is remembered. Its lists are the caller's.
func (m *Meter) Traffic() Traffic {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := Traffic{History: History{Requests: []float64{}, BytesIn: []float64{}, BytesOut: []float64{}, RoundTrip: []float64{}}}
	n := len(m.samples)
	if n == 0 {
		return t
	}
	h, last := &t.History, &m.samples[n-1]
	t.Total, h.Until = last.total, last.at
	for i := 1; i < n; i++ {
		requests, in, out := m.samples[i].since(&m.samples[i-1])
		h.Requests, h.BytesIn, h.BytesOut = append(h.Requests, requests), append(h.BytesIn, in), append(h.BytesOut, out)
		h.RoundTrip = append(h.RoundTrip, m.samples[i].roundTrip)
	}
	t.Requests, t.BytesIn, t.BytesOut = last.since(&m.samples[max(0, n-1-recent)])
	return t
}

// since is the rates between two samples, a second, rounded to a tenth.
func (s *sample) since(before *sample) (requests, in, out float64) {
	took := s.at.Sub(before.at).Seconds()
	if took <= 0 {
		return 0, 0, 0
	}
	rate := func(now, then int64) float64 { return float64(int64(float64(now-then)/took*10+0.5)) / 10 }
	a, b := &s.total, &before.total
	return rate(a.Requests, b.Requests), rate(a.BytesIn, b.BytesIn), rate(a.BytesOut, b.BytesOut)
}
