package proxy

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// MaxHolds is how many freezes, and how many quarantines, there may be at once.
const MaxHolds = 256

// ErrHolds is one hold too many.
var ErrHolds = errors.New("proxy: too many freezes or quarantines")

var errQuarantined = errors.New("proxy: the client's network is quarantined")

// Freeze is what an operator holds up until it is lifted, or slabgate stops.
type Freeze struct {
	Identity string    `json:"identity,omitempty"` // whose requests; empty is everybody's
	Writes   bool      `json:"writes"`             // only those that change something; else all but those about the connection itself
	Since    time.Time `json:"since"`
	By       string    `json:"by"` // who asked for it
}

// Quarantine is a network whose clients are turned away.
type Quarantine struct {
	Network netip.Prefix `json:"network"`
	Since   time.Time    `json:"since"`
	Until   time.Time    `json:"until"`
	By      string       `json:"by"`
}

// Holds are all freezes and quarantines in force, the oldest first.
type Holds struct {
	Freezes     []Freeze     `json:"freezes"`
	Quarantines []Quarantine `json:"quarantines"`
}

// Sum is how many holds of each kind there are.
func (h *Holds) Sum() (identities, writes, networks int) {
	for i := range h.Freezes {
		if h.Freezes[i].Writes {
			writes++
		}
	}
	return len(h.Freezes) - writes, writes, len(h.Quarantines)
}

// holds is the Holds in force. Clients look at it once a turn, so that a change is
// a new one.
type holds struct {
	mu  sync.Mutex // of those who change it
	now atomic.Pointer[Holds]
}

// Freeze holds requests up from the next turn of each client on. Who froze the same
// before is forgotten. The error is [ErrHolds].
func (s *Server) Freeze(f Freeze) error {
	return s.holds.change(func(h *Holds) error {
		h.Freezes = append(slices.DeleteFunc(h.Freezes, f.same), f)
		return tooMany(len(h.Freezes))
	})
}

// Unfreeze lifts a freeze of the same identity and kind, and reports whether there
// was one.
func (s *Server) Unfreeze(f Freeze) (found bool) {
	_ = s.holds.change(func(h *Holds) error {
		n := len(h.Freezes)
		h.Freezes = slices.DeleteFunc(h.Freezes, f.same)
		found = len(h.Freezes) < n
		return nil
	})
	return found
}

// Quarantine turns away new clients from a network, closes the connections of those
// that are here, and returns how many these were. An earlier quarantine of the same
// network is forgotten. The error is [ErrHolds].
func (s *Server) Quarantine(q Quarantine) (closed int, err error) {
	q.Network = q.Network.Masked()
	err = s.holds.change(func(h *Holds) error {
		h.Quarantines = slices.DeleteFunc(h.Quarantines, func(o Quarantine) bool { return o.Network == q.Network || !o.Until.After(q.Since) })
		h.Quarantines = append(h.Quarantines, q)
		return tooMany(len(h.Quarantines))
	})
	if err != nil {
		return 0, err
	}
	for _, n := range s.all() { // whoever comes later sees the quarantine
		if s.holds.quarantines(n.seat.addr, s.now()) {
			s.kill(n)
			closed++
		}
	}
	return closed, nil
}

// Release lifts the quarantine of a network, and reports whether there was one.
func (s *Server) Release(network netip.Prefix) (found bool) {
	_ = s.holds.change(func(h *Holds) error {
		n := len(h.Quarantines)
		h.Quarantines = slices.DeleteFunc(h.Quarantines, func(o Quarantine) bool { return o.Network == network.Masked() })
		found = len(h.Quarantines) < n
		return nil
	})
	return found
}

// Holds returns what is in force. The lists are the caller's.
func (s *Server) Holds() Holds {
	h := s.holds.copy()
	now := s.now()
	h.Quarantines = slices.DeleteFunc(h.Quarantines, func(q Quarantine) bool { return !q.Until.After(now) })
	return h
}

func tooMany(n int) error {
	if n > MaxHolds {
		return ErrHolds
	}
	return nil
}

func (f Freeze) same(o Freeze) bool { return o.Identity == f.Identity && o.Writes == f.Writes }

// copy is what is in force, for somebody to change.
func (h *holds) copy() Holds {
	c := Holds{Freezes: []Freeze{}, Quarantines: []Quarantine{}}
	if now := h.now.Load(); now != nil {
		c.Freezes = append(c.Freezes, now.Freezes...)
		c.Quarantines = append(c.Quarantines, now.Quarantines...)
	}
	return c
}

// change puts what edit makes of a copy into force, unless that is an error.
func (h *holds) change(edit func(*Holds) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.copy()
	if err := edit(&c); err != nil {
		return err
	}
	if len(c.Freezes)+len(c.Quarantines) == 0 {
		h.now.Store(nil)
		return nil
	}
	h.now.Store(&c)
	return nil
}

// quarantines reports whether clients at addr are turned away. A unix socket has no
// address.
func (h *holds) quarantines(addr netip.Addr, now time.Time) bool {
	in := h.now.Load()
	addr = addr.WithZone("") // no network has one
	return in != nil && slices.ContainsFunc(in.Quarantines, func(q Quarantine) bool {
		return q.Network.Contains(addr) && now.Before(q.Until)
	})
}

// freeze is what is held up of one client's requests.
type freeze uint8

const (
	thawed freeze = iota
	frozenWrites
	frozenAll
)

// frozen is what is held up of an identity's requests.
func (h *holds) frozen(identity string) (what freeze) {
	in := h.now.Load()
	if in == nil {
		return thawed
	}
	for i := range in.Freezes {
		f := &in.Freezes[i]
		switch {
		case f.Identity != "" && f.Identity != identity:
		case f.Writes:
			what = max(what, frozenWrites)
		default:
			what = frozenAll
		}
	}
	return what
}

// holdsUp reports whether an operator holds req up, which is answered then.
func (x *exchange) holdsUp(req *protocol.Request) bool {
	switch {
	case x.frozen == thawed, req.Verb.Category == protocol.CatConn:
		return false
	case x.frozen == frozenWrites && !req.Changes():
		return false
	}
	x.observer.observe(evFrozen, req, policy.Decision{})
	x.tally.became(req.Verb, metrics.Frozen)
	x.answer(req, protocol.StatusFrozen)
	return true
}
