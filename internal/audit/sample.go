package audit

import "sync/atomic"

// Sampler picks one of every so many requests, by counting them. Nil picks none.
// It may be used by many goroutines.
type Sampler struct {
	every   uint64
	counted atomic.Uint64
}

// NewSampler returns a sampler that picks one of every n; of 0 or less, none.
func NewSampler(n int) *Sampler {
	if n <= 0 {
		return nil
	}
	return &Sampler{every: uint64(n)}
}

// Take counts one request, and reports whether it is the one to write down.
func (s *Sampler) Take() bool {
	return s != nil && s.counted.Add(1)%s.every == 0
}
