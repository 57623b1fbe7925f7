package testkit

import (
	"fmt"
	"strconv"
	"strings"
)

// metaWords is how the meta dialect calls each outcome.
var metaWords = map[outcome]string{stored: "HD", notStored: "NS", exists: "EX", notFound: "NF"}

// metaLine is the whole reply to what found nothing or did nothing.
func metaLine(status string, r *fakeRequest) string {
	for _, f := range r.flags {
		status += r.echoed(f)
	}
	return status + "\r\n"
}

// echoed is what a flag gives back of the request itself.
func (r *fakeRequest) echoed(f metaFlag) string {
	switch f.letter {
	case 'O':
		return " O" + f.token
	case 'k':
		return " k" + r.echo
	}
	return ""
}

// shown is what each flag adds to a reply about an item.
var shown = map[byte]func(*fakeStore, *fakeItem) string{
	'c': func(_ *fakeStore, it *fakeItem) string { return strconv.FormatUint(it.cas, 10) },
	'f': func(_ *fakeStore, it *fakeItem) string { return strconv.FormatUint(uint64(it.flags), 10) },
	's': func(_ *fakeStore, it *fakeItem) string { return strconv.Itoa(len(it.value)) },
	'l': func(s *fakeStore, it *fakeItem) string { return strconv.FormatInt(s.now()-it.accessed, 10) },
	'h': func(_ *fakeStore, it *fakeItem) string {
		if it.fetched {
			return "1"
		}
		return "0"
	},
	't': func(s *fakeStore, it *fakeItem) string {
		if it.expires == 0 {
			return "-1"
		}
		return strconv.FormatUint(uint64(uint32(it.expires-s.now())), 10)
	},
}

// metaHit is the reply to mg and ma about item it. Each flag in turn is shown
// to change first, since a flag may alter what a later one returns.
func (s *fakeStore) metaHit(r *fakeRequest, it *fakeItem, change func(metaFlag)) string {
	var b strings.Builder
	for _, f := range r.flags {
		change(f)
		b.WriteString(r.echoed(f))
		if show := shown[f.letter]; show != nil {
			b.WriteString(" " + string(f.letter) + show(s, it))
		}
	}
	return b.String()
}

// metaValue puts status and value around the returned flags. A client that has
// this value already, as its CAS id says, is sent none.
func metaValue(r *fakeRequest, it *fakeItem, flags string) string {
	_, wanted := r.flag('v')
	id, known := r.flag('C')
	if !wanted || known && r.verb == "mg" && id == shown['c'](nil, it) {
		return "HD" + flags + "\r\n"
	}
	return fmt.Sprintf("VA %d%s\r\n%s\r\n", len(it.value), flags, it.value)
}

// expire gives it the expiry of flag T, or of N if the request has created it.
// Of both, the one that stands last counts.
func (s *fakeStore) expire(it *fakeItem, f metaFlag, created bool) {
	if f.letter == 'T' || f.letter == 'N' && created {
		it.expires = s.expiry(seconds(f.token))
	}
}

func runMetaGet(s *fakeStore, r *fakeRequest) string {
	it, created := s.find(r.args[0]), false
	if _, vivify := r.flag('N'); it == nil && vivify {
		it, _ = s.put(put{key: r.args[0], mode: "S"})
		it.cas, created = r.number('E', it.cas), true
	}
	if it == nil {
		return metaLine("EN", r)
	}
	won := created
	flags := s.metaHit(r, it, func(f metaFlag) {
		s.expire(it, f, created)
		won = won || f.letter == 'R' && it.endsBefore(s.expiry(r.exp('R')))
	})
	flags += it.promise(won)
	if _, ok := r.flag('u'); !ok {
		it.fetched, it.accessed = true, s.now()
	}
	return metaValue(r, it, flags)
}

// endsBefore reports whether it will be gone by then and nobody makes it anew.
func (it *fakeItem) endsBefore(then int64) bool {
	return it.expires != 0 && it.expires < then && !it.promised
}

// promise returns the flags that tell one client to make the item anew and the
// others that somebody does.
func (it *fakeItem) promise(won bool) string {
	flags := ""
	if it.promised {
		flags += " Z"
	}
	if it.stale {
		flags += " X"
		won = won || !it.promised
	}
	if won {
		flags += " W"
		it.promised = true
	}
	return flags
}

