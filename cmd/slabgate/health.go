package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/upstream"
)

const (
	probeEvery    = 2 * time.Second  // between two looks at loops, and at memcached
	probePatience = 5 * time.Second  // for memcached to answer one of them
	probeFails    = 3                // so many in a row and memcached counts as gone
	loopsSilent   = 10 * time.Second // for a loop to count as stuck
)

// vitals are what the daemon has lately seen of itself.
type vitals struct {
	daemon   *daemon
	begun    time.Time
	every    time.Duration // between two looks
	patience time.Duration // of a look at memcached

	mu       sync.Mutex
	answered bool  // memcached has, at least once
	fails    int   // checks in a row that it has not
	why      error // of the last
	commands uint64
}

func newVitals(d *daemon) *vitals {
	return &vitals{daemon: d, begun: time.Now(), every: probeEvery, patience: probePatience}
}

// pulse has the loops show that they turn, every now and then until ctx is done. It
// is apart from run: that memcached keeps somebody waiting says nothing of them.
func (h *vitals) pulse(ctx context.Context) {
	h.often(ctx, func(context.Context) { h.daemon.server.Pulse() })
}

// run looks at memcached every now and then, until ctx is done.
func (h *vitals) run(ctx context.Context) { h.often(ctx, h.look) }

// often calls f at once, and again and again until ctx is done.
func (h *vitals) often(ctx context.Context, f func(context.Context)) {
	tick := time.NewTicker(h.every)
	defer tick.Stop()
	for f(ctx); ; {
		select {
		case <-tick.C:
			f(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// look asks memcached for a sign of life, unless it has answered clients meanwhile.
func (h *vitals) look(ctx context.Context) {
	_, commands, _ := h.daemon.metrics.Upstream.Load()
	h.mu.Lock()
	idle := commands == h.commands
	h.commands = commands
	h.mu.Unlock()
	if !idle {
		h.note(nil)
		return
	}
	limited, cancel := context.WithTimeout(ctx, h.patience)
	defer cancel()
	err := h.daemon.pool.Check(limited)
	if errors.Is(err, upstream.ErrBusy) || ctx.Err() != nil { // which says nothing of memcached
		return
	}
	h.note(err)
}

// note remembers how a check of memcached ended.
func (h *vitals) note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.why = err
	if err != nil {
		h.fails++
		return
	}
	h.answered, h.fails = true, 0
}

// checks are the conditions of health. None of them is about load: who is slow for
// having many clients gets no fewer by being taken for dead.
func (h *vitals) checks() []admin.Check {
	return []admin.Check{
		{Name: "started", On: admin.Started | admin.Ready, Test: h.started},
		{Name: "loops", On: admin.Live | admin.Ready, Test: h.loops},
		{Name: "draining", On: admin.Ready, Test: h.draining},
		{Name: "certificates", On: admin.Ready, Test: h.certificates},
		{Name: "upstream", On: admin.Ready, Test: h.upstream},
	}
}

var (
	errNotYet   = errors.New("memcached has not answered yet")
	errNoAnswer = errors.New("memcached has not answered the last checks")
	errDraining = errors.New("clients are asked to leave")
)

// started reports whether slabgate has ever been able to serve. Its listeners were
// bound before anybody could ask.
func (h *vitals) started() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.answered {
		return because(errNotYet, h.why)
	}
	return nil
}

// because is what is wrong with its reason, if that is known.
func because(what, why error) error {
	if why == nil {
		return what
	}
	return fmt.Errorf("%w: %w", what, why)
}

// loops reports whether every loop of clients turns.
func (h *vitals) loops() error {
	last := h.daemon.server.LastPulse()
	if last.Before(h.begun) {
		last = h.begun
	}
	if silent := time.Since(last); silent > loopsSilent {
		return fmt.Errorf("one has not turned for %v", silent.Round(time.Second))
	}
	return nil
}

func (h *vitals) draining() error {
	if h.daemon.metrics.Draining.Load() {
		return errDraining
	}
	return nil
}

// certificates reports whether every listener has one that is valid.
func (h *vitals) certificates() error {
	for listener, until := range h.daemon.certificates() {
		if !time.Now().Before(until) {
			return fmt.Errorf("that of listener %s expired on %s", listener, until.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// upstream reports whether memcached has answered one of the last checks.
func (h *vitals) upstream() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !h.answered:
		return because(errNotYet, h.why)
	case h.fails >= probeFails:
		return because(errNoAnswer, h.why)
	}
	return nil
}

// up reports whether memcached answered the last check.
func (h *vitals) up() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.answered && h.fails == 0
}
