package upstream

import (
	"errors"
	"os"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/poll"
	"github.com/slabgate/slabgate/protocol"
)

// Bounds of one round, so that no client waits long for others. The bytes it
// sends are bounded by writeSize: what memcached's socket takes without having
// to read our replies first.
const (
	roundCalls   = 1024      // calls, if every value memcached takes is small
	roundReplies = 256 << 20 // bytes of replies at worst, if that leaves
	roundLeast   = 16        // so many calls
	roundBytes   = 8 << 20   // bytes of replies, if they are as they have been lately
	paceBytes    = 1 << 20   // bytes of replies that earn memcached the request timeout anew
)

// directRead is how much of a value must be to come, in bytes, to be worth a read
// of its own.
const directRead = 8 << 10

// errEarly burns a connection on which a command was answered before all of it was
// sent: what memcached takes the rest for is not known.
var errEarly = errors.New("upstream: answered before it was sent")

// inFlight is a call that was sent in this round.
type inFlight struct {
	batch  *Batch
	call   int // index of it
	opaque uint64
}

// round composes what is queued and sends it in one write. Where no opaque proves
// a reply, memcached must have said nothing since the last one.
func (l *Lane) round() {
	if !l.conn.info.Meta {
		l.sock.Look()
		if err := l.receive(); err != poll.ErrAgain {
			l.giveUp(err)
			return
		}
	}
	l.take()
	if len(l.flight) == 0 {
		return
	}
	l.extend()
	l.began = l.deadline.Add(-l.pool.cfg.RequestTimeout)
	if err := l.send(); err != nil {
		l.failRound(err)
	}
}

// extend gives memcached the request timeout from now on.
func (l *Lane) extend() {
	l.deadline = time.Now().Add(l.pool.cfg.RequestTimeout)
	if !l.timed {
		l.timed = true
		l.timer.Reset(l.pool.cfg.RequestTimeout)
	}
}

// checkTime ends a round that is late. The timer is not set anew for each: it
// looks at the one that is under way when it goes off.
func (l *Lane) checkTime() {
	defer l.guard()
	l.timed = false
	if len(l.flight) == 0 {
		return
	}
	if left := time.Until(l.deadline); left > 0 {
		l.timed = true
		l.timer.Reset(left)
		return
	}
	l.failRound(os.ErrDeadlineExceeded)
	l.deliver()
}

// take composes queued calls until the round is full.
func (l *Lane) take() {
	limit, taken := l.limit(), 0
	for taken < len(l.queue) && l.compose(l.queue[taken], limit) {
		taken++
	}
	left := copy(l.queue, l.queue[taken:])
	clear(l.queue[left:]) // keeps no client's memory alive
	l.queue = l.queue[:left]
}

// limit is how many calls a round may have.
func (l *Lane) limit() int {
	if !l.conn.info.Meta {
		return 1 // without an opaque, only being alone proves a reply
	}
	return min(roundCalls, max(roundLeast, min(roundReplies/l.conn.info.MaxItem, roundBytes/max(1, l.size))))
}

// compose composes calls of b until the round is full, and reports whether it
// is not: no call of b is left. A batch of which nothing is sent is done.
func (l *Lane) compose(b *Batch, limit int) bool {
	before := len(l.flight)
	for ; b.sent < len(b.Calls); b.sent++ {
		call := &b.Calls[b.sent]
		if status := l.unfit(b); status != protocol.StatusNone {
			call.Reply = protocol.Reply{Status: status}
			continue
		}
		if len(l.flight) >= limit || l.full(&call.Command) {
			return false
		}
		l.flight = append(l.flight, inFlight{b, b.sent, l.conn.compose(&call.Command)})
	}
	if len(l.flight) == before {
		l.done = append(l.done, b)
	}
	return true
}

