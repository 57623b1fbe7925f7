package proxy

import (
	"errors"

	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
	"github.com/slabgate/slabgate/upstream"
)

// maxLocal bounds the bytes of answers that slabgate gives itself in one turn.
const maxLocal = 16 << 10

// owed is one reply a client is owed. They are settled in order.
type owed struct {
	verb     *protocol.Verb
	noReply  bool
	from, to int // calls of the batch, if verb is set; bytes of local otherwise
}

// exchange is a session after login, without I/O. Feed it the client's bytes,
// carry out its batch, and settle it; what it emits is in out. One turn is one
// feed and everything until its replies are settled: during it the bytes that
// were fed must stay where they are.
type exchange struct {
	identity *policy.Identity
	now      int64 // Unix seconds, set once a turn
	version  string
	limits   *Limits
	observer observer

	parser protocol.Parser
	batch  *upstream.Batch
	owed   []owed
	local  []byte
	out    []byte // for the client; the driver takes it
	alone  protocol.Request
	end    End  // set once the session has to end after what is owed
	fresh  bool // what is there of the next request began in the last feed

	at    int // owed[at] is being settled
	reply reply
}

// reply is the reply that is being put together.
type reply struct {
	begun  bool
	failed bool // it ended with an error line
	call   int  // next call of it
	mark   int  // where it starts in out; -1 if some of it has left
	size   int  // bytes of its values so far
}

// observer is told what is worth counting or writing down. It is called on the
// session's goroutine.
type observer interface {
	observe(e event, req *protocol.Request, d policy.Decision)
}

// event is what an observer is told of.
type event uint8

const (
	evRequest        event = iota // a request was understood
	evMalformed                   // one was not
	evDenied                      // policy denied one, or would have
	evUpstreamFailed              // memcached did not serve one
)

// newExchange returns an exchange for one client.
func newExchange(limits *Limits, o observer) *exchange {
	return &exchange{limits: limits, observer: o, batch: upstream.NewBatch()}
}

// feed takes requests from the start of in until it needs more bytes, the turn
// is full, or a request must be carried out alone. It returns the bytes taken,
// and whether it stopped for want of more.
func (x *exchange) feed(in []byte) (used int, short bool) {
	for x.fresh = false; !x.full(); {
		req, n, err := x.parser.Next(in[used:])
		used += n
		x.fresh = x.fresh || err != protocol.ErrShort && err != protocol.ErrBody || n > 0 && !x.parser.Owes()
		switch {
		case err == nil:
			x.serve(req)
		case err == protocol.ErrShort:
			return used, true
		case err == protocol.ErrBody:
			// A value that will be denied is not waited for.
			if !x.deniedEarly(req) {
				return used, true
			}
			used += x.parser.Refuse(in[used:])
			x.fresh = true
		default:
			x.refuse(err)
		}
	}
	return used, false
}

// refuse answers a request that was not understood.
func (x *exchange) refuse(err error) {
	x.observer.observe(evMalformed, nil, policy.Decision{})
	var refusal *protocol.Refusal
	if !errors.As(err, &refusal) {
		x.end = EndBug
		return
	}
	x.answer(refusal.Reply)
	if refusal.Close {
		x.end = EndSyntax
	}
}

// full reports whether the turn takes no more requests.
func (x *exchange) full() bool {
	return x.end != "" || x.alone.Verb != nil || len(x.local) >= maxLocal ||
		len(x.batch.Calls) >= x.limits.MaxInFlight || len(x.owed) >= x.limits.MaxInFlight
}

// permits decides on req. If it is denied, the denial is answered.
func (x *exchange) permits(req *protocol.Request) bool {
	if req.Verb.Category == protocol.CatConn {
		return true
	}
	d := x.identity.Decide(req, x.now)
	if d.Verdict == policy.Allow {
		return true
	}
	x.observer.observe(evDenied, req, d)
	if d.Verdict == policy.WouldDeny {
		return true
	}
	if !req.NoReply {
		x.answer(x.denial(req))
	}
	return false
}

// deniedEarly decides on a request whose value has not come yet. If it is
// denied, it is dealt with as if it had.
func (x *exchange) deniedEarly(req *protocol.Request) bool {
	if x.identity.Decide(req, x.now).Verdict != policy.Deny {
		return false
	}
	x.serve(req)
	return true
}

// stillPermits decides anew on a request that was permitted under another
// snapshot and has not been carried out.
func (x *exchange) stillPermits(req *protocol.Request) bool {
	d := x.identity.Decide(req, x.now)
	if d.Verdict == policy.Deny {
		x.observer.observe(evDenied, req, d)
	}
	return d.Verdict != policy.Deny
}

