package proxy

import (
	"fmt"
	"strconv"
	"strings"
)

// cache is what a memcached holds, for tests without one. It knows neither of
// the dialects: the model upstream and the reference both use it.
type cache struct {
	now   int64 // Unix seconds
	cas   uint64
	items map[string]item
}

type item struct {
	value string
	flags uint64
	cas   uint64
}

func newCache() *cache { return &cache{now: testNow, items: map[string]item{}} }

// testNow is the time of tests that need no clock.
const testNow = 1_700_000_000

// over reports whether an expiry is in the past.
func (c *cache) over(exptime int64) bool {
	return exptime < 0 || exptime > 2592000 && exptime <= c.now
}

// store carries out set, add, replace, append, prepend and cas, and answers in
// the words of the classic dialect, without the line end.
func (c *cache) store(verb, key string, it item, exptime int64) string {
	old, found := c.items[key]
	switch {
	case verb == "add" && found,
		!found && (verb == "replace" || verb == "append" || verb == "prepend"):
		return "NOT_STORED"
	case verb == "cas" && !found:
		return "NOT_FOUND"
	case verb == "cas" && it.cas != old.cas:
		return "EXISTS"
	}
	switch verb {
	case "append":
		it.value, it.flags, exptime = old.value+it.value, old.flags, 0
	case "prepend":
		it.value, it.flags, exptime = it.value+old.value, old.flags, 0
	}
	c.cas++
	it.cas = c.cas
	c.items[key] = it
	c.expire(key, exptime)
	return "STORED"
}

func (c *cache) expire(key string, exptime int64) {
	if c.over(exptime) {
		delete(c.items, key)
	}
}

// add carries out incr and decr. It answers with the number, or why there is
// none.
func (c *cache) add(verb, key string, delta uint64) (answer string, number bool) {
	it, found := c.items[key]
	if !found {
		return "NOT_FOUND", false
	}
	n, err := strconv.ParseUint(it.value, 10, 64)
	if err != nil || strings.HasPrefix(it.value, "+") {
		return "CLIENT_ERROR cannot increment or decrement non-numeric value", false
	}
	switch {
	case verb == "incr":
		n += delta
	case delta > n:
		n = 0
	default:
		n -= delta
	}
	c.cas++
	it.value, it.cas = strconv.FormatUint(n, 10), c.cas
	c.items[key] = it
	return it.value, true
}

func (c *cache) remove(key string) bool {
	_, found := c.items[key]
	delete(c.items, key)
	return found
}

// flush carries out flush_all: at once, or never within the test.
func (c *cache) flush(delay int64) {
	if delay <= 0 || c.over(delay) {
		clear(c.items)
	}
}

// String tells the items, in no order, for a failure.
func (c *cache) String() string { return fmt.Sprint(c.items) }
