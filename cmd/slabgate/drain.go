package main

import (
	"context"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/systemd"
)

// Pace of a drain.
const (
	maxSpread = 10 * time.Second       // over which idle clients are sent away, at most
	handover  = 200 * time.Millisecond // for connections that are being made when another process takes over
)

// spread is how long it takes to send idle clients away: some of the grace period is
// to be left for those that then ask something.
func spread(s config.Shutdown) time.Duration { return min(s.Grace/2, maxSpread) }

// lameDuck begins to send idle clients away, and goes on serving the others and new
// ones. Whoever looks is told that clients had better go elsewhere. Asked again, it
// does so once more: those that were busy may be idle now, and others have come.
func (d *daemon) lameDuck() {
	select {
	case <-d.ducked:
	default:
		return // it does so already
	}
	if d.life.stopping.Load() {
		return
	}
	d.life.draining.Store(true)
	d.metrics.Draining.Store(true)
	d.log.Info("draining idle clients", zap.Int64("clients", d.metrics.Sessions.Load()), zap.Duration("spread", d.server.Spread))
	d.tell(systemd.Status(d.oneLine()))
	ctx, end := context.WithCancel(context.Background())
	ducked := make(chan struct{})
	d.ducked, d.endDucks = ducked, end
	d.ducks.Go(func() {
		defer close(ducked)
		defer end()
		d.server.DrainIdle(ctx)
		d.log.Info("idle clients have drained", zap.Int64("clients", d.metrics.Sessions.Load()))
	})
}

// lastMoment is how long the process has to end once it has cut everybody off. What
// takes longer, such as a record on a disk that does not answer, is not waited for.
const lastMoment = 2 * time.Second

// drain goes on taking clients for a while if the configuration says so, then
// lets those that are here finish, and calls end. A second signal, or the end of
// the grace period, cuts clients and memcached off; a third is not waited with.
func (d *daemon) drain(signals <-chan os.Signal, end func()) {
	d.life.draining.Store(true)
	d.metrics.Draining.Store(true)
	d.life.stopping.Store(true)
	if d.endDucks != nil {
		d.endDucks()
	}
	d.dropOrders()
	d.log.Info("draining", zap.Duration("accept_for", d.shutdown.AcceptFor), zap.Duration("grace", d.shutdown.Grace))
	d.tell(systemd.Stopping("waiting for clients to finish"))
	accept := d.yield()
	ctx, cutOff := context.WithTimeout(context.Background(), accept+d.shutdown.Grace)
	defer cutOff()
	defer context.AfterFunc(ctx, d.audit.Release)() // who waits for a disk is cut off too
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.letFinish(ctx, accept)
		end()
	}()
	if !d.hear(ctx, signals, ended, cutOff) {
		d.log.Warn("stopped", zap.String("outcome", "what has not ended in time is left"), zap.Int("audit_lost", d.audit.Waiting()))
		d.log.ring.flush()
	}
}

// letFinish serves clients until all have gone, or ctx is done.
func (d *daemon) letFinish(ctx context.Context, accept time.Duration) {
	select {
	case <-time.After(accept):
	case <-ctx.Done():
	}
	if err := d.server.Shutdown(ctx); err != nil {
		d.log.Warn("draining", zap.String("outcome", "clients were cut off"), zap.Error(err))
	}
}

// hear hears signals until all has ended, and reports whether it has: a while after
// ctx is done it gives up. A second signal that ends the process calls cutOff.
func (d *daemon) hear(ctx context.Context, signals <-chan os.Signal, ended <-chan struct{}, cutOff func()) bool {
	var over <-chan time.Time
	cut := ctx.Done()
	for {
		select {
		case <-ended:
			return true
		case <-cut:
			cut, over = nil, time.After(lastMoment)
		case <-over:
			return false
		case s := <-signals:
			switch s {
			case syscall.SIGHUP, syscall.SIGUSR2: // too late
			case syscall.SIGUSR1:
				d.reopenAudit()
			default:
				if over != nil {
					return false
				}
				cutOff()
			}
		case f := <-d.orders:
			f()
		}
	}
}

// yield leaves new connections to a process that shares the addresses, if there is
// one, and returns how long some may still be coming here.
func (d *daemon) yield() time.Duration {
	wait := d.shutdown.AcceptFor
	for _, l := range d.listeners {
		if !l.ReusePort {
			continue
		}
		wait = max(wait, handover)
		if err := l.Yield(); err != nil {
			d.log.Warn("draining", zap.Error(err))
		}
	}
	return wait
}
