package proxy

import (
	"sync"
	"time"
)

// shareOf is the part of the leased connections that the clients of one identity
// may hold at once while they read large values: a quarter. Whoever reads slowly
// keeps only its own kind waiting.
const shareOf = 4

// shareWait is how long a client waits for one of its identity's.
const shareWait = 2 * time.Second

// shares counts the streams of each identity.
type shares struct {
	each int           // streams an identity may have
	wait time.Duration // for one of them to end

	mu     sync.Mutex
	places map[string]chan struct{} // by identity; a policy bounds them
}

func newShares(leases int, wait time.Duration) *shares {
	return &shares{each: max(1, leases/shareOf), wait: wait, places: make(map[string]chan struct{})}
}

// enter takes a place for a stream of the identity, if one is free, or becomes so
// while patient, and returns what gives it back.
func (s *shares) enter(identity string, patient bool) (leave func(), ok bool) {
	s.mu.Lock()
	place := s.places[identity]
	if place == nil {
		place = make(chan struct{}, s.each)
		s.places[identity] = place
	}
	s.mu.Unlock()
	leave = func() { <-place }
	select {
	case place <- struct{}{}:
		return leave, true
	default:
	}
	if !patient {
		return nil, false
	}
	late := time.NewTimer(s.wait)
	defer late.Stop()
	select {
	case place <- struct{}{}:
		return leave, true
	case <-late.C:
		return nil, false
	}
}
