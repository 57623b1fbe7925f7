package proxy

import (
	"errors"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
	"github.com/slabgate/slabgate/upstream"
)

// maxLocal bounds the bytes of answers that slabgate gives itself in one turn.
const maxLocal = 16 << 10

// owed is one reply a client is owed. They are settled in order.
type owed struct {
	form     protocol.Form
	calls    bool // it comes from memcached
	from, to int  // calls of the batch, or bytes of local
}

// exchange is a session after login, without I/O. Feed it the client's bytes,
// carry out its batch, and settle it; what it emits is in out. One turn is one
// feed and everything until its replies are settled: during it the bytes that
// were fed must stay where they are.
type exchange struct {
	identity *policy.Identity
	asked    policy.At // what conditions of rules ask of; its time is set once a turn
	version  string
	limits   *Limits
	observer observer

	parser protocol.Parser
	batch  *upstream.Batch
	owed   []owed
	local  []byte
	out    []byte // for the client; the driver takes it
	value  []byte // after it; nil if there is none
	alone  protocol.Request
	end    End             // set once the session has to end after what is owed
	fresh  bool            // what is there of the next request began in the last feed
	served bool            // it has decided on a request that is about more than the connection
	barred bool            // a login was tried and has not succeeded
	turned protocol.Status // why the client is turned away with its first answer; StatusNone if it is not

	space  space  // of the client's keys
	meter  meter  // of its limits
	frozen freeze // what an operator holds up of its requests, set once a turn
	tally  tally  // of what its requests come to
	sent   int    // bytes of the turn's replies that have left, less those of earlier turns that had not
	watch  bool   // what is permitted is worth telling, too

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
	evPermitted                   // one is let through: told only if the exchange watches
	evLimited                     // one exceeds a limit
	evFrozen                      // an operator holds one up
)

// newExchange returns an exchange for one client.
func newExchange(limits *Limits, o observer) *exchange {
	x := &exchange{limits: limits, observer: o, batch: upstream.NewBatch()}
	x.parser.Wanted = x.wants
	x.meter = meter{account: new(account), limits: new(policy.Limits)} // until it is known whose
	return x
}

// wants reports whether the value of a request is worth waiting for: not if the
// request is denied without it.
func (x *exchange) wants(req *protocol.Request) bool {
	if req.Verb.Category == protocol.CatAuth {
		return true
	}
	return !x.barred && x.turned == protocol.StatusNone && !x.valueTooLong(req) &&
		x.identity.Decide(req, &x.asked).Verdict != policy.Deny
}

// feed takes requests from the start of in until it needs more bytes, the turn
// is full, or a request must be carried out alone. It returns the bytes taken,
// and whether it stopped for want of more.
func (x *exchange) feed(in []byte) (used int, short bool) {
	x.fresh = false
	for taken := 0; !x.full() && taken < x.limits.MaxInFlight; taken++ { // also of those that get no reply
		req, n, err := x.parser.Next(in[used:])
		used += n
		x.fresh = x.fresh || err != protocol.ErrShort || n > 0 && !x.parser.Owes()
		switch err {
		case nil:
			x.serve(req)
		case protocol.ErrShort:
			return used, true
		default:
			x.refuse(err)
		}
	}
	return used, false
}

// refuse answers a request that was not understood.
func (x *exchange) refuse(err error) {
	x.observer.observe(evMalformed, nil, policy.Decision{})
	x.tally.malformed()
	var refusal *protocol.Refusal
	if !errors.As(err, &refusal) {
		x.end = EndBug
		return
	}
	if x.turned != protocol.StatusNone {
		x.turnAway(refusal)
		return
	}
	from := len(x.local)
	x.local = append(x.local, refusal.Reply...)
	x.owe(from)
	if refusal.Close {
		x.end = EndSyntax
	}
}

// turnAway answers a client's first request, which was not understood, with why it
// has to go.
func (x *exchange) turnAway(refusal *protocol.Refusal) {
	x.end = EndLimit
	if refusal.Reply == "" {
		return
	}
	from := len(x.local)
	x.local = refusal.AppendAnswer(x.local, nil, &protocol.Reply{Status: x.turned})
	x.owe(from)
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
	d := x.identity.Decide(req, &x.asked)
	if req.Unwanted && !x.valueTooLong(req) { // it was denied when its value came
		d.Verdict = policy.Deny
	}
	x.tally.decided(&d)
	switch {
	case d.Verdict == policy.Deny && x.sift(req):
		return true
	case d.Verdict == policy.Allow:
		if x.watch {
			x.observer.observe(evPermitted, req, d)
		}
		return true
	}
	x.observer.observe(evDenied, req, d)
	if d.Verdict != policy.Deny {
		x.tolerates(req, d)
		return true
	}
	x.tally.became(req.Verb, metrics.Denied)
	from := len(x.local)
	x.local = x.appendDenial(x.local, req)
	x.owe(from)
	return false
}

// tolerates counts a request that would be denied but for a mode audit. What is
// learned is as good as allowed.
func (x *exchange) tolerates(req *protocol.Request, d policy.Decision) {
	if d.Verdict == policy.WouldDeny {
		x.tally.became(req.Verb, metrics.WouldDeny)
	}
}

