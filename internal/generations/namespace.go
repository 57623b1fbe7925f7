package generations

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
)

// Namespace is a root and its generation. It belongs to its store, which keeps it
// up to date; its methods may be called by many goroutines.
type Namespace struct {
	root string
	now  atomic.Pointer[inForce] // nil while nothing is known
	met  atomic.Bool             // clients use it, so that memcached's record is followed
	turn chan struct{}           // holds one while somebody talks to memcached about it

	mu      sync.Mutex // guards what follows, and every change of now
	ledger  *ledger
	entry   entry  // what is known; what is in force is published after it is written down
	written entry  // of entry, what the ledger was given
	owings  uint64 // how often a flush came to be owed
	unsaid  bool   // a new generation is still to be named to the other slabgates
	unsure  bool   // memcached did not say what it knows
}

// inForce is a generation and what keys begin with. It never changes.
type inForce struct {
	generation uint64
	prefix     []byte
}

func newNamespace(root string, l *ledger) *Namespace {
	known := l.entry(root)
	n := &Namespace{
		root: root, turn: make(chan struct{}, 1),
		ledger: l, entry: known, written: known, unsaid: known.owed,
	}
	n.publish(known.generation)
	return n
}

// Root is what the namespace was asked for by.
func (n *Namespace) Root() string { return n.root }

// Prefix is what the namespace's keys begin with now: the root, the generation in
// decimal digits and a slash. The slice never changes; a flush makes another one.
func (n *Namespace) Prefix() []byte { return n.now.Load().prefix }

// Generation is the one in force, in milliseconds since 1970.
func (n *Namespace) Generation() uint64 {
	if now := n.now.Load(); now != nil {
		return now.generation
	}
	return 0
}

// publish puts a generation into force, unless one as high is. The caller holds mu
// and has written it down.
func (n *Namespace) publish(generation uint64) {
	if generation <= n.Generation() {
		return
	}
	prefix := append(strconv.AppendUint([]byte(n.root), generation, 10), '/')
	n.now.Store(&inForce{generation, prefix[:len(prefix):len(prefix)]})
}

// commit writes down what is known. The caller holds mu.
func (n *Namespace) commit() {
	if n.entry != n.written {
		n.ledger.put(n.root, n.entry)
		n.written = n.entry
	}
}

// startAlone puts into force what is known without memcached. If that is nothing it
// is a flush that memcached is still to be told.
func (n *Namespace) startAlone(clock uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unsure = true
	if n.entry.generation == 0 {
		n.oweLocked(clock)
	}
	n.publish(n.entry.generation)
}

// target is the generation that memcached's record is to have, given the one that
// it has, or 0, and the flushes owed which that settles. It is a new one for a
// flush, for one that is owed, and if the record is lower than it should be, or gone:
// then memcached lost ours, and what we know may be older than what it lost, of a
// flush that another slabgate has told it. A new one
// is written down as owed before memcached can have it, so that it survives the end
// of the process.
func (n *Namespace) target(record uint64, flush bool, clock uint64) (to, owings uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := &n.entry
	flush = flush || e.owed || record < e.generation
	e.generation = max(e.generation, record)
	switch {
	case flush:
		e.generation, e.owed, n.unsaid = next(e.generation, clock), true, true
	case e.generation == 0: // of two that begin at one time the first counts
		n.unsaid = true
		return clock, n.owings
	}
	n.commit()
	n.publish(record)
	return e.generation, n.owings
}

// agreed says that memcached's record has a generation, which settles that many
// flushes.
func (n *Namespace) agreed(on, owings uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.entry.generation = max(n.entry.generation, on)
	if n.owings == owings {
		n.entry.owed = false
	}
	n.unsure = false
	n.commit()
	n.publish(on)
}

// owe puts a new generation into force that memcached is still to be told.
func (n *Namespace) owe(clock uint64) (to uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.oweLocked(clock)
	return n.entry.generation
}

func (n *Namespace) oweLocked(clock uint64) {
	n.entry.generation, n.entry.owed = next(n.entry.generation, clock), true
	n.owings++
	n.unsaid = true
	n.commit()
	n.publish(n.entry.generation)
}

// known is the highest generation there has been, in force or not.
func (n *Namespace) known() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.entry.generation
}

// owes reports whether memcached is to be told of a flush.
func (n *Namespace) owes() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.entry.owed
}

// unsettled reports whether memcached is to be told or asked something.
func (n *Namespace) unsettled() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.entry.owed || n.unsaid || n.unsure
}

// setUnsaid says whether a new generation is still to be named to others, and returns
// what was said before.
func (n *Namespace) setUnsaid(unsaid bool) (was bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	was, n.unsaid = n.unsaid, unsaid
	return was
}

// due is when the delayed flush is due, in milliseconds since 1970; 0 if there is
// none.
func (n *Namespace) due() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.entry.due
}

// setDue sets when the delayed flush is due.
func (n *Namespace) setDue(ms int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.entry.due = ms
	n.commit()
}

// dropDue forgets the delayed flush: one that is made now takes its place.
func (n *Namespace) dropDue() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.entry.due = 0
}

// clearDue says that the delayed flush of then is done. A later one stays.
func (n *Namespace) clearDue(then int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.entry.due == then {
		n.entry.due = 0
		n.commit()
	}
}

// begin waits for the turn to talk to memcached about n, which ends with end.
func (n *Namespace) begin(ctx context.Context) error {
	select {
	case n.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case n.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *Namespace) end() { <-n.turn }
