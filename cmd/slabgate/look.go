package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/proxy"
	"github.com/slabgate/slabgate/upstream"
)

// checkEvery is how often memcached is asked for its version.
const checkEvery = 5 * time.Second

// lookout remembers for the status what no part does.
type lookout struct {
	started   time.Time
	meter     status.Meter
	delays    metrics.Window
	sightings status.Sightings

	mu           sync.Mutex
	upstream     status.Upstream
	loaded       time.Time        // when the configuration in force came into it
	warnings     []status.Warning // of the configuration in force
	surroundings []status.Warning // that slabgate doctor would find, of what every start looks at
	reload       *status.Reload
}

func newLookout(found finding.List, now time.Time) *lookout {
	return &lookout{started: now, loaded: now, warnings: warningsOf(found)}
}

// run looks at the traffic and asks memcached how it is, until ctx is done.
func (l *lookout) run(ctx context.Context, server *proxy.Server, pool *upstream.Pool) {
	sample, check := time.NewTicker(status.Step), time.NewTicker(checkEvery)
	defer sample.Stop()
	defer check.Stop()
	asked := make(chan struct{}, 1) // holds one while memcached is asked
	var asking sync.WaitGroup
	defer asking.Wait()
	ask := func() {
		select {
		case asked <- struct{}{}:
			asking.Go(func() { l.check(ctx, pool); <-asked })
		default:
		}
	}
	for ask(); ; {
		select {
		case now := <-sample.C:
			l.meter.Add(now, server.Traffic(), l.roundTrip())
			l.delays.Turn(now, server.Metrics)
		case <-check.C:
			ask()
		case <-ctx.Done():
			return
		}
	}
}

// check asks memcached how it is.
func (l *lookout) check(ctx context.Context, pool *upstream.Pool) {
	ctx, cancel := context.WithTimeout(ctx, checkEvery)
	defer cancel()
	began := time.Now()
	err := pool.Check(ctx)
	if errors.Is(err, upstream.ErrBusy) { // which says nothing of memcached
		return
	}
	took := time.Since(began)
	info, _ := pool.Info()
	l.mu.Lock()
	defer l.mu.Unlock()
	u := &l.upstream
	u.Checked, u.Up, u.Version, u.RoundTrip = time.Now().UTC(), err == nil, info.Version, 0
	if err == nil {
		u.RoundTrip = took.Seconds()
		return
	}
	u.Error, u.ErrorAt = err.Error(), u.Checked
}

func (l *lookout) roundTrip() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(l.upstream.RoundTrip * float64(time.Second))
}

// left remembers a client that is gone.
func (l *lookout) left(c *proxy.ClientInfo) { l.sightings.Left(c, time.Now()) }

// reloaded remembers how a reload went.
func (l *lookout) reloaded(taken bool, found finding.List) {
	now := time.Now().UTC()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reload = &status.Reload{Time: now, Taken: taken}
	if taken {
		l.loaded, l.warnings = now, warningsOf(found)
		return
	}
	for i := range found {
		if f := &found[i]; f.Severity == finding.Error && len(l.reload.Problems) < maxLogged {
			l.reload.Problems = append(l.reload.Problems, f.Code+" "+f.Problem)
		}
	}
}

// refused tells whether the last reload was refused. Files that say again what is in
// force are a reload then: it is good news.
func (l *lookout) refused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reload != nil && !l.reload.Taken
}

// warningsOf are the warnings of a configuration.
func warningsOf(found finding.List) []status.Warning {
	list := []status.Warning{}
	for i := range found {
		if f := &found[i]; f.Severity == finding.Warning {
			list = append(list, status.Warning{Code: f.Code, Where: where(f), Problem: f.Problem, Fix: f.Fix})
		}
	}
	return list
}
