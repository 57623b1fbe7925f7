package testkit

import (
	"fmt"
	"strconv"
	"strings"
)

// metaWords is how the meta dialect calls each outcome.
var metaWords = map[outcome]string{stored: "HD", notStored: "NS", exists: "EX", notFound: "NF"}

// metaLine ends a status line with the opaque of r, if it has one. It is the
// whole reply to what found nothing or did nothing.
func metaLine(status string, r *fakeRequest) string {
	if tok, ok := r.flag('O'); ok {
		status += " O" + tok
	}
	return status + "\r\n"
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
		return strconv.FormatInt(it.expires-s.now(), 10)
	},
}

// metaHit is the reply to mg and ma about item it. Each flag in turn is shown
// to change first, since a flag may alter what a later one returns.
func (s *fakeStore) metaHit(r *fakeRequest, it *fakeItem, change func(metaFlag)) string {
	var b strings.Builder
	for _, f := range r.flags {
		change(f)
		if f.letter == 'O' {
			b.WriteString(" O" + f.token)
		}
		if show := shown[f.letter]; show != nil {
			b.WriteString(" " + string(f.letter) + show(s, it))
		}
	}
	return b.String()
}

// metaValue puts status and value around the returned flags.
func metaValue(r *fakeRequest, it *fakeItem, flags string) string {
	if _, ok := r.flag('v'); !ok {
		return "HD" + flags + "\r\n"
	}
	return fmt.Sprintf("VA %d%s\r\n%s\r\n", len(it.value), flags, it.value)
}

func runMetaGet(s *fakeStore, r *fakeRequest) string {
	it, won := s.find(r.args[0]), false
	if it == nil {
		if _, ok := r.flag('N'); !ok {
			return metaLine("EN", r)
		}
		it, _ = s.put(put{key: r.args[0], mode: "S", exp: r.exp('N')})
		it.cas, won = r.number('E', it.cas), true
	}
	flags := s.metaHit(r, it, func(f metaFlag) {
		switch f.letter {
		case 'T':
			it.expires = s.expiry(r.exp('T'))
		case 'R':
			left := it.expires - s.now()
			won = won || it.expires != 0 && left < r.exp('R') && !it.promised
		}
	})
	flags += it.promise(won)
	it.fetched, it.accessed = true, s.now()
	return metaValue(r, it, flags)
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
	if _, ok := r.flag('N'); ok && (p.mode == "A" || p.mode == "P") {
		p.create, p.exp = true, r.exp('N')
	}
	it, how := s.put(p)
	switch how {
	case tooLarge:
		return classicWords[tooLarge]
	case stored:
		it.cas = r.number('E', it.cas)
	default:
		it = &fakeItem{} // what did not happen has CAS id 0
	}
	return metaWords[how] + s.metaHit(r, it, func(metaFlag) {}) + "\r\n"
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
		it.value, it.flags = nil, uint32(r.number('F', 0))
	}
	if invalidate {
		it.stale, it.promised = true, false
	}
	if _, ok := r.flag('T'); ok {
		it.expires = s.expiry(r.exp('T'))
	}
	it.cas = r.number('E', s.nextCAS())
	return metaLine("HD", r)
}

func runMetaArith(s *fakeStore, r *fakeRequest) string {
	it := s.find(r.args[0])
	_, create := r.flag('N')
	if it == nil && !create {
		return metaLine("NF", r)
	}
	if it == nil {
		initial := strconv.FormatUint(r.number('J', 0), 10)
		it, _ = s.put(put{key: r.args[0], value: []byte(initial), mode: "S", exp: r.exp('N')})
	} else {
		if r.number('C', it.cas) != it.cas {
			return metaLine("EX", r)
		}
		mode, _ := r.flag('M')
		if !s.add(it, r.number('D', 1), mode == "D") {
			return nonNumeric
		}
	}
	it.cas = r.number('E', it.cas)
	flags := s.metaHit(r, it, func(f metaFlag) {
		if f.letter == 'T' {
			it.expires = s.expiry(r.exp('T'))
		}
	})
	return metaValue(r, it, flags)
}
