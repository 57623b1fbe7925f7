// Package upstream carries commands to memcached and brings back replies that
// prove which command they answer.
//
// Small commands of all clients share a few connections, the lanes. Each belongs
// to an event loop: it sends what the loop's clients have queued in one write, and
// reads the replies as they come. What queues meanwhile is the next write. Large
// values and commands about no key run on a leased connection that nobody else
// uses. A connection on which anything unexpected happens is burnt: closed, and
// everything owed on it failed. It is never used again. Nothing is ever sent
// twice.
//
// A [Batch] belongs to its client until it is added to a lane, and again when its
// owner is told that it was served; in between it belongs to the lane. The package
// starts a goroutine only to make a lane's connection, and Close waits for it.
// Every other wait is a caller's and has a bound.
//
// It knows no client, no identity and no policy.
package upstream
