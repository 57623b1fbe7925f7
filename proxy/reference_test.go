package proxy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// reference is what a client should read, worked out a second time and slowly:
// a whole conversation at once, with strings, and without the protocol package.
// Its rules are those of the documentation.
type reference struct {
	cache   *cache
	prefix  string // of the keys that may be used; "" allows everything
	quiet   bool
	maxItem int

	words   []string // of the request being read
	noreply bool
	dirty   bool // the line holds a control byte, or starts with a space

	out      strings.Builder
	sent     []string
	replies  int    // that are owed, each a line or a list of items
	closed   bool   // the client was cut off
	abstains string // why there is no telling what is right
}

// reach is how far reading a request went.
type reach int

const (
	stop reach = iota // it is not whole, or the connection has ended
	next              // the next one follows
)

// run answers everything that is whole in in.
func (r *reference) run(in string) {
	for how := next; how == next && !r.closed && r.abstains == ""; {
		in, how = r.request(in)
	}
}

// say owes the client a line.
func (r *reference) say(line string) {
	if r.noreply {
		return
	}
	r.replies++
	r.out.WriteString(line + "\r\n")
}

// hangUp tells the client why, whatever it asked for.
func (r *reference) hangUp(line string) (string, reach) {
	r.noreply, r.closed = false, true
	if line != "" {
		r.say(line)
	}
	return "", stop
}

const (
	badFormat = "CLIENT_ERROR bad command line format"
	notServed = "CLIENT_ERROR command not supported"
)

// request reads one request and returns what follows it.
func (r *reference) request(in string) (rest string, how reach) {
	limit := 2048
	if longLine.MatchString(in) {
		limit = 65536
	}
	line, rest, whole := strings.Cut(in, "\n")
	if !whole && len(line) < limit {
		return "", stop
	}
	if len(line)+1 > limit {
		return r.hangUp("CLIENT_ERROR line too long")
	}
	line = strings.TrimSuffix(line, "\r")
	r.words = slices.DeleteFunc(strings.Split(line, " "), func(w string) bool { return w == "" })
	r.noreply = false
	if len(r.words) == 0 {
		r.say("ERROR")
		return rest, next
	}
	spaced := line[0] == ' '
	r.dirty = spaced || strings.ContainsFunc(line, control)
	serve := commands[r.words[0]]
	switch {
	case serve == nil && strings.HasPrefix(r.words[len(r.words)-1], "HTTP/"):
		return r.hangUp("")
	case serve == nil, spaced && !bodied[r.words[0]]:
		r.say("ERROR")
		return rest, next
	case r.dirty && !bodied[r.words[0]]:
		r.say(badFormat)
		return rest, next
	}
	return serve(r, rest)
}

var longLine = regexp.MustCompile(`^(get|gets|gat|gats) `)

func control(c rune) bool { return c < ' ' || c == 0x7f }

// bodied are the commands that a data block follows.
var bodied = map[string]bool{"set": true, "add": true, "replace": true, "append": true, "prepend": true, "cas": true, "ms": true}

// commands serve one request each, after its line. They are set here because
// they refer to each other.
var commands = map[string]func(*reference, string) (string, reach){
	"get": (*reference).get, "gets": (*reference).get, "gat": (*reference).gat, "gats": (*reference).gat,
	"set": (*reference).store, "add": (*reference).store, "replace": (*reference).store,
	"append": (*reference).store, "prepend": (*reference).store, "cas": (*reference).store,
	"ms": (*reference).metaStore, "mg": (*reference).unserved, "md": (*reference).unserved, "ma": (*reference).unserved,
	"me": (*reference).unserved, "bget": (*reference).unserved,
	"touch": (*reference).touch, "delete": (*reference).remove, "incr": (*reference).arith, "decr": (*reference).arith,
	"version": (*reference).connection, "mn": (*reference).connection, "quit": (*reference).connection,
	"flush_all": (*reference).flush, "stats": (*reference).stats, "verbosity": (*reference).verbosity,
	"watch": (*reference).refused, "shutdown": (*reference).refused, "refresh_certs": (*reference).refused,
	"misbehave": (*reference).refused, "debugtime": (*reference).refused, "debugitem": (*reference).refused,
	"cache_memlimit": (*reference).abstain, "slabs": (*reference).abstain, "lru": (*reference).abstain,
	"lru_crawler": (*reference).abstain, "extstore": (*reference).abstain,
}

