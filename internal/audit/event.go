// Package audit writes down what happened for other systems to read: one JSON
// object a line, with stable field names.
//
// It is not on the path of a reply, unless the operator would rather wait than
// lose an event. No value or password is ever in it, and of a key only what the
// operator chose. It decides nothing.
package audit

import (
	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/policy"
)

// Schema names the form of the lines. It changes when a field is renamed, taken
// away or given another meaning; a new field or event does not change it.
const Schema = "slabgate.audit/1"

// Kind is what an event is about.
type Kind string

// Every kind of event.
const (
	AuthFail     Kind = "auth_fail"     // a login was refused
	Deny         Kind = "deny"          // policy refused a request
	WouldDeny    Kind = "would_deny"    // policy in mode audit would have refused it
	Flush        Kind = "flush"         // items were made unreachable: a whole cache, or a namespace
	Keyspace     Kind = "keyspace"      // somebody looked at what keys there are
	Settings     Kind = "settings"      // somebody changed how memcached works
	Admin        Kind = "admin"         // an operator did something to a running slabgate
	Reload       Kind = "reload"        // a configuration came into force
	ReloadRefuse Kind = "reload_refuse" // a configuration was refused; the old one stays
	Revoke       Kind = "revoke"        // a reload took a live client's identity away
	Allow        Kind = "allow"         // a sample of the requests that were allowed
)

// Event is one record. Empty fields are left out. Schema, Time, Seq and Key are
// the sink's own: whatever a caller writes there is lost.
type Event struct {
	Schema     string      `json:"schema"`
	Time       string      `json:"time"` // RFC 3339, UTC
	Seq        uint64      `json:"seq"`  // counts up by one in each process; a gap is a loss
	Kind       Kind        `json:"event"`
	ID         string      `json:"id,omitempty"` // of a denial: the same in every place that tells of it
	Listener   string      `json:"listener,omitempty"`
	Peer       string      `json:"peer,omitempty"`
	Identity   string      `json:"identity,omitempty"`
	Source     auth.Source `json:"source,omitempty"`
	Namespace  string      `json:"namespace,omitempty"` // prefix of the keys that the event is about
	Verb       string      `json:"verb,omitempty"`
	Rule       string      `json:"rule,omitempty"`
	Reason     string      `json:"reason,omitempty"`
	Key        string      `json:"key,omitempty"`     // what Options.Keys shows of RawKey
	Flushed    string      `json:"flushed,omitempty"` // number of the namespace before and after: 7 → 8
	Target     string      `json:"target,omitempty"`  // what an operator did something to
	Digest     string      `json:"digest,omitempty"`
	Generation uint64      `json:"generation,omitempty"` // number of the configuration in force, from 1
	Count      int64       `json:"count,omitempty"`      // of like events that were not written and this one stands for

	RawKey []byte `json:"-"` // the key as the client sent it; nil is none. Read before Write returns, never kept
}

// Decided returns the event of a decision on a key, which may be nil. The event
// holds the key itself, not a copy.
func Decided(kind Kind, verb string, key []byte, d policy.Decision) Event {
	return Event{Kind: kind, Verb: verb, Rule: d.Rule.String(), Reason: d.Reason.String(), RawKey: key}
}
