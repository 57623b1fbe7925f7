package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/protocol"
)

// RuleRef names a rule.
type RuleRef struct {
	ID   string // its id; "" if it has none
	Path string // where it is written: roles.app.rules[0]; "" for no rule
}

// String is the id of the rule, else its path, else "".
func (r RuleRef) String() string {
	if r.ID != "" {
		return r.ID
	}
	return r.Path
}

// rule is one rule, compiled. Identities that share a role share its rules.
type rule struct {
	ref      RuleRef
	written  Rule // as in the document, whose slices it shares
	deny     bool
	apart    bool              // its groups hold the commands kept apart too
	groups   protocol.Category // every category named by a group
	grants   []string          // every command named
	extra    protocol.Category // every category a named command stands for
	keyed    bool              // a command that it names has keys
	anywhere bool              // a deny rule without patterns: it covers every key and none
	when     *when             // nil if it always counts
	mode     Mode              // its own
	hasMode  bool              // it has one, and not that of the identity
	read     keySet
	write    keySet
	patterns []writtenPattern // in the order written, for findings
}

// writtenPattern is a pattern and where it is written.
type writtenPattern struct {
	pattern
	path string
}

// names reports whether r names what d demands, whatever the key. Allow and
// deny rules differ in two things: a group in a deny rule holds the commands
// that are kept apart, a group in an allow rule does not; and a command in a
// deny rule, by itself or in a group, stands for all that it can do, in an allow
// rule for what it is there for alone.
func (r *rule) names(d *demand) bool {
	own := d.own()
	if own && r.groups&d.need != 0 && (r.apart || !d.verb.Apart) {
		return true
	}
	if !own && (r.groups|r.extra)&d.need != 0 {
		return true
	}
	if !own && !r.deny {
		return false
	}
	// A deny rule holds whatever else is asked for in the same breath: a read
	// that may also make its key is one that it names.
	return slices.Contains(r.grants, d.verb.Grant) || !own && r.groups&d.verb.Category != 0
}

// covers reports whether r, which names d, holds for key. For a command
// without keys (access 0) an allow rule always does, and a deny rule does if it
// has no patterns.
func (r *rule) covers(d *demand, key []byte) bool {
	switch {
	case r.anywhere:
		return true
	case d.access == protocol.Reads:
		return r.read.covers(key)
	case d.access == protocol.Writes:
		return r.write.covers(key)
	}
	return !r.deny
}

// String is the rule as written, in one line; a long list is shortened.
func (r *rule) String() string {
	w := &r.written
	var parts []string
	for _, list := range []struct {
		key    string
		values []string
	}{{"allow", w.Allow}, {"deny", w.Deny}, {"read", w.Read}, {"write", w.Write}, {"keys", w.Keys}} {
		if list.values != nil {
			parts = append(parts, list.key+": "+quoteList(list.values))
		}
	}
	if w.When != nil {
		parts = append(parts, "when: {"+w.When.String()+"}")
	}
	if w.Mode != "" {
		parts = append(parts, "mode: "+w.Mode)
	}
	return strings.Join(parts, ", ")
}

// String is the condition as written.
func (w *When) String() string {
	var parts []string
	if w.TLS != nil {
		parts = append(parts, fmt.Sprintf("tls: %v", *w.TLS))
	}
	if w.From != nil {
		parts = append(parts, "from: "+quoteList(w.From))
	}
	if w.Until != nil {
		parts = append(parts, "until: "+w.Until.String())
	}
	return strings.Join(parts, ", ")
}

// in is the mode of r among the rules of an identity in mode m.
func (r *rule) in(m Mode) Mode {
	if r.hasMode {
		return r.mode
	}
	return m
}

// Tries reports whether the identity, or a rule of it, is in mode m.
func (id *Identity) Tries(m Mode) bool {
	return id.Mode == m || slices.ContainsFunc(id.rules, func(r *rule) bool { return r.in(id.Mode) == m })
}

// sortRules puts the rules of id by what they do, without those that are off.
func (id *Identity) sortRules() {
	for _, r := range id.rules {
		switch {
		case r.hasMode && r.mode == ModeOff:
		case r.deny:
			id.deny = append(id.deny, r)
		default:
			id.allow = append(id.allow, r)
		}
	}
}

// grantsAll reports whether a rule of id allows every command on every key, and none
// denies any on keys: it might be one that is not known.
func (id *Identity) grantsAll() bool {
	onKeys := func(r *rule) bool { return r.keyed }
	return id.template == nil && !slices.ContainsFunc(id.deny, onKeys) && slices.ContainsFunc(id.allow, func(r *rule) bool {
		return slices.Contains(r.written.Allow, groupAll) && r.read.all && r.write.all
	})
}

// quoteList writes a list as YAML would, without what exceeds eight values.
func quoteList(values []string) string {
	const most = 8
	var b strings.Builder
	b.WriteByte('[')
	for i, v := range values {
		if i == most {
			fmt.Fprintf(&b, ", and %d more", len(values)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", v)
	}
	b.WriteByte(']')
	return b.String()
}
