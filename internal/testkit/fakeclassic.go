package testkit

import (
	"fmt"
	"strconv"
	"strings"
)

const nonNumeric = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"

// classicModes translates the classic storage commands.
var classicModes = map[string]string{
	"set": "S", "add": "E", "replace": "R", "append": "A", "prepend": "P", "cas": "S",
}

// classicWords is how the classic dialect calls each outcome.
var classicWords = map[outcome]string{
	stored:    "STORED\r\n",
	notStored: "NOT_STORED\r\n",
	exists:    "EXISTS\r\n",
	notFound:  "NOT_FOUND\r\n",
	tooLarge:  "SERVER_ERROR object too large for cache\r\n",
}

func runGet(s *fakeStore, r *fakeRequest) string {
	return s.values(r.args, r.verb == "gets", func(*fakeItem) {})
}

func runGat(s *fakeStore, r *fakeRequest) string {
	expires := s.expiry(seconds(r.args[0]))
	return s.values(r.args[1:], r.verb == "gats", func(it *fakeItem) { it.expires = expires })
}

// values is the reply to get, gets, gat and gats. Each item found is shown to
// touch.
func (s *fakeStore) values(keys []string, withCAS bool, touch func(*fakeItem)) string {
	var b strings.Builder
	for _, key := range keys {
		it := s.fetch(key)
		if it == nil {
			continue
		}
		touch(it)
		fmt.Fprintf(&b, "VALUE %s %d %d", key, it.flags, len(it.value))
		if withCAS {
			fmt.Fprintf(&b, " %d", it.cas)
		}
		fmt.Fprintf(&b, "\r\n%s\r\n", it.value)
	}
	return b.String() + "END\r\n"
}

func runStore(s *fakeStore, r *fakeRequest) string {
	flags, _ := strconv.ParseUint(r.args[1], 10, 32)
	p := put{
		key:   r.args[0],
		value: r.body,
		flags: uint32(flags),
		exp:   seconds(r.args[2]),
		mode:  classicModes[r.verb],
	}
	if r.verb == "cas" {
		p.compare = true
		p.cas, _ = strconv.ParseUint(r.args[4], 10, 64)
	}
	_, how := s.put(p)
	if how == tooLarge && r.verb == "set" {
		delete(s.items, p.key)
	}
	return classicWords[how]
}

func runDelete(s *fakeStore, r *fakeRequest) string {
	if s.find(r.args[0]) == nil {
		return "NOT_FOUND\r\n"
	}
	delete(s.items, r.args[0])
	return "DELETED\r\n"
}

func runDelta(s *fakeStore, r *fakeRequest) string {
	it := s.find(r.args[0])
	if it == nil {
		return "NOT_FOUND\r\n"
	}
	delta, _ := strconv.ParseUint(r.args[1], 10, 64)
	if s.add(it, delta, r.verb == "decr", 0) != stored {
		return nonNumeric
	}
	return string(it.value) + "\r\n"
}

func runTouch(s *fakeStore, r *fakeRequest) string {
	it := s.fetch(r.args[0])
	if it == nil {
		return "NOT_FOUND\r\n"
	}
	it.expires = s.expiry(seconds(r.args[1]))
	return "TOUCHED\r\n"
}

// runFlush empties the cache at once: the fake does not put it off.
func runFlush(s *fakeStore, _ *fakeRequest) string {
	clear(s.items)
	return "OK\r\n"
}

// runStats is "stats settings" with the lines a proxy has use for.
func runStats(s *fakeStore, _ *fakeRequest) string {
	return fmt.Sprintf("STAT maxconns %d\r\nSTAT cas_enabled yes\r\nSTAT item_size_max %d\r\nEND\r\n", s.maxConns, s.itemSizeMax)
}
