package main

import (
	"context"
	"path/filepath"
	"strings"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/internal/watch"
	"github.com/slabgate/slabgate/proxy"
)

// reloadWith puts certificates, users, policy and limits that were read into force,
// if all of it is right. Otherwise nothing changes. Quietly, files that say what they
// said before are no reload.
func (d *daemon) reloadWith(l *loaded, quietly bool) admin.Reloaded {
	d.follows(l.config)
	r := admin.Reloaded{Before: d.snapshot.Digest, Secret: l.usersFile(), Findings: told(l.found), Changed: []string{}, NeedsRestart: []string{}}
	switch {
	case l.snapshot == nil:
		d.refuseReload(l.found)
	case quietly && l.snapshot.Digest == d.snapshot.Digest && !d.look.refused():
		d.log.Debug("files say what they said before")
	default:
		d.takeReload(l, &r)
	}
	r.After = d.snapshot.Digest
	return r
}

// refuseReload says why nothing has changed.
func (d *daemon) refuseReload(found finding.List) {
	d.look.reloaded(false, found)
	d.metrics.ReloadsRefused.Add(1)
	d.record(audit.Event{Kind: audit.ReloadRefuse, Digest: d.snapshot.Digest, Generation: d.generation})
	for _, f := range found {
		if f.Severity == finding.Error {
			d.log.Error("reload refused", zap.String("code", f.Code), zap.String("finding", f.String()), zap.String("in_force", d.snapshot.Digest))
		}
	}
}

// takeReload puts what was read into force.
func (d *daemon) takeReload(l *loaded, r *admin.Reloaded) {
	d.look.reloaded(true, l.found)
	d.generation++
	d.keepTLS(l.snapshot)
	if changed := d.parts.changed(l.parts); len(changed) > 0 {
		r.Changed = changed
	}
	if keys := needRestart(d.started, l.config); len(keys) > 0 {
		r.NeedsRestart = keys
	}
	r.Taken = true
	d.snapshot, d.parts = l.snapshot, l.parts
	d.server.Swap(d.snapshot)
	d.metrics.Reloads.Add(1)
	d.record(audit.Event{Kind: audit.Reload, Digest: d.snapshot.Digest, Generation: d.generation})
	d.log.Info("reloaded", zap.String("digest", d.snapshot.Digest), zap.Strings("changed", clipList(r.Changed)),
		zap.String("needs_restart", strings.Join(r.NeedsRestart, " ")))
}

// maxLogged is how many changes one line of the log tells.
const maxLogged = 20

// clipList is a list as the log may have it.
func clipList(list []string) []string {
	if len(list) <= maxLogged {
		return list
	}
	return append(list[:maxLogged:maxLogged], "and more")
}

// told are findings as the admin socket tells them.
func told(found finding.List) []admin.Finding {
	list := make([]admin.Finding, len(found))
	for i, f := range found {
		list[i] = admin.Finding{
			Severity: f.Severity.String(), Code: f.Code, File: f.File, Line: f.Line, Col: f.Col,
			Key: f.Key, Problem: f.Problem, Effect: f.Effect, Fix: f.Fix,
		}
	}
	return list
}

// follows says which files are watched from now on: those of the configuration that
// was read last. One that can't be read names none.
func (d *daemon) follows(c *config.Config) {
	if c == nil {
		return
	}
	path, err := filepath.Abs(d.path)
	if err != nil {
		path = d.path
	}
	files := append([]string{path}, c.Files()...)
	d.files.Store(&files)
}

// watch has the files read again when one of them has changed, until ctx is done.
func (d *daemon) watch(ctx context.Context) {
	if !d.started.Reload.Watch {
		return
	}
	w := &watch.Watcher{
		Files:    func() []string { return *d.files.Load() },
		Changed:  func() { d.filesChanged(ctx) },
		Debounce: d.started.Reload.Debounce,
		Log:      d.log.Logger,
	}
	w.Run(ctx)
}

// filesChanged has the files read, and waits for that.
func (d *daemon) filesChanged(ctx context.Context) {
	read := make(chan struct{})
	err := d.do(ctx, func() {
		d.order(reloadOrder{quietly: true, answer: func(admin.Reloaded, error) { close(read) }})
	})
	if err != nil {
		return // the end of ctx is the watch's end
	}
	select {
	case <-read:
	case <-ctx.Done():
	}
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
			next.TLS[name], next.CNs[name], next.CAs[name] = tls, d.snapshot.CNs[name], d.snapshot.CAs[name]
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
	return key == "policy" || key == "logins.users" || strings.HasPrefix(key, "limits.") || strings.Contains(key, "].tls.")
}
