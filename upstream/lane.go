package upstream

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/poll"
	"github.com/slabgate/slabgate/protocol"
)

// errAbandoned burns a connection that its user left in the middle of something.
var errAbandoned = errors.New("upstream: connection was left in use")

// Lane is one shared connection and the batches that wait for it. It belongs to a
// loop: everything happens on its goroutine, and nothing waits. One round is under
// way at a time, in one write; what is added meanwhile is the next.
type Lane struct {
	pool *Pool
	loop *poll.Loop

	queue    []*Batch // with calls that are not sent yet, in order of arrival
	done     []*Batch // their owners are still to be told
	dialling bool
	refuses  bool // it tries a memcached that was down: nobody else waits for that
	closed   bool

	conn   *conn      // nil if there is none
	sock   *poll.Conn // the same
	unsent []byte     // of the round
	flight []inFlight
	reader reader
	size   int // bytes of a reply's value, as they have been lately: it rises at once and falls slowly

	began    time.Time // when the round under way was sent
	deadline time.Time // of it
	timer    *time.Timer
	timed    bool // the timer runs, maybe for an earlier round
}

// NewLane returns a lane of a loop. It connects when there is something to send.
func (p *Pool) NewLane(loop *poll.Loop) *Lane {
	l := &Lane{pool: p, loop: loop}
	l.timer = time.AfterFunc(time.Hour, func() { l.loop.Post(l.checkTime) })
	l.timer.Stop()
	return l
}

// Add queues b, whose calls must have values of at most [BulkValue] bytes. It
// reports whether there is something to wait for: if not, each call has a reply
// already, and the owner is not told.
func (l *Lane) Add(b *Batch, owner Owner) (waits bool) {
	if l.closed || l.refuses {
		b.fail(protocol.StatusDown)
		return false
	}
	b.owner = owner
	l.queue = append(l.queue, b)
	return true
}

// Turn sends what was added, unless a round is under way. The loop calls it after
// all that was ready.
func (l *Lane) Turn() poll.Outlook {
	defer l.guard()
	if len(l.flight) == 0 && len(l.queue) > 0 && !l.dialling {
		l.advance()
	}
	switch {
	case len(l.flight) > 0:
		return poll.Soon
	case len(l.queue) > 0 && !l.dialling:
		return poll.Now
	}
	return poll.Idle
}

// advance sends what was added, or dials for it.
func (l *Lane) advance() {
	if l.conn == nil {
		l.dial()
	} else {
		l.round()
	}
	l.deliver()
}

// guard keeps a panic from the loop. In a right program it finds none.
func (l *Lane) guard() {
	if r := recover(); r != nil {
		l.report(r)
		l.giveUp(errAbandoned)
		l.failQueued()
		l.deliver()
	}
}

func (l *Lane) report(panicked any) {
	l.pool.metrics.Panics.Add(1)
	l.pool.log.Error("lane failed", zap.Any("panic", panicked), zap.Stack("stack"))
}

// deliver tells the owners of the batches that are done. They may add new ones.
func (l *Lane) deliver() {
	for i := 0; i < len(l.done); i++ {
		l.tell(l.done[i].owner)
	}
	clear(l.done) // keeps no client's memory alive
	l.done = l.done[:0]
}

// tell tells one owner. Its panic is not that of the others.
func (l *Lane) tell(o Owner) {
	defer func() {
		if r := recover(); r != nil {
			l.report(r)
		}
	}()
	o.Served()
}

// dial makes a connection, which somebody else waits for.
func (l *Lane) dial() {
	again := l.pool.gate.shut()
	probe, err := l.pool.mayDial()
	if err != nil {
		l.failQueued()
		return
	}
	l.dialling, l.refuses = true, again
	l.pool.dials.Go(func() {
		c, err := l.pool.dialAs(context.Background(), probe)
		var sock *poll.Conn
		if err == nil {
			c.SetDeadline(time.Time{})
			if sock, err = poll.Take(c.Conn); err != nil {
				c.Close()
			} else {
				c.Conn = sock
			}
		}
		if !l.loop.Post(func() { l.dialled(c, sock, err) }) && err == nil {
			c.Close()
		}
	})
}

// dialled takes the connection that was made, if one was.
func (l *Lane) dialled(c *conn, sock *poll.Conn, err error) {
	defer l.guard()
	l.dialling, l.refuses = false, false
	if err == nil && l.closed {
		c.Close()
		return
	}
	if err == nil {
		l.conn, l.sock = c, sock
		err = l.loop.Watch(sock, l)
	}
	if err != nil {
		l.giveUp(err)
		l.failQueued()
	}
	l.deliver()
}

// failQueued fails everything that waits. None of it was sent but what has its
// reply.
func (l *Lane) failQueued() {
	for _, b := range l.queue {
		b.fail(protocol.StatusDown)
	}
	l.done = append(l.done, l.queue...)
	clear(l.queue)
	l.queue = l.queue[:0]
}

// Close ends the lane. Calls under way get no reply, and what comes is refused.
func (l *Lane) Close() {
	defer l.guard()
	l.closed = true
	l.timer.Stop()
	if l.conn != nil {
		l.conn.Close()
		l.conn, l.sock, l.unsent = nil, nil, nil
	}
	l.giveUp(errClosed)
	l.failQueued()
	l.deliver()
}
