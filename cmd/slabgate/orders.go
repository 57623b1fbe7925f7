package main

import (
	"context"
	"net/http"

	"github.com/slabgate/slabgate/internal/admin"
)

// do has f called by the goroutine that hears signals, which alone may change what
// the daemon does, and waits for its end, but not beyond that of ctx.
func (d *daemon) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case d.orders <- func() { defer close(done); f() }:
	case <-ctx.Done():
		return errBusy
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errBusy
	}
}

// Why an order is not carried out.
var (
	errBusy = &admin.Error{
		Status: http.StatusServiceUnavailable, Problem: "slabgate had something else to do for too long, or has stopped",
		Fix: "look at slabgate's log, and ask again",
	}
	errStopping = &admin.Error{
		Status: http.StatusConflict, Problem: "slabgate is stopping", Fix: "nothing: the next start reads every file",
	}
)

// Reload reads every file again.
func (b backend) Reload(ctx context.Context) (r admin.Reloaded, err error) {
	type answer struct {
		r   admin.Reloaded
		err error
	}
	answered := make(chan answer, 1) // so that nobody waits for one who has gone
	err = b.do(ctx, func() {
		b.order(reloadOrder{answer: func(r admin.Reloaded, err error) { answered <- answer{r, err} }})
	})
	if err != nil {
		return r, err
	}
	select {
	case a := <-answered:
		return a.r, a.err
	case <-ctx.Done():
		return r, errBusy
	}
}

// Drain begins to send idle clients away.
func (b backend) Drain(ctx context.Context) (admin.Health, error) {
	err := b.do(ctx, b.lameDuck)
	return b.health(ctx), err
}

// Stop begins to drain all clients, after which the daemon ends.
func (b backend) Stop(ctx context.Context) (admin.Health, error) {
	err := b.do(ctx, func() { b.stopAsked = true })
	h := b.health(ctx)
	h.Stopping, h.Ready = true, false
	return h, err
}

// Health is how the daemon is.
func (b backend) Health(ctx context.Context) admin.Health { return b.health(ctx) }