func runMetaSet(s *fakeStore, r *fakeRequest) string {
	p := r.put()
	it, how := s.put(p)
	switch how {
	case tooLarge:
		delete(s.items, p.key) // whatever the mode
		return classicWords[tooLarge]
	case stored:
		it.cas = r.number('E', it.cas)
	default:
		it = &fakeItem{} // what did not happen has CAS id 0
	}
	return metaWords[how] + s.metaHit(r, it, func(metaFlag) {}) + "\r\n"
}

// put reads the flags of ms. To append and to prepend, a CAS id of 0 is none, no
// stale value is taken, and N alone creates.
func (r *fakeRequest) put() put {
	p := put{
		key:   r.args[0],
		value: r.body,
		flags: uint32(r.number('F', 0)),
		exp:   r.exp('T'),
		mode:  "S",
		cas:   r.number('C', 0),
	}
	if mode, ok := r.flag('M'); ok {
		p.mode = mode
	}
	_, p.compare = r.flag('C')
	_, p.stale = r.flag('I')
	if p.mode != "A" && p.mode != "P" {
		return p
	}
	p.compare, p.stale = p.cas != 0, false
	if _, ok := r.flag('N'); ok {
		p.create, p.exp = true, r.exp('N')
	}
	return p
}

func runMetaDelete(s *fakeStore, r *fakeRequest) string {
	it := s.find(r.args[0])
	if it == nil {
		return metaLine("NF", r)
	}
	if r.number('C', it.cas) != it.cas {
		return metaLine("EX", r)
	}
	_, invalidate := r.flag('I')
	_, empty := r.flag('x')
	if !invalidate && !empty {
		delete(s.items, r.args[0])
		return metaLine("HD", r)
	}
	if empty {
		it = s.bury(r, it)
	}
	if invalidate {
		s.invalidate(r, it)
	}
	return metaLine("HD", r)
}

// bury puts an item without a value in the place of it, with the same CAS id
// unless r brings one, and returns it.
func (s *fakeStore) bury(r *fakeRequest, it *fakeItem) *fakeItem {
	tomb := &fakeItem{
		flags:    uint32(r.number('F', 0)),
		expires:  s.expiry(r.exp('T')),
		cas:      r.number('E', it.cas),
		accessed: s.now(),
	}
	s.items[r.args[0]] = tomb
	return tomb
}

// invalidate marks it as stale: the next to get it is told to make it anew.
func (s *fakeStore) invalidate(r *fakeRequest, it *fakeItem) {
	it.stale, it.promised = true, false
	if _, ok := r.flag('T'); ok {
		it.expires = s.expiry(r.exp('T'))
	}
	it.cas = s.nextCAS()
	it.cas = r.number('E', it.cas)
}

func runMetaArith(s *fakeStore, r *fakeRequest) string {
	it, how, created := s.find(r.args[0]), stored, false
	_, create := r.flag('N')
	mode, _ := r.flag('M')
	switch {
	case it != nil:
		how = s.add(it, r.number('D', 1), mode == "D", r.number('C', 0))
	case create:
		it, created = s.newNumber(r.args[0], r.number('J', 0)), true
	default:
		how = notFound
	}
	if how == notNumber {
		return nonNumeric
	}
	if how != stored {
		return metaLine(metaWords[how], r)
	}
	it.cas = r.number('E', it.cas)
	flags := s.metaHit(r, it, func(f metaFlag) { s.expire(it, f, created) })
	return metaValue(r, it, flags)
}

// runMetaDebug tells what memcached keeps beside the value. The class is always
// the first: the fake has no slabs.
func runMetaDebug(s *fakeStore, r *fakeRequest) string {
	it := s.find(r.args[0])
	if it == nil {
		return "EN\r\n"
	}
	left, fetched := int64(-1), "no"
	if it.expires != 0 {
		left = it.expires - s.now()
	}
	if it.fetched {
		fetched = "yes"
	}
	return fmt.Sprintf("ME %s exp=%d la=%d cas=%d fetch=%s cls=1 size=%d\r\n",
		r.args[0], left, s.now()-it.accessed, it.cas, fetched, itemSize(r.args[0], it))
}
