package status

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/slabgate/slabgate/proxy"
)

// Bounds of what is remembered of clients without TLS.
const (
	mostSeen   = 1024
	remembered = 24 * time.Hour
)

// Lately is how long ago a client or a denial may be to count for what would break.
const Lately = time.Hour

// Sightings remembers who came over TCP without TLS in the last 24 hours, 1,024
// clients at most: of more, the one that has not been here for longest is forgotten.
// The zero value is ready. Any number of goroutines may use it.
type Sightings struct {
	mu        sync.Mutex
	seen      map[who]Plain
	forgotten int64
}

// who tells clients without TLS apart.
type who struct{ address, identity string }

// Note remembers a client that has just gone, or is here and known.
func (s *Sightings) Note(c *proxy.ClientInfo, now time.Time) {
	if c.Transport != "plaintext" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = make(map[who]Plain)
	}
	k := who{addressOf(c.Peer), c.Identity}
	p, known := s.seen[k]
	if !known && len(s.seen) >= mostSeen {
		s.forget()
	}
	p.Address, p.Identity, p.LastSeen = k.address, k.identity, now
	p.Dialect = cmp.Or(c.Dialect, p.Dialect)
	s.seen[k] = p
}

// forget drops whoever has not been here for longest; of those that are nobody, if
// there are any: strangers must not push clients out.
func (s *Sightings) forget() {
	oldest := slices.MinFunc(slices.Collect(maps.Keys(s.seen)), func(a, b who) int {
		return cmp.Or(min(1, len(a.identity))-min(1, len(b.identity)), s.seen[a].LastSeen.Compare(s.seen[b].LastSeen))
	})
	delete(s.seen, oldest)
	s.forgotten++
}

// Plaintext returns who came, and how many connections each has by the list of who
// is here. Its own lists are the caller's; what would break is left to the caller.
func (s *Sightings) Plaintext(here []proxy.ClientInfo, now time.Time) (p Plaintext, all []Plain) {
	for i := range here {
		if here[i].Identity != "" { // others may only just have come
			s.Note(&here[i], now)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	connections := map[who]int{}
	for i := range here {
		if c := &here[i]; c.Transport == "plaintext" {
			connections[who{addressOf(c.Peer), c.Identity}]++
			p.Connections++
		}
	}
	for k, seen := range s.seen {
		if now.Sub(seen.LastSeen) > remembered {
			delete(s.seen, k)
			continue
		}
		seen.Connections = connections[k]
		all = append(all, seen)
	}
	slices.SortFunc(all, func(a, b Plain) int {
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), b.Connections-a.Connections, cmp.Compare(a.Address, b.Address), cmp.Compare(a.Identity, b.Identity))
	})
	p.Total, p.Forgotten = len(all), s.forgotten
	p.Clients = append([]Plain{}, all[:min(len(all), MostPlaintext)]...)
	return p, all
}

// addressOf is the address of a peer without its port.
func addressOf(peer string) string {
	if a, err := netip.ParseAddrPort(peer); err == nil {
		return a.Addr().Unmap().String()
	}
	return peer
}