// sift drops the keys of a denied read of several that are denied, if the
// identity has it so, and reports whether any is left.
func (x *exchange) sift(req *protocol.Request) bool {
	if !x.identity.MissDenied || !req.IsMulti() || len(req.Keys) < 2 {
		return false
	}
	single, kept := *req, 0
	decide := func(i int) policy.Decision {
		single.Keys = req.Keys[i : i+1]
		return x.identity.Decide(&single, &x.asked)
	}
	for i := range req.Keys {
		if decide(i).Verdict != policy.Deny {
			kept++
		}
	}
	if kept == 0 {
		return false
	}
	left := make([][]byte, 0, kept)
	for i := range req.Keys {
		d := decide(i)
		switch {
		case d.Verdict != policy.Allow:
			x.observer.observe(evDenied, &single, d)
		case x.watch:
			x.observer.observe(evPermitted, &single, d)
		}
		if d.Verdict != policy.Deny {
			left = append(left, req.Keys[i])
		}
	}
	req.Keys = append(req.Keys[:0], left...)
	return true
}

// stillPermits decides anew on a request that was permitted under another
// snapshot and has not been carried out.
func (x *exchange) stillPermits(req *protocol.Request) bool {
	d := x.identity.Decide(req, &x.asked)
	if d.Verdict != policy.Deny {
		return true
	}
	x.tally.decided(&d)
	x.tally.became(req.Verb, metrics.Denied)
	x.observer.observe(evDenied, req, d)
	return false
}

// appendDenial appends what the client of a denied request reads, if anything.
func (x *exchange) appendDenial(dst []byte, req *protocol.Request) []byte {
	if req.Silent(protocol.StatusDenied) {
		return dst
	}
	var key []byte
	if len(req.Keys) > 0 {
		key = req.Keys[0]
	}
	if x.identity.Quiet {
		if dst, ok := req.AppendMiss(dst, key); ok {
			return dst
		}
	}
	return req.AppendAnswer(dst, key, &protocol.Reply{Status: protocol.StatusDenied})
}

// serve queues a request that is understood.
func (x *exchange) serve(req *protocol.Request) {
	x.observer.observe(evRequest, req, policy.Decision{})
	x.tally.ask(req.Verb)
	if req.Verb.Category == protocol.CatAuth {
		x.alone = *req
		return
	}
	if x.barred {
		x.tally.became(req.Verb, metrics.Denied)
		x.answer(req, protocol.StatusUnauthenticated)
		x.end = EndLogin
		return
	}
	if x.turned != protocol.StatusNone {
		d := policy.Decision{Reason: policy.ReasonLimit, Rule: policy.RuleRef{ID: policy.LimitKey(x.turned)}, Key: -1}
		x.observer.observe(evLimited, req, d)
		x.tally.exceeds(req.Verb, x.turned)
		x.answer(req, x.turned)
		x.end = EndLimit
		return
	}
	x.served = x.served || req.Verb.Category != protocol.CatConn
	if x.holdsUp(req) || !x.permits(req) || !x.affords(req) {
		return
	}
	x.place(req)
	switch {
	case req.Verb.Route == protocol.RouteLocal:
		x.serveLocal(req)
	case req.Verb.Route == protocol.RouteKeyless, len(req.Value) > upstream.BulkValue:
		x.alone = *req
	default:
		first := len(x.batch.Calls)
		for i := range req.Keys {
			x.batch.Add(x.command(req, i))
		}
		x.owed = append(x.owed, owed{form: req.Form, calls: true, from: first, to: len(x.batch.Calls)})
	}
}

// serveLocal answers the commands that never reach memcached.
func (x *exchange) serveLocal(req *protocol.Request) {
	from := len(x.local)
	switch req.Verb.Local {
	case protocol.LocalVersion:
		if x.version == "" {
			x.answer(req, protocol.StatusDown)
			return
		}
		x.local = req.AppendVersion(x.local, x.version)
	case protocol.LocalNoOp:
		x.local = req.AppendNoOp(x.local)
	case protocol.LocalQuit:
		x.local = req.AppendQuit(x.local)
		x.end = EndQuit
	}
	x.owe(from)
}

// answer owes the client that its request was not served, and why.
func (x *exchange) answer(req *protocol.Request, why protocol.Status) {
	if req.Silent(why) {
		return
	}
	from := len(x.local)
	x.local = req.AppendAnswer(x.local, nil, &protocol.Reply{Status: why})
	x.owe(from)
}

// owe owes the client the local bytes from the given one on.
func (x *exchange) owe(from int) {
	if from == len(x.local) {
		return
	}
	if last := len(x.owed) - 1; last >= 0 && !x.owed[last].calls {
		x.owed[last].to = len(x.local)
		return
	}
	x.owed = append(x.owed, owed{from: from, to: len(x.local)})
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

// release lets go of the buffer that was fed, all of which has been taken. It is for
// a client that is silent: the buffer is another's then.
func (x *exchange) release() {
	x.parser.Release()
	clear(x.owed[:cap(x.owed)])
}
