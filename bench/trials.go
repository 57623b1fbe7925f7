package main

import (
	"runtime"
	"time"
)

// load is a trial of connections that stay.
type load struct {
	loops []*loop
	links []*link
}

// openLoad prepares a closed loop: every client sends when it has its replies.
func openLoad(_ *bench, c *cell, r *row) (trial, error) { return newLoad(c, r, 0) }

// openPaced prepares an open loop: requests are due at a fixed rate, whatever the
// server does.
func openPaced(b *bench, c *cell, r *row) (trial, error) {
	return newLoad(c, r, time.Second/time.Duration(b.rate))
}

// newLoad connects, stores the values and shares the clients out among loops. They
// have half the cores; the other half is the servers'.
func newLoad(c *cell, r *row, pace time.Duration) (trial, error) {
	s := newScript(c, r.dialect)
	n := max(1, min(runtime.NumCPU()/2, c.conns))
	t := &load{loops: make([]*loop, n)}
	for i := range t.loops {
		p, err := newPoller()
		if err != nil {
			t.close()
			return nil, err
		}
		t.loops[i] = &loop{poller: p, pace: pace * time.Duration(n)}
	}
	for i := range c.conns {
		if err := t.add(r, s, i); err != nil {
			t.close()
			return nil, err
		}
	}
	return t, nil
}

// add connects client number i. The first fills the cache.
func (t *load) add(r *row, s *script, i int) error {
	k, err := r.dial()
	if err != nil {
		return err
	}
	t.links = append(t.links, k)
	if i == 0 {
		if err := k.fill(s); err != nil {
			return err
		}
	}
	if err := k.wire.detach(); err != nil {
		return err
	}
	l := t.loops[i%len(t.loops)]
	l.clients = append(l.clients, &client{link: k, script: s, next: i * 37 % len(s.batches)})
	return l.add(k.wire.fd, len(l.clients)-1)
}

func (t *load) run(each time.Duration) (outcome, error) {
	began := time.Now()
	err := inParallel(len(t.loops), func(i int) error { return t.loops[i].run(each) })
	o := outcome{took: time.Since(began), latency: new(histogram)}
	for _, l := range t.loops {
		o.requests += l.done
		o.latency.merge(l.latency)
	}
	return o, err
}

func (t *load) close() {
	for _, k := range t.links {
		k.close()
	}
	for _, l := range t.loops {
		if l != nil {
			l.poller.close()
		}
	}
}

// connects is a trial of connections that are made for one request.
type connects struct {
	row    *row
	script *script
	conns  int
}

// openConnects stores the values; its connections are made while it runs.
func openConnects(_ *bench, c *cell, r *row) (trial, error) {
	t := &connects{r, newScript(c, r.dialect), c.conns}
	k, err := r.dial()
	if err != nil {
		return nil, err
	}
	defer k.close()
	return t, k.fill(t.script)
}

func (t *connects) run(each time.Duration) (outcome, error) {
	began := time.Now()
	until := began.Add(each)
	latencies := make([]histogram, t.conns)
	err := inParallel(t.conns, func(i int) error { return t.connect(i, until, &latencies[i]) })
	o := outcome{took: time.Since(began), latency: new(histogram)}
	for i := range latencies {
		o.latency.merge(&latencies[i])
	}
	o.requests = int(o.latency.total)
	return o, err
}

// connect makes one connection after the other, the first for batch number n.
func (t *connects) connect(n int, until time.Time, latency *histogram) error {
	for ; time.Now().Before(until); n++ {
		start := time.Now()
		if err := t.row.try(&t.script.batches[n%len(t.script.batches)]); err != nil {
			return err
		}
		latency.add(time.Since(start))
	}
	return nil
}

func (t *connects) close() {}

// settleTime is how long connections are left alone before memory is read.
const settleTime = time.Second

// idle is a trial of connections that have served one request and wait.
type idle struct {
	row    *row
	script *script
	few    int
	many   int
	links  []*link
}

// openIdle starts the daemon anew, for memory that it once used does not go back.
func openIdle(b *bench, c *cell, r *row) (trial, error) {
	t := &idle{row: r, script: newScript(c, r.dialect), few: c.conns, many: min(b.idle, b.rig.maxConns()-100)}
	if err := r.restart(); err != nil {
		return nil, err
	}
	k, err := r.dial()
	if err != nil {
		return nil, err
	}
	defer k.close()
	return t, k.fill(t.script)
}

// run ignores the time: it takes as long as the connections take.
func (t *idle) run(time.Duration) (outcome, error) {
	began := time.Now()
	before, err := t.rssAt(t.few)
	if err != nil {
		return outcome{}, err
	}
	after, err := t.rssAt(t.many)
	return outcome{
		took: time.Since(began), latency: new(histogram),
		perConn: float64(after-before) / float64(t.many-t.few),
	}, err
}

// rssAt connects until there are n clients, and reads the daemon's memory.
func (t *idle) rssAt(n int) (int, error) {
	from := len(t.links)
	t.links = append(t.links, make([]*link, n-from)...)
	if err := inParallel(dialers, func(i int) error { return t.connectFrom(from + i) }); err != nil {
		return 0, err
	}
	time.Sleep(settleTime)
	u, err := t.row.process.usage()
	return u.rss, err
}

// dialers connect idle clients at the same time.
const dialers = 8

// connectFrom makes one client in every [dialers], from number at on.
func (t *idle) connectFrom(at int) error {
	for ; at < len(t.links); at += dialers {
		if err := t.connect(at); err != nil {
			return err
		}
	}
	return nil
}

// connect makes client number at and has it read once.
func (t *idle) connect(at int) error {
	k, err := t.row.dial()
	if err != nil {
		return err
	}
	t.links[at] = k
	return k.play(&t.script.batches[at%len(t.script.batches)])
}

func (t *idle) close() {
	for _, k := range t.links {
		if k != nil {
			k.close()
		}
	}
}
