package main

import (
	"context"
	"net"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/doctor"
	"github.com/slabgate/slabgate/internal/host"
	"github.com/slabgate/slabgate/internal/status"
)

// surveyEvery is how often the surroundings are looked at again: memcached may be
// started later than slabgate, and a firewall be taken down.
const surveyEvery = 10 * time.Minute

// bound is what the survey judges: the configuration, with the addresses that
// its listeners have in the end.
func (d *daemon) bound() *host.Subject {
	s := *d.subject
	s.Listeners = slices.Clone(s.Listeners)
	for i := range s.Listeners {
		for _, l := range d.listeners {
			if tcp, ok := l.Addr().(*net.TCPAddr); ok && l.Name == s.Listeners[i].Name && !strings.HasPrefix(s.Listeners[i].Address, "systemd:") {
				s.Listeners[i].Address = tcp.String()
			}
		}
	}
	return &s
}

// survey looks at what of the surroundings makes slabgate worthless, at once and
// every now and then until ctx is done. Nobody waits for it.
func (d *daemon) survey(ctx context.Context) {
	subject, again := d.bound(), time.NewTicker(surveyEvery)
	defer again.Stop()
	for {
		facts := host.Gather(ctx, host.Resident(), host.Options{Subject: subject, Startup: true})
		if ctx.Err() != nil {
			return // half a look tells nothing
		}
		d.look.surveyed(d.log.Logger, doctor.Examine(facts, doctor.StartChecks()))
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// surveyed remembers the findings of a look at the surroundings for the status, and
// logs those that are new.
func (l *lookout) surveyed(log *zap.Logger, records []doctor.Record) {
	found := []status.Warning{}
	for i := range records {
		rec := &records[i]
		if !rec.Found() {
			continue
		}
		w := status.Warning{Code: rec.ID, Where: rec.Subject, Problem: rec.Text, Fix: rec.Fix.Text}
		found = append(found, w)
		if !l.knows(&w) {
			log.Warn("surroundings", zap.String("check", w.Code), zap.String("severity", string(rec.Severity)),
				zap.String("problem", w.Problem), zap.String("fix", w.Fix))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.surroundings = found
}

// knows tells whether the last look found the same.
func (l *lookout) knows(w *status.Warning) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.surroundings {
		if l.surroundings[i] == *w {
			return true
		}
	}
	return false
}
