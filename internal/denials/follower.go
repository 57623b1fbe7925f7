package denials

import (
	"context"
	"slices"
)

// Follower is told of every denial in a ring, those that are there first. It must
// be closed, and serves one goroutine. One that is slow is told less: of equal
// denials it sees the latest alone, and of those that were overwritten before it
// looked, the number.
type Follower struct {
	ring *Ring
	news chan struct{} // holds one if something has come since the last look
	seen uint64        // number of the last denial at the last look
	lost int64         // overwritten since, unseen
}

// Follow returns a new follower.
func (r *Ring) Follow() *Follower {
	f := &Follower{ring: r, news: make(chan struct{}, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.followers[f] = struct{}{}
	return f
}

// Close lets the ring forget the follower.
func (f *Follower) Close() {
	f.ring.mu.Lock()
	defer f.ring.mu.Unlock()
	delete(f.ring.followers, f)
}

// wake tells followers that there is something new.
func (r *Ring) wake() {
	for f := range r.followers {
		select {
		case f.news <- struct{}{}:
		default:
		}
	}
}

// Next waits until there is something new and returns it, the latest last, and
// how many kinds of denials were overwritten before they could be. The error is
// that of ctx.
func (f *Follower) Next(ctx context.Context) (entries []Entry, lost int64, err error) {
	for {
		if entries, lost = f.look(); len(entries) > 0 || lost > 0 {
			return entries, lost, nil
		}
		select {
		case <-f.news:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

// look returns what is new.
func (f *Follower) look() (entries []Entry, lost int64) {
	f.ring.mu.Lock()
	defer f.ring.mu.Unlock()
	entries = f.ring.since(f.seen)
	slices.Reverse(entries)
	lost, f.lost, f.seen = f.lost, 0, f.ring.seq
	return entries, lost
}
