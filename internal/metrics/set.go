package metrics

import "sync"

// maxSet bounds how many things a [Set] tells apart: more than a policy has
// identities or rules, and little enough for whoever collects the figures.
const maxSet = 2000

// Set is the counters of things that have names. It is bounded: what finds no room
// is counted together. The zero value is ready to use, by many goroutines.
type Set[K comparable, T any] struct {
	mu    sync.RWMutex
	of    map[K]*T
	other *T // of all that found no room; nil if everything did
}

// Of returns the counters of key, which it makes if there are none yet. Whoever
// counts often keeps what it returns.
func (s *Set[K, T]) Of(key K) *T {
	s.mu.RLock()
	t := s.of[key]
	s.mu.RUnlock()
	if t != nil {
		return t
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.make(key)
}

// make is Of for a key that was not there. It wants the lock held.
func (s *Set[K, T]) make(key K) *T {
	if t := s.of[key]; t != nil {
		return t
	}
	if len(s.of) >= maxSet {
		if s.other == nil {
			s.other = new(T)
		}
		return s.other
	}
	if s.of == nil {
		s.of = make(map[K]*T)
	}
	t := new(T)
	s.of[key] = t
	return t
}

// Keep forgets the counters of every key for which keep says no. Who still has
// them counts on, unseen.
func (s *Set[K, T]) Keep(keep func(K) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.of {
		if !keep(key) {
			delete(s.of, key)
		}
	}
}

// Each calls f with the counters of each key, in no order. It must not call s.
func (s *Set[K, T]) Each(f func(K, *T)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for key, t := range s.of {
		f(key, t)
	}
}

// Other is the counters of what found no room, nil if everything did.
func (s *Set[K, T]) Other() *T {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.other
}