func (r *reference) abstain(rest string) (string, reach) {
	r.abstains = r.words[0]
	return rest, stop
}

func (r *reference) unserved(rest string) (string, reach) {
	r.say(notServed)
	return rest, next
}

func (r *reference) refused(rest string) (string, reach) {
	r.dropNoreply(len(r.words))
	return r.unserved(rest)
}

func (r *reference) connection(rest string) (string, reach) {
	switch r.words[0] {
	case "quit":
		return r.hangUp("")
	case "mn":
		r.say("MN")
	default:
		r.say("VERSION 1.6.18")
	}
	return rest, next
}

// dropNoreply takes noreply off a line of one of the given numbers of words.
func (r *reference) dropNoreply(lengths ...int) {
	if last := len(r.words) - 1; slices.Contains(lengths, len(r.words)) && r.words[last] == "noreply" {
		r.noreply, r.words = true, r.words[:last]
	}
}

var digits = regexp.MustCompile(`^[0-9]{1,20}$`)

// number reads a decimal number of at most most.
func number(word string, most uint64) (uint64, bool) {
	if !digits.MatchString(word) {
		return 0, false
	}
	n, err := strconv.ParseUint(word, 10, 64)
	return n, err == nil && n <= most
}

func expiry(word string) (int64, bool) {
	word, negative := strings.CutPrefix(word, "-")
	n, ok := number(word, 1<<31-1)
	if negative {
		return -int64(n), ok
	}
	return int64(n), ok
}

func goodKeys(keys []string) bool {
	return len(keys) > 0 && len(keys) <= 1024 && !slices.ContainsFunc(keys, func(k string) bool { return len(k) > 250 })
}

// misses are how denials look that look like misses.
var misses = map[string]string{
	"get": "END", "gets": "END", "gat": "END", "gats": "END", "touch": "NOT_FOUND", "delete": "NOT_FOUND",
	"incr": "NOT_FOUND", "decr": "NOT_FOUND", "cas": "NOT_FOUND", "set": "NOT_STORED", "add": "NOT_STORED",
	"replace": "NOT_STORED", "append": "NOT_STORED", "prepend": "NOT_STORED",
}

// permits decides on keys; none is a command about no key.
func (r *reference) permits(keys ...string) bool {
	ok := len(keys) > 0 || r.prefix == ""
	for _, k := range keys {
		ok = ok && strings.HasPrefix(k, r.prefix)
	}
	if ok {
		return true
	}
	if line := misses[r.words[0]]; r.quiet && line != "" {
		r.say(line)
	} else {
		r.say("CLIENT_ERROR access denied")
	}
	return false
}

func (r *reference) send(format string, args ...any) {
	r.sent = append(r.sent, fmt.Sprintf(format, args...)+"\r\n")
}

func (r *reference) get(rest string) (string, reach) { return r.read(rest, r.words[1:], 0) }

func (r *reference) gat(rest string) (string, reach) {
	if len(r.words) < 3 {
		r.say(badFormat)
		return rest, next
	}
	exptime, ok := expiry(r.words[1])
	if !ok {
		r.say("CLIENT_ERROR invalid exptime argument")
		return rest, next
	}
	return r.read(rest, r.words[2:], exptime)
}

func (r *reference) read(rest string, keys []string, exptime int64) (string, reach) {
	if !goodKeys(keys) {
		r.say(badFormat)
		return rest, next
	}
	if !r.permits(keys...) {
		return rest, next
	}
	verb := r.words[0]
	for _, key := range keys {
		if strings.HasPrefix(verb, "gat") {
			r.send("%s %d %s", verb, exptime, key)
		} else {
			r.send("%s %s", verb, key)
		}
		it, found := r.cache.items[key]
		if !found {
			continue
		}
		if strings.HasPrefix(verb, "gat") {
			r.cache.expire(key, exptime)
		}
		fmt.Fprintf(&r.out, "VALUE %s %d %d", key, it.flags, len(it.value))
		if strings.HasSuffix(verb, "s") {
			fmt.Fprintf(&r.out, " %d", it.cas)
		}
		fmt.Fprintf(&r.out, "\r\n%s\r\n", it.value)
	}
	r.say("END")
	return rest, next
}

