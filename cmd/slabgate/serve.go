package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/denials"
	"github.com/slabgate/slabgate/internal/generations"
	"github.com/slabgate/slabgate/internal/host"
	"github.com/slabgate/slabgate/internal/learn"
	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/systemd"
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
USR2 sends idle clients away, so that they come to another slabgate.
TERM and INT drain and exit 0; a second one cuts clients off and exits.`,
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
	look       *lookout
	listeners  []*proxy.Listener
	admin      *admin.Listener // nil for none
	vitals     *vitals
	subject    *host.Subject // what the survey judges
	shutdown   config.Shutdown
	started    *config.Config  // what can't be changed by a reload is compared with it
	snapshot   *proxy.Snapshot // in force
	parts      parts           // of what is in force
	generation uint64
	loading    loading

	life      life
	orders    chan func()              // for the goroutine that hears signals
	stopAsked bool                     // by an order
	reopen    chan struct{}            // audit files are to be opened anew
	files     atomic.Pointer[[]string] // that are watched
	ducks     sync.WaitGroup           // of lameDuck
	ducked    chan struct{}            // closed unless lameDuck is under way
	endDucks  context.CancelFunc       // nil before there was one
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
	return d.run(ctx, io, c.requireUpstream)
}

// run opens what is to be open, and serves until a signal or ctx ends it.
func (d *daemon) run(ctx context.Context, io stdio, requireUpstream bool) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	signal.Ignore(syscall.SIGPIPE)

	go d.log.ring.run()
	go d.audit.Run()
	starting, hear := d.duringStart(ctx, signals)
	err := d.open(starting, io, requireUpstream)
	hear()
	if err != nil {
		if errors.Is(err, errEnded) {
			d.log.Info("stopped", zap.String("outcome", "told to before it had started"))
			err = nil
		}
		err = errors.Join(err, d.unbind())
		d.close()
		return err
	}
	d.serve(ctx, signals)
	return nil
}

var errEnded = errors.New("told to end before it had started")

// duringStart returns a context that is done when a signal says so, for as long as a
// start may wait for memcached. Once hear was called signals are heard as ever, and
// what came meanwhile is among them.
func (d *daemon) duringStart(ctx context.Context, signals chan os.Signal) (starting context.Context, hear func()) {
	starting, end := context.WithCancel(ctx)
	over := make(chan struct{})
	var hearing sync.WaitGroup
	var later []os.Signal
	hearing.Go(func() {
		for {
			select {
			case <-over:
				return
			case s := <-signals:
				if s == syscall.SIGTERM || s == syscall.SIGINT {
					later = []os.Signal{s} // the start may have come too far to be broken off
					end()
					return
				}
				if len(later) < cap(signals) {
					later = append(later, s)
				}
			}
		}
	})
	return starting, func() {
		close(over)
		hearing.Wait()
		end()
		for _, s := range later {
			select {
			case signals <- s:
			default: // as the kernel does with too many
			}
		}
	}
}

// open makes sure of everything that a start needs, and opens the listeners: those
// whose addresses others may have bound as well come last, since clients that the
// kernel gives to a slabgate that then does not start are lost.
func (d *daemon) open(ctx context.Context, io stdio, requireUpstream bool) error {
	c := d.started
	found := d.adopt(c, systemd.Sockets())
	printFindings(io.err, found, "")
	if found.Failed() {
		return exit(exitConfig)
	}
	if err := d.bind(c, alone); err != nil {
		return refuse(io, exitPermission, "SG1406", bindFix(err), err)
	}
	d.server.Swap(d.snapshot)
	d.log.Info("started", zap.String("version", thisBuild().Version), zap.Int("pid", os.Getpid()),
		zap.String("config", d.path), zap.String("digest", d.snapshot.Digest))
	err := d.checkUpstream(ctx)
	if ctx.Err() != nil {
		return errEnded
	}
	d.vitals.note(err)
	if err != nil && requireUpstream {
		return refuse(io, exitUnavailable, "SG1407", "start memcached, or correct upstreams[0].address", err)
	}
	if err := d.bindAdmin(c); err != nil {
		return refuse(io, exitPermission, "SG1072", adminFix, err)
	}
	if err := d.bind(c, besides); err != nil {
		return refuse(io, exitPermission, "SG1406", bindFix(err), err)
	}
	if err := d.publishAdmin(); err != nil {
		return refuse(io, exitPermission, "SG1072", adminFix, err)
	}
	if err := d.server.Start(d.listeners); err != nil {
		return refuse(io, exitPermission, "SG1413", "let slabgate open more files: LimitNOFILE= of its unit, or ulimit -n", err)
	}
	return nil
}

// build makes every part. Nothing is bound and nothing runs yet.
func (c *runCommand) build(l *loaded, io stdio) (*daemon, error) {
	d := &daemon{
		source: c.source, log: newLogger(l.config.Log, io.err), metrics: new(metrics.Metrics),
		shutdown: l.config.Shutdown, started: l.config, snapshot: l.snapshot, generation: 1, denials: denials.New(),
		parts: l.parts, orders: make(chan func()), reopen: make(chan struct{}, 1),
		look: newLookout(l.found, time.Now()), subject: subjectOf(c.path, l),
	}
	d.follows(l.config)
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
		Pool: d.pool, Verifier: verifier,
		Log: d.log.Logger, Metrics: d.metrics, Audit: d.audit, Denials: d.denials, Learned: new(learn.Recorder),
		Left:        d.look.left,
		Generations: d.spaces, Sampler: audit.NewSampler(l.config.Audit.AllowSample),
		Spread: spread(l.config.Shutdown),
	}
	d.ducked = make(chan struct{})
	close(d.ducked)
	d.vitals = newVitals(d)
	d.loading = newLoading(d.load)
	return d, nil
}

// close closes what does not close itself.
func (d *daemon) close() {
	d.ducks.Wait()
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
func (d *daemon) serve(ctx context.Context, signals <-chan os.Signal) {
	var parts sync.WaitGroup
	parts.Go(d.server.Wait)
	looking, stopAdmin := context.WithCancel(context.Background())
	defer stopAdmin()
	parts.Go(func() { d.serveAdmin(looking) })
	parts.Go(func() { d.watch(looking) })
	parts.Go(func() { d.attend(looking) })
	parts.Go(func() { d.serveWeb(looking) })
	parts.Go(func() { d.vitals.run(looking) })
	parts.Go(func() { d.vitals.pulse(looking) })
	parts.Go(func() { d.survey(looking) })
	stop := d.follow(ctx)
	d.ready()
	d.listen(ctx, signals)
	d.drain(signals, func() {
		stopAdmin()
		parts.Wait()
		stop()
		d.log.Info("stopped")
		d.close()
	})
}

// follow keeps the generations of namespaces, and what the status tells, up to date
// until stop is called, which waits for it. The end of ctx does not end it: clients are served until they have
// drained.
func (d *daemon) follow(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { d.spaces.Run(ctx) })
	running.Go(func() { d.look.run(ctx, d.server, d.pool) })
	running.Go(func() { d.reopenWhenAsked(ctx) })
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
	d.life.started.Store(true)
	d.tell(systemd.Ready(d.oneLine()))
	d.log.Info("ready", zap.Strings("listeners", addresses), zap.String("admin", d.started.Admin.Socket))
}

// listen hears signals until the daemon is to drain. It waits for nothing else.
func (d *daemon) listen(ctx context.Context, signals <-chan os.Signal) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for !d.stopAsked {
		select {
		case <-tick.C:
			d.log.summarise()
		case <-ctx.Done():
			return
		case f := <-d.orders:
			f()
		case l := <-d.loading.done:
			d.loadEnds(l)
		case <-d.loading.late:
			d.loadIsLate()
		case s := <-signals:
			switch s {
			case syscall.SIGHUP:
				d.order(reloadOrder{})
			case syscall.SIGUSR1:
				d.reopenAudit()
			case syscall.SIGUSR2:
				d.lameDuck()
			default:
				return
			}
		}
	}
}
