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
	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/denials"
	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/internal/generations"
	"github.com/slabgate/slabgate/internal/learn"
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
USR1 reopens audit files, after they have been moved.
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
	recording  sync.WaitGroup // of record
	pool       *upstream.Pool
	spaces     *generations.Store
	server     *proxy.Server
	denials    *denials.Ring
	listeners  []*proxy.Listener
	admin      *admin.Listener // nil for none
	shutdown   config.Shutdown
	started    *config.Config  // what can't be changed by a reload is compared with it
	snapshot   *proxy.Snapshot // in force
	generation uint64
}

// run starts the daemon and returns when it has stopped.
func (c *runCommand) run(ctx context.Context, io stdio) error {
	l := &loaded{}
	if checkRoot(os.Geteuid(), c.allowRoot, &l.found); !l.found.Failed() {
		warned := l.found
		l = c.load(1)
		l.found = append(warned, l.found...)
	}
	printFindings(io.err, l.found, l.usersFile())
	if l.snapshot == nil {
		return exit(l.exitCode())
	}
	d, err := c.build(l, io)
	if err != nil {
		return err
	}
	go d.log.ring.run()
	go d.audit.Run()
	defer d.close()
	if err := d.bind(l.config); err != nil {
		return refuse(io, exitPermission, "SG1406", bindFix(err), err)
	}
	if err := d.bindAdmin(l.config); err != nil {
		return errors.Join(refuse(io, exitPermission, "SG1072", adminFix, err), d.unbind())
	}
	return d.serve(ctx, io, c.requireUpstream)
}

// checkRoot refuses to run as root, or says that it does all the same.
func checkRoot(uid int, allowed bool, found *finding.List) {
	const fix = "start slabgate as a user of its own"
	switch {
	case uid == 0 && !allowed:
		found.Errorf("SG1403", "", fix+", or say --allow-root", "slabgate does not run as root")
	case uid == 0:
		found.Warnf("SG1403", "", fix, "slabgate runs as root, because --allow-root says so")
	}
}

// refuse tells a fault of the surroundings as any other finding is told.
func refuse(io stdio, code int, finds, fix string, err error) error {
	var found finding.List
	found.Errorf(finds, "", fix, "%v", err)
	printFindings(io.err, found, "")
	return exit(code)
}

// bindFix is what to do about a listener that can't be bound.
func bindFix(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "find out who holds the address with: ss -ltnp; then stop it, or choose another address"
	case errors.Is(err, syscall.EACCES):
		return "choose a port of 1024 or more, or a folder that slabgate's user may write to"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "choose an address of this host; ip address lists them"
	}
	return "correct the address of the listener"
}

// build makes every part. Nothing is bound and nothing runs yet.
func (c *runCommand) build(l *loaded, io stdio) (*daemon, error) {
	d := &daemon{
		source: c.source, log: newLogger(l.config.Log, io.err), metrics: new(metrics.Metrics),
		shutdown: l.config.Shutdown, started: l.config, snapshot: l.snapshot, generation: 1, denials: denials.New(),
	}
	limitMemory()
	if err := harden(); err != nil {
		return nil, fail(exitPermission, "hardening the process: %v", err)
	}
	if err := d.openAudit(l.config.Audit); err != nil {
		return nil, refuse(io, exitPermission, "SG1408", "give slabgate's user the right to write there, or name another sink in audit.sinks", err)
	}
	verifier, err := auth.NewVerifier(auth.VerifierConfig{Now: time.Now}, l.snapshot.Users)
	if err != nil {
		return nil, &exitError{exitBug, err}
	}
	d.pool = upstream.New(l.config.Upstreams[0], d.log.Logger, d.metrics)
	if d.spaces, err = openGenerations(l.config.State, d.pool, d.log.Logger); err != nil {
		return nil, errors.Join(refuseState(io, err), d.audit.Close())
	}
	d.server = &proxy.Server{
		Pool: d.pool, Verifier: verifier, Limits: l.config.Limits,
		Log: d.log.Logger, Metrics: d.metrics, Audit: d.audit, Denials: d.denials, Learned: new(learn.Recorder),
		Generations: d.spaces, Sampler: audit.NewSampler(l.config.Audit.AllowSample),
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
	if d.admin != nil {
		err = errors.Join(err, d.admin.Close())
	}
	return err
}

// close closes what does not close itself.
func (d *daemon) close() {
	d.pool.Close()
	d.audit.Release()
	d.recording.Wait()
	if err := d.spaces.Close(); err != nil {
		d.log.Error("stopped", zap.Error(err))
	}
	if err := d.audit.Close(); err != nil {
		d.log.Error("stopped", zap.Error(err))
	}
	d.log.summarise()
	d.log.ring.close()
}

// serve runs until a signal or ctx ends it.
func (d *daemon) serve(ctx context.Context, io stdio, requireUpstream bool) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	signal.Ignore(syscall.SIGPIPE)

	d.server.Swap(d.snapshot)
	d.log.Info("started", zap.String("version", thisBuild().Version), zap.Int("pid", os.Getpid()),
		zap.String("config", d.path), zap.String("digest", d.snapshot.Digest))
	if err := d.checkUpstream(ctx); err != nil && requireUpstream {
		return errors.Join(refuse(io, exitUnavailable, "SG1407", "start memcached, or correct upstreams[0].address", err), d.unbind())
	}
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := d.server.Serve(d.listeners); err != nil {
			d.log.Error("stopped", zap.Error(err))
		}
	})
	looking, stopAdmin := context.WithCancel(context.Background())
	defer stopAdmin()
	parts.Go(func() { d.serveAdmin(looking) })
	stop := d.follow(ctx)
	d.ready()
	d.listen(ctx, signals)
	stopAdmin()
	parts.Wait()
	stop()
	d.log.Info("stopped")
	return nil
}

// follow keeps the generations of namespaces up to date until stop is called, which
// waits for it. The end of ctx does not end it: clients are served until they have
// drained.
func (d *daemon) follow(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { d.spaces.Run(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
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
	d.log.Info("ready", zap.Strings("listeners", addresses), zap.String("admin", d.started.Admin.Socket))
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
			switch s {
			case syscall.SIGHUP:
				d.reload()
			case syscall.SIGUSR1:
				d.reopenAudit()
			default:
				d.drain(signals)
				return
			}
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
	defer context.AfterFunc(ctx, d.audit.Release)() // who waits for a disk is cut off too
	stop := make(chan struct{})
	var hearing sync.WaitGroup
	hearing.Go(func() {
		for {
			select {
			case s := <-signals:
				switch s {
				case syscall.SIGHUP: // too late
				case syscall.SIGUSR1:
					d.reopenAudit()
				default:
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
