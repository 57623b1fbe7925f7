package policy

import (
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

// modelCovers reports whether patterns as written cover key.
func modelCovers(patterns []string, key string) bool {
	for _, p := range patterns {
		if rest, ok := strings.CutPrefix(p, "exact:"); ok {
			if rest == key {
				return true
			}
			continue
		}
		p = strings.TrimSuffix(strings.TrimPrefix(p, "prefix:"), "*")
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
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

// modelAllows answers a request of the identity called name in enforce mode.
func modelAllows(doc *Document, name string, req *protocol.Request, at int64) bool {
	if req.Verb.Category == protocol.CatConn {
		return true
	}
	rules := slices.Clone(doc.Identities[name].Rules)
	for _, role := range doc.Identities[name].Roles {
		rules = append(rules, doc.Roles[role].Rules...)
	}
	for _, n := range modelNeeds(req, at) {
		allowed := false
		for i := range rules {
			if !modelMatches(&rules[i], req.Verb, n) {
				continue
			}
			if rules[i].Deny != nil {
				return false
			}
			allowed = true
		}
		if !allowed {
			return false
		}
	}
	return true
}
