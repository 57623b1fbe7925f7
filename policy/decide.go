package policy

import "github.com/slabgate/slabgate/protocol"

// Verdict is whether a request is let through.
type Verdict uint8

const (
	Deny      Verdict = iota // it is refused
	Allow                    // it is let through
	WouldDeny                // it is let through, and would be refused but for a mode audit
	Learned                  // it is let through, and would be refused but for a mode learn
)

var verdictWords = [...]string{"deny", "allow", "would_deny", "learned"}

// String is the word for v in logs, audit events and metrics.
func (v Verdict) String() string { return wordOf(verdictWords[:], int(v)) }

// Reason is why a verdict is what it is.
type Reason uint8

const (
	ReasonInvalid       Reason = iota // the request can't be decided on: it is always refused
	ReasonRule                        // allow rules grant all of it
	ReasonConn                        // it concerns the connection alone
	ReasonDenyRule                    // a deny rule matches
	ReasonNoRule                      // the identity has no allow rule
	ReasonNotGranted                  // no allow rule names the command
	ReasonKeyNotCovered               // an allow rule names the command, none covers the key
	ReasonNamespace                   // the key is in a namespace that the identity may not see
	ReasonFlush                       // flush: of the identity says so
	ReasonTrial                       // an allow rule grants it that is in a mode of its own
	ReasonLimit                       // rules grant it, and it exceeds a limit of the identity; no Decide says so
)

var reasonWords = [...]string{"invalid", "rule", "conn", "deny_rule", "no_rule", "not_granted", "key_not_covered", "namespace", "flush", "trial_rule", "limit"}

var reasonTexts = [...]string{
	"the request can't be decided on",
	"allow rules grant all of it",
	"it concerns the connection alone and is always allowed",
	"a deny rule matches",
	"the identity has no allow rule",
	"no allow rule names the command",
	"no allow rule that names the command covers the key",
	"the key is in a namespace that the identity may not see",
	"flush of the identity decides",
	"the only allow rule that grants it is not in mode enforce",
	"it exceeds a limit of the identity",
}

// String is the word for r in logs, audit events and metrics.
func (r Reason) String() string { return wordOf(reasonWords[:], int(r)) }

// Text is r as a person reads it.
func (r Reason) Text() string { return wordOf(reasonTexts[:], int(r)) }

// wordOf returns words[i], or "unknown".
func wordOf(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return "unknown"
}

// Decision is the answer to one request. It is a value and points into nothing
// but the policy that gave it.
type Decision struct {
	Verdict Verdict
	Reason  Reason
	Rule    RuleRef           // the deny rule that matched; the allow rule that granted the first thing needed, or came nearest
	Key     int               // index of the first key that was refused; -1 if no key was
	Need    protocol.Category // what was refused, a single category: @delete for a touch that expires its key
	Access  protocol.Access   // and whether its key was to be read or written
}

// Granted reports whether the rules allow the request, and not just a mode.
func (d *Decision) Granted() bool {
	return d.Verdict == Allow && (d.Reason == ReasonRule || d.Reason == ReasonConn || d.Reason == ReasonFlush)
}

// Decide reports whether id may run req. A key in a namespace of others is
// refused, in every mode. A deny rule that matches on any key wins; else every key
// must be covered, for each thing the request does to it, by an allow rule that
// names that thing; else the answer is no. One refused key refuses the whole
// request. The order of rules decides nothing but which of them is named. What is
// refused by a rule, or for want of one, is refused in mode enforce alone.
//
// Decide keeps nothing of req and does not allocate.
func (id *Identity) Decide(req *protocol.Request, at *At) Decision {
	var room demands
	ds := room.of(req, at.Now)
	if len(ds) == 0 {
		return Decision{Key: -1}
	}
	if req.Verb.Category == protocol.CatConn {
		return Decision{Verdict: Allow, Reason: ReasonConn, Key: -1}
	}
	for i := range ds {
		ds[i].rules = id.ownOf(&ds[i])
	}
	out := id.judge(ds, req, at)
	return out.decision()
}

// ruling is a decision in the making: small enough to be passed on in registers.
type ruling struct {
	verdict Verdict
	reason  Reason
	key     int
	rule    *rule
	demand  *demand // that is refused; nil if nothing is
}

func (r ruling) decision() Decision {
	d := Decision{Verdict: r.verdict, Reason: r.reason, Key: r.key}
	if r.rule != nil {
		d.Rule = r.rule.ref
	}
	if r.demand != nil {
		d.Need, d.Access = r.demand.need, r.demand.access
	}
	return d
}

// granted is the ruling that nothing refuses, because of a rule.
func granted(r *rule) ruling { return ruling{Allow, ReasonRule, -1, r, nil} }

// refuse makes the ruling that d is refused, as far as the verdict goes. The rule
// may be nil.
func (d *demand) refuse(v Verdict, why Reason, r *rule, key int) ruling {
	return ruling{v, why, key, r, d}
}

// hardness orders verdicts by what they do to a client.
var hardness = [...]int{Allow: 0, Learned: 1, WouldDeny: 2, Deny: 3}

// hardest returns the ruling that does more to the client, of two alike the one
// that the rules do not grant, else the first.
func hardest(a, b ruling) ruling {
	x, y := hardness[a.verdict], hardness[b.verdict]
	if y > x || y == x && a.demand == nil && b.demand != nil {
		return b
	}
	return a
}

