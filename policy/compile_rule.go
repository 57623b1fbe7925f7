package policy

import (
	"fmt"
	"strings"

	"github.com/slabgate/slabgate/protocol"
)

// rules compiles the rules of the role or identity at path.
func (c *compiler) rules(path string, written []Rule) []*rule {
	list := make([]*rule, 0, len(written))
	for i := range written {
		list = append(list, c.rule(fmt.Sprintf("%s.rules[%d]", path, i), &written[i]))
	}
	return list
}

// commands is what the names of one rule stand for together.
type commands struct {
	access  protocol.Access // to keys
	unknown bool            // a name is not known, so access is not either
	keyless []string        // paths of names that stand for commands without keys only
	some    bool            // a group holds commands without keys among others
}

// rule compiles one rule.
func (c *compiler) rule(path string, w *Rule) *rule {
	r := &rule{ref: RuleRef{w.ID, path}, written: *w, deny: w.Deny != nil, mode: c.mode(w.Mode), hasMode: w.Mode != ""}
	c.checkMode(path+".mode", w.Mode)
	r.when = c.when(path, w.When)
	if w.ID != "" {
		c.checkName(path+".id", "rule", w.ID)
	}
	list, names := path+".allow", w.Allow
	if r.deny {
		list, names = path+".deny", w.Deny
	}
	switch {
	case w.Allow != nil && w.Deny != nil:
		c.out.Errorf(codeAllowDeny, path, "make two rules of it", "a rule either allows or denies")
	case w.Allow == nil && w.Deny == nil:
		c.out.Errorf(codeAllowDeny, path, "write allow or deny with the commands it is about", "a rule must allow or deny something")
	case len(names) == 0:
		c.out.Errorf(codeNoCommands, list, `name commands, such as ["@read"]`, "a rule without commands does nothing")
	}
	cmds := c.commands(list, names, r)
	r.keyed = cmds.access != 0
	c.patterns(r, w)
	c.checkKeys(r, cmds)
	return r
}

// commands looks up the names of r, written at path.
func (c *compiler) commands(path string, names []string, r *rule) commands {
	var all commands
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", path, i)
		w, ok := c.words[name]
		if !ok {
			all.unknown = true
			c.unknownName(at, name)
			continue
		}
		if r.deny && w.connOnly {
			c.out.Errorf(codeConn, at, "remove it", "%q is always allowed after login and can't be denied", name)
		}
		access := w.allowed
		if r.deny {
			access = w.denied
		}
		if access == 0 {
			all.keyless = append(all.keyless, at)
		}
		all.access |= access
		all.some = all.some || name == groupAll
		r.groups |= w.categories
		r.extra |= w.extra
		if w.grant != "" {
			r.grants = append(r.grants, w.grant)
			c.lintServed(at, w.grant, r.deny)
		}
		r.apart = r.apart || r.deny || name == groupAll
	}
	return all
}

// unknownName says that no group or command is called name.
func (c *compiler) unknownName(path, name string) {
	near := nearest(name, c.words.names())
	if strings.HasPrefix(name, "@") {
		fix := listGroups
		if near != "" {
			fix = fmt.Sprintf("write %q, or %s", near, listGroups)
		}
		c.out.Errorf(codeGroup, path, fix, "unknown command group %q", clip(name))
		return
	}
	fix := listCommands
	if near != "" {
		fix = fmt.Sprintf("write %q, or %s", near, listCommands)
	}
	c.out.Errorf(codeCommand, path, fix, "unknown command %q", clip(name))
}

// patterns compiles the patterns of r.
func (c *compiler) patterns(r *rule, w *Rule) {
	keys := c.patternList(r, "keys", w.Keys)
	r.read = newKeySet(append(c.patternList(r, "read", w.Read), keys...))
	r.write = newKeySet(append(c.patternList(r, "write", w.Write), keys...))
	r.anywhere = r.deny && w.Keys == nil && w.Read == nil && w.Write == nil
}

// patternList compiles one list of patterns of r.
func (c *compiler) patternList(r *rule, key string, written []string) []pattern {
	path := r.ref.Path + "." + key
	if written != nil && len(written) == 0 {
		c.out.Errorf(codeNoPatterns, path, `write patterns, such as "prefix:user:", or remove the key`,
			"an empty list covers no key")
	}
	list := make([]pattern, 0, len(written))
	for i, s := range written {
		at := fmt.Sprintf("%s[%d]", path, i)
		p, fault := parsePattern(s)
		if fault != nil {
			c.out.Errorf(fault.code, at, fault.fix, "the pattern %q %s", clip(s), fault.problem)
			continue
		}
		list = append(list, p)
		r.patterns = append(r.patterns, writtenPattern{p, at})
	}
	return list
}

// checkKeys checks that r has the patterns that its commands need, and no
// others.
func (c *compiler) checkKeys(r *rule, cmds commands) {
	w := &r.written
	if cmds.unknown || len(w.Allow)+len(w.Deny) == 0 {
		return // what the rule is about is not known
	}
	written := w.Keys != nil || w.Read != nil || w.Write != nil
	if cmds.access == 0 && written {
		c.out.Errorf(codeKeysUnused, r.ref.Path, "remove keys, read and write", "none of its commands names a key")
		return
	}
	if r.deny {
		c.checkDeny(r, cmds, written)
	}
	for _, l := range [...]struct {
		key, verb string
		access    protocol.Access
		list      []string
	}{{"read", "reads", protocol.Reads, w.Read}, {"write", "writes", protocol.Writes, w.Write}} {
		used := cmds.access&l.access != 0
		if used && !r.deny && w.Keys == nil && l.list == nil {
			c.out.Errorf(codeKeysMissing, r.ref.Path, fmt.Sprintf(`add %s: ["prefix:..."], or "*" for every key`, l.key),
				"a command of the rule %s keys, and it has no %s patterns", l.verb, l.key)
		}
		if !used && l.list != nil {
			c.out.Errorf(codeKeysUnused, r.ref.Path+"."+l.key, "remove it", "no command of the rule %s a key", l.verb)
		}
	}
}

// checkDeny refuses a deny rule that seems to deny what it does not: one that
// is about keys does not match a command without keys.
func (c *compiler) checkDeny(r *rule, cmds commands, written bool) {
	if !written {
		return
	}
	for _, at := range cmds.keyless {
		c.out.Errorf(codeKeyless, at, "move it to a deny rule without keys, read and write",
			"a deny rule on keys can't deny a command without keys")
	}
	if cmds.some {
		c.out.Warnf(codeAllKeyless, r.ref.Path, "deny @flush, @stats, @keyspace, @settings and @danger in a rule without keys, if that is meant",
			"a deny rule on keys does not deny the commands of @all that have no keys")
	}
}
