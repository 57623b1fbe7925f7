package main

import (
	"context"
	"strings"
	"time"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/exporter"
	"github.com/slabgate/slabgate/internal/page"
	"github.com/slabgate/slabgate/protocol"
)

// serveWeb answers health checks and scrapes, if it is to, until ctx is done.
func (d *daemon) serveWeb(ctx context.Context) {
	if c := d.started.Admin; c.HTTP != "" {
		w := &admin.Web{
			Address: c.HTTP, Hosts: c.Hosts, Checks: d.vitals.checks(), Gather: exporter.New(d.shown()),
			Status: func() any { return d.published() }, Page: page.Handler(d.published),
			Log: d.log.Logger, Metrics: d.metrics,
		}
		w.Serve(ctx)
	}
}

// shown is what is shown of the daemon as metrics.
func (d *daemon) shown() exporter.Source {
	b := thisBuild()
	return exporter.Source{
		Metrics: d.metrics, Version: b.Version, Revision: b.Commit, GoVer: b.Go,
		Now: time.Now, Config: d.shownConfig, Upstream: d.shownUpstream, Stats: d.stats,
		DenialsLost: d.denials.Overwritten, LogDropped: d.log.ring.dropped.Load,
	}
}

func (d *daemon) shownConfig() exporter.Config {
	since := d.metrics.Reloads.Last()
	if since.IsZero() {
		since = d.vitals.begun
	}
	return exporter.Config{Digest: d.server.InForce().Digest, Since: since, Certificates: d.certificates()}
}

func (d *daemon) shownUpstream() exporter.Upstream {
	s := d.pool.Stats()
	return exporter.Upstream{Name: d.started.Upstreams[0].Name, Up: d.vitals.up(), Open: s.Open, Idle: s.Idle, Most: s.Most}
}

// stats asks memcached for its statistics.
func (d *daemon) stats(ctx context.Context, argument string) ([]byte, bool) {
	req, err := protocol.ParseLine([]byte(strings.TrimSpace("stats " + argument)))
	if err != nil {
		return nil, false
	}
	reply, status := d.pool.Keyless(ctx, req)
	return reply, !status.Failed()
}
