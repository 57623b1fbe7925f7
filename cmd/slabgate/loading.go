package main

import (
	"time"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/systemd"
)

// Bounds of the reading of files for a reload.
const (
	loadLimit  = 10 * time.Second // for all of it; shorter than who asks waits for an answer
	mostOrders = 64               // reloads that wait for the next reading
)

// loading is the reading of files for reloads, beside the goroutine that hears
// signals: a disk that does not answer must keep no signal from being heard. That
// goroutine alone has it.
type loading struct {
	read   func(generation uint64) *loaded
	limit  time.Duration
	done   chan *loaded     // what was read
	late   <-chan time.Time // when nobody waits for it any longer; nil while nobody does
	orders []reloadOrder    // it is for
	next   []reloadOrder    // that came since it began: the files may have changed under it
	stuck  bool             // it was late, and has not ended
}

// reloadOrder is a reload that somebody has asked for.
type reloadOrder struct {
	quietly bool                        // files that say what they said before are no reload
	answer  func(admin.Reloaded, error) // nil if nobody waits for one
}

func (o *reloadOrder) tell(r admin.Reloaded, err error) {
	if o.answer != nil {
		o.answer(r, err)
	}
}

func newLoading(read func(uint64) *loaded) loading {
	return loading{read: read, limit: loadLimit, done: make(chan *loaded, 1)}
}

// order has every file read again, as soon as a reading that is under way has ended.
func (d *daemon) order(o reloadOrder) {
	l := &d.loading
	switch {
	case d.life.stopping.Load():
		o.tell(admin.Reloaded{}, errStopping)
	case l.stuck:
		d.tell(systemd.Reloading())
		o.tell(d.reloadWith(unread(l.limit), o.quietly), nil)
		d.tell(systemd.Ready(d.oneLine()))
	case len(l.orders) == 0:
		d.beginLoad([]reloadOrder{o})
	case o.answer == nil && l.hasUnanswered(o.quietly):
	case len(l.next) >= mostOrders:
		o.tell(admin.Reloaded{}, errBusy)
	default:
		l.next = append(l.next, o)
	}
}

// hasUnanswered reports whether a reload that nobody waits for, and that is not
// quieter than one more would be, is to come.
func (l *loading) hasUnanswered(quietly bool) bool {
	for i := range l.next {
		if o := &l.next[i]; o.answer == nil && (quietly || !o.quietly) {
			return true
		}
	}
	return false
}

// beginLoad reads every file for orders.
func (d *daemon) beginLoad(orders []reloadOrder) {
	l := &d.loading
	d.tell(systemd.Reloading())
	l.orders, l.late = orders, time.After(l.limit)
	// Nobody waits for it at the end: who reads from a dead disk never comes back.
	go func(generation uint64) { l.done <- l.read(generation) }(d.generation + 1)
}

// loadEnds takes what was read, if anybody still waits for it. If not, the files are
// read once more: they may have changed since.
func (d *daemon) loadEnds(got *loaded) {
	if l := &d.loading; l.stuck {
		l.stuck = false
		d.log.Info("files can be read again")
		d.beginLoad([]reloadOrder{{quietly: true}})
		return
	}
	d.endLoad(got)
}

// loadIsLate refuses the reload whose files can't be read in time. The reading goes on,
// but nobody waits for it.
func (d *daemon) loadIsLate() {
	l := &d.loading
	l.stuck = true
	l.orders, l.next = append(l.orders, l.next...), nil
	d.endLoad(unread(l.limit))
}

// endLoad carries out the reloads that what was read is for, and begins the next.
func (d *daemon) endLoad(got *loaded) {
	l := &d.loading
	orders, next := l.orders, l.next
	l.orders, l.next, l.late = nil, nil, nil
	quietly := true
	for i := range orders {
		quietly = quietly && orders[i].quietly
	}
	r := d.reloadWith(got, quietly)
	for i := range orders {
		orders[i].tell(r, nil)
	}
	if len(next) > 0 {
		d.beginLoad(next)
		return
	}
	d.tell(systemd.Ready(d.oneLine()))
}

// dropOrders answers whoever waits for a reload that there will be none.
func (d *daemon) dropOrders() {
	l := &d.loading
	for _, o := range append(l.orders, l.next...) {
		o.tell(admin.Reloaded{}, errStopping)
	}
	l.orders, l.next, l.late = nil, nil, nil
}

// unread is what was read of files that can't be read in time.
func unread(limit time.Duration) *loaded {
	l := &loaded{}
	l.found.Errorf("SG1412", "", "look at that disk; when it answers the files are read again",
		"the files were not read within %v: the disk that they are on does not answer", limit)
	return l
}
