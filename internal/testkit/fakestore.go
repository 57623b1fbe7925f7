package testkit

import "strconv"

// relativeExpiry is the largest expiry that counts from now; a larger one is
// seconds since 1970.
const relativeExpiry = 60 * 60 * 24 * 30

// itemOverhead is what memcached adds to key and value to get the size of an
// item: header, CAS id and two terminators. Client flags that are not 0 take
// flagsSize more.
const (
	itemOverhead = 59
	flagsSize    = 4
)

// itemSize is how large memcached says that an item is, in bytes.
func itemSize(key string, it *fakeItem) int {
	size := len(key) + len(it.value) + itemOverhead
	if it.flags != 0 {
		size += flagsSize
	}
	return size
}

// fakeStore is the fake's cache. Its owner holds a lock around every command.
type fakeStore struct {
	version     string
	itemSizeMax int
	maxConns    int
	items       map[string]*fakeItem
	cas         uint64       // the last CAS id given out
	now         func() int64 // seconds since 1970
}

type fakeItem struct {
	value    []byte
	flags    uint32
	expires  int64 // seconds since 1970; 0 never
	cas      uint64
	accessed int64 // seconds since 1970
	fetched  bool
	stale    bool // invalidated, and still served
	promised bool // somebody has been told to make it anew
}

// newFakeStore returns an empty cache. o has its defaults.
func newFakeStore(o FakeOptions) *fakeStore {
	return &fakeStore{
		version:     o.Version,
		itemSizeMax: o.ItemSizeMax,
		maxConns:    o.MaxConns,
		items:       map[string]*fakeItem{},
		now:         o.Now,
	}
}

// find returns the living item of key, or nil.
func (s *fakeStore) find(key string) *fakeItem {
	it := s.items[key]
	if it != nil && it.expires != 0 && it.expires <= s.now() {
		delete(s.items, key)
		return nil
	}
	return it
}

// fetch is find for a command that counts as a use of the item.
func (s *fakeStore) fetch(key string) *fakeItem {
	it := s.find(key)
	if it != nil {
		it.fetched, it.accessed = true, s.now()
	}
	return it
}

// expiry turns an expiry as it is sent into a point in time. All that is over
// is the same point.
func (s *fakeStore) expiry(exp int64) int64 {
	now := s.now()
	switch {
	case exp == 0:
		return 0
	case exp > relativeExpiry && exp > now:
		return exp
	case exp < 0 || exp > relativeExpiry:
		return 1
	default:
		return now + exp
	}
}

func (s *fakeStore) nextCAS() uint64 {
	s.cas++
	return s.cas
}

// outcome is how a store went. Each dialect has its own words for it.
type outcome int

const (
	stored outcome = iota
	notStored
	exists
	notFound
	tooLarge
	notNumber
)

// put is a store in the words of the meta dialect.
type put struct {
	key     string
	value   []byte
	flags   uint32
	exp     int64  // as sent
	mode    string // S, E (add), A, P, R
	cas     uint64 // compared unless compare is false
	compare bool
	stale   bool // a CAS id that is too low stores, and marks stale
	create  bool // A and P make the item if there is none
}

// put stores p and returns the item, or nil if it did not.
func (s *fakeStore) put(p put) (*fakeItem, outcome) {
	it := &fakeItem{value: p.value, flags: p.flags, expires: s.expiry(p.exp)}
	if itemSize(p.key, it) > s.itemSizeMax {
		return nil, tooLarge
	}
	old := s.find(p.key)
	how := p.missing()
	if old != nil {
		how = p.onto(old, it)
	}
	if how == stored && itemSize(p.key, it) > s.itemSizeMax {
		how = notStored // it has outgrown the limit
	}
	if how != stored {
		return nil, how
	}
	it.cas, it.accessed = s.nextCAS(), s.now()
	s.items[p.key] = it
	return it, stored
}

// missing is what becomes of p if the key has no item.
func (p put) missing() outcome {
	switch {
	case p.mode == "E" || p.create:
		return stored
	case p.mode == "A" || p.mode == "P":
		return notStored
	case p.compare:
		return notFound
	case p.mode == "R":
		return notStored
	}
	return stored
}

// onto is what becomes of p if the key has item old. It completes it, which is
// to replace old, with what is taken over.
func (p put) onto(old, it *fakeItem) outcome {
	if p.mode == "E" {
		return notStored
	}
	if p.compare && p.cas != old.cas {
		if !p.stale || p.cas == 0 || p.cas > old.cas {
			return exists
		}
		it.expires, it.stale, it.promised = old.expires, true, old.promised
	}
	switch p.mode {
	case "A":
		it.value = append(append([]byte(nil), old.value...), p.value...)
	case "P":
		it.value = append(append([]byte(nil), p.value...), old.value...)
	default:
		return stored
	}
	it.flags, it.expires = old.flags, old.expires
	return stored
}

// newNumber stores a number that never expires.
func (s *fakeStore) newNumber(key string, n uint64) *fakeItem {
	it, _ := s.put(put{key: key, value: strconv.AppendUint(nil, n, 10), mode: "S"})
	return it
}

// add changes the number in it by delta, if its CAS id is cas or cas is 0.
func (s *fakeStore) add(it *fakeItem, delta uint64, down bool, cas uint64) outcome {
	if len(it.value) == 0 {
		return notNumber
	}
	if cas != 0 && cas != it.cas {
		return exists
	}
	n, err := strconv.ParseUint(string(it.value), 10, 64)
	if err != nil {
		return notNumber
	}
	switch {
	case !down:
		n += delta // wraps, as memcached's does
	case delta > n:
		n = 0
	default:
		n -= delta
	}
	it.value, it.cas = strconv.AppendUint(nil, n, 10), s.nextCAS()
	return stored
}
