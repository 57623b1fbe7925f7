package upstream

import (
	"sync"
	"time"

	"github.com/slabgate/slabgate/protocol"
)

// roundCalls bounds the calls of one round, so that no client waits for an
// endless queue of others. writeSize bounds its bytes: what memcached's socket
// takes without having to read our replies first, else both would wait.
const roundCalls = 1024

// lane is one shared connection and the batches that wait for it.
type lane struct {
	pool *Pool

	mu    sync.Mutex
	queue []*Batch // with calls that are not sent yet, in order of arrival
	led   bool     // some goroutine leads

	// The rest belongs to the leader.
	conn   *conn
	flight []inFlight
}

// inFlight is a call that was sent and has no reply yet.
type inFlight struct {
	batch  *Batch
	opaque uint64
}

// do carries b's calls to memcached and returns when each has its reply, or
// will never have one.
func (l *lane) do(b *Batch) {
	l.mu.Lock()
	l.queue = append(l.queue, b)
	leading := !l.led
	l.led = true
	l.mu.Unlock()
	if !leading && <-b.wake == finished {
		return
	}
	b.leads = true
	defer func() { b.leads = false }()
	for b.done < len(b.Calls) {
		l.round()
	}
	l.handOver()
}

// handOver makes the batch that waits longest the leader, or nobody.
func (l *lane) handOver() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		l.led = false
		return
	}
	l.queue[0].wake <- lead
}

// round sends what is queued in one write and reads the replies to it.
func (l *lane) round() {
	if err := l.connect(); err != nil {
		l.failQueued()
		return
	}
	l.take()
	c := l.conn
	c.SetDeadline(time.Now().Add(l.pool.cfg.RequestTimeout))
	err := c.send()
	settled := 0
	for ; err == nil && settled < len(l.flight); settled++ {
		err = l.reply(&l.flight[settled])
	}
	if err != nil {
		l.pool.burn(c, err)
		l.conn = nil
		l.lose(settled)
	} else {
		c.lastUse = time.Now()
	}
	l.release()
}

// connect makes sure that there is a connection that is fit to be used.
func (l *lane) connect() (err error) {
	if l.conn != nil {
		if err = l.conn.idle(time.Now()); err == nil {
			return nil
		}
		l.pool.burn(l.conn, err)
	}
	l.conn, err = l.pool.dial()
	return err
}

// take composes queued calls until the round is full.
func (l *lane) take() {
	limit := roundCalls
	if !l.conn.info.Meta {
		limit = 1 // without an opaque, only being alone proves a reply
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) > 0 && len(l.flight) < limit {
		b := l.queue[0]
		for b.sent < len(b.Calls) && len(l.flight) < limit && !l.full(&b.Calls[b.sent].Command) {
			opaque := l.conn.compose(&b.Calls[b.sent].Command)
			l.flight = append(l.flight, inFlight{b, opaque})
			b.sent++
		}
		if b.sent < len(b.Calls) {
			return
		}
		l.queue = append(l.queue[:0], l.queue[1:]...)
	}
}

// full reports whether cmd no longer fits into the round's one write.
func (l *lane) full(cmd *protocol.Command) bool {
	used := len(l.conn.wbuf)
	return used > 0 && used+len(cmd.Key)+len(cmd.Value)+128 > writeSize
}

// reply reads the reply to one call into its batch.
func (l *lane) reply(f *inFlight) error {
	b := f.batch
	i := b.done
	var r protocol.Reply
	if err := l.conn.head(&b.Calls[i].Command, f.opaque, &r); err != nil {
		return err
	}
	if r.Status == protocol.StatusValue {
		dst := b.room(i, r.Size)
		if dst == nil {
			if err := l.conn.chunks(&r, discard); err != nil {
				return err
			}
			r.Status = protocol.StatusDropped
		} else if err := l.conn.value(dst, &r); err != nil {
			return err
		}
	}
	b.settle(r)
	return nil
}

func discard([]byte) error { return nil }

// lose fails the calls that were sent and whose reply did not come.
func (l *lane) lose(from int) {
	for _, f := range l.flight[from:] {
		f.batch.settle(protocol.Reply{Status: protocol.StatusLost})
	}
}

// release wakes the batches that are done, all but the leader's own, which
// nobody waits for, and forgets the round.
func (l *lane) release() {
	for i := range l.flight {
		b := l.flight[i].batch
		last := i+1 == len(l.flight) || l.flight[i+1].batch != b
		if last && b.done == len(b.Calls) {
			b.wakeUp()
		}
	}
	clear(l.flight)
	l.flight = l.flight[:0]
}

// failQueued fails everything that waits: there is no connection.
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

// close closes the lane's connection. Nobody may lead.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}
