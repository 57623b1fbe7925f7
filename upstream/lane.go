package upstream

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/protocol"
)

// Bounds of one round, so that no client waits long for others. The bytes it
// sends are bounded by writeSize: what memcached's socket takes without having
// to read our replies first, else both would wait.
const (
	roundCalls   = 1024      // calls, if every value memcached takes is small
	roundReplies = 256 << 20 // bytes of replies at worst, if that leaves
	roundLeast   = 16        // so many calls
	roundBytes   = 8 << 20   // bytes of replies, if they are as they have been lately
	paceBytes    = 1 << 20   // bytes of replies that earn memcached the request timeout anew
)

// errAbandoned burns a connection that its user left in the middle of something.
var errAbandoned = errors.New("upstream: connection was left in use")

// lane is one shared connection and the batches that wait for it.
type lane struct {
	pool *Pool

	mu      sync.Mutex
	queue   []*Batch // with calls that are not sent yet, in order of arrival
	led     bool     // some goroutine leads
	refuses bool     // the leader tries a memcached that was down: nobody else waits for that
	closed  bool

	// The rest belongs to the leader.
	conn   *conn
	flight []inFlight
	shared bool // the last round served more than one client
	size   int  // bytes of a reply's value, as they have been lately: it rises at once and falls slowly
	proven int  // calls of flight whose reply, up to its value, is proven to be theirs
}

// inFlight is a call that was sent in this round.
type inFlight struct {
	batch  *Batch
	call   int // index of it
	opaque uint64
}

// do carries b's calls to memcached and returns when each has its reply, or
// will never have one.
func (l *lane) do(b *Batch) {
	if !l.join(b) {
		return
	}
	sound := false
	b.leads = true
	defer func() {
		if !sound { // a panic: whoever leads next must find the lane in order
			l.giveUp(errAbandoned)
			l.release()
			l.failQueued()
		}
		b.leads = false
		l.handOver()
	}()
	for b.sent < len(b.Calls) {
		l.round()
	}
	sound = true
}

// join queues b and waits until it is done, or leads the lane, which it reports.
func (l *lane) join(b *Batch) (leads bool) {
	l.mu.Lock()
	if l.closed || l.refuses {
		l.mu.Unlock()
		b.fail(protocol.StatusDown)
		return false
	}
	l.queue = append(l.queue, b)
	leads = !l.led
	l.led = true
	l.mu.Unlock()
	return leads || <-b.wake == lead
}

// handOver makes the batch that waits longest the leader, or nobody.
func (l *lane) handOver() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) > 0 {
		l.queue[0].wake <- lead
		return
	}
	l.led = false
	if l.closed {
		l.hangUp()
	}
}

// round sends what is queued in one write and reads the replies to it.
func (l *lane) round() {
	if err := l.connect(); err != nil {
		l.failQueued()
		return
	}
	if l.shared {
		runtime.Gosched() // those it served may have more to send: they join
	}
	l.take()
	if len(l.flight) == 0 {
		return
	}
	err := l.exchange()
	if err != nil {
		l.giveUp(err)
	}
	l.release()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.failQueued() // they have waited as long as those that were sent
	}
}

// connect makes sure that there is a connection that is fit to be used.
func (l *lane) connect() (err error) {
	if l.conn != nil {
		if err = l.conn.fit(time.Now()); err == nil {
			return nil
		}
		l.giveUp(err)
	}
	l.refuse(l.pool.gate.shut())
	defer l.refuse(false)
	l.conn, err = l.pool.dial()
	return err
}

func (l *lane) refuse(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuses = yes
}

// take composes queued calls until the round is full.
func (l *lane) take() {
	l.proven = 0
	limit := l.limit()
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := 0
	defer func() {
		left := copy(l.queue, l.queue[taken:])
		clear(l.queue[left:]) // keeps no client's memory alive
		l.queue = l.queue[:left]
	}()
	for taken < len(l.queue) && l.compose(l.queue[taken], limit) {
		taken++
	}
}

// limit is how many calls a round may have.
func (l *lane) limit() int {
	if !l.conn.info.Meta {
		return 1 // without an opaque, only being alone proves a reply
	}
	return min(roundCalls, max(roundLeast, min(roundReplies/l.conn.info.MaxItem, roundBytes/max(1, l.size))))
}

// compose composes calls of b until the round is full, and reports whether it
// is not: no call of b is left. A batch of which nothing is sent is done.
func (l *lane) compose(b *Batch, limit int) bool {
	before := len(l.flight)
	for ; b.sent < len(b.Calls); b.sent++ {
		call := &b.Calls[b.sent]
		if status := l.unsent(b); status != protocol.StatusNone {
			call.Reply = protocol.Reply{Status: status}
			continue
		}
		if len(l.flight) >= limit || l.full(&call.Command) {
			return false
		}
		l.flight = append(l.flight, inFlight{b, b.sent, l.conn.compose(&call.Command)})
	}
	if len(l.flight) == before {
		b.wakeUp()
	}
	return true
}