// unfit returns the status of b's next call if it is not to be sent.
func (l *Lane) unfit(b *Batch) protocol.Status {
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
func (l *Lane) full(cmd *protocol.Command) bool {
	used := len(l.conn.wbuf)
	return used > 0 && (cmd.GoesFirst() || used+len(cmd.Prefix)+len(cmd.Key)+len(cmd.Value)+256 > writeSize)
}

// send writes what was composed, and has the loop tell when the rest can be. If it
// is not even clear what memcached has of the last write, nothing may follow it.
func (l *Lane) send() error {
	if len(l.unsent) > 0 {
		return errEarly
	}
	l.unsent = l.conn.wbuf
	return l.push()
}

func (l *Lane) push() error {
	n, err := l.sock.TryWrite(l.unsent)
	l.unsent = l.unsent[n:]
	switch err {
	case nil:
		l.conn.sent()
		l.unsent = nil
		return nil
	case poll.ErrAgain:
		return l.sock.WantRoom(true)
	}
	return err
}

// Ready goes on with the round when memcached has said something, or has room.
func (l *Lane) Ready(e poll.Event) {
	defer l.guard()
	if l.conn == nil {
		return
	}
	l.sock.Wake(e)
	if err := l.proceed(e); err != nil && err != poll.ErrAgain {
		l.failRound(err)
	}
	l.next()
	l.deliver()
}

// next sends what waits before the owners of the last round are told: memcached has
// something to do while they answer their clients.
func (l *Lane) next() {
	if l.conn != nil && len(l.flight) == 0 && len(l.queue) > 0 {
		l.round()
	}
}

func (l *Lane) proceed(e poll.Event) error {
	if e.Write && len(l.unsent) > 0 {
		if err := l.push(); err != nil {
			return err
		}
		if len(l.unsent) == 0 {
			if err := l.sock.WantRoom(false); err != nil {
				return err
			}
		}
	}
	return l.receive()
}

// receive reads what there is. It ends with an error, or [poll.ErrAgain].
func (l *Lane) receive() error {
	for {
		err := l.fill()
		switch {
		case len(l.flight) == 0 && err != poll.ErrAgain:
			return errors.Join(errUnsolicited, err)
		case err != nil:
			return err
		}
		if err := l.settle(); err != nil {
			return err
		}
	}
}

// fill reads what there is: straight to where it belongs, if that is a value of
// which much is to come.
func (l *Lane) fill() error {
	if dst := l.reader.rest(); len(dst) >= directRead && l.conn.r == l.conn.w {
		n, err := l.sock.TryRead(dst)
		l.reader.came(n)
		return err
	}
	n, err := l.sock.TryRead(l.conn.room())
	l.conn.w += n
	return err
}

// settle takes the replies that are there, and ends the round after the last.
func (l *Lane) settle() error {
	if err := l.read(); err == protocol.ErrShort {
		return nil
	} else if err != nil {
		return err
	}
	if err := l.conn.drained(); err != nil {
		return err
	}
	if len(l.unsent) > 0 {
		return errEarly
	}
	l.size = max(l.reader.bytes/len(l.flight), l.size-l.size/8)
	l.time()
	l.release()
	return nil
}

// time counts how long memcached took for the round, and tells its batches.
func (l *Lane) time() {
	took := time.Since(l.began)
	l.pool.metrics.Upstream.Observe(took, len(l.flight))
	for i := range l.flight {
		if b := l.flight[i].batch; i == 0 || l.flight[i-1].batch != b {
			b.Took += took
		}
	}
}

// failRound burns the connection. If memcached was late, whoever waits has waited
// as long as those that were sent.
func (l *Lane) failRound(err error) {
	l.giveUp(err)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.failQueued()
	}
}

// giveUp burns the connection, fails the calls whose reply is not proven, and
// ends the round.
func (l *Lane) giveUp(err error) {
	if l.conn != nil {
		l.pool.burn(l.conn, err)
		l.conn, l.sock, l.unsent = nil, nil, nil
	}
	for _, f := range l.flight[l.trusted(err):] {
		call := &f.batch.Calls[f.call]
		call.Reply = protocol.Reply{Status: protocol.StatusLost}
		call.start, call.end = 0, 0
	}
	l.release()
}

// trusted is how many replies hold after err. If memcached said what it should
// not have said, the value before that may have taken bytes of it, or lack some.
func (l *Lane) trusted(err error) int {
	n := l.reader.proven
	if cause := burnOf(err); n == 0 || cause != metrics.BurnProof && cause != metrics.BurnIdle {
		return n
	}
	if f := l.flight[n-1]; f.batch.Calls[f.call].Reply.Status == protocol.StatusValue {
		n--
	}
	return n
}

// release forgets the round. Batches of which nothing is left to send are done.
func (l *Lane) release() {
	for i := range l.flight {
		b := l.flight[i].batch
		last := i+1 == len(l.flight) || l.flight[i+1].batch != b
		if last && b.sent == len(b.Calls) {
			l.done = append(l.done, b)
		}
	}
	clear(l.flight)
	l.flight = l.flight[:0]
	l.reader = reader{}
}
