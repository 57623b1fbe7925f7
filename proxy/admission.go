package proxy

import (
	"math/rand/v2"
	"net/netip"
	"sync"
)

// admission bounds the connections of one listener that have not said who they
// are, in all and from one source. Beyond its bound a source's connections wait
// in line, so that the reconnects of a whole host are served one after the other;
// a line that is too long is cut.
//
// Every connection past the first half of all is dropped with a chance that
// rises to certainty: a flood then meets a wall, and whoever else comes meanwhile
// still gets in, sooner or later (OpenSSH's MaxStartups works alike).
type admission struct {
	mu      sync.Mutex
	all     int
	sources map[netip.Prefix]*source
}

// source is one address, or one IPv6 host's range of them.
type source struct {
	here  int           // its connections, in line or not
	turns chan struct{} // one for each that is not in line
}

const (
	lineFactor = 4   // connections of a source, in line or not, for each that is not
	earlyDrop  = 64  // smallest bound in all that is worth dropping early for
	leastDrop  = 0.3 // chance of being dropped right past the first half
)

// sourceOf is what counts as one source: an IPv4 address, or the /64 that one
// IPv6 host can take its addresses from.
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

// enter takes a place, if there is one, and returns the turns of the
// connection's source: it goes on once it has put something in. They are nil for
// a unix socket, whose clients all look alike.
func (a *admission) enter(addr netip.Addr, l *Limits) (turns chan struct{}, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all >= l.MaxUnauthenticated || dropEarly(a.all, l.MaxUnauthenticated) {
		return nil, false
	}
	if !addr.IsValid() {
		a.all++
		return nil, true
	}
	from := sourceOf(addr)
	s := a.sources[from]
	if s == nil {
		s = new(source)
	}
	if cap(s.turns) != l.MaxPerSource { // of a new source, or after a reload: who is here gives back what it has
		s.turns = make(chan struct{}, l.MaxPerSource)
	}
	if s.here >= lineFactor*l.MaxPerSource {
		return nil, false
	}
	if a.sources == nil {
		a.sources = make(map[netip.Prefix]*source)
	}
	a.sources[from] = s
	a.all++
	s.here++
	return s.turns, true
}

// dropEarly throws the dice for a connection that finds n of at most most here.
func dropEarly(n, most int) bool {
	if half := most / 2; most >= earlyDrop && n >= half {
		return rand.Float64() < leastDrop+(1-leastDrop)*float64(n-half)/float64(most-half)
	}
	return false
}

// leave gives the place back.
func (a *admission) leave(addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all--
	if !addr.IsValid() {
		return
	}
	from := sourceOf(addr)
	s := a.sources[from]
	if s.here--; s.here == 0 {
		delete(a.sources, from)
	}
}
