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

// modelGroups is the categories of each group.
var modelGroups = map[string][]protocol.Category{
	"@read": {protocol.CatRead}, "@touch": {protocol.CatTouch}, "@vivify": {protocol.CatVivify},
	"@store": {protocol.CatStore}, "@delete": {protocol.CatDelete}, "@arith": {protocol.CatArith},
	"@flush": {protocol.CatFlush}, "@stats": {protocol.CatStats}, "@keyspace": {protocol.CatKeyspace},
	"@settings": {protocol.CatSettings}, "@danger": {protocol.CatDanger},
	"@conn": {protocol.CatConn}, "@auth": {protocol.CatAuth},
	"@rw": {protocol.CatRead, protocol.CatTouch, protocol.CatVivify, protocol.CatStore, protocol.CatDelete, protocol.CatArith},
}

// modelNames reports whether a list of names holds the category c that v needs:
// its own, or one that its arguments added.
func modelNames(names []string, deny bool, v *protocol.Verb, c protocol.Category) bool {
	own := c == v.Category
	for _, n := range names {
		switch {
		case n == "@all":
			return true
		case slices.Contains(modelGroups[n], c):
			if !own || !v.Apart || deny {
				return true
			}
		case own && n == v.Grant:
			return true
		case !own && n == "delete" && c == protocol.CatDelete:
			return true
		case !own && deny && (n == v.Grant || slices.Contains(modelGroups[n], v.Category)):
			return true
		}
	}
	return false
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
	category protocol.Category
	write    bool
	keyed    bool
	key      string
}

// modelNeeds lists everything a request must be granted.
func modelNeeds(req *protocol.Request, at int64) []modelNeed {
	v := req.Verb
	if len(req.Keys) == 0 {
		return []modelNeed{{category: v.Category}}
	}
	var all []modelNeed
	for _, k := range req.Keys {
		for c := protocol.Category(1); c <= protocol.CatAll; c <<= 1 {
			vanishes := c == protocol.CatDelete && c != v.Category
			if req.Needs(at)&c == 0 {
				continue
			}
			if req.Access()&protocol.Reads != 0 && !vanishes {
				all = append(all, modelNeed{c, false, true, string(k)})
			}
			if req.Access()&protocol.Writes != 0 || vanishes {
				all = append(all, modelNeed{c, true, true, string(k)})
			}
		}
	}
	return all
}

// modelMatches reports whether a rule as written holds for n.
func modelMatches(r *Rule, v *protocol.Verb, n modelNeed) bool {
	deny := r.Deny != nil
	if !modelNames(append(slices.Clone(r.Allow), r.Deny...), deny, v, n.category) {
		return false
	}
	patterns := append(slices.Clone(r.Keys), r.Read...)
	if n.write {
		patterns = append(slices.Clone(r.Keys), r.Write...)
	}
	if len(r.Keys)+len(r.Read)+len(r.Write) == 0 {
		return deny || !n.keyed
	}
	if !n.keyed {
		return !deny
	}
	return modelCovers(patterns, n.key)
}

// modelHolds reports whether a condition as written does.
func modelHolds(w *When, at *At) bool {
	in := func(n string) bool { return netip.MustParsePrefix(n).Contains(at.From) }
	return w == nil || (w.TLS == nil || *w.TLS == at.TLS) && (w.Until == nil || at.Now < int64(*w.Until)) &&
		(w.From == nil || slices.ContainsFunc(w.From, in))
}

// modelRanks is what each mode makes of what is not allowed, the mildest first.
var modelRanks = []struct {
	mode string
	v    Verdict
}{{"granted", Allow}, {"off", Allow}, {"learn", Learned}, {"audit", WouldDeny}, {"enforce", Deny}}

func modelRank(mode string) int {
	for i := range modelRanks {
		if modelRanks[i].mode == mode {
			return i
		}
	}
	panic("no mode " + mode)
}

// modelVerdict answers a request of the identity called name.
func modelVerdict(doc *Document, name string, req *protocol.Request, at *At) Verdict {
	id := doc.Identities[name]
	mode := cmp.Or(id.Mode, doc.Defaults.Mode, "enforce")
	if req.Verb.Category == protocol.CatConn {
		return Allow
	}
	for _, k := range req.Keys {
		hidden := func(root string) bool {
			open := func(o string) bool { return o == "all" || strings.HasPrefix(string(k), o) }
			return id.Namespace == nil && strings.HasPrefix(string(k), root) && !slices.ContainsFunc(id.Namespaces, open)
		}
		if doc.Identities["tenant"].Namespace != nil && (hidden("a:") || hidden("slabgate/")) {
			return Deny
		}
	}
	rules := slices.Clone(id.Rules)
	for _, role := range id.Roles {
		rules = append(rules, doc.Roles[role].Rules...)
	}
	worst := 0 // of the ranks of deny rules that match, and of what each need is lacking
	for _, n := range modelNeeds(req, at.Now) {
		grant := ""
		for i := range rules {
			own := cmp.Or(rules[i].Mode, mode)
			if rules[i].Mode == "off" || !modelMatches(&rules[i], req.Verb, n) || !modelHolds(rules[i].When, at) {
				continue
			}
			switch {
			case rules[i].Deny != nil:
				worst = max(worst, modelRank(own))
			case rules[i].Mode == "" || own == "enforce":
				grant = "granted"
			case grant == "" || grant != "granted" && own == "learn":
				grant = own
			}
		}
		worst = max(worst, min(modelRank(cmp.Or(grant, mode)), modelRank(mode)))
	}
	return modelRanks[worst].v
}
