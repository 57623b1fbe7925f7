// Package denials remembers the latest denials of a running slabgate, equal ones
// as one with a count, so that an operator can look at them and ask about each.
//
// It decides nothing, writes nothing down and holds no one up: what it has no
// room for it forgets, and counts.
package denials

import (
	"net/netip"
	"time"
)

// Denial is a request that was denied, or would have been.
type Denial struct {
	Kind     string `json:"event"`    // deny or would_deny
	Identity string `json:"identity"` // whose request it was
	Verb     string `json:"verb"`
	Rule     string `json:"rule,omitempty"` // that decided, or came nearest
	Reason   string `json:"reason"`
	Shape    string `json:"shape,omitempty"` // pattern that the refused key fits, of the caller's choice; empty without a key
	Sample   Sample `json:"sample"`
}

// Sample is what tells one of many equal denials from the others. A [Ring] shows
// that of the latest.
type Sample struct {
	Peer     string     `json:"peer"` // address and port, or unix
	Listener string     `json:"listener"`
	Source   string     `json:"source"`        // what proved the identity
	Line     string     `json:"line"`          // command line about the refused key, to ask with
	Key      []byte     `json:"key,omitempty"` // base64 in JSON
	TLS      bool       `json:"tls"`
	Addr     netip.Addr `json:"addr"` // not valid, and "" in JSON, on a unix socket
	Now      time.Time  `json:"-"`    // when it happened
}

// Entry is equal denials. What it points to is its holder's.
type Entry struct {
	ID string `json:"id"` // short; the same after a restart, unless two denials would share it
	Denial
	Count int64     `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// kind is what makes two denials equal.
type kind struct{ kind, identity, verb, rule, reason, shape string }

func (d *Denial) of() kind {
	return kind{d.Kind, d.Identity, d.Verb, d.Rule, d.Reason, d.Shape}
}
