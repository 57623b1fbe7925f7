package probe

import (
	"context"
	"time"
)

// pacer spaces what is sent. It is not for concurrent use.
type pacer struct {
	step time.Duration // between two packets
	next time.Time     // when the next one may go
}

func newPacer(rate int) *pacer { return &pacer{step: time.Second / time.Duration(rate)} }

// wait returns when one more packet may go, or an error once ctx is done.
func (p *pacer) wait(ctx context.Context) error {
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	sleep := p.next.Sub(now)
	p.next = p.next.Add(p.step)
	if sleep <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(sleep)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
