package proxy

import (
	"net/netip"
	"sync"
)

// admission bounds the connections that have not said who they are, in all and
// from one address.
type admission struct {
	mu        sync.Mutex
	all       int
	perSource map[netip.Prefix]int
}

// sourceOf is what counts as one source: an IPv4 address, or the /64 that one
// IPv6 host can take its addresses from. A unix socket is one source as well.
func sourceOf(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// enter takes a place, if there is one.
func (a *admission) enter(addr netip.Addr, l *Limits) bool {
	source := sourceOf(addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all >= l.MaxUnauthenticated || a.perSource[source] >= l.MaxPerSource && addr.IsValid() {
		return false
	}
	if a.perSource == nil {
		a.perSource = make(map[netip.Prefix]int)
	}
	a.all++
	a.perSource[source]++
	return true
}

// leave gives the place back.
func (a *admission) leave(addr netip.Addr) {
	source := sourceOf(addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all--
	if a.perSource[source]--; a.perSource[source] <= 0 {
		delete(a.perSource, source)
	}
}
