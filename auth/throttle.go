package auth

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	maxWrong        = 10          // wrong logins
	wrongWindow     = time.Minute // within this time bring a penalty
	firstPenalty    = wrongWindow // it doubles each time; never shorter, so that it outlasts what led to it
	lastPenalty     = 10 * time.Minute
	forgetAfter     = 10 * time.Minute // of good conduct after a penalty the next is a first one
	trustFor        = time.Hour        // after a right login: so long its source may be wrong about others
	throttleEntries = 65536            // what a flood of addresses can make it hold
	sourcePrefix    = 64               // of an IPv6 address: what one host can have at will
)

// throttle refuses logins from a source that keeps being wrong, and from a
// source that keeps being wrong about one user. It holds nothing about a user
// alone: whoever fails in somebody's name must not keep him out elsewhere.
//
// A login is judged between asking and telling, so logins that a source has
// under way at once may exceed the limit once, by their number.
type throttle struct {
	now   func() time.Time
	start time.Time    // all times are counted from here
	seed  maphash.Seed // hides which names share an entry

	mu      sync.Mutex // guards the conducts; the LRU has a lock of its own
	entries *lru.Cache[throttleKey, *conduct]
}

// throttleKey is a source, or a source and a user. It has a fixed size, so that
// long names don't take more memory.
type throttleKey struct {
	addr [16]byte
	kind uint8  // of address and of key
	user uint64 // hash of the name; 0 for a source alone
}

// The kinds of a throttleKey; kindUser is added to one of the others.
const (
	kindLocal uint8 = iota // unix socket: no address, one source
	kind4
	kind6
	kindUser uint8 = 1 << 7
)

func newThrottle(now func() time.Time, size int) (*throttle, error) {
	entries, err := lru.New[throttleKey, *conduct](size)
	if err != nil {
		return nil, fmt.Errorf("auth: throttle of %d entries: %v", size, err)
	}
	return &throttle{now: now, start: now(), seed: maphash.MakeSeed(), entries: entries}, nil
}

// keys returns the entries a login concerns: its source's, and that of its
// source and user.
func (t *throttle) keys(source netip.Addr, user string) [2]throttleKey {
	var k throttleKey
	source = source.Unmap().WithZone("")
	switch {
	case source.Is4():
		k.kind, k.addr = kind4, source.As16()
	case source.Is6():
		p := netip.PrefixFrom(source, sourcePrefix).Masked()
		k.kind, k.addr = kind6, p.Addr().As16()
	}
	pair := k
	pair.kind |= kindUser
	pair.user = maphash.String(t.seed, user)
	return [2]throttleKey{k, pair}
}

// allow reports whether a login may be judged now. A source that has been right
// about this user lately is not held to what else comes from it, so that one who
// guesses does not lock out whoever shares the address; that it is wrong about
// this user still counts.
func (t *throttle) allow(source netip.Addr, user string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.elapsed()
	keys := t.keys(source, user)
	if pair, found := t.entries.Get(keys[1]); found {
		if now < pair.until {
			return false
		}
		if pair.trusted && now-pair.right < trustFor {
			return true
		}
	}
	all, found := t.entries.Get(keys[0])
	return !found || now >= all.until
}

// fail counts a login that was wrong.
func (t *throttle) fail(source netip.Addr, user string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.elapsed()
	for _, k := range t.keys(source, user) {
		c, found := t.entries.Get(k)
		if !found {
			c = &conduct{}
			t.entries.Add(k, c)
		}
		c.fail(now)
	}
}

// succeed forgets what the source got wrong about this user, and trusts it with
// this user for a while. What it got wrong about others stays, or one good
// password would buy guesses at the rest.
func (t *throttle) succeed(source netip.Addr, user string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	pair := t.keys(source, user)[1]
	c, found := t.entries.Get(pair)
	if !found || !c.trusted { // one who is trusted already is forgiven nothing more
		c = &conduct{trusted: true}
		t.entries.Add(pair, c)
	}
	c.right = t.elapsed()
}

func (t *throttle) elapsed() time.Duration { return t.now().Sub(t.start) }

// conduct is what is held against one source, or one source and user.
type conduct struct {
	wrong     [maxWrong]time.Duration // when it was wrong, a ring
	next      int                     // where the ring goes on
	count     int                     // how much of the ring is used
	until     time.Duration           // end of the latest penalty
	penalties int                     // in a row
	trusted   bool                    // the source has been right about the user
	right     time.Duration           // and when it was last
}

// fail counts one wrong login at now, and begins a penalty with the tenth in a
// minute. One that was under way when a penalty began does not count.
func (c *conduct) fail(now time.Duration) {
	if now < c.until {
		return
	}
	if now-c.until > forgetAfter {
		c.penalties = 0
	}
	c.wrong[c.next] = now
	c.next = (c.next + 1) % maxWrong
	c.count = min(c.count+1, maxWrong)
	if c.count < maxWrong || now-c.wrong[c.next] >= wrongWindow {
		return // the ring is full and next is the oldest, or it is not full
	}
	c.until = now + penalty(c.penalties)
	c.penalties++
}

// penalty is how long the n-th penalty in a row lasts, counted from 0.
func penalty(n int) time.Duration {
	p := firstPenalty
	for ; n > 0 && p < lastPenalty; n-- {
		p *= 2
	}
	return min(p, lastPenalty)
}
