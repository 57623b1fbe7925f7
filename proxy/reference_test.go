package proxy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/slabgate/slabgate/internal/testkit"
)

// reference is what a client should read, worked out a second time and slowly:
// a whole conversation at once, with strings, and without the protocol package.
// Its rules are those of the documentation. What memcached makes of a request
// that is good and allowed is the business of its model.
type reference struct {
	memcached *testkit.Model
	prefix    string // of the keys that may be used; "" allows everything
	quiet     bool
	maxItem   int
	newer     bool // memcached knows the flags E and x

	words   []string // of the request being read
	noreply bool
	dirty   bool // the line holds a control byte, or starts with a space

	out      strings.Builder
	sent     []string
	replies  int    // that are owed, each a line, an item, a list of items or a packet
	closed   bool   // the client was cut off
	abstains string // why there is no telling what is right
}

// newReference returns a reference for a client of the given rights.
func newReference(p fuzzPolicy) *reference {
	r := &reference{memcached: newModel("1.6.18"), prefix: p.prefix, quiet: p.quiet, maxItem: fuzzMaxItem, newer: p.newer}
	r.memcached.MetaReads = true
	return r
}

// reach is how far reading a request went.
type reach int

const (
	stop reach = iota // it is not whole, or the connection has ended
	next              // the next one follows
)

// run answers everything that is whole in in. Its first byte tells the dialect.
func (r *reference) run(in string) {
	read := (*reference).request
	if strings.HasPrefix(in, "\x80") {
		read = (*reference).packet
	}
	for how := next; how == next && !r.closed && r.abstains == ""; {
		in, how = read(r, in)
	}
}

// say owes the client a line.
func (r *reference) say(line string) {
	if r.noreply {
		return
	}
	r.write(line + "\r\n")
}

// write owes the client a reply, unless it is none.
func (r *reference) write(reply string) {
	if reply != "" {
		r.replies++
		r.out.WriteString(reply)
	}
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

// commands serve one request each, after its line.
var commands = map[string]func(*reference, string) (string, reach){
	"get": (*reference).get, "gets": (*reference).get, "gat": (*reference).gat, "gats": (*reference).gat,
	"set": (*reference).store, "add": (*reference).store, "replace": (*reference).store,
	"append": (*reference).store, "prepend": (*reference).store, "cas": (*reference).store,
	"ms": (*reference).metaStore, "mg": (*reference).meta, "md": (*reference).meta, "ma": (*reference).meta,
	"me": (*reference).metaDebug, "bget": (*reference).unserved,
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

// goodKey reports whether a key of any dialect may go upstream.
func goodKey(key string) bool {
	return key != "" && len(key) <= 250 && strings.IndexFunc(key, func(c rune) bool { return c <= ' ' || c == 0x7f }) < 0
}

func goodKeys(keys []string) bool {
	return len(keys) > 0 && len(keys) <= 1024 && !slices.ContainsFunc(keys, func(k string) bool { return !goodKey(k) })
}

// allows decides on keys; none is a command about no key.
func (r *reference) allows(keys ...string) bool {
	ok := len(keys) > 0 || r.prefix == ""
	for _, k := range keys {
		ok = ok && strings.HasPrefix(k, r.prefix)
	}
	return ok
}

// misses are how denials look that look like misses.
var misses = map[string]string{
	"get": "END", "gets": "END", "gat": "END", "gats": "END", "touch": "NOT_FOUND", "delete": "NOT_FOUND",
	"incr": "NOT_FOUND", "decr": "NOT_FOUND", "cas": "NOT_FOUND", "set": "NOT_STORED", "add": "NOT_STORED",
	"replace": "NOT_STORED", "append": "NOT_STORED", "prepend": "NOT_STORED",
}

// permits is allows for a classic command, and answers a denial.
func (r *reference) permits(keys ...string) bool {
	if r.allows(keys...) {
		return true
	}
	line := misses[r.words[0]]
	if !r.quiet || line == "" {
		line = "CLIENT_ERROR access denied"
	}
	r.say(line)
	return false
}

// send says that a command, of these words, goes upstream.
func (r *reference) send(format string, args ...any) {
	r.sent = append(r.sent, fmt.Sprintf(format, args...)+"\r\n")
}

// answer owes the client what memcached's model says to the words that are left
// of a classic request.
func (r *reference) answer(value string) {
	r.write(string(r.memcached.Answer(testkit.Request{
		Verb: r.words[0], Args: r.words[1:], Value: value, Quiet: r.noreply,
	})))
}
