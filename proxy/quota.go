package proxy

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// second is the burst of every rate: what a second allows may come at once.
const second = int64(time.Second)

// bucket is one rate. It holds when the last of what was taken would have come,
// had it come evenly, in nanoseconds; up to a second ahead of now is a burst. It
// takes no lock, and a hundredth of the time that reading a value from memcached
// does. (This is the generic cell rate algorithm of ATM networks.)
type bucket struct{ last atomic.Int64 }

// take takes n at now, if that leaves the rate (per second) as it is to be.
func (b *bucket) take(now int64, n, rate int) bool {
	if rate == 0 {
		return true
	}
	for {
		was := b.last.Load()
		next := after(max(was, now), n, rate)
		if next-now > second {
			return false
		}
		if b.last.CompareAndSwap(was, next) {
			return true
		}
	}
}

// charge takes n at now, be it more than there is: nothing is left until that is
// made up for.
func (b *bucket) charge(now int64, n, rate int) {
	if rate == 0 || n == 0 {
		return
	}
	for {
		was := b.last.Load()
		if b.last.CompareAndSwap(was, after(max(was, now), n, rate)) {
			return
		}
	}
}

// spent reports whether nothing is left.
func (b *bucket) spent(now int64, rate int) bool { return rate != 0 && b.last.Load()-now > second }

// idle reports whether b is as good as new.
func (b *bucket) idle(now int64) bool { return b.last.Load() <= now }

// after is when n more would have come. What is owed is never taken for time that
// is over, however much a client owes.
func after(at int64, n, rate int) int64 {
	c := cost(n, rate)
	if at > math.MaxInt64-c {
		return math.MaxInt64
	}
	return at + c
}

// cost is how long n takes at a rate, in nanoseconds. Both are below 2^40, so that
// the seconds and what is left of them are counted apart.
func cost(n, rate int) int64 {
	whole, part := int64(n/rate), float64(n%rate)
	return whole*second + int64(part/float64(rate)*float64(second))
}

// account is what the clients of an identity, or of one namespace of it, have used
// of its limits.
type account struct {
	conns    int // guarded by accounts.mu
	inFlight atomic.Int64
	requests bucket
	in, out  bucket
}

// payer names an account.
type payer struct{ identity, root string }

// accounts are those of every identity that is here, or has been lately.
type accounts struct {
	started time.Time

	mu    sync.Mutex
	of    map[payer]*account
	sweep int // how many there may be before those of nobody are looked for
}

func newAccounts() *accounts {
	return &accounts{started: time.Now(), of: make(map[payer]*account)}
}

// now is the time for buckets.
func (as *accounts) now() int64 { return int64(time.Since(as.started)) }

// leastSweep is the least that is worth a look.
const leastSweep = 1024

// enter counts one more connection of p, unless that is more than most.
func (as *accounts) enter(p payer, most int) (*account, bool) {
	as.mu.Lock()
	defer as.mu.Unlock()
	a := as.of[p]
	if a == nil {
		if len(as.of) >= max(as.sweep, leastSweep) {
			as.forget()
			as.sweep = 2 * len(as.of)
		}
		a = new(account)
		as.of[p] = a
	}
	if most != 0 && a.conns >= most {
		return nil, false
	}
	a.conns++
	return a, true
}

// leave counts one less. The account stays as long as it remembers a rate: to
// connect anew makes nobody new.
func (as *accounts) leave(p payer, a *account) {
	as.mu.Lock()
	defer as.mu.Unlock()
	a.conns--
	if a.conns == 0 && a.rested(as.now()) {
		delete(as.of, p)
	}
}

// forget forgets accounts of nobody. It holds mu.
func (as *accounts) forget() {
	now := as.now()
	for p, a := range as.of {
		if a.conns == 0 && a.rested(now) {
			delete(as.of, p)
		}
	}
}

func (a *account) rested(now int64) bool {
	return a.requests.idle(now) && a.in.idle(now) && a.out.idle(now)
}

// meter is what one client uses of its account. It belongs to the exchange.
type meter struct {
	account *account
	limits  *policy.Limits
	now     int64 // for buckets, set once a turn
	held    int64 // requests of the turn that count as in flight
}

