package proxy

import (
	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// step is what settle needs before it can go on.
type step uint8

const (
	stepDone   step = iota // nothing: every reply is in out
	stepFlush              // out is long enough to be written now
	stepStream             // the reply's next call must be carried out alone
	stepValue              // out is to be written, and value after it
)

// flushSize is how much of a reply is gathered before it is written, in bytes:
// four full TLS records.
const flushSize = 64 << 10

// directValue is the size of a value, in bytes, from which on it is not copied into
// out: it is written from where it is.
const directValue = 16 << 10

// settle renders replies in order until the turn's last, or until it needs the
// driver to do something first.
func (x *exchange) settle() step {
	for ; x.at < len(x.owed); x.at++ {
		o := &x.owed[x.at]
		if !o.calls {
			x.out = append(x.out, x.local[o.from:o.to]...)
			continue
		}
		if s := x.settleOne(o); s != stepDone {
			return s
		}
		x.finish(o)
	}
	return stepDone
}

// settleOne renders the replies to one request's calls.
func (x *exchange) settleOne(o *owed) step {
	if !x.reply.begun {
		x.reply = reply{begun: true, call: o.from, mark: len(x.out)}
	}
	for x.reply.call < o.to && !x.reply.failed {
		if x.mustStream(x.reply.call) {
			return stepStream
		}
		if x.settleCall(o) {
			return stepValue
		}
		if len(x.out) >= flushSize {
			return stepFlush
		}
	}
	return stepDone
}

// settleCall renders the reply to the next call. A large value is left to the
// driver, and its end rendered when that has written it.
func (x *exchange) settleCall(o *owed) (value bool) {
	c := &x.batch.Calls[x.reply.call]
	switch {
	case x.value != nil:
		x.value = nil
		x.out = o.form.AppendValueEnd(x.out)
	case x.head(o, &c.Command, &c.Reply):
		v := x.batch.Value(x.reply.call)
		if len(v) >= directValue {
			x.value = v
			x.sent += len(v) // the driver writes it past out
			return true
		}
		x.out = append(x.out, v...)
		x.out = o.form.AppendValueEnd(x.out)
	}
	x.reply.call++
	return false
}

// mustStream reports whether a call has to be carried out alone: it has not been
// yet, or its value was too large to keep and it may be asked again.
func (x *exchange) mustStream(i int) bool {
	switch x.batch.Calls[i].Reply.Status {
	case protocol.StatusNone:
		return true
	case protocol.StatusDropped:
		return x.batch.Repeatable(i)
	}
	return false
}

// head renders a reply up to its value, and reports whether its value, and the
// value's end, are to follow.
func (x *exchange) head(o *owed, c *protocol.Command, r *protocol.Reply) (value bool) {
	switch {
	case r.Status.Failed():
		x.observer.observe(evUpstreamFailed, nil, policy.Decision{})
		x.fail(o, r)
	case o.form.Silent(r.Status):
	case r.Status == protocol.StatusValue:
		if !x.fits(o, r.Size) {
			return false
		}
		x.out = o.form.AppendHead(x.out, c.Key, r)
		return true
	case o.form.IsMulti() && r.Status != protocol.StatusMiss:
		x.fail(o, r)
	default:
		x.out = o.form.AppendAnswer(x.out, c.Key, r)
	}
	return false
}

// fits counts the bytes of a read's values and fails the read once they exceed
// the limit.
func (x *exchange) fits(o *owed, size int) bool {
	x.reply.size += size
	if x.reply.size <= x.limits.MaxReply {
		return true
	}
	x.fail(o, &protocol.Reply{Status: protocol.StatusDropped})
	return false
}

// fail answers a request with an error in place of what it has so far. Items
// that have left already stay complete: the error stands where END would.
func (x *exchange) fail(o *owed, r *protocol.Reply) {
	if x.reply.mark >= 0 {
		x.out = x.out[:x.reply.mark]
	}
	if r.Status != protocol.StatusDenied && !x.reply.failed { // a denial is counted where it is decided
		x.tally.became(o.form.Verb, metrics.Failed)
	}
	if !o.form.Silent(r.Status) {
		x.out = o.form.AppendAnswer(x.out, nil, r)
	}
	x.reply.failed = true
}

// finish ends a request's reply.
func (x *exchange) finish(o *owed) {
	if !x.reply.failed {
		x.out = o.form.AppendItemsEnd(x.out)
	}
	x.reply = reply{}
}

// emitted is how many bytes of replies the turn has made, which is over. What is
// still in out is no part of the next.
func (x *exchange) emitted() int {
	n := x.sent + len(x.out)
	x.sent = -len(x.out)
	return n
}

// taken says that the driver has taken everything in out. It keeps the memory,
// unless it grew far beyond what a turn needs.
func (x *exchange) taken() {
	x.sent += len(x.out)
	x.out = x.out[:0]
	if cap(x.out) > 4*flushSize {
		x.out = nil
	}
	x.reply.mark = -1
}
