package proxy

import (
	"context"
	"errors"
	"fmt"
)

var errLoopEnded = errors.New("proxy: a loop has ended")

// Turning waits until every loop has come round, as it does all the time while it
// serves clients. The error says that one did not before ctx was done, or has ended.
// Before Serve there is none to wait for.
func (s *Server) Turning(ctx context.Context) error {
	s.mu.Lock()
	loops := s.loops
	s.mu.Unlock()
	round := make(chan struct{}, len(loops))
	for _, l := range loops {
		if !l.Post(func() { round <- struct{}{} }) {
			return errLoopEnded
		}
	}
	for range loops {
		select {
		case <-round:
		case <-ctx.Done():
			return fmt.Errorf("proxy: a loop does not come round: %w", ctx.Err())
		}
	}
	return nil
}
