package policy

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/protocol"
)

// Version is a document with the policy that [Compile] made of it.
type Version struct {
	Doc    *Document
	Policy *Policy
}

// Difference is what changes for clients from one version to another.
type Difference struct {
	Changes []Change // by identity
	Answers []Answer // newly allowed first
}

// Change is one thing that two versions say differently. What is said in another
// way and means the same, such as lists in another order or rules that moved into a
// role, is none.
type Change struct {
	Identity string // "" for what concerns all
	What     string // a key of the document, or a rule with its id
	Was, Is  string // "" if there was, or is, none; of a list what left it and what joined it
}

// Equal reports whether nothing changes.
func (d *Difference) Equal() bool { return len(d.Changes) == 0 && len(d.Answers) == 0 }

// Diff compares two versions. What is written is compared, and so is what both
// answer, at now, in Unix seconds, to requests made of the commands and patterns of
// either. Parse makes a request of a command line; it is used until the next call.
func Diff(was, is Version, now int64, parse func(cmd string) (*protocol.Request, error)) Difference {
	var d Difference
	d.add("", "defaults.unauthenticated", was.Policy.strangers(), is.Policy.strangers())
	for _, name := range unionOf(was.Policy.Identities(), is.Policy.Identities()) {
		a, b := was.side(name), is.side(name)
		d.compare(name, a, b)
		if a.id != nil && b.id != nil {
			d.ask(a.id, b.id, now, parse)
		}
	}
	d.sortAnswers()
	return d
}

// add notes a change, if it is one.
func (d *Difference) add(identity, what, was, is string) {
	if was != is {
		d.Changes = append(d.Changes, Change{identity, what, was, is})
	}
}

// strangers says what becomes of clients that are nobody else.
func (p *Policy) strangers() string {
	if p.unauthenticated == nil {
		return unauthenticatedNo
	}
	return p.unauthenticated.Name
}

// side is one identity in one version.
type side struct {
	id  *Identity // nil if the version does not have it
	doc IdentityDoc
}

func (v Version) side(name string) side {
	id, _ := v.Policy.Find(name)
	return side{id, v.Doc.Identities[name]}
}

// setting is one thing about an identity that is one word or number.
type setting struct {
	key   string
	usual string // what it is if nothing is written
	of    func(s *side) string
}

// settings are those things, as they are after defaults and roles.
var settings = [...]setting{
	{"mode", "enforce", func(s *side) string { return s.id.Mode.String() }},
	{"require", "", func(s *side) string { return listOf([]string{"tls", "secret"}, s.id.RequireTLS, s.id.RequireSecret) }},
	{"namespace", "", func(s *side) string { return textOf(s.doc.Namespace) }},
	{"namespaces", "", func(s *side) string { return quoted(sorted(s.doc.Namespaces)) }},
	{"flush", flushUpstream, (*side).flush},
	{"upstream", "", func(s *side) string { return s.id.Upstream }},
	{"deny_reply", replyError, func(s *side) string { return eitherOf(s.id.Quiet, replyQuiet, replyError) }},
	{"multiget_denied", multigetError, func(s *side) string { return eitherOf(s.id.MissDenied, multigetMiss, multigetError) }},
	{"overlong_key", overlongError, func(s *side) string { return eitherOf(s.id.HashOverlong, overlongHash, overlongError) }},
	{"unknown_command", unknownDeny, func(s *side) string { return eitherOf(s.id.Forwards, unknownForward, unknownDeny) }},
	{"limits", "", (*side).limits},
}

// flush is what flush_all means, and whether a rule has to allow it.
func (s *side) flush() string {
	switch {
	case s.id.flushDenied:
		return flushDeny
	case s.id.flushAllowed:
		return flushScoped
	case s.id.ScopedFlush:
		return flushScoped + ", if a rule allows it"
	}
	return flushUpstream
}

// limits is every limit, and what comes of an expiry that is too long.
func (s *side) limits() string {
	text := strings.TrimSpace(s.id.Limits.String())
	if s.id.Limits.DenyTTL {
		text += " ttl_over=" + ttlDeny
	}
	return text
}

