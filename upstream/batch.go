package upstream

import (
	"slices"
	"time"

	"github.com/slabgate/slabgate/internal/buffers"
	"github.com/slabgate/slabgate/protocol"
)

// Bounds of what a batch may hold, in bytes unless they say otherwise.
const (
	// BulkValue is the largest value that travels on a shared connection
	// towards memcached. A larger one goes alone, on a leased connection.
	BulkValue = 64 << 10

	// SoftValues is how much of a batch's values is kept if those that do not fit
	// may be asked for again, alone.
	SoftValues = 256 << 10
	hardValues = 4 << 20 // reply values kept because they can't be asked for again

	// What an emptied batch keeps: every client has one, most of them idle.
	spareValues = 64 << 10
	spareCalls  = 256 // calls
)

// Call is one command of a batch and, when the batch is done, its reply.
type Call struct {
	Command protocol.Command
	Reply   protocol.Reply

	start, end int // of the value in Batch.values
}

// Batch is a client's commands, in order. It is used again and again: Reset
// keeps the memory. Make one with NewBatch.
type Batch struct {
	Calls []Call

	values    []byte // of all replies, one after the other
	lastWrite int    // index of the last call that changes something; -1 if none
	sent      int    // calls composed or passed over; between rounds each has its reply
	overSoft  bool   // a value was dropped that may be asked for again
	overHard  bool   // a value was dropped that may not
	owner     Owner
	Took      time.Duration // of memcached, for its rounds so far
}

// Owner is whoever waits for a batch. Served is called once for each time it was
// added to a lane: each call has a reply, and the batch is the owner's again.
type Owner interface {
	Served()
}

// NewBatch returns an empty batch.
func NewBatch() *Batch { return &Batch{lastWrite: -1} }

// Reset empties the batch for new commands.
func (b *Batch) Reset() {
	clear(b.Calls) // keeps no client's memory alive
	b.Calls = b.Calls[:0]
	if cap(b.Calls) > spareCalls {
		b.Calls = nil
	}
	b.values = b.values[:0]
	if cap(b.values) > spareValues {
		buffers.Put(b.values)
		b.values = nil
	}
	b.sent, b.lastWrite, b.Took = 0, -1, 0
	b.owner = nil
	b.overSoft, b.overHard = false, false
}

// Add appends a command. Its slices must stay as they are until the batch is
// served.
func (b *Batch) Add(c protocol.Command) {
	if changes(&c) {
		b.lastWrite = len(b.Calls)
	}
	b.Calls = append(b.Calls, Call{Command: c})
}

// latestExpiry is the largest expiry that counts from now, in seconds; a larger
// one is a point in time (doc/protocol.txt, "Expiration times").
const latestExpiry = 60 * 60 * 24 * 30

// changes reports whether a command makes an earlier one of its client, or
// itself, answer differently when it is asked again. An expiry that may have
// passed makes a key vanish; any other leaves what is read as it is.
func changes(c *protocol.Command) bool {
	return !c.Idempotent() || c.Exptime < 0 || c.Exptime > latestExpiry
}

// Value returns the value of the i-th reply. It is valid until Reset.
func (b *Batch) Value(i int) []byte {
	return b.values[b.Calls[i].start:b.Calls[i].end]
}

// Repeatable reports whether the i-th call may be asked again, alone: it reads,
// and nothing that its client sent after it in this batch writes.
func (b *Batch) Repeatable(i int) bool { return i > b.lastWrite }

// room makes space for the value of the i-th reply and returns it, or false if
// the value must be thrown away.
func (b *Batch) room(i, size int) ([]byte, bool) {
	limit, over := hardValues, &b.overHard
	if b.Repeatable(i) {
		limit, over = SoftValues, &b.overSoft
	}
	start := len(b.values)
	if start+size > limit {
		*over = true
		return nil, false
	}
	b.grow(start + size)
	return b.values[start:], true
}

// grow makes values so long. What is there of others' is written over before it
// can be read: a value counts once it is whole.
func (b *Batch) grow(size int) {
	switch {
	case size <= cap(b.values):
	case size <= spareValues:
		b.values = slices.Grow(b.values, size-len(b.values))
	default:
		values := append(buffers.Get(size), b.values...)
		buffers.Put(b.values)
		b.values = values
	}
	b.values = b.values[:size]
}

// keep says that the room made last holds the value of the i-th reply.
func (b *Batch) keep(i, size int) {
	b.Calls[i].start, b.Calls[i].end = len(b.values)-size, len(b.values)
}

// passOver reports whether the next call is not worth asking: its value would
// be thrown away like one before it.
func (b *Batch) passOver() bool {
	if b.Repeatable(b.sent) {
		return b.overSoft
	}
	return b.overHard && b.Calls[b.sent].Command.FetchesValue()
}

// fail gives every call that was not sent the same reply.
func (b *Batch) fail(s protocol.Status) {
	for ; b.sent < len(b.Calls); b.sent++ {
		b.Calls[b.sent].Reply = protocol.Reply{Status: s}
	}
}
