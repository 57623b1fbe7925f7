package audit

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestSamplerTakesOneOfSoMany(t *testing.T) {
	for _, tc := range []struct{ every, want int }{{-1, 0}, {0, 0}, {1, 12}, {2, 6}, {5, 2}, {12, 1}, {13, 0}} {
		s, got := NewSampler(tc.every), 0
		for range 12 {
			if s.Take() {
				got++
			}
		}
		if got != tc.want {
			t.Errorf("one of %d: got %d of 12, want %d", tc.every, got, tc.want)
		}
	}
}

func TestSamplerCountsForAll(t *testing.T) {
	const users, each, every = 8, 1000, 10
	s := NewSampler(every)
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range users {
		wg.Go(func() {
			for range each {
				if s.Take() {
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got := taken.Load(); got != users*each/every {
		t.Errorf("got %d, want %d", got, users*each/every)
	}
}
