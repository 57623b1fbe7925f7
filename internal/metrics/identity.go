package metrics

import "sync/atomic"

// Groups is how many groups of commands requests are told apart by.
const Groups = 15

// The groups that are no category of commands.
const (
	GroupUnknown   = Groups - 2 // commands that slabgate does not know
	GroupMalformed = Groups - 1 // requests that were not understood
)

// GroupNames are the groups as metrics spell them: the categories of commands in
// their order, then those that are none.
var GroupNames = [Groups]string{
	"read", "touch", "vivify", "store", "delete", "arith", "flush", "stats", "keyspace", "settings", "danger", "conn", "auth",
	"unknown", "malformed",
}

// Result is what became of a request.
type Result uint8

const (
	OK        Result = iota // it was served, be the answer a miss
	Denied                  // by policy
	WouldDeny               // it was served, and denied but for a mode audit
	Limited                 // it exceeded a limit
	Frozen                  // an operator holds it up
	Failed                  // memcached did not answer, or it was malformed
	Results
)

var resultNames = [Results]string{"ok", "denied", "would_deny", "limited", "frozen", "error"}

// String is the result as metrics spell it.
func (r Result) String() string { return resultNames[r] }

// Limit is a limit of an identity.
type Limit uint8

const (
	LimitRate Limit = iota
	LimitBytes
	LimitInFlight
	LimitValue
	LimitTTL
	LimitKeys
	LimitConns
	Limits
)

var limitNames = [Limits]string{"rps", "bytes", "in_flight", "value", "ttl", "keys", "connections"}

// String is the limit as metrics spell it.
func (l Limit) String() string { return limitNames[l] }

// Identity is the counters of one identity.
type Identity struct {
	Requests [Groups][Results]atomic.Int64
	Limits   [Limits]atomic.Int64 // requests that exceeded each
	In, Out  atomic.Int64         // bytes from its clients and to them, without TLS
	Duration Histogram            // of its requests, as far as they are measured
}

// Decision is what a policy decides, and by which rule.
type Decision struct {
	Rule   string // its id, else where it is written; "" for none
	Effect string // allow, deny, would_deny, learned or default_deny
}

// Attempt is how a login went.
type Attempt struct {
	Mechanism string // as registered, ascii, or other
	Result    string // ok, or the reason why not
	Secret    string // which of a user's secrets was right, from 0; "" if none was
}
