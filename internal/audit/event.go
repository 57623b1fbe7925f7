// Package audit writes down what happened for other systems to read: one JSON
// object a line, with stable field names.
//
// It is not on the path of a reply. No value or password is ever in it, and of a
// key only its start. It decides nothing.
package audit

import (
	"strconv"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/policy"
)

// Kind is what an event is about.
type Kind string

// Every kind of event.
const (
	Deny         Kind = "deny"          // policy refused a request
	WouldDeny    Kind = "would_deny"    // policy in mode audit would have refused it
	AuthFail     Kind = "auth_fail"     // a login was refused
	Reload       Kind = "reload"        // a configuration came into force
	ReloadRefuse Kind = "reload_refuse" // a configuration was refused; the old one stays
	Revoke       Kind = "revoke"        // a reload took a live client's identity away
)

// Event is one record. Empty fields are left out.
type Event struct {
	Time     string      `json:"time"` // RFC 3339, UTC; set by the sink
	Seq      uint64      `json:"seq"`  // counts up by one in each process; a gap is a loss; set by the sink
	Kind     Kind        `json:"event"`
	Listener string      `json:"listener,omitempty"`
	Peer     string      `json:"peer,omitempty"`
	Identity string      `json:"identity,omitempty"`
	Source   auth.Source `json:"source,omitempty"`
	Verb     string      `json:"verb,omitempty"`
	Rule     string      `json:"rule,omitempty"`
	Reason   string      `json:"reason,omitempty"`
	Key      string      `json:"key,omitempty"` // first bytes of the key, quoted as in Go
	Digest   string      `json:"digest,omitempty"`
	Count    int64       `json:"count,omitempty"` // of like events that were not written and this one stands for
}

// keyPrefix is how many bytes of a key an event shows.
const keyPrefix = 16

// Decided returns the event of a decision on a key, which may be nil.
func Decided(kind Kind, verb string, key []byte, d policy.Decision) Event {
	e := Event{Kind: kind, Verb: verb, Rule: d.Rule.String(), Reason: d.Reason.String()}
	if key != nil {
		e.Key = clip(key)
	}
	return e
}

// clip shows the start of a key so that no byte of it can be taken for anything
// else in a line.
func clip(key []byte) string {
	more := ""
	if len(key) > keyPrefix {
		key, more = key[:keyPrefix], "…"
	}
	return strconv.QuoteToASCII(string(key)) + more
}
