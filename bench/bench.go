package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// bench is one run and what it has found so far.
type bench struct {
	*options
	rig     *rig
	out     io.Writer
	samples []sample
}

// sample is what one round of one row gave. Times are in microseconds, memory in
// KiB; CPU is for each request.
type sample struct {
	Cell         string  `json:"case"`
	Row          string  `json:"row"`
	Round        int     `json:"round"`
	Requests     int     `json:"requests"`
	PerSecond    float64 `json:"per_second"`
	ProxyCPU     float64 `json:"proxy_cpu_us"`
	MemcachedCPU float64 `json:"memcached_cpu_us"`
	P50          float64 `json:"p50_us"`
	P99          float64 `json:"p99_us"`
	P999         float64 `json:"p999_us"`
	RSS          float64 `json:"rss_kib"`
	PerConn      float64 `json:"connection_kib,omitempty"`
}

// describe says what is measured, and where.
func (b *bench) describe() {
	fmt.Fprintf(b.out, "%d cores, %s/%s, %d rounds of %v, 90 %% reads, TLS 1.3, every reply checked\n",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, b.rounds, b.each)
	for i := range peers {
		if v, ok := b.rig.versions[peers[i].name]; ok {
			fmt.Fprintf(b.out, "  %-17s %s\n", peers[i].name, v)
		}
	}
}

// runCells measures everything. A row that goes wrong is left out of its cell, and
// is an error in the end.
func (b *bench) runCells(ctx context.Context) error {
	var errs []error
	for i := range cells {
		c := &cells[i]
		if ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
		if b.wantsCell(c) {
			errs = append(errs, b.runCell(ctx, c))
			b.print(c)
		}
	}
	return errors.Join(errs...)
}

// entry is a row in a cell.
type entry struct {
	*row
	trial trial
	err   error
}

// runCell prepares all rows, and then runs them in turns, so that a disturbance
// meets all alike.
func (b *bench) runCell(ctx context.Context, c *cell) error {
	if c.once {
		return b.runOnce(ctx, c)
	}
	entries := b.prepare(c)
	for round := range b.rounds {
		b.runRound(ctx, c, entries, round)
	}
	return b.finish(c, entries)
}

// runRound runs every entry once. Each round begins with another, so that nobody
// always runs first.
func (b *bench) runRound(ctx context.Context, c *cell, entries []*entry, round int) {
	for i := range entries {
		e := entries[(round+i)%len(entries)]
		if e.err == nil && ctx.Err() == nil {
			e.err = b.measure(c, e, round)
		}
	}
}

// prepare opens the cell's trial for each row.
func (b *bench) prepare(c *cell) (entries []*entry) {
	for _, r := range b.rig.rows {
		if c.fits(r) {
			t, err := c.open(b, c, r)
			entries = append(entries, &entry{r, t, err})
		}
	}
	return entries
}

// runOnce opens one row at a time, for cells that need all of the machine.
func (b *bench) runOnce(ctx context.Context, c *cell) error {
	var entries []*entry
	for _, r := range b.rig.rows {
		if !c.fits(r) || ctx.Err() != nil {
			continue
		}
		e := &entry{row: r}
		if e.trial, e.err = c.open(b, c, r); e.err == nil {
			e.err = b.measure(c, e, 0)
			e.trial.close()
		}
		entries = append(entries, &entry{row: r, err: e.err})
	}
	return b.finish(c, entries)
}

// finish closes what is open, drops the samples of rows that went wrong, and says
// so.
func (b *bench) finish(c *cell, entries []*entry) error {
	var errs []error
	for _, e := range entries {
		if e.trial != nil {
			e.trial.close()
		}
		if e.err != nil {
			b.drop(c, e.row)
			errs = append(errs, fmt.Errorf("%s, %s: %w", c.name, e.name, e.err))
			fmt.Fprintf(b.out, "ERROR %s, %s: %v\n", c.name, e.name, e.err)
		}
	}
	return errors.Join(errs...)
}

// drop forgets what a row gave before it went wrong: half a row would be compared with whole ones.
func (b *bench) drop(c *cell, r *row) {
	var left []sample
	for _, s := range b.samples {
		if s.Cell != c.name || s.Row != r.name {
			left = append(left, s)
		}
	}
	b.samples = left
}

// measure runs one round of one row.
func (b *bench) measure(c *cell, e *entry, round int) error {
	before, err := e.usages()
	if err != nil {
		return err
	}
	o, err := e.trial.run(b.each)
	if err != nil {
		return err
	}
	after, err := e.usages()
	if err != nil {
		return err
	}
	s := o.sample(before, after)
	s.Cell, s.Row, s.Round = c.name, e.name, round
	b.samples = append(b.samples, s)
	return nil
}

// sample reckons the figures of an outcome, from what was used before and after.
func (o outcome) sample(before, after usages) sample {
	return sample{
		Requests:     o.requests,
		PerSecond:    float64(o.requests) / o.took.Seconds(),
		ProxyCPU:     perRequest(after.proxy, before.proxy, o.requests),
		MemcachedCPU: perRequest(after.cache, before.cache, o.requests),
		P50:          o.latency.quantile(0.5),
		P99:          o.latency.quantile(0.99),
		P999:         o.latency.quantile(0.999),
		RSS:          float64(after.rss),
		PerConn:      o.perConn,
	}
}

// usages are those of a row's daemon and of the memcached behind it.
type usages struct {
	proxy, cache usage
	rss          int // KiB, of the daemon that is measured
}

// usages reads both now. A memcached that is measured itself has no proxy.
func (r *row) usages() (u usages, err error) {
	own, err := r.process.usage()
	if err != nil {
		return u, err
	}
	if r.cache == nil {
		return usages{cache: own, rss: own.rss}, nil
	}
	u.proxy, u.rss = own, own.rss
	u.cache, err = r.cache.process.usage()
	return u, err
}

// perRequest is CPU time in microseconds. It is right to a hundredth of a second a
// round: over short rounds, only the median of several says much.
func perRequest(after, before usage, requests int) float64 {
	if requests == 0 {
		return 0
	}
	return micros(after.cpu-before.cpu) / float64(requests)
}