// unsent returns the status of b's next call if it is not to be sent.
func (l *lane) unsent(b *Batch) protocol.Status {
	switch {
	case b.passOver():
		return protocol.StatusDropped
	case !l.conn.takes(&b.Calls[b.sent].Command):
		return protocol.StatusUnfit
	}
	return protocol.StatusNone
}

// full reports whether cmd can't go into the round any more: it no longer fits
// into the round's one write, or would have to be the first.
func (l *lane) full(cmd *protocol.Command) bool {
	used := len(l.conn.wbuf)
	return used > 0 && (cmd.GoesFirst() || used+len(cmd.Key)+len(cmd.Value)+256 > writeSize)
}

// exchange sends what was composed and reads the replies into the batches. An
// error line carries no proof of its own: the reply after it proves it as well.
func (l *lane) exchange() error {
	c := l.conn
	now := time.Now()
	c.SetDeadline(now.Add(l.pool.cfg.RequestTimeout))
	if err := c.send(); err != nil {
		return err
	}
	read, paced := 0, 0
	for i := range l.flight {
		proof, err := l.reply(&l.flight[i])
		if err != nil {
			return err
		}
		if proof {
			l.proven = i + 1
		}
		f := &l.flight[i]
		if read += f.batch.Calls[f.call].Reply.Size; read-paced > paceBytes {
			paced = read
			c.SetDeadline(time.Now().Add(l.pool.cfg.RequestTimeout))
		}
	}
	if n := len(l.flight); n > 0 {
		l.size = max(read/n, l.size-l.size/8)
	}
	if l.proven < len(l.flight) {
		if err := c.prove(); err != nil {
			return err
		}
		l.proven = len(l.flight)
	}
	c.lastUse = now
	return c.drained()
}

// reply reads the reply to one call into its batch, and reports whether it
// proves that it, and every one before it, is what it seems.
func (l *lane) reply(f *inFlight) (proof bool, err error) {
	call := &f.batch.Calls[f.call]
	if err := l.conn.head(&call.Command, f.opaque, &call.Reply); err != nil {
		return false, err
	}
	if call.Reply.Status != protocol.StatusValue {
		return l.conn.proves(&call.Reply), nil
	}
	return true, l.value(f.batch, f.call)
}

// value reads the value of the i-th reply of b, if b has room for it.
func (l *lane) value(b *Batch, i int) error {
	r := &b.Calls[i].Reply
	dst, ok := b.room(i, r.Size)
	if !ok {
		err := l.conn.chunks(r, discard)
		r.Status = protocol.StatusDropped
		return err
	}
	if err := l.conn.value(dst, r); err != nil {
		return err
	}
	b.keep(i, r.Size)
	return nil
}

func discard([]byte) error { return nil }

// giveUp burns the connection and fails the calls whose reply is not proven.
func (l *lane) giveUp(err error) {
	if l.conn != nil {
		l.pool.burn(l.conn, err)
		l.conn = nil
	}
	for _, f := range l.flight[l.trusted(err):] {
		call := &f.batch.Calls[f.call]
		call.Reply = protocol.Reply{Status: protocol.StatusLost}
		call.start, call.end = 0, 0
	}
}

// trusted is how many replies hold after err. If memcached said what it should
// not have said, the value before that may have taken bytes of it, or lack some.
func (l *lane) trusted(err error) int {
	n := l.proven
	if cause := burnOf(err); n == 0 || cause != metrics.BurnProof && cause != metrics.BurnIdle {
		return n
	}
	if f := l.flight[n-1]; f.batch.Calls[f.call].Reply.Status == protocol.StatusValue {
		n--
	}
	return n
}

// release wakes the batches that are done, all but the leader's own, which
// nobody waits for, and forgets the round.
func (l *lane) release() {
	l.shared = len(l.flight) > 0 && l.flight[0].batch != l.flight[len(l.flight)-1].batch
	for i := range l.flight {
		b := l.flight[i].batch
		last := i+1 == len(l.flight) || l.flight[i+1].batch != b
		if last && b.sent == len(b.Calls) {
			b.wakeUp()
		}
	}
	clear(l.flight)
	l.flight, l.proven = l.flight[:0], 0
}

// failQueued fails everything that waits. None of it was sent but what has its
// reply.
func (l *lane) failQueued() {
	l.mu.Lock()
	failed := l.queue
	l.queue = nil
	l.mu.Unlock()
	for _, b := range failed {
		b.fail(protocol.StatusDown)
		b.wakeUp()
	}
}

// close ends the lane: what is under way is carried out, what comes is refused.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if !l.led {
		l.hangUp()
	}
}

// hangUp closes the connection of a lane that nobody leads.
func (l *lane) hangUp() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}