func (r *reference) touch(rest string) (string, reach) {
	r.dropNoreply(4)
	if len(r.words) != 3 || !goodKeys(r.words[1:2]) {
		r.say(badFormat)
		return rest, next
	}
	exptime, ok := expiry(r.words[2])
	if !ok {
		r.say("CLIENT_ERROR invalid exptime argument")
		return rest, next
	}
	key := r.words[1]
	if !r.permits(key) {
		return rest, next
	}
	r.send("touch %s %d", key, exptime)
	if _, found := r.cache.items[key]; !found {
		r.say("NOT_FOUND")
		return rest, next
	}
	r.cache.expire(key, exptime)
	r.say("TOUCHED")
	return rest, next
}

func (r *reference) remove(rest string) (string, reach) {
	r.dropNoreply(3, 4)
	if len(r.words) == 3 && r.words[2] == "0" {
		r.words = r.words[:2]
	}
	if len(r.words) != 2 || !goodKeys(r.words[1:]) {
		r.say(badFormat)
		return rest, next
	}
	if !r.permits(r.words[1]) {
		return rest, next
	}
	r.send("delete %s", r.words[1])
	if r.cache.remove(r.words[1]) {
		r.say("DELETED")
	} else {
		r.say("NOT_FOUND")
	}
	return rest, next
}

func (r *reference) arith(rest string) (string, reach) {
	r.dropNoreply(4)
	if len(r.words) != 3 || !goodKeys(r.words[1:2]) {
		r.say(badFormat)
		return rest, next
	}
	delta, ok := number(r.words[2], 1<<64-1)
	if !ok {
		r.say("CLIENT_ERROR invalid numeric delta argument")
		return rest, next
	}
	if !r.permits(r.words[1]) {
		return rest, next
	}
	r.send("%s %s %d", r.words[0], r.words[1], delta)
	answer, _ := r.cache.add(r.words[0], r.words[1], delta)
	r.say(answer)
	return rest, next
}

// store reads set, add, replace, append, prepend and cas: the length first.
func (r *reference) store(rest string) (string, reach) {
	if len(r.words) < 5 {
		return r.hangUp(badFormat)
	}
	size, ok := number(r.words[4], 1<<31-3)
	if !ok {
		return r.hangUp(badFormat)
	}
	want := 5
	if r.words[0] == "cas" {
		want = 6
	}
	r.dropNoreply(want + 1)
	it := item{}
	if len(r.words) == want && want == 6 {
		it.cas, ok = number(r.words[5], 1<<64-1)
	}
	flags, okFlags := number(r.words[2], 1<<32-1)
	exptime, okExpiry := expiry(r.words[3])
	key := r.words[1]
	if len(r.words) != want || r.dirty || !ok || !okFlags || !okExpiry || !goodKeys([]string{key}) {
		return r.refuseBody(rest, size, badFormat)
	}
	it.flags = flags
	if total := 59 + len(key) + int(size) + 4*min(1, int(flags)); total > r.maxItem {
		return r.refuseBody(rest, size, "SERVER_ERROR object too large for cache")
	}
	end := int(size) + 2
	if !strings.HasPrefix(key, r.prefix) && len(rest) >= end && rest[size:end] != "\r\n" {
		r.abstains = "a denied value without an end"
		return rest, stop
	}
	if !r.permits(key) {
		return rest[min(end, len(rest)):], next
	}
	if len(rest) < end {
		return "", stop
	}
	if rest[size:end] != "\r\n" {
		return r.hangUp("CLIENT_ERROR bad data chunk")
	}
	it.value = rest[:size]
	if want == 6 {
		r.send("cas %s %d %d %d %d\r\n%s", key, flags, exptime, size, it.cas, it.value)
	} else {
		r.send("%s %s %d %d %d\r\n%s", r.words[0], key, flags, exptime, size, it.value)
	}
	r.say(r.cache.store(r.words[0], key, it, exptime))
	return rest[end:], next
}

// refuseBody skips the data block of a store that is refused, or gives up if it
// is far too long.
func (r *reference) refuseBody(rest string, size uint64, line string) (string, reach) {
	end := int(size) + 2
	if end > 2*r.maxItem {
		return r.hangUp(line)
	}
	r.say(line)
	return rest[min(end, len(rest)):], next
}

func (r *reference) metaStore(rest string) (string, reach) {
	if len(r.words) < 3 {
		return r.hangUp(badFormat)
	}
	size, ok := number(r.words[2], 1<<31-3)
	if !ok {
		return r.hangUp(badFormat)
	}
	return r.refuseBody(rest, size, notServed)
}