// take counts a request that is permitted, or returns which limit it exceeds.
func (m *meter) take() protocol.Status {
	l, a := m.limits, m.account
	switch {
	case a.in.spent(m.now, l.BytesIn), a.out.spent(m.now, l.BytesOut):
		return protocol.StatusLimitBytes
	case l.InFlight != 0 && !m.hold(l.InFlight):
		return protocol.StatusLimitInFlight
	case !a.requests.take(m.now, 1, l.RPS):
		m.letGo(min(m.held, 1)) // it does not get as far
		return protocol.StatusLimitRate
	}
	return protocol.StatusNone
}

// hold counts one more request in flight, unless that is more than most.
func (m *meter) hold(most int) bool {
	if m.account.inFlight.Add(1) > int64(most) {
		m.account.inFlight.Add(-1)
		return false
	}
	m.held++
	return true
}

// letGo counts n fewer.
func (m *meter) letGo(n int64) {
	if n != 0 {
		m.account.inFlight.Add(-n)
		m.held -= n
	}
}

// took charges bytes of requests.
func (m *meter) took(bytes int) { m.account.in.charge(m.now, bytes, m.limits.BytesIn) }

// end ends the turn, in which the client was sent so many bytes.
func (m *meter) end(bytes int) {
	m.letGo(m.held)
	m.account.out.charge(m.now, bytes, m.limits.BytesOut)
}

// enter begins a turn at now, in the time of buckets.
func (x *exchange) enter(now int64) {
	x.meter.now, x.meter.limits = now, &x.identity.Limits
	x.space.begin()
	x.parser.Prefix, x.parser.MaxKey = len(x.space.prefix), 0
	if !x.identity.HashOverlong {
		x.parser.MaxKey = x.space.keyRoom()
	}
	x.parser.Forwards = x.identity.Forwards
}

// affords reports whether req is within every limit. If it is not, that is
// answered; and an expiry that is too long is shortened.
func (x *exchange) affords(req *protocol.Request) bool {
	why := x.exceeds(req)
	if why == protocol.StatusNone {
		return true
	}
	d := policy.Decision{Reason: policy.ReasonLimit, Rule: policy.RuleRef{ID: policy.LimitKey(why)}, Key: -1}
	x.observer.observe(evLimited, req, d)
	x.tally.exceeds(req.Verb, why)
	x.answer(req, why)
	return false
}

// exceeds returns which limit req exceeds, if it exceeds one.
func (x *exchange) exceeds(req *protocol.Request) protocol.Status {
	if why := x.identity.Limits.Exceeded(req, x.asked.Now); why != protocol.StatusNone || req.Verb.Category == protocol.CatConn {
		return why
	}
	return x.meter.take()
}

// valueTooLong reports whether the value of req is one that is not waited for.
func (x *exchange) valueTooLong(req *protocol.Request) bool {
	most := x.identity.Limits.ValueMax
	return most != 0 && req.Size() > most
}

// join counts the client among those of its identity. If these are too many, its
// first request is answered with that.
func (s *session) join(p payer, limits *policy.Limits) {
	s.part()
	a, ok := s.server.accounts.enter(p, limits.Conns)
	s.x.turned = protocol.StatusNone
	if !ok {
		a, s.x.turned = new(account), protocol.StatusLimitConns
	}
	s.payer, s.joined = p, ok
	s.showPlain(p.identity)
	s.x.meter = meter{account: a, limits: limits}
}

// part undoes join.
func (s *session) part() {
	if s.x == nil || s.x.meter.account == nil {
		return
	}
	s.x.meter.end(0)
	s.hidePlain()
	if s.joined {
		s.server.accounts.leave(s.payer, s.x.meter.account)
		s.joined = false
	}
}

// patience is how long the client may be silent between requests; 0 is for ever. One
// that is one too many of its identity holds a place until it hears of that.
func (s *session) patience() time.Duration {
	idle, login := s.limits.IdleTimeout, s.limits.LoginTimeout
	if s.x.turned != protocol.StatusNone && (idle <= 0 || login < idle) {
		return login
	}
	return idle
}
