package auth

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	maxQueue = 64          // logins that wait for their turn to hash
	maxWait  = time.Second // how long one waits
)

// gate bounds how much hashing goes on at once, so that logins never take all
// processors from the traffic of clients that are in.
type gate struct {
	slots  *semaphore.Weighted
	queued atomic.Int64
}

// newGate leaves half of the processors to others.
func newGate() *gate {
	return &gate{slots: semaphore.NewWeighted(int64(max(1, runtime.GOMAXPROCS(0)/2)))}
}

// enter takes a slot, in the order of arrival. It returns ErrBusy at once if the
// queue is full, and after maxWait if no slot came free. Every nil is owed a leave.
func (g *gate) enter(ctx context.Context) error {
	if g.slots.TryAcquire(1) {
		return nil
	}
	defer g.queued.Add(-1)
	if g.queued.Add(1) > maxQueue {
		return ErrBusy
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	if g.slots.Acquire(ctx, 1) != nil {
		return ErrBusy
	}
	return nil
}

// leave gives the slot back.
func (g *gate) leave() { g.slots.Release(1) }
