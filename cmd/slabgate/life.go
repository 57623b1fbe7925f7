package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/systemd"
)

// life is how far a daemon has come. Others look at it while it runs.
type life struct {
	started  atomic.Bool // every listener is bound, and served
	draining atomic.Bool // clients had better go elsewhere
	stopping atomic.Bool // it is about to end
}

// beatTimeout is how long a loop may take to come round before it counts as stuck.
const beatTimeout = 5 * time.Second

// leaving is a word for what clients are asked to do: draining, stopping, or empty.
func (l *life) leaving() string {
	switch {
	case l.stopping.Load():
		return "stopping"
	case l.draining.Load():
		return "draining"
	}
	return ""
}

// health is how the daemon is: what readiness and liveness are judged by, wherever
// they are asked for.
func (d *daemon) health(ctx context.Context) admin.Health {
	h := admin.Health{
		Live: d.turning(ctx) == nil, Started: d.life.started.Load() && d.vitals.started() == nil, Draining: d.life.draining.Load(),
		Stopping: d.life.stopping.Load(), Clients: d.metrics.Sessions.Load(),
	}
	h.Ready = h.Live && h.Started && !h.Draining && !h.Stopping && d.vitals.upstream() == nil && d.vitals.certificates() == nil
	return h
}

// turning returns an error if a loop that serves clients does not come round.
func (d *daemon) turning(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	return d.server.Turning(ctx)
}

// attend tells systemd's watchdog, if there is one, that clients are served, until
// ctx is done. Of a slabgate that serves none for as long as systemd waits, systemd
// makes a new one.
func (d *daemon) attend(ctx context.Context) {
	interval, err := systemd.Watchdog()
	if err != nil {
		d.log.Warn("watchdog is not told", zap.Error(err))
	}
	if interval <= 0 {
		return
	}
	tick := time.NewTicker(interval / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := d.turning(ctx); err == nil {
			d.tell(systemd.Alive())
		} else if ctx.Err() == nil && !d.life.stopping.Load() {
			d.log.Error("watchdog is not told", zap.Error(err))
		}
	}
}

// tell is for what systemd was told. That it does not hear keeps nobody from work.
func (d *daemon) tell(err error) {
	if err != nil {
		d.log.Debug("systemd was not told", zap.Error(err))
	}
}

// oneLine is the daemon in one line, as systemctl shows it.
func (d *daemon) oneLine() string {
	what := "serving"
	if d.life.draining.Load() {
		what = "sending idle clients away, and serving"
	}
	return fmt.Sprintf("%s %s; configuration %.12s", what, plural(len(d.listeners), "listener"), d.snapshot.Digest)
}
