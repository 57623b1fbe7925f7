package policy

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slabgate/slabgate/protocol"
)

// edits returns the changes that together would have the rules allow req, which
// makes these demands.
func (id *Identity) edits(ds []demand, req *protocol.Request, at *At) []edit {
	p := editor{id: id, words: newLexicon(), seen: make(map[string]bool), at: at}
	for _, key := range req.Keys {
		if id.walled(key) && !p.open(key) {
			return nil
		}
	}
	if id.flushDenied && ds[0].need == protocol.CatFlush {
		p.add(edit{remove: true, at: id.path, list: "flush"})
	}
	for _, r := range id.deny {
		if r.outcome(ds, req.Keys, at) == OutcomeDenies {
			p.undeny(r, ds, req.Keys)
		}
	}
	for i := range ds {
		p.grant(&ds[i], req.Keys)
	}
	if p.unspeakable {
		return nil
	}
	return p.edits
}

// grant makes the changes that grant d on keys.
func (p *editor) grant(d *demand, keys [][]byte) {
	if p.id.flushAllowed && d.need == protocol.CatFlush {
		return
	}
	if d.access == 0 {
		switch r := p.id.naming(d, p.at); {
		case r == nil:
			p.name(d, nil)
		case r.trial():
			p.add(edit{remove: true, at: r.ref.Path, list: "mode"})
		}
	}
	for _, key := range keys {
		if d.access == 0 {
			continue
		}
		switch r := p.id.covering(d, key, p.at); {
		case r == nil:
			p.cover(d, key)
		case r.trial():
			p.add(edit{remove: true, at: r.ref.Path, list: "mode"})
		}
	}
}

// open lets the identity see the namespace that key is in, and nothing beside it if
// that is known. It reports whether that can be.
func (p *editor) open(key []byte) bool {
	in := func(root string) bool { return strings.HasPrefix(string(key), root) }
	for _, roots := range [...][]string{p.id.fixedRoots, p.id.walls} {
		if i := slices.IndexFunc(roots, in); i >= 0 && roots[i] != reservedRoot {
			p.add(edit{at: p.id.path, list: "namespaces", value: roots[i]})
			return true
		}
	}
	return false
}

// editor collects edits of one identity's rules, each once.
type editor struct {
	id    *Identity
	words lexicon
	edits []edit
	seen  map[string]bool
	at    *At

	unspeakable bool // no pattern that a document can spell names a key without far more
}

func (p *editor) add(e edit) {
	if s := e.String(); !p.seen[s] {
		p.seen[s] = true
		p.edits = append(p.edits, e)
	}
}

// undeny takes out of the deny rule r the names by which it matches, or all of
// it if what is left would not be a rule.
func (p *editor) undeny(r *rule, ds []demand, keys [][]byte) {
	var matching []string
	var left protocol.Access
	rest := 0
	for _, name := range r.written.Deny {
		w := p.words[name]
		single := *r
		single.groups, single.extra, single.grants = w.categories, w.extra, []string{w.grant}
		if single.outcome(ds, keys, p.at) == OutcomeDenies {
			matching = append(matching, name)
			continue
		}
		rest++
		left |= w.denied
	}
	w := &r.written
	unused := w.Read != nil && left&protocol.Reads == 0 || w.Write != nil && left&protocol.Writes == 0 || w.Keys != nil && left == 0
	if rest == 0 || unused {
		p.add(edit{remove: true, at: r.ref.Path})
		return
	}
	for _, name := range matching {
		p.add(edit{remove: true, at: r.ref.Path, list: "deny", value: name})
	}
}

// cover adds a pattern for key to the rule that comes nearest to granting d, or
// names d in a rule.
func (p *editor) cover(d *demand, key []byte) {
	nearest := p.id.naming(d, p.at)
	if nearest == nil || nearest.trial() {
		p.name(d, key)
		return
	}
	list := "write"
	if d.access == protocol.Reads {
		list = "read"
	}
	p.add(edit{at: nearest.ref.Path, list: list, value: p.pattern(key)})
}

// pattern is the pattern to suggest for a key.
func (p *editor) pattern(key []byte) string {
	shape := Shape(key)
	p.unspeakable = p.unspeakable || shape == "*"
	return shape
}

// name adds what d demands to a rule that covers key already, or makes a rule.
func (p *editor) name(d *demand, key []byte) {
	name := GroupName(d.need)
	if d.own() && (d.verb.Apart || d.access == 0 && p.words[name].allowed != 0) {
		name = d.verb.Grant
	}
	access := p.words[name].allowed
	for _, r := range p.id.allow {
		if r.when.holds(p.at) && !r.trial() && p.canHost(r, access) && r.covers(d, key) {
			p.add(edit{at: r.ref.Path, list: "allow", value: name})
			return
		}
	}
	n := &Rule{Allow: []string{name}}
	switch pattern := []string{p.pattern(key)}; access {
	case protocol.Reads:
		n.Read = pattern
	case protocol.Writes:
		n.Write = pattern
	case readsAndWrites:
		n.Keys = pattern
	}
	p.add(edit{at: p.id.path, rule: n})
}

// canHost reports whether the allow rule r may name commands of this access as
// well. What has no keys is not added to a role, which others share.
func (p *editor) canHost(r *rule, access protocol.Access) bool {
	if access == 0 {
		return strings.HasPrefix(r.ref.Path, p.id.path+".")
	}
	return (access&protocol.Reads == 0 || !r.read.empty()) && (access&protocol.Writes == 0 || !r.write.empty())
}

// Shape is the pattern of keys that a key stands for: its prefix up to the last
// delimiter, or the key itself. Of a key that is not text, which a document
// can't spell, it is the part that is; or "*" if nothing is.
func Shape(key []byte) string {
	if len(key) == 0 {
		return ""
	}
	if !utf8.Valid(key) {
		text, _, _ := strings.Cut(strings.ToValidUTF8(string(key), "\x00"), "\x00")
		if text == "" {
			return "*"
		}
		return "prefix:" + text
	}
	if i := bytes.LastIndexAny(key[:len(key)-1], delimiters); i >= 0 {
		return "prefix:" + string(key[:i+1])
	}
	return "exact:" + string(key)
}
