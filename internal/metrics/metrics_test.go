package metrics

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSetIsBounded: what finds no room is counted together, what is known keeps its
// own counters.
func TestSetIsBounded(t *testing.T) {
	var s Set[string, atomic.Int64]
	first := s.Of("0")
	for i := range maxSet + 10 {
		s.Of(fmt.Sprint(i)).Add(1)
	}
	n := 0
	s.Each(func(string, *atomic.Int64) { n++ })
	if n != maxSet {
		t.Errorf("%d names are told apart, want %d", n, maxSet)
	}
	if s.Of("0") != first || first.Load() != 1 {
		t.Errorf("the first has %d, want its own 1", first.Load())
	}
	if other := s.Other(); other == nil || other.Load() != 10 || s.Of("never") != other {
		t.Errorf("all others: %v, want 10", other)
	}
}

func TestSetForgets(t *testing.T) {
	var s Set[string, atomic.Int64]
	for _, name := range []string{"a", "b", "c"} {
		s.Of(name).Add(1)
	}
	held := s.Of("b")
	s.Keep(func(name string) bool { return name != "b" })
	var left []string
	s.Each(func(name string, _ *atomic.Int64) { left = append(left, name) })
	slices.Sort(left)
	if want := []string{"a", "c"}; !slices.Equal(left, want) {
		t.Errorf("left %q, want %q", left, want)
	}
	held.Add(1) // by a client that is still here
	if n := s.Of("b").Load(); n != 0 {
		t.Errorf("b comes back with %d", n)
	}
}

func TestSetIsForManyGoroutines(t *testing.T) {
	var s Set[int, atomic.Int64]
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 1000 {
				s.Of(i % 10).Add(1)
				s.Each(func(int, *atomic.Int64) {})
			}
		})
	}
	all.Wait()
	sum := int64(0)
	s.Each(func(_ int, n *atomic.Int64) { sum += n.Load() })
	if sum != 8000 {
		t.Errorf("counted %d, want 8000", sum)
	}
}

func TestHistogram(t *testing.T) {
	var h Histogram
	h.Observe(0, 1)
	h.Observe(Bounds[0], 2)   // is in it
	h.Observe(Bounds[0]+1, 4) // is not
	h.Observe(time.Minute, 8) // beyond the last
	h.Observe(Bounds[len(Bounds)-1], 16)
	upTo, count, sum := h.Load()
	if upTo[0] != 3 || upTo[1] != 7 || upTo[len(upTo)-1] != 23 || count != 31 {
		t.Errorf("up to each bound %v of %d, want 3, 7, …, 23 of 31", upTo, count)
	}
	if want := 2*Bounds[0] + 4*(Bounds[0]+1) + 8*time.Minute + 16*Bounds[len(Bounds)-1]; sum != want {
		t.Errorf("together %v, want %v", sum, want)
	}
	if !slices.IsSorted(Bounds[:]) {
		t.Errorf("bounds are not in order: %v", Bounds)
	}
}

// TestSources: an address counts for as long as it is here, and an hour longer.
func TestSources(t *testing.T) {
	var s Sources
	start := time.Unix(1e9, 0)
	at := func(listener, identity, addr string) Source {
		return Source{listener, identity, netip.MustParseAddr(addr)}
	}
	stays, goes, again := at("main", "shop", "192.0.2.1"), at("main", "shop", "192.0.2.2"), at("main", "blog", "192.0.2.1")
	for _, src := range []Source{stays, goes, goes, again} {
		s.Enter(src, start)
	}
	s.Leave(goes, start.Add(time.Minute))
	s.Leave(goes, start.Add(2*time.Minute))
	s.Leave(again, start)
	shop, blog := Source{Listener: "main", Identity: "shop"}, Source{Listener: "main", Identity: "blog"}
	for _, tt := range []struct {
		after      time.Duration
		shop, blog int
	}{{3 * time.Minute, 2, 1}, {61 * time.Minute, 2, 0}, {62*time.Minute + 1, 1, 0}, {240 * time.Hour, 1, 0}} {
		if n := s.Count(start.Add(tt.after)); n[shop] != tt.shop || n[blog] != tt.blog {
			t.Errorf("after %v: %v, want shop %d, blog %d", tt.after, n, tt.shop, tt.blog)
		}
	}
}

func TestSourcesAreBounded(t *testing.T) {
	var s Sources
	now := time.Unix(1e9, 0)
	addr := netip.MustParseAddr("10.0.0.0")
	for range maxSources + 10 {
		s.Enter(Source{Addr: addr}, now)
		addr = addr.Next()
	}
	s.Leave(Source{Addr: addr.Prev()}, now) // who was not told apart
	if n := s.Count(now)[Source{}]; n != maxSources {
		t.Errorf("%d addresses, want %d", n, maxSources)
	}
}

func TestStamped(t *testing.T) {
	var s Stamped
	if !s.Last().IsZero() {
		t.Errorf("grew at %v before it did", s.Last())
	}
	before := time.Now()
	s.Add(2)
	if s.Load() != 2 || s.Last().Before(before.Add(-time.Millisecond)) || s.Last().After(time.Now()) {
		t.Errorf("%d at %v, want 2 at about %v", s.Load(), s.Last(), before)
	}
}
