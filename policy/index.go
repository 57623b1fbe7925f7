package policy

import (
	"slices"
	"strings"

	"github.com/slabgate/slabgate/protocol"
)

// ownRules are the rules of an identity about one command, for what that is there
// for. Nearly every request demands nothing else, and is decided on without going
// through all rules.
type ownRules struct {
	deny  []*rule // that name it
	allow []*rule // that name it, in order
	firm  []*rule // of those, the ones that always count
	loose []*rule // and the others
	read  *index  // of the keys that the firm ones cover for reading
	write *index
}

// index finds the first of some rules that covers a key. It does not change, and
// is shared by all commands that the same rules name.
type index struct {
	all      int            // the first rule that covers every key; none if that is the number of rules
	exact    map[string]int // the first rule that covers just this key
	prefixes []string       // sorted
	first    []int          // rule that covers what begins with the prefix, or with a shorter one of it
	shorter  []int          // the longest prefix that is one of this one; -1 if none is
	globs    []indexedGlob  // in the order of their rules
}

// indexedGlob is a glob of one rule.
type indexedGlob struct {
	glob
	rule int
}

// indexOwn makes the entry of every command. Those that the same rules name share
// one.
func (id *Identity) indexOwn() {
	var made []*ownRules
	id.own = make(map[*protocol.Verb]*ownRules, len(protocol.Verbs()))
	for _, v := range protocol.Verbs() {
		d := demand{verb: v, need: v.Category}
		o := &ownRules{deny: naming(id.deny, &d), allow: naming(id.allow, &d)}
		if i := slices.IndexFunc(made, o.same); i >= 0 {
			o = made[i]
		} else {
			o.index()
			made = append(made, o)
		}
		id.own[v] = o
	}
}

// index makes the index of the rules that always count.
func (o *ownRules) index() {
	for _, r := range o.allow {
		if r.when == nil && !r.trial() {
			o.firm = append(o.firm, r)
		} else {
			o.loose = append(o.loose, r)
		}
	}
	o.read, o.write = newIndex(o.firm, protocol.Reads), newIndex(o.firm, protocol.Writes)
}

// same reports whether o has the rules of other.
func (o *ownRules) same(other *ownRules) bool {
	return slices.Equal(o.deny, other.deny) && slices.Equal(o.allow, other.allow)
}

// ownOf returns the entry of d's command; nil if d is more than that is there for.
func (id *Identity) ownOf(d *demand) *ownRules {
	if !d.own() {
		return nil
	}
	return id.own[d.verb]
}

// naming are the rules that name d, whatever the key.
func naming(rules []*rule, d *demand) (named []*rule) {
	for _, r := range rules {
		if r.names(d) {
			named = append(named, r)
		}
	}
	return named
}

// newIndex makes the index of the keys that rules cover for access.
func newIndex(rules []*rule, access protocol.Access) *index {
	x := &index{all: len(rules), exact: make(map[string]int)}
	first := make(map[string]int)
	for i := len(rules) - 1; i >= 0; i-- { // so that the first rule is put down last
		s := &rules[i].read
		if access == protocol.Writes {
			s = &rules[i].write
		}
		if s.all {
			x.all = i
		}
		for key := range s.exact {
			x.exact[key] = i
		}
		for _, p := range s.prefixes {
			first[p] = i
		}
		for _, g := range s.globs {
			x.globs = append(x.globs, indexedGlob{g, i})
		}
	}
	slices.Reverse(x.globs)
	x.nest(first)
	return x
}

// nest sorts prefixes and links each with the longest that is one of it. Those
// between the two in order begin with the shorter one as well.
func (x *index) nest(first map[string]int) {
	for p := range first {
		x.prefixes = append(x.prefixes, p)
	}
	slices.Sort(x.prefixes)
	for i, p := range x.prefixes {
		up := i - 1
		for up >= 0 && !strings.HasPrefix(p, x.prefixes[up]) {
			up = x.shorter[up]
		}
		rule := first[p]
		if up >= 0 {
			rule = min(rule, x.first[up])
		}
		x.shorter, x.first = append(x.shorter, up), append(x.first, rule)
	}
}

// covering returns the first rule that covers key; the number of rules if none
// does. It does not allocate.
func (x *index) covering(key []byte) int {
	found := x.all
	if len(x.exact) > 0 {
		if i, ok := x.exact[string(key)]; ok {
			found = min(found, i)
		}
	}
	if i := x.longest(key); i >= 0 {
		found = min(found, x.first[i])
	}
	for i := range x.globs {
		g := &x.globs[i]
		if g.rule >= found {
			break
		}
		if g.covers(key) {
			return g.rule
		}
	}
	return found
}

// covering returns the first of the rules that always count that grants d on key.
func (o *ownRules) covering(d *demand, key []byte) *rule {
	x := o.read
	if d.access == protocol.Writes {
		x = o.write
	}
	if i := x.covering(key); i < len(o.firm) {
		return o.firm[i]
	}
	return nil
}

// longest returns the longest prefix that key begins with; -1 if it begins with
// none. That is the greatest that is not greater than the key, or one of its own
// prefixes.
func (x *index) longest(key []byte) int {
	low, high := 0, len(x.prefixes) // prefixes[low-1] <= key < prefixes[high]
	for low < high {
		middle := int(uint(low+high) / 2)
		if x.prefixes[middle] <= string(key) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	i := low - 1
	for i >= 0 && !(len(key) >= len(x.prefixes[i]) && string(key[:len(x.prefixes[i])]) == x.prefixes[i]) {
		i = x.shorter[i]
	}
	return i
}