// judge decides on a request with these demands.
func (id *Identity) judge(ds []demand, req *protocol.Request, at *At) ruling {
	if req.Verb.Since > id.categories {
		return ds[0].refuse(Deny, ReasonNotGranted, nil, -1)
	}
	if key := id.behindWall(req); key >= 0 {
		return ds[0].refuse(Deny, ReasonNamespace, nil, key)
	}
	if id.flushDenied && ds[0].need == protocol.CatFlush {
		return ds[0].refuse(Deny, ReasonFlush, nil, -1)
	}
	r, found := id.denied(ds, req.Keys, at)
	switch {
	case !found:
		return id.allowed(ds, req.Keys, at)
	case r.verdict == Deny:
		return r
	}
	return hardest(r, id.allowed(ds, req.Keys, at))
}

// denied returns the hardest of what the deny rules do that match, if any does.
func (id *Identity) denied(ds []demand, keys [][]byte, at *At) (out ruling, found bool) {
	for i := range ds {
		d := &ds[i]
		rules := id.deny
		if d.rules != nil {
			rules = d.rules.deny
		}
		for _, r := range rules {
			if !r.names(d) || !r.when.holds(at) {
				continue
			}
			key, ok := r.matches(d, keys)
			if !ok {
				continue
			}
			here := d.refuse(r.in(id.Mode).verdict(), ReasonDenyRule, r, key)
			if found {
				here = hardest(out, here)
			}
			out, found = here, true
			if out.verdict == Deny {
				return out, true
			}
		}
	}
	return out, found
}

// matches reports whether the deny rule r, which names d, holds for one of keys,
// and returns the index of that, or -1 if there are no keys.
func (r *rule) matches(d *demand, keys [][]byte) (key int, ok bool) {
	if d.access == 0 {
		return -1, r.covers(d, nil)
	}
	for i := range keys {
		if r.covers(d, keys[i]) {
			return i, true
		}
	}
	return -1, false
}

// allowed decides on what no deny rule refuses.
func (id *Identity) allowed(ds []demand, keys [][]byte, at *At) ruling {
	if id.flushAllowed && ds[0].need == protocol.CatFlush {
		return ruling{verdict: Allow, reason: ReasonFlush, key: -1}
	}
	out := id.grants(&ds[0], keys, at)
	for i := 1; i < len(ds) && out.verdict != Deny; i++ {
		out = hardest(out, id.grants(&ds[i], keys, at))
	}
	return out
}

// grants decides on one thing that is demanded. It names the allow rule that
// grants it on the first key, or the one that comes nearest.
func (id *Identity) grants(d *demand, keys [][]byte, at *At) ruling {
	nearest := id.naming(d, at)
	switch {
	case nearest == nil && len(id.allow) == 0:
		return d.refuse(id.Mode.verdict(), ReasonNoRule, nil, -1)
	case nearest == nil:
		return d.refuse(id.Mode.verdict(), ReasonNotGranted, nil, -1)
	case d.access == 0 && nearest.trial():
		return d.refuse(id.milder(nearest).verdict(), ReasonTrial, nearest, -1)
	case d.access == 0:
		return granted(nearest)
	}
	var out ruling
	for i := range keys {
		here := id.grantsOn(d, keys[i], i, nearest, at)
		if i > 0 {
			here = hardest(out, here)
		}
		if out = here; out.verdict == Deny {
			break
		}
	}
	return out
}

// grantsOn decides on one thing that is demanded of one key.
func (id *Identity) grantsOn(d *demand, key []byte, i int, nearest *rule, at *At) ruling {
	switch r := id.covering(d, key, at); {
	case r == nil:
		return d.refuse(id.Mode.verdict(), ReasonKeyNotCovered, nearest, i)
	case r.trial():
		return d.refuse(id.milder(r).verdict(), ReasonTrial, r, i)
	default:
		return granted(r)
	}
}

// trial reports whether what the allow rule r grants is only let through by a mode
// of its own.
func (r *rule) trial() bool { return r.hasMode && r.mode != ModeEnforce }

// milder is the mode of what the rule r on trial grants: no harder than if the rule
// were not there.
func (id *Identity) milder(r *rule) Mode {
	if hardness[id.Mode.verdict()] < hardness[r.mode.verdict()] {
		return id.Mode
	}
	return r.mode
}

// betters reports whether r is a better grant than other: one that is enforced
// before one on trial, and of those one that is not reported.
func (r *rule) betters(other *rule) bool {
	if other == nil || !r.trial() || !other.trial() {
		return other == nil || other.trial() && !r.trial()
	}
	return r.mode == ModeLearn && other.mode != ModeLearn
}

// naming returns the allow rule that names d best, whatever the key, the first of
// those that are alike.
func (id *Identity) naming(d *demand, at *At) (found *rule) {
	rules := id.allow
	if d.rules != nil {
		rules = d.rules.allow
	}
	for _, r := range rules {
		if r.betters(found) && r.names(d) && r.when.holds(at) {
			if !r.trial() {
				return r
			}
			found = r
		}
	}
	return found
}

// covering returns the allow rule that grants d on key best, the first of those
// that are alike.
func (id *Identity) covering(d *demand, key []byte, at *At) (found *rule) {
	rules := id.allow
	if d.rules != nil {
		if r := d.rules.covering(d, key); r != nil || len(d.rules.loose) == 0 {
			return r
		}
		rules = d.rules.loose
	}
	for _, r := range rules {
		if r.betters(found) && r.names(d) && r.when.holds(at) && r.covers(d, key) {
			if !r.trial() {
				return r
			}
			found = r
		}
	}
	return found
}
