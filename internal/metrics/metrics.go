// Package metrics counts what happens, as fields of one struct that is handed to
// the rooms that count.
//
// It has no registry and no package variable, and knows nothing of how the
// figures are shown.
package metrics

import "sync/atomic"

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
	Killed         atomic.Int64 // connections that an operator closed
	Quarantined    atomic.Int64 // connections closed at once, because their network is quarantined
	UpstreamFails  atomic.Int64 // commands that got no answer from memcached
	Dials          atomic.Int64 // connections to memcached made
	DialFails      atomic.Int64
	Reloads        atomic.Int64
	ReloadsRefused atomic.Int64
	AuditDrops     atomic.Int64
	AdminRefused   atomic.Int64 // connections to the admin socket closed, for their user or their number
	Panics         atomic.Int64 // recovered, one connection each; 0 in a right program
	Burns          [BurnCount]atomic.Int64
}
