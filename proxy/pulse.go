package proxy

import "time"

// Pulse has every loop show that it turns. [Server.LastPulse] tells whether it did.
func (s *Server) Pulse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.loops {
		l.Post(func() { l.beat.Store(time.Now().UnixNano()) })
	}
}

// LastPulse is when the loop that is furthest behind has last shown that it turns;
// the zero time if one has not yet, or there is none.
func (s *Server) LastPulse() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var last int64
	for i, l := range s.loops {
		if beat := l.beat.Load(); i == 0 || beat < last {
			last = beat
		}
	}
	if last == 0 {
		return time.Time{}
	}
	return time.Unix(0, last)
}