// compare notes what the two sides of an identity say differently.
func (d *Difference) compare(name string, a, b side) {
	d.add(name, "identity", eitherOf(a.id != nil, "defined", ""), eitherOf(b.id != nil, "defined", ""))
	for i := range settings {
		s := &settings[i]
		if was, is := s.in(&a), s.in(&b); was != is {
			d.add(name, s.key, eitherOf(a.id != nil, was, ""), eitherOf(b.id != nil, is, ""))
		}
	}
	was, is := matchesOf(&a), matchesOf(&b)
	for _, text := range without(was, is) {
		d.add(name, "match", text, "")
	}
	for _, text := range without(is, was) {
		d.add(name, "match", "", text)
	}
	d.compareRules(name, rulesOf(&a), rulesOf(&b))
}

// in is the setting on one side; what is usual if there is no identity.
func (s *setting) in(on *side) string {
	if on.id == nil {
		return s.usual
	}
	return s.of(on)
}

// matchesOf are the entries of match, each in one line.
func matchesOf(s *side) (list []string) {
	for i := range s.doc.Match {
		list = append(list, written(reflect.ValueOf(s.doc.Match[i])))
	}
	return list
}

// rulesOf are the rules of an identity, those of its roles as well, by their id or
// by what they say.
func rulesOf(s *side) map[string]*rule {
	rules := make(map[string]*rule)
	if s.id == nil {
		return rules
	}
	for _, r := range s.id.rules {
		key := r.ref.ID
		if key == "" {
			key = written(reflect.ValueOf(r.written))
		}
		rules[key] = r
	}
	return rules
}

// compareRules notes which rules left and joined, and what became of the others.
func (d *Difference) compareRules(name string, was, is map[string]*rule) {
	for _, key := range unionOf(sortedNames(was), sortedNames(is)) {
		a, b := was[key], is[key]
		switch {
		case a == nil:
			d.add(name, b.what(), "", b.String())
		case b == nil:
			d.add(name, a.what(), a.String(), "")
		default:
			d.compareRule(name, a, b)
		}
	}
}

// what is the rule with its id, if it has one.
func (r *rule) what() string { return strings.TrimSpace("rule " + r.ref.ID) }

// compareRule notes what two rules with the same id say differently.
func (d *Difference) compareRule(name string, a, b *rule) {
	was, is := &a.written, &b.written
	for _, list := range []struct {
		key     string
		was, is []string
	}{{"allow", was.Allow, is.Allow}, {"deny", was.Deny, is.Deny}, {"read", was.Read, is.Read}, {"write", was.Write, is.Write}, {"keys", was.Keys, is.Keys}} {
		d.add(name, a.what()+" "+list.key, quoted(without(list.was, list.is)), quoted(without(list.is, list.was)))
	}
	d.add(name, a.what()+" when", written(reflect.ValueOf(was.When)), written(reflect.ValueOf(is.When)))
	d.add(name, a.what()+" mode", was.Mode, is.Mode)
}

// written is a value of a document in one line, lists sorted: their order means
// nothing. What was not written is left out.
func written(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, _ := m.MarshalText()
		return string(text)
	}
	var parts []string
	switch v.Kind() {
	case reflect.String:
		return fmt.Sprintf("%q", v)
	case reflect.Slice:
		for i := range v.Len() {
			parts = append(parts, written(v.Index(i)))
		}
		return "[" + strings.Join(sorted(parts), ", ") + "]"
	case reflect.Struct:
		for i := range v.NumField() {
			if key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ","); !v.Field(i).IsZero() {
				parts = append(parts, key+": "+written(v.Field(i)))
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// quoted is [quoteList], of an empty list nothing.
func quoted(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return quoteList(list)
}

// sorted is a sorted copy of list.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// unionOf is everything in either list, sorted and each once.
func unionOf(a, b []string) []string { return slices.Compact(sorted(slices.Concat(a, b))) }

// without is what of list is not in other, sorted.
func without(list, other []string) []string {
	not := make(map[string]bool, len(other))
	for _, s := range other {
		not[s] = true
	}
	return slices.DeleteFunc(sorted(list), func(s string) bool { return not[s] })
}

// textOf is what s points at, or nothing.
func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// eitherOf is yes or no.
func eitherOf(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// listOf are those of the words that hold, in one text.
func listOf(words []string, hold ...bool) string {
	var list []string
	for i, word := range words {
		if hold[i] {
			list = append(list, word)
		}
	}
	return strings.Join(list, ", ")
}
