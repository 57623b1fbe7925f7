package policy

import "github.com/slabgate/slabgate/protocol"

// Verdict is whether a request is let through.
type Verdict uint8

const (
	Deny      Verdict = iota // it is refused
	Allow                    // it is let through
	WouldDeny                // it is let through, and would be refused were its identity not in audit mode
)

var verdictWords = [...]string{"deny", "allow", "would_deny"}

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
)

var reasonWords = [...]string{"invalid", "rule", "conn", "deny_rule", "no_rule", "not_granted", "key_not_covered"}

var reasonTexts = [...]string{
	"the request can't be decided on",
	"allow rules grant all of it",
	"it concerns the connection alone and is always allowed",
	"a deny rule matches",
	"the identity has no allow rule",
	"no allow rule names the command",
	"no allow rule that names the command covers the key",
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

// Decide reports whether id may run req at now, in Unix seconds. A deny rule
// that matches on any key wins; else every key must be covered, for each thing
// the request does to it, by an allow rule that names that thing; else the
// answer is no. One refused key refuses the whole request. The order of rules
// decides nothing but which of them is named.
//
// Decide keeps nothing of req and does not allocate.
func (id *Identity) Decide(req *protocol.Request, now int64) Decision {
	d := id.decide(req, now)
	if d.Verdict == Deny && id.Audit && d.Reason != ReasonInvalid {
		d.Verdict = WouldDeny
	}
	return d
}

// decide is Decide as if the identity were in enforce mode.
func (id *Identity) decide(req *protocol.Request, now int64) Decision {
	var room demands
	ds := room.of(req, now)
	if len(ds) == 0 {
		return Decision{Key: -1}
	}
	if req.Verb.Category == protocol.CatConn {
		return Decision{Verdict: Allow, Reason: ReasonConn, Key: -1}
	}
	for i := range ds {
		if r, key := id.denied(&ds[i], req.Keys); r != nil {
			return ds[i].refuse(ReasonDenyRule, r, key)
		}
	}
	var first RuleRef
	for i := range ds {
		r, key, reason := id.granted(&ds[i], req.Keys)
		if reason != ReasonRule {
			return ds[i].refuse(reason, r, key)
		}
		if i == 0 {
			first = r.ref
		}
	}
	return Decision{Verdict: Allow, Reason: ReasonRule, Rule: first, Key: -1}
}

// refuse makes the decision that d is refused. The rule may be nil.
func (d *demand) refuse(why Reason, r *rule, key int) Decision {
	out := Decision{Reason: why, Key: key, Need: d.need, Access: d.access}
	if r != nil {
		out.Rule = r.ref
	}
	return out
}

// denied returns the first deny rule that matches d on one of keys, and the
// index of that key, or -1 if there are no keys.
func (id *Identity) denied(d *demand, keys [][]byte) (*rule, int) {
	rules := id.deny
	if own := id.ownOf(d); own != nil {
		rules = own.deny
	}
	for _, r := range rules {
		if !r.names(d) {
			continue
		}
		if d.access == 0 && r.covers(d, nil) {
			return r, -1
		}
		for i := range keys {
			if r.covers(d, keys[i]) {
				return r, i
			}
		}
	}
	return nil, -1
}

// granted returns the allow rule that grants d on the first key and
// [ReasonRule], or else why d is not granted on all of keys, the rule that
// comes nearest and the index of the first key that is not covered.
func (id *Identity) granted(d *demand, keys [][]byte) (*rule, int, Reason) {
	nearest := id.naming(d)
	if nearest == nil {
		if len(id.allow) == 0 {
			return nil, -1, ReasonNoRule
		}
		return nil, -1, ReasonNotGranted
	}
	if d.access == 0 {
		return nearest, -1, ReasonRule
	}
	var first *rule
	for i := range keys {
		r := id.covering(d, keys[i])
		if r == nil {
			return nearest, i, ReasonKeyNotCovered
		}
		if i == 0 {
			first = r
		}
	}
	return first, -1, ReasonRule
}

// naming returns the first allow rule that names d, whatever the key.
func (id *Identity) naming(d *demand) *rule {
	rules := id.allow
	if own := id.ownOf(d); own != nil {
		rules = own.allow
	}
	for _, r := range rules {
		if r.names(d) {
			return r
		}
	}
	return nil
}

// covering returns the first allow rule that grants d on key.
func (id *Identity) covering(d *demand, key []byte) *rule {
	if own := id.ownOf(d); own != nil {
		return own.covering(d, key)
	}
	for _, r := range id.allow {
		if r.names(d) && r.covers(d, key) {
			return r
		}
	}
	return nil
}
