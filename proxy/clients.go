package proxy

import (
	"cmp"
	"slices"
)

// Clients returns who is connected, the oldest first. The list is the caller's.
func (s *Server) Clients() []ClientInfo {
	all := s.all()
	slices.SortFunc(all, func(a, b *session) int { return cmp.Compare(a.seat.number, b.seat.number) })
	list := make([]ClientInfo, len(all))
	for i, n := range all {
		list[i] = n.info()
	}
	return list
}

// Kill closes the connection of the client with an id at once, and reports
// whether there was one.
func (s *Server) Kill(id string) bool {
	all := s.all()
	i := slices.IndexFunc(all, func(n *session) bool { return n.seat.id() == id })
	if i < 0 {
		return false
	}
	s.kill(all[i])
	return true
}

// kill ends a session from outside, whatever it is doing.
func (s *Server) kill(n *session) {
	if n.killed.CompareAndSwap(false, true) {
		s.Metrics.Killed.Add(1)
		n.sock.Abort()
	}
}

// Traffic is what all clients have asked and been answered since the start. Bytes
// are those of requests and replies, without TLS and logins.
type Traffic struct {
	Requests int64 `json:"requests"`
	BytesIn  int64 `json:"bytes_in"`
	BytesOut int64 `json:"bytes_out"`
}

func (t *Traffic) add(n *session) {
	t.Requests += n.seat.requests.Load()
	t.BytesIn += n.seat.in.Load()
	t.BytesOut += n.seat.out.Load()
}

// Traffic returns what there has been until the last turn of each client.
func (s *Server) Traffic() Traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.gone
	for n := range s.sessions {
		t.add(n)
	}
	return t
}
