package denials

import (
	"bytes"
	"time"
)

// MostStandings is how many identities are kept apart, whatever a [Ring] overwrites:
// more than a policy has by far.
const MostStandings = 4096

// WouldDeny is the kind of denials that were none, for a mode audit.
const WouldDeny = "would_deny"

// Standing is what the requests of one identity that would have been denied have come
// to. No denial of another identity makes a ring forget it.
type Standing struct {
	Count int64 // requests
	Last  Entry // the latest of them; its count is of its kind, since it was last entered
}

// stand remembers a denial that was none for its identity.
func (r *Ring) stand(e *entry) {
	if e.Kind != WouldDeny {
		return
	}
	s := r.standings[e.Identity]
	if s == nil && len(r.standings) >= MostStandings {
		s = &r.others
	}
	if s == nil {
		s = new(Standing)
		r.standings[e.Identity] = s
	}
	key := append(s.Last.Sample.Key[:0], e.Sample.Key...)
	s.Last = e.Entry
	s.Last.Sample.Key = key
	s.Count++
}

// Standings returns what would have been denied, by identity, and what that of all
// identities came to that found no room. What it returns is the caller's.
func (r *Ring) Standings() (of map[string]Standing, others Standing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of = make(map[string]Standing, len(r.standings))
	for name, s := range r.standings {
		of[name] = s.copy()
	}
	return of, r.others.copy()
}

func (s *Standing) copy() Standing {
	c := *s
	c.Last.Sample.Key = bytes.Clone(c.Last.Sample.Key)
	return c
}

// Keep forgets the standing of every identity for which keep says no.
func (r *Ring) Keep(keep func(identity string) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.standings {
		if !keep(name) {
			delete(r.standings, name)
		}
	}
}

// stood finds the latest denial of an identity by an id that the ring has none by any
// more. It wants the lock held.
func (r *Ring) stood(id string) (Entry, bool) {
	for _, s := range r.standings {
		if s.Last.ID == id {
			return s.copy().Last, true
		}
	}
	return Entry{}, false
}

// Lately reports whether the latest of a standing is no longer ago than a time.
func (s *Standing) Lately(now time.Time, ago time.Duration) bool {
	return s.Count > 0 && now.Sub(s.Last.Last) <= ago
}