// denial is what a denied client reads.
func (x *exchange) denial(req *protocol.Request) string {
	if line, ok := req.LooksLikeMiss(); ok && x.identity.Quiet {
		return line
	}
	return protocol.AccessDenied
}

// serve queues a request that is understood.
func (x *exchange) serve(req *protocol.Request) {
	x.observer.observe(evRequest, req, policy.Decision{})
	if !x.permits(req) {
		return
	}
	switch {
	case req.Verb.Route == protocol.RouteLocal:
		x.serveLocal(req.Verb)
	case req.Verb.Route == protocol.RouteKeyless, len(req.Value) > upstream.BulkValue:
		x.alone = *req
	default:
		first := len(x.batch.Calls)
		for i := range req.Keys {
			x.batch.Add(req.Command(i))
		}
		x.owed = append(x.owed, owed{verb: req.Verb, noReply: req.NoReply, from: first, to: len(x.batch.Calls)})
	}
}

// serveLocal answers the commands that never reach memcached.
func (x *exchange) serveLocal(v *protocol.Verb) {
	switch v {
	case protocol.Version:
		if x.version == "" {
			x.answer(protocol.UpstreamDown)
			return
		}
		from := len(x.local)
		x.local = protocol.AppendVersion(x.local, x.version)
		x.owe(from)
	case protocol.NoOp:
		x.answer(protocol.MN)
	case protocol.Quit:
		x.end = EndQuit
	}
}

// answer owes the client a line of slabgate's own.
func (x *exchange) answer(line string) {
	if line == "" {
		return
	}
	from := len(x.local)
	x.local = append(x.local, line...)
	x.owe(from)
}

// owe owes the client the local bytes from the given one on.
func (x *exchange) owe(from int) {
	if last := len(x.owed) - 1; last >= 0 && x.owed[last].verb == nil {
		x.owed[last].to = len(x.local)
		return
	}
	x.owed = append(x.owed, owed{from: from, to: len(x.local)})
}

// step is what settle needs before it can go on.
type step uint8

const (
	stepDone   step = iota // nothing: every reply is in out
	stepFlush              // out is long enough to be written now
	stepStream             // the reply's next call must be carried out alone
)

// flushSize is how much of a reply is gathered before it is written, in bytes:
// four full TLS records.
const flushSize = 64 << 10

// settle renders replies in order until the turn's last, or until it needs the
// driver to do something first.
func (x *exchange) settle() step {
	for ; x.at < len(x.owed); x.at++ {
		o := &x.owed[x.at]
		if o.verb == nil {
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
		c := &x.batch.Calls[x.reply.call]
		if x.head(o, &c.Command, &c.Reply) {
			x.out = append(x.out, x.batch.Value(x.reply.call)...)
			x.out = append(x.out, protocol.ValueEnd...)
		}
		x.reply.call++
		if len(x.out) >= flushSize {
			return stepFlush
		}
	}
	return stepDone
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
	case o.noReply:
	case r.Status == protocol.StatusValue && o.verb.IsRead():
		if !x.fits(o, r.Size) {
			return false
		}
		x.out = protocol.AppendItemLine(x.out, o.verb, c.Key, r)
		return true
	case r.Status == protocol.StatusValue:
		return true
	case o.verb.IsRead() && r.Status != protocol.StatusMiss:
		x.fail(o, r)
	case !o.verb.IsRead():
		x.out = protocol.AppendAnswer(x.out, o.verb, r)
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
	if !o.noReply {
		x.out = protocol.AppendAnswer(x.out, o.verb, r)
	}
	x.reply.failed = true
}

// finish ends a request's reply.
func (x *exchange) finish(o *owed) {
	if o.verb.IsRead() && !x.reply.failed {
		x.out = append(x.out, protocol.ItemsEnd...)
	}
	x.reply = reply{}
}

// taken says that the driver has taken everything in out. It keeps the memory,
// unless it grew far beyond what a turn needs.
func (x *exchange) taken() {
	x.out = x.out[:0]
	if cap(x.out) > 4*flushSize {
		x.out = nil
	}
	x.reply.mark = -1
}

// reset makes the exchange ready for the next turn. The bytes that were fed may
// go.
func (x *exchange) reset() {
	x.batch.Reset()
	x.owed = x.owed[:0]
	x.local = x.local[:0]
	x.alone = protocol.Request{}
	x.at = 0
}
