package main

import (
	"strings"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/proxy"
)

// reload reads everything again and puts certificates, users and policy into
// force, if all of it is right. Otherwise nothing changes.
func (d *daemon) reload() {
	l := d.load(d.generation + 1)
	if l.snapshot == nil {
		d.metrics.ReloadsRefused.Add(1)
		d.record(audit.Event{Kind: audit.ReloadRefuse, Digest: d.snapshot.Digest, Generation: d.generation})
		for _, f := range l.found {
			if f.Severity == finding.Error {
				d.log.Error("reload refused", zap.String("code", f.Code), zap.String("finding", f.String()), zap.String("in_force", d.snapshot.Digest))
			}
		}
		return
	}
	d.generation++
	d.keepTLS(l.snapshot)
	d.snapshot = l.snapshot
	d.server.Swap(d.snapshot)
	d.metrics.Reloads.Add(1)
	d.record(audit.Event{Kind: audit.Reload, Digest: d.snapshot.Digest, Generation: d.generation})
	d.log.Info("reloaded", zap.String("digest", d.snapshot.Digest), zap.String("needs_restart", strings.Join(needRestart(d.started, l.config), " ")))
}

// record writes an event beside the signals, which must be heard while a full
// disk holds it up: one of them may be what mends that.
func (d *daemon) record(e audit.Event) {
	d.recording.Go(func() { d.audit.Write(e) })
}

// keepTLS lets a listener that runs, and that the configuration has renamed or
// lost, keep its certificate until the restart that the log asks for.
func (d *daemon) keepTLS(next *proxy.Snapshot) {
	for name, tls := range d.snapshot.TLS {
		if _, there := next.TLS[name]; !there {
			next.TLS[name], next.CNs[name] = tls, d.snapshot.CNs[name]
		}
	}
}

// needRestart names what differs between two configurations and is only read at
// the start.
func needRestart(old, now *config.Config) (keys []string) {
	fixed := func(c *config.Config) map[string]string {
		m := map[string]string{}
		for _, o := range c.Origins {
			if !reloadable(o.Key) {
				m[o.Key] = o.Value
			}
		}
		return m
	}
	a, b := fixed(old), fixed(now)
	for _, o := range append(append([]config.Origin{}, old.Origins...), now.Origins...) {
		if a[o.Key] != b[o.Key] {
			keys = append(keys, o.Key)
			a[o.Key] = b[o.Key] // once is enough
		}
	}
	return keys
}

// reloadable reports whether a change of the key takes effect with a reload.
func reloadable(key string) bool {
	return key == "policy" || key == "logins.users" || strings.Contains(key, "].tls.")
}
