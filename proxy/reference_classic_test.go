package proxy

import (
	"strconv"
	"strings"
)

func (r *reference) get(rest string) (string, reach) { return r.read(rest, r.words[1:], "") }

func (r *reference) gat(rest string) (string, reach) {
	if len(r.words) < 3 {
		r.say(badFormat)
		return rest, next
	}
	exptime, ok := r.expiry(1)
	if !ok {
		return rest, next
	}
	return r.read(rest, r.words[2:], exptime)
}

// expiry reads the expiry that a word is, and returns the flag for it. If it is
// none, it says so.
func (r *reference) expiry(i int) (flag string, ok bool) {
	exptime, ok := expiry(r.words[i])
	if !ok {
		r.say("CLIENT_ERROR invalid exptime argument")
		return "", false
	}
	r.words[i] = strconv.FormatInt(exptime, 10)
	return " T" + r.words[i], true
}

func (r *reference) read(rest string, keys []string, exptime string) (string, reach) {
	if !goodKeys(keys) {
		r.say(badFormat)
		return rest, next
	}
	if !r.permits(keys...) {
		return rest, next
	}
	cas := ""
	if strings.HasSuffix(r.words[0], "s") {
		cas = " c"
	}
	for _, key := range keys {
		r.send("mg %s f%s v%s", key, cas, exptime)
	}
	r.answer("")
	return rest, next
}

func (r *reference) touch(rest string) (string, reach) {
	r.dropNoreply(4)
	if len(r.words) != 3 || !goodKeys(r.words[1:2]) {
		r.say(badFormat)
		return rest, next
	}
	exptime, ok := r.expiry(2)
	if ok && r.permits(r.words[1]) {
		r.send("mg %s%s", r.words[1], exptime)
		r.answer("")
	}
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
	if r.permits(r.words[1]) {
		r.send("md %s", r.words[1])
		r.answer("")
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
	mode := map[string]string{"decr": " MD"}[r.words[0]]
	r.send("ma %s v%s D%d", r.words[1], mode, delta)
	r.answer("")
	return rest, next
}

// storeModes are the modes of classic stores as they go upstream.
var storeModes = map[string]string{"add": " ME", "replace": " MR", "append": " MA", "prepend": " MP"}

// fields is what a classic store says besides its key and its length.
type storeFields struct {
	flags, cas uint64
	exptime    int64
}

// storeFields reads what follows the key of a store of so many words.
func (r *reference) storeFields(want int) (f storeFields, ok bool) {
	if len(r.words) != want || r.dirty || !goodKey(r.words[1]) {
		return f, false
	}
	f.flags, ok = number(r.words[2], 1<<32-1)
	exptime, okExptime := expiry(r.words[3])
	f.exptime = exptime
	if ok = ok && okExptime; want == 6 {
		var okCAS bool
		f.cas, okCAS = number(r.words[5], 1<<64-1)
		ok = ok && okCAS
	}
	return f, ok
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
	f, ok := r.storeFields(want)
	if !ok {
		return r.refuseBody(rest, size, badFormat)
	}
	key := r.words[1]
	if r.tooLarge(key, f.flags, size) {
		return r.refuseBody(rest, size, "SERVER_ERROR object too large for cache")
	}
	if !r.permits(key) {
		return rest[min(int(size)+2, len(rest)):], next
	}
	value, rest, how := r.value(rest, size)
	if how == next {
		r.send("ms %s %d%s%s\r\n%s", key, size, storeModes[r.words[0]], f.upstream(r.words[0]), value)
		r.words = append([]string{r.words[0], key}, f.words(size, want)...)
		r.answer(value)
	}
	return rest, how
}

// upstream is how the fields of a store go upstream.
func (f storeFields) upstream(verb string) (s string) {
	if f.flags != 0 {
		s = " F" + strconv.FormatUint(f.flags, 10)
	}
	if verb == "cas" {
		s += " C" + strconv.FormatUint(f.cas, 10)
	}
	if f.exptime != 0 && !strings.HasSuffix(verb, "pend") {
		s += " T" + strconv.FormatInt(f.exptime, 10)
	}
	return s
}

// words is how a client should have said the fields.
func (f storeFields) words(size uint64, want int) []string {
	w := []string{
		strconv.FormatUint(f.flags, 10), strconv.FormatInt(f.exptime, 10),
		strconv.FormatUint(size, 10), strconv.FormatUint(f.cas, 10),
	}
	return w[:want-2]
}

// tooLarge reports whether an item is larger than memcached takes.
func (r *reference) tooLarge(key string, flags, size uint64) bool {
	return 59+len(key)+int(size)+4*min(1, int(flags)) > r.maxItem
}

// value takes a data block off rest, if it is whole and ends as it should.
func (r *reference) value(rest string, size uint64) (value, after string, how reach) {
	end := int(size) + 2
	if len(rest) < end {
		return "", "", stop
	}
	if rest[size:end] != "\r\n" {
		after, how = r.hangUp("CLIENT_ERROR bad data chunk")
		return "", after, how
	}
	return rest[:size], rest[end:], next
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
