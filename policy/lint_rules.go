package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/protocol"
)

// lintRules warns of rules that do more than is likely to be meant, or nothing.
func (c *compiler) lintRules(p *Policy, told map[string]bool) {
	for _, name := range p.Identities() {
		id := p.identities[name]
		if id.Mode == ModeOff {
			c.out.Warnf(codeOff, id.path+".mode", "write audit, which reports what enforce would refuse", "nothing that %q asks for is checked", clip(name))
		}
		for _, r := range id.allow {
			if told[r.ref.Path] {
				continue
			}
			told[r.ref.Path] = c.lintStar(p, id, r) || c.lintAdmin(id, r)
		}
	}
	c.lintShadowed(p)
}

// lintStar warns of a rule for every key, those of other identities too.
func (c *compiler) lintStar(p *Policy, id *Identity, r *rule) bool {
	if id.template != nil || id.allRoots || !p.hasKeysBeside(id) || c.weakly(id) != "" {
		return false
	}
	for _, pattern := range r.patterns {
		if pattern.kind == patternAll || pattern.kind == patternGlob && strings.Trim(pattern.text, "*?") == "" {
			c.out.Warnf(codeStar, pattern.path, "name the keys of "+clip(id.Name)+", or give it a namespace",
				"%q may reach every key, those of other identities too", clip(id.Name))
			return true
		}
	}
	return false
}

// hasKeysBeside reports whether an identity other than id may reach keys that are
// not in a namespace.
func (p *Policy) hasKeysBeside(id *Identity) bool {
	for _, other := range p.identities {
		if other == id || other.template != nil {
			continue
		}
		if slices.ContainsFunc(other.allow, func(r *rule) bool { return len(r.patterns) > 0 }) {
			return true
		}
	}
	return false
}

// forServer are the groups that concern the whole server.
const forServer = protocol.CatFlush | protocol.CatKeyspace | protocol.CatSettings | protocol.CatDanger

// lintAdmin warns of commands that concern the whole server and are allowed for
// good. Whoever may see all namespaces is an operator, and meant; of clients that
// proved nothing worse is said.
func (c *compiler) lintAdmin(id *Identity, r *rule) bool {
	if id.allRoots || c.weakly(id) != "" || r.when != nil && r.when.until != nil {
		return false
	}
	for i, name := range r.written.Allow {
		w := c.words[name]
		own := w.categories&forServer != 0 && (name == groupAll || w.categories&^forServer == 0)
		if !own || w.categories == protocol.CatFlush && id.ScopedFlush {
			continue
		}
		c.out.Warnf(codeAdmin, fmt.Sprintf("%s.allow[%d]", r.ref.Path, i), "allow it for as long as it is needed: when: {until: ...}",
			"%q concerns the whole server, not only what is %q's", name, clip(id.Name))
		return true
	}
	return false
}

// lintShadowed warns of allow rules that never decide anything, for none of the
// identities that have them.
func (c *compiler) lintShadowed(p *Policy) {
	idle := make(map[*rule]bool)
	why := make(map[*rule]string)
	var order []*rule
	for _, name := range p.Identities() {
		id := p.identities[name]
		for i, r := range id.allow {
			by := id.shadow(i)
			if was, known := idle[r]; known {
				idle[r] = was && by != ""
				continue
			}
			idle[r], why[r] = by != "", by
			order = append(order, r)
		}
	}
	for _, r := range order {
		if idle[r] {
			c.out.Warnf(codeShadowed, r.ref.Path, "remove the rule, or change the other", "the rule changes nothing: %s", why[r])
		}
	}
}

// shadow says why the i-th allow rule of id never decides anything, or "".
func (id *Identity) shadow(i int) string {
	r := id.allow[i]
	if r.when != nil || r.trial() || len(r.written.Allow) == 0 {
		return ""
	}
	firm := func(list []*rule) (out []*rule) {
		for _, other := range list {
			if other.when == nil && other.in(id.Mode) == ModeEnforce {
				out = append(out, other)
			}
		}
		return out
	}
	switch {
	case r.takenBy(firm(id.deny)):
		return "deny rules refuse all of it"
	case r.takenBy(firm(id.allow[:i])):
		return "rules before it allow all of it"
	case r.takenBy(slices.DeleteFunc(firm(id.allow[i+1:]), func(other *rule) bool { return other.takenBy([]*rule{r}) })):
		return "rules after it allow all of it"
	}
	return ""
}

// takenBy reports whether the rules together hold for everything that r does.
func (r *rule) takenBy(rules []*rule) bool {
	some := false
	for _, v := range protocol.Verbs() {
		for _, access := range [...]protocol.Access{0, protocol.Reads, protocol.Writes} {
			if access == 0 != (v.Access == 0) || v.Access&access != access {
				continue
			}
			d := demand{verb: v, need: v.Category, access: access}
			if !r.names(&d) {
				continue
			}
			some = true
			if !r.takenFor(&d, rules) {
				return false
			}
		}
	}
	return some && r.extra == 0 // what else a command stands for may still count
}

// takenFor reports whether the rules hold for d on every key that r covers.
func (r *rule) takenFor(d *demand, rules []*rule) bool {
	if d.access == 0 {
		return slices.ContainsFunc(rules, func(other *rule) bool { return other.names(d) && other.covers(d, nil) })
	}
	for _, p := range r.patterns {
		taken := func(other *rule) bool { return other.names(d) && other.coversAll(d, p.pattern) }
		if r.set(d).has(p.pattern) && !slices.ContainsFunc(rules, taken) {
			return false
		}
	}
	return true
}

// set is where r has the patterns for what d does to a key.
func (r *rule) set(d *demand) *keySet {
	if d.access == protocol.Writes {
		return &r.write
	}
	return &r.read
}

// coversAll reports whether r covers every key that p covers.
func (r *rule) coversAll(d *demand, p pattern) bool {
	if r.anywhere {
		return true
	}
	s := r.set(d)
	switch p.kind {
	case patternExact:
		return s.covers([]byte(p.text))
	case patternPrefix:
		return s.all || s.coversPrefix(p.text)
	}
	return s.all
}

// coversPrefix reports whether a prefix of s begins with text, or is it.
func (s *keySet) coversPrefix(text string) bool {
	return slices.ContainsFunc(s.prefixes, func(q string) bool { return len(text) >= len(q) && text[:len(q)] == q })
}

// has reports whether s holds p, or what holds all of it.
func (s *keySet) has(p pattern) bool {
	switch p.kind {
	case patternAll:
		return s.all
	case patternExact:
		_, ok := s.exact[p.text]
		return ok
	case patternPrefix:
		return s.coversPrefix(p.text)
	}
	return slices.ContainsFunc(s.globs, func(g glob) bool { return g.text == p.text })
}
