package probe

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	maxShapes    = 32  // kinds of keys that are told apart
	maxShape     = 24  // length of one
	maxRemember  = 1e5 // keys that are told apart when counted
	maxKey       = 250
	toldShapes   = 4
	unknownShape = "other"
)

// tally is how many keys and values came back, and what the keys look like. It
// holds no key but the one in known, which is asked for later.
type tally struct {
	known  *known
	seed   maphash.Seed
	seen   map[uint64]bool // hashes of the keys
	shapes map[string]int
	values map[uint64]bool // hashes of the keys whose value came back
	shown  int             // keys that came back, each as often as it did
	held   int             // values, in the same way
	items  int             // what stats items says there is
}

func newTally() *tally {
	return &tally{known: &known{}, seed: maphash.MakeSeed(), seen: map[uint64]bool{}, values: map[uint64]bool{}, shapes: map[string]int{}}
}

func (t *tally) keys() int { return len(t.seen) }

// key counts a key, and remembers its shape once however often it comes.
func (t *tally) key(key []byte) {
	if len(key) == 0 || string(key) == strange {
		return
	}
	t.shown++
	if len(t.seen) >= maxRemember {
		return
	}
	h := maphash.Bytes(t.seed, key)
	if t.seen[h] {
		return
	}
	t.seen[h] = true
	s := shape(key)
	if len(t.shapes) >= maxShapes && t.shapes[s] == 0 {
		s = unknownShape
	}
	t.shapes[s]++
}

// value counts what a key holds.
func (t *tally) value(key []byte) {
	t.held++
	if len(t.values) < maxRemember {
		t.values[maphash.Bytes(t.seed, key)] = true
	}
}

// askable remembers a whole key that can be asked for in the text protocol.
func (t *tally) askable(key []byte) {
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f }
	if t.known.key == "" && len(key) > 0 && len(key) <= maxKey && !bytes.ContainsFunc(key, odd) {
		t.known.key = string(key)
	}
}

// shape is what a key looks like, without what it says: a for letters, 9 for
// digits, ? for what is no printable ASCII, and punctuation as it is. Runs are one.
func shape(key []byte) string {
	var out []byte
	for _, c := range key {
		c = shapeOf(c)
		if len(out) > 0 && out[len(out)-1] == c {
			continue
		}
		if len(out) == maxShape {
			return string(out) + "…"
		}
		out = append(out, c)
	}
	return string(out)
}

func shapeOf(c byte) byte {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		return 'a'
	case c >= '0' && c <= '9':
		return '9'
	case c <= ' ', c >= 0x7f:
		return '?'
	}
	return c
}

// looks tells the commonest shapes.
func (t *tally) looks() string {
	list := slices.SortedFunc(maps.Keys(t.shapes), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.shapes[b], t.shapes[a]), cmp.Compare(a, b))
	})
	for i, s := range list {
		list[i] = s + " (" + itoa(t.shapes[s]) + ")"
	}
	if len(list) > toldShapes {
		list = append(list[:toldShapes], "and others")
	}
	return strings.Join(list, ", ")
}

// finders find a key in a line that starts with a word, by that word. What they
// return points into the line.
var finders = map[string]func(rest []byte) []byte{
	"ITEM":   wordOf,
	"PREFIX": wordOf,
	"ME":     wordOf,
	"mg":     wordOf,
}

// findLines counts the keys and values of a reply in the text protocol. Of a line
// that was cut off by the limit it counts what there is.
func findLines(data []byte, t *tally) {
	for len(data) > 0 {
		var line []byte
		line, data = firstLine(data)
		word := wordOf(line)
		rest := bytes.TrimPrefix(line[len(word):], []byte(" "))
		find := finders[string(word)]
		switch {
		case string(word) == "VALUE":
			t.key(wordOf(rest))
			t.value(wordOf(rest))
		case find != nil:
			t.key(find(rest))
			if string(word) != "PREFIX" {
				t.askable(find(rest))
			}
		default:
			t.encoded(line)
		}
	}
}

// encoded counts the key of a line of metadump or watch, which has one in
// percent-encoding after key=.
func (t *tally) encoded(line []byte) {
	_, rest, found := bytes.Cut(append([]byte(" "), line...), []byte(" key="))
	if !found {
		return
	}
	key, err := url.PathUnescape(string(wordOf(rest)))
	if err != nil {
		t.key(wordOf(rest))
		return
	}
	t.key([]byte(key))
	t.askable([]byte(key))
}

// findPackets counts the keys in what a list of binary statistics has as values.
func findPackets(data []byte, t *tally) {
	for {
		p, rest, ok := nextPacket(data)
		if !ok {
			return
		}
		findLines(p.key, t)
		findLines(p.value, t)
		data = rest
	}
}

// findValue counts the value of a binary GET, whole or cut off by the limit.
func findValue(data []byte, t *tally) {
	if len(data) >= header && data[0] == responseBit && data[1] == opGet && binary.BigEndian.Uint16(data[6:]) == statusOK {
		t.value([]byte(t.known.key))
	}
}

// findItems learns from stats items which slab classes have items, and how many
// there are.
func findItems(data []byte, t *tally) {
	for len(data) > 0 {
		var line []byte
		line, data = firstLine(data)
		rest, ok := bytes.CutPrefix(line, []byte("STAT items:"))
		class, after, _ := bytes.Cut(rest, []byte(":"))
		count, isCount := bytes.CutPrefix(after, []byte("number "))
		n, err := strconv.ParseUint(string(count), 10, 31)
		c, errClass := strconv.ParseUint(string(class), 10, 16)
		if !ok || !isCount || err != nil || errClass != nil || n == 0 {
			continue
		}
		name := strconv.FormatUint(c, 10)
		if len(t.known.classes) < maxClasses && !slices.Contains(t.known.classes, name) {
			t.known.classes = append(t.known.classes, name)
			t.items += int(n)
		}
	}
}
