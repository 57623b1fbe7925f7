// Package metrics counts what happens, as fields of one struct that is handed to
// the rooms that count.
//
// It has no registry and no package variable, and knows nothing of how the
// figures are shown.
package metrics

import (
	"sync/atomic"
	"time"
)

// Burn is why a connection to memcached was given up.
type Burn uint8

const (
	BurnTimeout Burn = iota // no reply within the request timeout
	BurnEOF                 // memcached closed it, or it broke
	BurnProof               // a reply did not prove which command it answers
	BurnIdle                // bytes, or an end, came while nothing was owed
	BurnClient              // the client of a streamed value left, or sent an unknown command
	BurnCount
)

// Names of the causes, as logs, status and metrics spell them.
var burnNames = [BurnCount]string{"timeout", "eof", "proof", "idle", "client"}

// String is the cause as logs, status and metrics spell it.
func (b Burn) String() string { return burnNames[b] }

// Metrics are all counters. Counters only grow; gauges are named so. The zero
// value is ready to use.
type Metrics struct {
	Accepted       atomic.Int64 // connections accepted
	Refused        atomic.Int64 // connections closed for a limit
	Sessions       atomic.Int64 // gauge: connections open
	HandshakeFails atomic.Int64
	Logins         atomic.Int64 // completed
	LoginFails     atomic.Int64
	Requests       atomic.Int64 // parsed requests, whatever became of them
	Malformed      atomic.Int64 // requests refused for their form
	Denied         atomic.Int64 // requests denied by policy
	WouldDeny      atomic.Int64 // requests a policy in mode audit would have denied
	Limited        atomic.Int64 // requests refused for a limit of their identity
	Frozen         atomic.Int64 // requests refused because an operator holds them up
	Killed         atomic.Int64 // connections that an operator closed, a quarantine's among them
	Quarantined    atomic.Int64 // connections closed at once, because their network is quarantined
	UpstreamFails  atomic.Int64 // commands that got no answer from memcached
	UpstreamOpen   atomic.Int64 // gauge: connections to memcached
	Dials          atomic.Int64 // connections to memcached made
	DialFails      atomic.Int64
	Reloads        Stamped
	ReloadsRefused Stamped
	AuditDrops     atomic.Int64
	AdminRefused   atomic.Int64 // connections to the admin socket or page closed, for their user or their number
	Panics         atomic.Int64 // recovered, one connection each; 0 in a right program
	Draining       atomic.Bool  // gauge: no more clients are taken, or soon will not be
	Burns          [BurnCount]atomic.Int64

	Identities Set[string, Identity]
	Listeners  Set[ListenerName, Listener]
	Decisions  Set[Decision, atomic.Int64] // of the policy
	Attempts   Set[Attempt, atomic.Int64]  // logins, by how they went
	Plaintext  Sources

	Handshake Histogram         // of TLS, from its first byte
	Overhead  Histogram         // of a turn, without what memcached took
	Upstream  Histogram         // of a command to memcached
	Duration  [Groups]Histogram // of a request, by group
}

// Stamped is a counter that remembers when it grew.
type Stamped struct{ n, last atomic.Int64 }

// Add adds n, now.
func (s *Stamped) Add(n int64) {
	s.last.Store(time.Now().UnixNano())
	s.n.Add(n)
}

// Load is the count.
func (s *Stamped) Load() int64 { return s.n.Load() }

// Last is when it last grew, the zero time if it never did.
func (s *Stamped) Last() time.Time {
	if ns := s.last.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}
