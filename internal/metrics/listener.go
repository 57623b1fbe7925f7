package metrics

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// ListenerName names a listener and says what its clients come by.
type ListenerName struct {
	Name      string
	Transport string // tls, plaintext or unix
}

// Listener is the counters of one listener.
type Listener struct {
	Open    atomic.Int64              // gauge
	Most    atomic.Int64              // gauge: how many may be open
	Refused atomic.Int64              // closed before they were served, for a limit
	Opened  Set[string, atomic.Int64] // by dialect, counted once that is known, or never will be
	Closed  Set[string, atomic.Int64] // by reason
	Shaken  Set[string, atomic.Int64] // handshakes, by how they ended
}

// Bounds of [Sources].
const (
	maxSources    = 10000
	sourcesWindow = time.Hour
)

// Source is an address from which an identity has used a listener without TLS.
type Source struct {
	Listener, Identity string
	Addr               netip.Addr
}

// Sources remembers from where clients came without TLS in the last hour, and who
// of them is still here. It is bounded: addresses beyond ten thousand are not told
// apart. The zero value is ready to use, by many goroutines.
type Sources struct {
	mu   sync.Mutex
	seen map[Source]*presence
}

type presence struct {
	here int       // connections
	last time.Time // that one left
}

// Enter says that a client is here. Each must leave.
func (s *Sources) Enter(src Source, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.seen[src]
	if p == nil {
		if len(s.seen) >= maxSources {
			s.sweep(now)
		}
		if len(s.seen) >= maxSources {
			return
		}
		if s.seen == nil {
			s.seen = make(map[Source]*presence)
		}
		p = new(presence)
		s.seen[src] = p
	}
	p.here++
}

// Leave says that a client has gone.
func (s *Sources) Leave(src Source, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.seen[src]; p != nil && p.here > 0 {
		p.here--
		p.last = now
	}
}

// sweep forgets who has been gone for too long. It wants the lock held.
func (s *Sources) sweep(now time.Time) {
	for src, p := range s.seen {
		if p.here == 0 && now.Sub(p.last) > sourcesWindow {
			delete(s.seen, src)
		}
	}
}

// Count is how many addresses there are, by listener and identity. The address of
// its keys is not valid.
func (s *Sources) Count(now time.Time) map[Source]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	n := make(map[Source]int)
	for src := range s.seen {
		src.Addr = netip.Addr{}
		n[src]++
	}
	return n
}
