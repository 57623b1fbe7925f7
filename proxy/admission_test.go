package proxy

import (
	"net/netip"
	"testing"
)

// TestReloadOfPlacesForASource holds for a source whose clients are here, too. Those
// give back the place that they were given.
func TestReloadOfPlacesForASource(t *testing.T) {
	addr, limits := netip.MustParseAddr("10.0.0.9"), DefaultLimits()
	limits.MaxPerSource = 1
	var a admission
	first, ok := a.enter(addr, &limits)
	if !ok || cap(first) != 1 {
		t.Fatalf("room for %d, %v", cap(first), ok)
	}
	first <- struct{}{}
	limits.MaxPerSource = 3
	second, ok := a.enter(addr, &limits)
	if !ok || cap(second) != 3 || len(second) != 0 {
		t.Errorf("after a reload there is room for %d of which %d is taken, %v", cap(second), len(second), ok)
	}
	<-first
	a.leave(addr)
	if third, ok := a.enter(addr, &limits); !ok || third != second {
		t.Error("the next one stands in another line")
	}
	a.leave(addr)
	a.leave(addr)
	if len(a.sources) != 0 || a.all != 0 {
		t.Errorf("%d places and %d sources are left", a.all, len(a.sources))
	}
}
