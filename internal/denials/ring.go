package denials

import (
	"bytes"
	"container/list"
	"sync"
	"time"
)

const (
	// Most is how many different denials a ring remembers.
	Most = 1024

	// Window is how long equal denials are told as one.
	Window = time.Minute
)

// Ring remembers different denials, [Most] at most: of more, the one that has not
// been seen for longest is overwritten. Beside them it keeps, for each identity, what
// would have been denied. Any number of goroutines may use it. Make one with [New].
type Ring struct {
	mu          sync.Mutex
	known       map[kind]*list.Element
	ids         map[string]*list.Element
	order       list.List // of *entry, the latest in front
	seq         uint64    // counts denials
	overwritten int64
	followers   map[*Follower]struct{}
	standings   map[string]*Standing // by identity
	others      Standing             // of identities that found no room among them
}

// entry is an Entry and what the ring itself has to know of it.
type entry struct {
	Entry
	seq    uint64    // of the latest denial
	told   time.Time // when one was the first of its kind
	merged int64     // denials since then
}

// New returns an empty ring.
func New() *Ring {
	return &Ring{
		known: map[kind]*list.Element{}, ids: map[string]*list.Element{},
		followers: map[*Follower]struct{}{}, standings: map[string]*Standing{},
	}
}

// Add remembers a denial and returns the id of its kind. first tells that it is to
// be told: it is the first of its kind, or the last that was told is a [Window]
// ago. merged is how many were not told in between. The ring keeps no memory of
// the key; it waits for nobody.
func (r *Ring) Add(d Denial) (id string, first bool, merged int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	at, known := r.known[d.of()]
	if !known {
		at = r.enter(&d)
	}
	r.order.MoveToFront(at)
	e := at.Value.(*entry)
	e.seen(&d, r.seq)
	r.stand(e)
	if first = !known || d.Sample.Now.Sub(e.told) >= Window; first {
		merged, e.merged, e.told = e.merged, 0, d.Sample.Now
	} else {
		e.merged++
	}
	r.wake()
	return e.ID, first, merged
}

// enter makes room for a new kind of denial, and puts it there.
func (r *Ring) enter(d *Denial) *list.Element {
	if r.order.Len() == Most {
		r.overwrite(r.order.Back())
	}
	k := d.of()
	id := shortID(k.longID(), func(id string) bool { return r.ids[id] != nil })
	e := &entry{Entry: Entry{ID: id, Denial: *d, First: d.Sample.Now}}
	e.Sample.Key = nil // which is the caller's
	at := r.order.PushFront(e)
	r.known[k], r.ids[id] = at, at
	return at
}

// overwrite forgets a kind of denial, and tells those who have missed the last of
// it.
func (r *Ring) overwrite(at *list.Element) {
	e := r.order.Remove(at).(*entry)
	delete(r.known, e.of())
	delete(r.ids, e.ID)
	r.overwritten++
	for f := range r.followers {
		if e.seq > f.seen {
			f.lost++
		}
	}
}

// seen counts a denial, and takes it for the sample.
func (e *entry) seen(d *Denial, seq uint64) {
	key := append(e.Sample.Key[:0], d.Sample.Key...)
	e.Sample = d.Sample
	e.Sample.Key = key
	e.Count++
	e.Last, e.seq = d.Sample.Now, seq
}

// copy is e for somebody else to keep.
func (e *entry) copy() Entry {
	c := e.Entry
	c.Sample.Key = bytes.Clone(c.Sample.Key)
	return c
}

// List returns every kind of denial, the latest first.
func (r *Ring) List() []Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.since(0)
}

// since is what was seen after the denial of that number, the latest first.
func (r *Ring) since(seq uint64) []Entry {
	out := []Entry{}
	for at := r.order.Front(); at != nil && at.Value.(*entry).seq > seq; at = at.Next() {
		out = append(out, at.Value.(*entry).copy())
	}
	return out
}

// Find returns the denials with this id, in any letters that a person may take
// for it: in the ring, else the latest that one of the identities stands by.
func (r *Ring) Find(id string) (Entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.ids[readID(id)]
	if !ok {
		return r.stood(readID(id))
	}
	return at.Value.(*entry).copy(), true
}

// Total returns how many denials there have been, those that were overwritten
// included.
func (r *Ring) Total() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(r.seq)
}

// Overwritten returns how many kinds of denials were forgotten for want of room.
func (r *Ring) Overwritten() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.overwritten
}
