package policy

import (
	"slices"
	"strings"

	"github.com/slabgate/slabgate/protocol"
)

// lint warns of what is allowed and may not be meant.
func (c *compiler) lint(p *Policy) {
	told := make(map[string]bool) // roles are shared; each place is told once
	for _, name := range p.Identities() {
		id := p.identities[name]
		for _, r := range id.allow {
			c.lintPrefixes(r, told)
		}
		if how := c.weakly(id); how != "" {
			c.lintWeak(id, how)
		}
	}
	c.lintOverlaps(p)
	if !c.out.Failed() { // else a rule may seem to do nothing for what it lacks
		c.lintRules(p, told)
	}
}

// lintServed warns of a command that is allowed by name and refused all the same.
// Logins are answered before there is an identity, so that naming them is idle
// and not wrong.
func (c *compiler) lintServed(at, grant string, deny bool) {
	answered := func(v *protocol.Verb) bool { return v.Served() || v.Category == protocol.CatAuth }
	if !deny && !slices.ContainsFunc(protocol.ByGrant(grant), answered) {
		c.out.Warnf(codeNeverServed, at, "remove it", "%q is never served, whoever asks", grant)
	}
}

// lintPrefixes warns of prefixes that end in the middle of a word: user also
// covers users:1.
func (c *compiler) lintPrefixes(r *rule, told map[string]bool) {
	for _, p := range r.patterns {
		if p.kind != patternPrefix || told[p.path] || strings.IndexByte(delimiters, p.text[len(p.text)-1]) >= 0 {
			continue
		}
		told[p.path] = true
		c.out.Warnf(codeDelimiter, p.path, "end it in one of : . / - _ |, or use exact:",
			"the prefix %q also covers longer names, such as %q", clip(p.text), clip(p.text)+"2")
	}
}

// weakly says how a client becomes id without proving anything, or "".
func (c *compiler) weakly(id *Identity) string {
	if id.Name == c.unauthenticated() {
		return "defaults.unauthenticated"
	}
	for i := range id.entries {
		if !id.entries[i].strong() {
			return id.entries[i].path
		}
	}
	return ""
}

// lintWeak warns if id, which clients become by how without proof, may do
// everything or reach every key.
func (c *compiler) lintWeak(id *Identity, how string) {
	for _, r := range id.allow {
		at, what := r.ref.Path, ""
		if slices.Contains(r.written.Allow, groupAll) {
			what = "run every command"
		}
		for _, p := range r.patterns {
			if p.kind == patternAll && what == "" {
				at, what = p.path, "reach every key"+id.where()
			}
		}
		if what != "" {
			c.out.Warnf(codeWeakAll, at, "require tls or sasl in "+how+", or allow less",
				"clients that become %q by %s alone may %s", clip(id.Name), how, what)
		}
	}
}

// where is what bounds the keys that id may reach besides its rules, for a sentence.
func (id *Identity) where() string {
	if id.template != nil {
		return " of the namespace"
	}
	return ""
}

// heldPrefix is a prefix that an identity may reach.
type heldPrefix struct {
	text, path string
	id         *Identity
}

// lintOverlaps warns of a prefix that begins another identity's longer one, so
// that it reaches into keys which look like the other's own.
func (c *compiler) lintOverlaps(p *Policy) {
	var all []heldPrefix
	for _, name := range p.Identities() {
		if id := p.identities[name]; id.template == nil { // else its keys are its own
			all = append(all, id.prefixes()...)
		}
	}
	slices.SortStableFunc(all, func(a, b heldPrefix) int { return strings.Compare(a.text, b.text) })
	told := make(map[string]bool)
	var open []heldPrefix // prefixes that begin the one at hand, shortest first
	for _, h := range all {
		for len(open) > 0 && !strings.HasPrefix(h.text, open[len(open)-1].text) {
			open = open[:len(open)-1]
		}
		for _, o := range open {
			if o.id == h.id || o.text == h.text || told[o.path] {
				continue
			}
			told[o.path] = true
			c.out.Warnf(codeOverlap, o.path, "give each identity a prefix of its own",
				"the prefix %q of %q also covers %q of %q", clip(o.text), clip(o.id.Name), clip(h.text), clip(h.id.Name))
		}
		open = append(open, h)
	}
}

// prefixes returns the prefixes id may reach, without those that a shorter one
// of its own covers.
func (id *Identity) prefixes() []heldPrefix {
	paths := make(map[string]string)
	var texts []string
	for _, r := range id.allow {
		for _, p := range r.patterns {
			if _, ok := paths[p.text]; !ok && p.kind == patternPrefix {
				paths[p.text] = p.path
				texts = append(texts, p.text)
			}
		}
	}
	var held []heldPrefix
	for _, text := range shortest(texts) {
		held = append(held, heldPrefix{text, paths[text], id})
	}
	return held
}
