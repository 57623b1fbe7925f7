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

// Bounds of what is remembered of clients without TLS, and shown at a glance.
const (
	mostSeen = 1024
	recently = 24 * time.Hour
)

// Lately is how long ago a client or a denial may be to count for what would break.
const Lately = time.Hour

// Sightings remembers who came over TCP without TLS since it was made, 1,024 clients
// at most: of more, the one that has not been here for longest is forgotten. The zero
// value is ready. Any number of goroutines may use it.
type Sightings struct {
	mu        sync.Mutex
	seen      map[who]Plain // with what connections that are gone have asked
	forgotten int64
}

// who tells clients without TLS apart.
type who struct{ address, identity string }

// Left remembers a client that has just gone.
func (s *Sightings) Left(c *proxy.ClientInfo, now time.Time) {
	if c.Transport != "plaintext" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.meetLocked(c, now)
	p := s.seen[k]
	p.asked(c)
	s.seen[k] = p
}

// meetLocked remembers that a client is here, or was.
func (s *Sightings) meetLocked(c *proxy.ClientInfo, now time.Time) who {
	if s.seen == nil {
		s.seen = make(map[who]Plain)
	}
	k := who{addressOf(c.Peer), c.Identity}
	p, known := s.seen[k]
	if !known && len(s.seen) >= mostSeen {
		s.forgetLocked()
	}
	p.met(k, c)
	p.LastSeen = now
	s.seen[k] = p
	return k
}

// met notes what is known of a client by one of its connections.
func (p *Plain) met(k who, c *proxy.ClientInfo) {
	p.Address, p.Identity, p.Dialect = k.address, k.identity, cmp.Or(c.Dialect, p.Dialect)
	if p.FirstSeen.IsZero() || c.Since.Before(p.FirstSeen) {
		p.FirstSeen = c.Since.UTC()
	}
}

// asked counts what one of its connections has asked.
func (p *Plain) asked(c *proxy.ClientInfo) {
	p.Requests += c.Requests
	p.Denied += c.Denied + c.WouldDeny
}

// forgetLocked drops whoever has not been here for longest; of those that are nobody,
// if there are any: strangers must not push clients out.
func (s *Sightings) forgetLocked() {
	oldest := slices.MinFunc(slices.Collect(maps.Keys(s.seen)), func(a, b who) int {
		return cmp.Or(min(1, len(a.identity))-min(1, len(b.identity)), s.seen[a].LastSeen.Compare(s.seen[b].LastSeen))
	})
	delete(s.seen, oldest)
	s.forgotten++
}

// all returns who has been seen, and who is here and nobody yet and has not: it may
// only just have come. It wants the list of who is here.
func (s *Sightings) all(here []proxy.ClientInfo, now time.Time) (seen, strangers []Plain, forgotten int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now = now.UTC()
	open := map[who]Plain{} // by those who are here alone
	for i := range here {
		c := &here[i]
		if c.Transport != "plaintext" {
			continue
		}
		k := who{addressOf(c.Peer), c.Identity}
		if c.Identity != "" {
			s.meetLocked(c, now)
		}
		p := open[k]
		p.met(k, c)
		p.asked(c)
		p.Connections, p.LastSeen = p.Connections+1, now
		open[k] = p
	}
	for k, p := range s.seen {
		o := open[k]
		delete(open, k)
		if o.Connections > 0 {
			p.LastSeen = now
		}
		p.Connections, p.Requests, p.Denied = o.Connections, p.Requests+o.Requests, p.Denied+o.Denied
		seen = append(seen, p)
	}
	return seen, slices.Collect(maps.Values(open)), s.forgotten
}

// latestFirst has those that were here last come first.
func latestFirst(a, b Plain) int {
	return cmp.Or(b.LastSeen.Compare(a.LastSeen), b.Connections-a.Connections, cmp.Compare(a.Address, b.Address), cmp.Compare(a.Identity, b.Identity))
}

// Plaintext returns who came in the last 24 hours, and how many connections each has by
// the list of who is here. Its own lists are the caller's; what would break is left to
// the caller.
func (s *Sightings) Plaintext(here []proxy.ClientInfo, now time.Time) (p Plaintext, all []Plain) {
	seen, strangers, forgotten := s.all(here, now)
	for i := range seen {
		if now.Sub(seen[i].LastSeen) <= recently {
			all = append(all, seen[i])
		}
		p.Connections += seen[i].Connections
	}
	for i := range strangers {
		p.Connections += strangers[i].Connections
	}
	slices.SortFunc(all, latestFirst)
	p.Total, p.Forgotten = len(all), forgotten
	p.Clients = append([]Plain{}, all[:min(len(all), MostPlaintext)]...)
	return p, all
}

// SincePlaintext is everybody who came over TCP without TLS.
type SincePlaintext struct {
	Since     time.Time `json:"since"`     // the start of slabgate
	Forgotten int64     `json:"forgotten"` // clients that were dropped from the list for want of room
	Clients   []Plain   `json:"clients"`   // those that were here last first
}

// Since returns who came since the start, those who are here and nobody yet included.
func (s *Sightings) Since(start time.Time, here []proxy.ClientInfo, now time.Time) SincePlaintext {
	seen, strangers, forgotten := s.all(here, now)
	all := append(append([]Plain{}, seen...), strangers...)
	slices.SortFunc(all, latestFirst)
	return SincePlaintext{start.UTC(), forgotten, all}
}

// addressOf is the address of a peer without its port.
func addressOf(peer string) string {
	if a, err := netip.ParseAddrPort(peer); err == nil {
		return a.Addr().Unmap().String()
	}
	return peer
}
