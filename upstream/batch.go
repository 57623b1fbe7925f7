package upstream

import "github.com/slabgate/slabgate/protocol"

// Bounds of what a batch may hold, in bytes.
const (
	// BulkValue is the largest value that travels on a shared connection
	// towards memcached. A larger one goes alone, on a leased connection.
	BulkValue = 64 << 10

	softValues = 256 << 10 // reply values kept without a reason
	hardValues = 4 << 20   // reply values kept because they can't be asked for again
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
	lastWrite int    // index of the last call that can't be repeated; -1 if none
	sent      int    // calls composed
	done      int    // calls that have their reply
	leads     bool   // its owner leads the lane, and need not be woken
	wake      chan signal
}

// NewBatch returns an empty batch.
func NewBatch() *Batch {
	return &Batch{lastWrite: -1, wake: make(chan signal, 1)}
}

// signal tells the owner of a waiting batch what to do.
type signal uint8

const (
	finished signal = iota // every call has its reply
	lead                   // the lane is yours
)

// Reset empties the batch for new commands.
func (b *Batch) Reset() {
	clear(b.Calls) // keeps no client's memory alive
	b.Calls = b.Calls[:0]
	b.values = b.values[:0]
	if cap(b.values) > softValues {
		b.values = nil
	}
	b.sent, b.done, b.lastWrite = 0, 0, -1
}

// Add appends a command. Its slices must stay as they are until Do returns.
func (b *Batch) Add(c protocol.Command) {
	if !c.Idempotent() {
		b.lastWrite = len(b.Calls)
	}
	b.Calls = append(b.Calls, Call{Command: c})
}

// Value returns the value of the i-th reply. It is valid until Reset.
func (b *Batch) Value(i int) []byte {
	return b.values[b.Calls[i].start:b.Calls[i].end]
}

// Repeatable reports whether the i-th call may be asked again, alone: it reads,
// and nothing that its client sent after it in this batch writes.
func (b *Batch) Repeatable(i int) bool { return i > b.lastWrite }

// room makes space for the value of the i-th reply and returns it, or nil if it
// must be thrown away.
func (b *Batch) room(i, size int) []byte {
	limit := hardValues
	if b.Repeatable(i) {
		limit = softValues
	}
	start := len(b.values)
	if start+size > limit {
		return nil
	}
	b.values = append(b.values, make([]byte, size)...)
	b.Calls[i].start, b.Calls[i].end = start, start+size
	return b.values[start:]
}

// settle gives the next call in order its reply.
func (b *Batch) settle(r protocol.Reply) {
	b.Calls[b.done].Reply = r
	b.done++
}

// fail gives every call that has no reply yet the same one.
func (b *Batch) fail(s protocol.Status) {
	for b.done < len(b.Calls) {
		b.settle(protocol.Reply{Status: s})
	}
}

// wakeUp tells the batch's owner that it is done.
func (b *Batch) wakeUp() {
	if !b.leads {
		b.wake <- finished
	}
}
