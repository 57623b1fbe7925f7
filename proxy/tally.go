package proxy

import (
	"cmp"
	"math/bits"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// tally is what the requests of one client have come to in a turn. At its end it is
// added to the counters, which others use too: one step for each group and rule, and
// not for each request. What is rare is counted at once.
type tally struct {
	to        *metrics.Identity // nil until it is known whose
	decisions *metrics.Set[metrics.Decision, atomic.Int64]
	asked     [metrics.Groups]int32 // requests that are served, as far as is known
	groups    uint32                // bits of the groups that have any
	rules     [tallyRules]ruleTally
	next      int // of rules to make room for another
}

// tallyRules is how many rules a client may keep using in turn without a look at
// what others count: most use two.
const tallyRules = 4

// ruleTally is how often one rule decided in one way.
type ruleTally struct {
	rule   string
	effect effect
	n      int64
	to     *atomic.Int64 // nil if there is none
}

// effect is what a decision comes to.
type effect uint8

const (
	effectDeny effect = iota
	effectAllow
	effectWouldDeny
	effectLearned
	effectDefaultDeny
)

// effectNames begin with the verdicts, in their order.
var effectNames = [...]string{"deny", "allow", "would_deny", "learned", "default_deny"}

// groupOf is the group that a command is counted in.
func groupOf(v *protocol.Verb) int {
	if v == protocol.Unknown {
		return metrics.GroupUnknown
	}
	return bits.TrailingZeros32(uint32(v.Category))
}

// limitOf is the limit that a request exceeds that is answered so.
var limitOf = map[protocol.Status]metrics.Limit{
	protocol.StatusLimitRate:     metrics.LimitRate,
	protocol.StatusLimitBytes:    metrics.LimitBytes,
	protocol.StatusLimitInFlight: metrics.LimitInFlight,
	protocol.StatusLimitValue:    metrics.LimitValue,
	protocol.StatusLimitTTL:      metrics.LimitTTL,
	protocol.StatusLimitKeys:     metrics.LimitKeys,
	protocol.StatusLimitConns:    metrics.LimitConns,
}

// turnTo counts for another identity from now on.
func (t *tally) turnTo(m *metrics.Metrics, identity string) {
	t.flush()
	*t = tally{to: m.Identities.Of(identity), decisions: &m.Decisions}
}

// ask counts a request that is understood. Unless became is told otherwise, it is
// served.
func (t *tally) ask(v *protocol.Verb) {
	g := groupOf(v)
	t.asked[g]++
	t.groups |= 1 << g
}

// became counts what became of a request that was asked.
func (t *tally) became(v *protocol.Verb, r metrics.Result) {
	if t.to != nil {
		g := groupOf(v)
		t.asked[g]--
		t.to.Requests[g][r].Add(1)
	}
}

// malformed counts a request that was not understood.
func (t *tally) malformed() {
	if t.to != nil {
		t.to.Requests[metrics.GroupMalformed][metrics.Failed].Add(1)
	}
}

// exceeds counts a request that is not served for a limit.
func (t *tally) exceeds(v *protocol.Verb, why protocol.Status) {
	t.became(v, metrics.Limited)
	if t.to != nil {
		t.to.Limits[limitOf[why]].Add(1)
	}
}

// decided counts a decision, by the rule that it is due to, if it is due to one.
func (t *tally) decided(d *policy.Decision) {
	e, rule := effect(d.Verdict), ""
	switch {
	case d.Verdict == policy.Allow || d.Reason == policy.ReasonDenyRule:
		rule = d.Rule.String()
	case d.Verdict == policy.Deny:
		e = effectDefaultDeny
	}
	for i := range t.rules {
		if r := &t.rules[i]; r.to != nil && r.effect == e && r.rule == rule {
			r.n++
			return
		}
	}
	t.meet(rule, e)
}

// meet counts a decision by a rule that is not among those at hand.
func (t *tally) meet(rule string, e effect) {
	if t.decisions == nil {
		return
	}
	r := &t.rules[t.next]
	t.next = (t.next + 1) % tallyRules
	r.flush()
	*r = ruleTally{rule: rule, effect: e, n: 1, to: t.decisions.Of(metrics.Decision{Rule: rule, Effect: effectNames[e]})}
}

func (r *ruleTally) flush() {
	if r.n != 0 {
		r.to.Add(r.n)
		r.n = 0
	}
}

// flush adds everything to the counters.
func (t *tally) flush() {
	for left := t.groups; left != 0; left &= left - 1 {
		g := bits.TrailingZeros32(left)
		if n := t.asked[g]; n > 0 && t.to != nil {
			t.to.Requests[g][metrics.OK].Add(int64(n))
		}
		t.asked[g] = 0
	}
	t.groups = 0
	for i := range t.rules {
		t.rules[i].flush()
	}
}

// moved counts bytes.
func (t *tally) moved(in, out int) {
	if t.to == nil {
		return
	}
	t.to.In.Add(int64(in))
	t.to.Out.Add(int64(out))
}

// timed counts how long the requests of a turn took.
func (t *tally) timed(m *metrics.Metrics, total, upstream time.Duration) {
	requests := 0
	for left := t.groups; left != 0; left &= left - 1 {
		g := bits.TrailingZeros32(left)
		if n := int(t.asked[g]); n > 0 {
			m.Duration[g].Observe(total, n)
			requests += n
		}
	}
	if requests > 0 {
		if t.to != nil {
			t.to.Duration.Observe(total, requests)
		}
		m.Overhead.Observe(max(0, total-upstream), requests)
	}
}

// sampledTurns is how many turns of a client there are for each whose time is
// taken.
const sampledTurns = 16

// account adds the turn to the counters. It comes before the exchange is reset.
func (s *session) account() {
	x := s.x
	sent := x.emitted()
	if s.nth++; s.nth%sampledTurns == 0 && !s.turn.waited {
		total := s.server.accounts.now() - x.meter.now
		x.tally.timed(s.server.Metrics, time.Duration(total), x.batch.Took)
	}
	x.tally.moved(s.turn.used, sent)
	x.tally.flush()
	x.meter.end(sent)
	s.show(s.turn.used, sent)
}

// carriage is what the clients of a listener come by.
func (l *Listener) carriage() string {
	switch {
	case l.Transport == "tls":
		return "tls"
	case l.Addr().Network() == "unix":
		return "unix"
	}
	return "plaintext"
}

// count has the listener's connections counted.
func (l *Listener) count(m *metrics.Metrics) {
	l.counters = m.Listeners.Of(metrics.ListenerName{Name: l.Name, Transport: l.carriage()})
	l.counters.Most.Store(int64(cap(l.slots)))
}

// countDialect counts the connection by what its client speaks.
func (s *session) countDialect(dialect string) {
	s.counted = true
	s.listener.counters.Opened.Of(dialect).Add(1)
}

// countEnd counts how the connection ended.
func (s *session) countEnd(end End) {
	c := s.listener.counters
	c.Open.Add(-1)
	c.Closed.Of(string(end)).Add(1)
	if !s.counted {
		s.countDialect(cmp.Or(s.spoken(), dialectUnknown))
	}
	if s.x == nil {
		return
	}
	if !s.turn.ended {
		s.x.tally.moved(s.turn.used, max(0, s.x.sent))
	}
	s.x.tally.flush()
}

const (
	dialectUnknown = "unknown" // of a client that has said nothing, or nothing known
	dialectMeta    = "meta"    // of one whose first request is a meta command
)

// showPlain remembers that the client is here without TLS, as an identity. A unix
// socket has no address, and nobody between.
func (s *session) showPlain(identity string) {
	if s.facts.TLS || !s.facts.Addr.IsValid() {
		return
	}
	s.plain = metrics.Source{Listener: s.listener.Name, Identity: identity, Addr: s.facts.Addr}
	s.server.Metrics.Plaintext.Enter(s.plain, s.server.now())
}

// hidePlain undoes showPlain.
func (s *session) hidePlain() {
	if s.plain.Addr.IsValid() {
		s.server.Metrics.Plaintext.Leave(s.plain, s.server.now())
		s.plain.Addr = netip.Addr{}
	}
}

// has reports whether the snapshot's policy has an identity.
func (snap *Snapshot) has(identity string) bool {
	_, ok := snap.Policy.Find(identity)
	return ok
}

// forget forgets the counters of identities and rules that a snapshot does not
// have.
func (snap *Snapshot) forget(m *metrics.Metrics) {
	m.Identities.Keep(snap.has)
	rules := map[string]bool{"": true}
	for _, r := range snap.Policy.Rules() {
		rules[r.String()] = true
	}
	m.Decisions.Keep(func(d metrics.Decision) bool { return rules[d.Rule] })
}
