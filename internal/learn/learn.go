package learn

import (
	"sync"
	"time"

	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// Bounds of what is kept: what goes beyond them counts under the shape "*", so
// that no client can make slabgate remember more.
const (
	maxIdentities = 256
	maxShapes     = 256 // of one identity
)

// anything is the shape of what has found no room for its own.
const anything = "*"

// Use is one kind of thing that an identity asks for.
type Use struct {
	Command string    `json:"command"`         // as a policy names it
	Shape   string    `json:"shape,omitempty"` // pattern that covers the keys, as policy.Shape makes it; none without keys
	Count   int64     `json:"count"`
	Value   int       `json:"value_max,omitempty"` // largest value stored, in bytes
	Keys    int       `json:"keys_max,omitempty"`  // most keys of one request
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}

// kind tells uses apart.
type kind struct{ command, shape string }

// Recorder keeps what identities in mode learn ask for. The zero Recorder is
// ready, a nil one keeps nothing. It may be used by many goroutines.
type Recorder struct {
	mu  sync.Mutex
	ids map[string]map[kind]*Use
}

// Add counts one request of an identity. It keeps nothing of req but its shape.
func (r *Recorder) Add(identity string, req *protocol.Request) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	uses := r.uses(identity)
	if len(req.Keys) == 0 {
		r.count(uses, kind{req.Verb.Grant, ""}, req)
	}
	for _, key := range req.Keys {
		r.count(uses, kind{req.Verb.Grant, policy.Shape(key)}, req)
	}
}

// uses are those of an identity; of one beyond the bound, those of all others.
func (r *Recorder) uses(identity string) map[kind]*Use {
	if r.ids == nil {
		r.ids = make(map[string]map[kind]*Use)
	}
	if r.ids[identity] == nil {
		if len(r.ids) >= maxIdentities {
			identity = anything
		}
		if r.ids[identity] == nil {
			r.ids[identity] = make(map[kind]*Use)
		}
	}
	return r.ids[identity]
}

func (r *Recorder) count(uses map[kind]*Use, k kind, req *protocol.Request) {
	u := uses[k]
	if u == nil && len(uses) >= maxShapes {
		k.shape = anything
		u = uses[k]
	}
	now := time.Now()
	if u == nil {
		u = &Use{Command: k.command, Shape: k.shape, First: now}
		uses[k] = u
	}
	u.Count++
	u.Last = now
	u.Value, u.Keys = max(u.Value, req.Size()), max(u.Keys, len(req.Keys))
}

// All returns a copy of everything that was learned, by identity.
func (r *Recorder) All() map[string][]Use {
	out := make(map[string][]Use)
	if r == nil {
		return out
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for identity, uses := range r.ids {
		for _, u := range uses {
			out[identity] = append(out[identity], *u)
		}
	}
	return out
}
