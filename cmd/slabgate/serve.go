package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/proxy"
	"github.com/slabgate/slabgate/upstream"
)

// runCommand is `slabgate run`.
type runCommand struct {
	source
	allowRoot       bool
	requireUpstream bool
}

func newRun(io stdio) *cobra.Command {
	var c runCommand
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Guard a memcached: terminate TLS, authenticate, authorise, relay.",
		Long: `Guard a memcached: terminate TLS, authenticate, authorise, relay.

Signals: HUP reloads certificates, users and policy, all or nothing.
TERM and INT drain and exit 0; a second one exits at once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), io) },
	}
	c.bind(cmd)
	cmd.Flags().BoolVar(&c.allowRoot, "allow-root", false, "run as root all the same")
	cmd.Flags().BoolVar(&c.requireUpstream, "require-upstream", false, "exit 69 if memcached does not answer at the start")
	return cmd
}

// daemon is a running slabgate: the parts, and what a reload needs.
type daemon struct {
	source
	log        *logger
	metrics    *metrics.Metrics
	audit      *audit.Log
	pool       *upstream.Pool
	server     *proxy.Server
	listeners  []*proxy.Listener
	shutdown   config.Shutdown
	started    *config.Config  // what can't be changed by a reload is compared with it
	snapshot   *proxy.Snapshot // in force
	generation uint64
}

// run starts the daemon and returns when it has stopped.
func (c *runCommand) run(ctx context.Context, io stdio) error {
	if os.Geteuid() == 0 && !c.allowRoot {
		var found finding.List
		found.Errorf("SG1403", "", "start slabgate as a user of its own, or say --allow-root", "slabgate does not run as root")
		printFindings(io.err, found, "")
		return exit(exitPermission)
	}
	l := c.load(1)
	printFindings(io.err, l.found, l.usersFile())
	if l.snapshot == nil {
		return exit(l.exitCode())
	}
	d, err := c.build(l, io)
	if err != nil {
		return err
	}
	go d.log.ring.run()
	defer d.close()
	if err := d.bind(l.config); err != nil {
		return &exitError{exitPermission, err}
	}
	return d.serve(ctx, l.snapshot, c.requireUpstream)
}

// build makes every part. Nothing is bound and nothing runs yet.
func (c *runCommand) build(l *loaded, io stdio) (*daemon, error) {
	d := &daemon{
		source: c.source, log: newLogger(l.config.Log, io.err), metrics: new(metrics.Metrics),
		shutdown: l.config.Shutdown, started: l.config, snapshot: l.snapshot, generation: 1,
	}
	if err := harden(); err != nil {
		return nil, fail(exitPermission, "hardening the process: %v", err)
	}
	var files []audit.File
	for _, s := range l.config.Audit.Sinks {
		files = append(files, audit.File{Path: s.File, Mode: s.Mode})
	}
	var err error
	if d.audit, err = audit.Open(files, d.metrics, time.Now); err != nil {
		return nil, &exitError{exitPermission, err}
	}
	verifier, err := auth.NewVerifier(auth.VerifierConfig{Now: time.Now}, l.snapshot.Users)
	if err != nil {
		return nil, &exitError{exitBug, err}
	}
	d.pool = upstream.New(l.config.Upstreams[0], d.log.Logger, d.metrics)
	d.server = &proxy.Server{
		Pool: d.pool, Verifier: verifier, Limits: l.config.Limits,
		Log: d.log.Logger, Metrics: d.metrics, Audit: d.audit,
	}
	return d, nil
}

// bind opens every listener, or none.
func (d *daemon) bind(c *config.Config) error {
	for i := range c.Listeners {
		l, err := proxy.Listen(c.Listeners[i].ListenerConfig)
		if err != nil {
			return errors.Join(err, d.unbind())
		}
		d.listeners = append(d.listeners, l)
	}
	return nil
}

func (d *daemon) unbind() (err error) {
	for _, l := range d.listeners {
		err = errors.Join(err, l.Close())
	}
	d.listeners = nil
	return err
}

// close closes what does not close itself.
func (d *daemon) close() {
	d.pool.Close()
	if err := d.audit.Close(); err != nil {
		d.log.Error("stopped", zap.Error(err))
	}
	d.log.summarise()
	d.log.ring.close()
}

// serve runs until a signal or ctx ends it.
func (d *daemon) serve(ctx context.Context, snap *proxy.Snapshot, requireUpstream bool) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	signal.Ignore(syscall.SIGPIPE)

	d.server.Swap(snap)
	d.log.Info("started", zap.String("version", thisBuild().Version), zap.Int("pid", os.Getpid()),
		zap.String("config", d.path), zap.String("digest", snap.Digest))
	if err := d.checkUpstream(ctx); err != nil && requireUpstream {
		return errors.Join(&exitError{exitUnavailable, err}, d.unbind())
	}
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := d.server.Serve(d.listeners); err != nil {
			d.log.Error("stopped", zap.Error(err))
		}
	})
	d.ready()
	d.listen(ctx, signals)
	parts.Wait()
	d.log.Info("stopped")
	return nil
}

// checkUpstream asks memcached for its version. Without an answer slabgate
// serves all the same, and says so to its clients.
func (d *daemon) checkUpstream(ctx context.Context) error {
	err := d.pool.Check(ctx)
	if err != nil {
		return fmt.Errorf("memcached at %s: %w", d.started.Upstreams[0].Address, err)
	}
	return nil
}

func (d *daemon) ready() {
	addresses := make([]string, len(d.listeners))
	for i, l := range d.listeners {
		addresses[i] = l.Name + " " + l.Transport + " " + l.Addr().String()
	}
	d.log.Info("ready", zap.Strings("listeners", addresses))
}

// listen hears signals until the daemon has drained.
func (d *daemon) listen(ctx context.Context, signals <-chan os.Signal) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.log.summarise()
		case <-ctx.Done():
			d.drain(signals)
			return
		case s := <-signals:
			if s != syscall.SIGHUP {
				d.drain(signals)
				return
			}
			d.reload()
		}
	}
}

// drain goes on taking clients for a while if the configuration says so, then
// lets those that are here finish. A second signal, or the end of the grace
// period, cuts them off.
func (d *daemon) drain(signals <-chan os.Signal) {
	d.log.Info("draining", zap.Duration("accept_for", d.shutdown.AcceptFor), zap.Duration("grace", d.shutdown.Grace))
	ctx, cancel := context.WithTimeout(context.Background(), d.shutdown.AcceptFor+d.shutdown.Grace)
	defer cancel()
	stop := make(chan struct{})
	var hearing sync.WaitGroup
	hearing.Go(func() {
		for {
			select {
			case s := <-signals:
				if s != syscall.SIGHUP {
					cancel()
					return
				}
			case <-stop:
				return
			}
		}
	})
	select {
	case <-time.After(d.shutdown.AcceptFor):
	case <-ctx.Done():
	}
	if err := d.server.Shutdown(ctx); err != nil {
		d.log.Warn("draining", zap.String("outcome", "clients were cut off"), zap.Error(err))
	}
	close(stop)
	hearing.Wait()
}

// reload reads everything again and puts certificates, users and policy into
// force, if all of it is right. Otherwise nothing changes.
func (d *daemon) reload() {
	l := d.load(d.generation + 1)
	if l.snapshot == nil {
		d.metrics.ReloadsRefused.Add(1)
		d.audit.Write(audit.Event{Kind: audit.ReloadRefuse, Digest: d.snapshot.Digest})
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
	d.audit.Write(audit.Event{Kind: audit.Reload, Digest: d.snapshot.Digest})
	d.log.Info("reloaded", zap.String("digest", d.snapshot.Digest), zap.String("needs_restart", strings.Join(needRestart(d.started, l.config), " ")))
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
