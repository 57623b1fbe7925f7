package policy

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/protocol"
)

// This file is the language once more, as slowly and plainly as it can be said:
// it reads the document as written for every question and shares nothing with
// the package but the names of its types. The properties compare the two.

// modelGroups is the categories of each group, by their places in the table.
var modelGroups = map[string]protocol.Category{
	"@read": protocol.CatRead, "@touch": protocol.CatTouch, "@vivify": protocol.CatVivify, "@store": protocol.CatStore,
	"@delete": protocol.CatDelete, "@arith": protocol.CatArith, "@flush": protocol.CatFlush, "@stats": protocol.CatStats,
	"@keyspace": protocol.CatKeyspace, "@settings": protocol.CatSettings, "@danger": protocol.CatDanger,
	"@conn": protocol.CatConn, "@auth": protocol.CatAuth, "@rw": 63,
}

// modelNames reports whether a list of names holds the category c that v needs:
// its own, or one that its arguments added.
func modelNames(names []string, deny bool, v *protocol.Verb, c protocol.Category) bool {
	own := c == v.Category
	return slices.ContainsFunc(names, func(n string) bool {
		switch {
		case n == "@all", own && n == v.Grant, !own && n == "delete" && c == protocol.CatDelete:
			return true
		case modelGroups[n]&c != 0:
			return !own || !v.Apart || deny
		}
		return !own && deny && (n == v.Grant || modelGroups[n]&v.Category != 0)
	})
}

// modelFits reports whether key is text, in which * and ? stand for others.
func modelFits(text, key string) bool {
	switch {
	case text == "":
		return key == ""
	case text[0] == '*':
		return modelFits(text[1:], key) || key != "" && modelFits(text, key[1:])
	}
	return key != "" && (text[0] == '?' || text[0] == key[0]) && modelFits(text[1:], key[1:])
}

// modelCovers reports whether patterns as written cover key.
func modelCovers(patterns []string, key string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if rest, ok := strings.CutPrefix(p, "exact:"); ok {
			return rest == key
		}
		if rest, ok := strings.CutPrefix(p, "prefix:"); ok {
			p = rest + "*"
		}
		return modelFits(strings.TrimPrefix(p, "glob:"), key)
	})
}

// modelNeed is one thing a request does to one of its keys, or does at all.
type modelNeed struct {
	category     protocol.Category
	write, keyed bool
	key          string
}

// modelNeeds lists everything a request must be granted.
func modelNeeds(req *protocol.Request, now int64) (all []modelNeed) {
	if len(req.Keys) == 0 {
		return []modelNeed{{category: req.Verb.Category}}
	}
	for _, k := range req.Keys {
		for c := protocol.Category(1); c <= protocol.CatAll; c <<= 1 {
			vanishes := c == protocol.CatDelete && c != req.Verb.Category
			if req.Needs(now)&c != 0 && req.Access()&protocol.Reads != 0 && !vanishes {
				all = append(all, modelNeed{c, false, true, string(k)})
			}
			if req.Needs(now)&c != 0 && (req.Access()&protocol.Writes != 0 || vanishes) {
				all = append(all, modelNeed{c, true, true, string(k)})
			}
		}
	}
	return all
}

// modelMatches reports whether a rule as written holds for n, at a time.
func modelMatches(r *Rule, v *protocol.Verb, n modelNeed, at *At) bool {
	deny := r.Deny != nil
	in := func(n string) bool { return netip.MustParsePrefix(n).Contains(at.From) }
	if w := r.When; w != nil && (w.TLS != nil && *w.TLS != at.TLS || w.Until != nil && at.Now >= int64(*w.Until) || w.From != nil && !slices.ContainsFunc(w.From, in)) {
		return false
	}
	patterns := append(slices.Clone(r.Keys), r.Read...)
	if n.write {
		patterns = append(slices.Clone(r.Keys), r.Write...)
	}
	switch {
	case r.Mode == "off" || !modelNames(append(slices.Clone(r.Allow), r.Deny...), deny, v, n.category):
		return false
	case len(r.Keys)+len(r.Read)+len(r.Write) == 0:
		return deny || !n.keyed
	case !n.keyed:
		return !deny
	}
	return modelCovers(patterns, n.key)
}

// modelModes are the modes, the mildest first, and what each makes of what is not
// allowed. The first is what is.
var modelModes, modelVerdicts = []string{"granted", "off", "learn", "audit", "enforce"}, []Verdict{Allow, Allow, Learned, WouldDeny, Deny}

// modelVerdict answers a request. The root of the identity tenant, if it has one, is a:.
func modelVerdict(doc *Document, name string, req *protocol.Request, at *At) Verdict {
	id := doc.Identities[name]
	mode, worst := cmp.Or(id.Mode, doc.Defaults.Mode, "enforce"), 0
	rank := func(m string) int { return slices.Index(modelModes, m) }
	if req.Verb.Category == protocol.CatConn {
		return Allow
	}
	for _, k := range req.Keys {
		open := func(root string) bool { return root == "all" || strings.HasPrefix(string(k), root) }
		hidden := strings.HasPrefix(string(k), "a:") && doc.Identities["tenant"].Namespace != nil && !slices.ContainsFunc(id.Namespaces, open)
		if id.Namespace == nil && (hidden || strings.HasPrefix(string(k), "slabgate/")) {
			return Deny
		}
	}
	rules := slices.Clone(id.Rules)
	for _, role := range id.Roles {
		rules = append(rules, doc.Roles[role].Rules...)
	}
	for _, n := range modelNeeds(req, at.Now) {
		lacks := rank(mode)
		for i := range rules {
			switch own := rules[i].Mode; {
			case !modelMatches(&rules[i], req.Verb, n, at):
			case rules[i].Deny != nil:
				worst = max(worst, rank(cmp.Or(own, mode)))
			case own == "" || own == "enforce":
				lacks = 0
			default: // on trial
				lacks = min(lacks, rank(own))
			}
		}
		worst = max(worst, lacks)
	}
	return modelVerdicts[worst]
}
