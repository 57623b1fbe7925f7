package main

import (
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/proxy"
	"github.com/slabgate/slabgate/upstream"
)

// events counts the events of a kind in a file of the site.
func (s site) events(t *testing.T, name, kind string) int {
	t.Helper()
	return strings.Count(s.read(t, name), `"event":"`+kind+`"`)
}

// rotate moves the record and asks the daemon for a new one.
func (s site) rotate(t *testing.T, r *running, answer string) {
	t.Helper()
	if err := os.Rename(s.path("audit.jsonl"), s.path("audit.jsonl.1")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	r.await(t, answer)
}

func TestUSR1GoesOnInANewFile(t *testing.T) {
	s := newSite(t)
	s.write(t, "slabgate.yaml", siteConfig+"audit: {sinks: [{file: audit.jsonl}]}\n")
	r := s.start(t)
	r.hangUp(t, `"msg":"reloaded"`)
	testkit.Eventually(t, "the first event", func() bool { return s.events(t, "audit.jsonl", "reload") == 1 })
	s.rotate(t, r, `"msg":"audit reopened"}`)
	s.edit(t, "policy.yaml", "version: 1", "version: 2")
	r.hangUp(t, `"msg":"reload refused"`)
	r.stop(t)
	if old, now := s.read(t, "audit.jsonl.1"), s.read(t, "audit.jsonl"); strings.Count(old, "\n") != 1 ||
		strings.Count(now, "\n") != 1 || !strings.Contains(old, `"generation":2}`) || !strings.Contains(now, `"event":"reload_refuse"`) {
		t.Errorf("got %s and then %s, want an event each", old, now)
	}
}

func TestUSR1KeepsTheOldFileIfThereIsNoNewOne(t *testing.T) {
	s := newSite(t)
	if err := os.Mkdir(s.path("log"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write(t, "slabgate.yaml", siteConfig+"audit: {sinks: [{file: log/audit.jsonl}]}\n")
	r := s.start(t)
	if err := os.Rename(s.path("log"), s.path("old")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	r.await(t, `"outcome":"the old file stays in use"`)
	r.hangUp(t, `"msg":"reloaded"`)
	r.stop(t)
	if s.events(t, "old/audit.jsonl", "reload") != 1 {
		t.Errorf("the old file has %s, want the reload", s.read(t, "old/audit.jsonl"))
	}
}

func TestRefusingSinksAreLoggedOnce(t *testing.T) {
	var log buffer
	d := &daemon{log: newLogger(config.Log{Level: "info", Format: "json"}, &log)}
	go d.log.ring.run()
	d.tellAudit("/a.jsonl", errors.New("no room"))
	d.tellAudit("/a.jsonl", nil)
	d.log.ring.close()
	for _, want := range []string{`"msg":"audit sink refuses","sink":"/a.jsonl","error":"no room"`, `"msg":"audit sink takes again","sink":"/a.jsonl"`} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("got %s, want %s", log.String(), want)
		}
	}
}

// A disk that takes nothing must not outlast the operator's patience. Nobody runs
// the record here, so that it is as good as stuck.
func TestASecondSignalCutsOffWhoWaitsForTheRecord(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	s := newSite(t)
	var log buffer
	d := &daemon{
		log: newLogger(config.Log{Level: "info", Format: "json"}, &log), metrics: new(metrics.Metrics),
		shutdown: config.Shutdown{AcceptFor: time.Hour}, reopen: make(chan struct{}, 1),
	}
	d.pool = upstream.New(upstream.Default(), d.log.Logger, d.metrics)
	d.server = &proxy.Server{Pool: d.pool}
	o := audit.Default()
	o.Sinks = []audit.SinkOptions{{File: s.path("audit.jsonl"), Mode: 0o600}}
	if err := d.openAudit(o); err != nil {
		t.Fatal(err)
	}
	defer d.audit.Close()
	const events = 5000 // more than may wait
	var clients sync.WaitGroup
	clients.Go(func() {
		for range events {
			d.audit.Write(audit.Event{Kind: audit.Deny})
		}
	})
	d.record(audit.Event{Kind: audit.Reload}) // comes back at once
	defer d.recording.Wait()
	signals := make(chan os.Signal, 2)
	signals <- syscall.SIGUSR1
	signals <- syscall.SIGTERM
	testkit.Within(t, "drain", func() { d.drain(signals, func() {}) })
	testkit.Within(t, "a client", clients.Wait)
	if d.metrics.AuditDrops.Load() == 0 {
		t.Error("nothing was lost: nobody had to wait")
	}
}
