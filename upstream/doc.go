// Package upstream carries commands to memcached and brings back replies that
// prove which command they answer.
//
// Small commands of all clients share a few connections, the lanes. Whoever
// finds a lane idle leads it: it sends what is queued in one write, reads the
// replies, and hands the lane on. What queues meanwhile is the next write. Large
// values and commands about no key run on a leased connection that nobody else
// uses. A connection on which anything unexpected happens is burnt: closed, and
// everything owed on it failed. It is never used again. Nothing is ever sent
// twice.
//
// A [Batch] belongs to its client until Do is called and again when Do returns;
// in between it belongs to the lane's leader, whichever goroutine that is. The
// package starts no goroutine: every wait is a caller's and has a bound.
//
// It knows no client, no identity and no policy.
package upstream
