package generations

import "time"

// maxGeneration is the highest there can be: 15 digits. It lies far in the future;
// a record that says more is none of ours.
const maxGeneration = 1e15 - 1

// maxPace bounds how long a flush waits for the clock, which is in general a
// millisecond at most: it had to be ahead of it for another flush's sake.
const maxPace = 50 * time.Millisecond

// clock is the time as a generation.
func (s *Store) clock() uint64 {
	return uint64(min(max(s.cfg.Now().UnixMilli(), 1), maxGeneration))
}

// next is the generation after a known one. After the highest there is none.
func next(known, clock uint64) uint64 {
	return min(max(known+1, clock), maxGeneration)
}

// pace waits until the clock is past a known generation, so that the next is not
// ahead of it. Nothing else ends that wait, which is short.
func (s *Store) pace(known uint64) {
	clock := s.clock()
	if clock > known || known-clock >= uint64(maxPace/time.Millisecond) {
		return
	}
	s.sleep(time.Duration(known+1-clock) * time.Millisecond)
}
