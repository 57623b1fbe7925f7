package proxy

import (
	"context"
	"slices"
	"time"
)

// Pace of a drain.
const (
	freshTime = time.Second           // for a client that has just come to ask what it came for
	lullTime  = time.Second           // without a request that makes a client an idle one
	leastGap  = 10 * time.Millisecond // between two clients that are sent away, if they are few
)

// Shutdown takes no more clients, lets each of those that are here finish what
// it asked, and returns when all are gone. Those that ask nothing are sent away one
// after the other, spread over s.Spread. When ctx is done, the rest are cut off and
// its error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopAccepting()
	stop := context.AfterFunc(ctx, s.cutOff)
	defer stop()
	clients := s.all()
	for _, n := range clients {
		n.draining.Store(true)
	}
	s.sendAway(ctx, clients, (*session).drain)
	s.wg.Wait()
	return ctx.Err()
}

// DrainIdle sends away the clients that ask nothing, spread over s.Spread, and goes
// on serving the others and taking new ones. It returns when it has told each once,
// or ctx is done.
func (s *Server) DrainIdle(ctx context.Context) {
	clients := s.all()
	for _, n := range clients {
		n.loop.Post(func() { n.lull = n.idle })
	}
	if !sleep(ctx, lullTime) { // between two requests a client is no idle one
		return
	}
	s.sendAway(ctx, clients, (*session).drainIdle)
}

// sendAway tells each client its turn to go, the oldest first, evenly spread. Those
// that came a moment ago get that moment.
func (s *Server) sendAway(ctx context.Context, clients []*session, tell func(*session)) {
	slices.SortFunc(clients, func(a, b *session) int { return a.started.Compare(b.started) })
	gap := min(leastGap, s.Spread/time.Duration(max(1, len(clients))))
	begin := time.Now()
	for i, n := range clients {
		at := begin.Add(time.Duration(i) * gap)
		if fresh := n.started.Add(freshTime); s.Spread > 0 && fresh.After(at) {
			at = fresh
		}
		if !sleep(ctx, time.Until(at)) {
			return
		}
		tell(n)
	}
}

// sleep waits so long, and reports whether ctx is still on then.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// drain has the session end at its next reply boundary. One that waits for a
// request, or for a login, is woken.
func (s *session) drain() {
	s.mu.Lock()
	s.draining.Store(true)
	s.leaving.Store(true)
	s.conn.SetReadDeadline(time.Unix(1, 0))
	s.mu.Unlock()
	s.loop.post(s)
}

// drainIdle ends the session if its client has asked nothing for a while.
func (s *session) drainIdle() {
	s.loop.Post(func() {
		if s.phase == phaseRead && s.idle && s.lull {
			s.draining.Store(true)
			s.leaving.Store(true)
			s.look()
		}
	})
}
