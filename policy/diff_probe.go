package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/protocol"
)

// Answer is requests of one identity, on one key, that two versions answer
// differently.
type Answer struct {
	Identity string
	Key      string   // "" for commands without keys
	When     string   // "" in TLS and from nowhere; else without TLS, or from ADDRESS
	Commands []string // in a few words each: touch, or touch -1
	Sample   string   // the first of them, as slabgate explain takes it
	Was, Is  Verdict
}

// Allows reports whether what was refused is let through now.
func (a *Answer) Allows() bool { return a.Was == Deny && a.Is != Deny }

// Denies reports whether what was let through is refused now.
func (a *Answer) Denies() bool { return a.Was != Deny && a.Is == Deny }

// probe is one way to use a command.
type probe struct {
	grant string // what a policy calls it
	name  string // how it is told
	line  string // KEY stands for a key
}

// probes are the ways to use every command that is served and not always allowed.
// Arguments that need more than the command does have a line of their own.
var probes = []probe{
	{"get", "get", "get KEY"}, {"gets", "gets", "gets KEY"},
	{"gat", "gat", "gat 60 KEY"}, {"gats", "gats", "gats 60 KEY"},
	{"touch", "touch", "touch KEY 60"}, {"touch", "touch -1", "touch KEY -1"},
	{"set", "set", "set KEY 0 0 1"}, {"set", "set -1", "set KEY 0 -1 1"},
	{"add", "add", "add KEY 0 0 1"}, {"replace", "replace", "replace KEY 0 0 1"},
	{"append", "append", "append KEY 0 0 1"}, {"prepend", "prepend", "prepend KEY 0 0 1"},
	{"cas", "cas", "cas KEY 0 0 1 1"}, {"delete", "delete", "delete KEY"},
	{"incr", "incr", "incr KEY 1"}, {"decr", "decr", "decr KEY 1"},
	{"mg", "mg", "mg KEY v"}, {"mg", "mg N", "mg KEY v N30"}, {"mg", "mg T", "mg KEY v T60"},
	{"ms", "ms", "ms KEY 1"}, {"md", "md", "md KEY"},
	{"ma", "ma", "ma KEY"}, {"ma", "ma N", "ma KEY N30"},
	{"me", "me", "me KEY"},
	{"flush_all", "flush_all", "flush_all"},
	{"stats", "stats", "stats"}, {"stats:conns", "stats conns", "stats conns"}, {"stats:reset", "stats reset", "stats reset"},
	{"verbosity", "verbosity", "verbosity 1"}, {"cache_memlimit", "cache_memlimit", "cache_memlimit 100"},
	{"slabs", "slabs", "slabs automove 0"}, {"lru", "lru", "lru mode flat"},
	{"lru_crawler", "lru_crawler", "lru_crawler enable"}, {"extstore", "extstore", "extstore max_frag 1"},
}

// ask notes which requests the two versions of an identity answer differently.
func (d *Difference) ask(a, b *Identity, now int64, parse func(string) (*protocol.Request, error)) {
	keys := unionOf(append(a.samples(), ""), b.samples()) // "" is for commands without keys
	for _, m := range momentsOf(now, a, b) {
		for _, key := range keys {
			d.askOn(key, &m, a, b, parse)
		}
	}
}

// askOn is ask for one key, or for the commands without keys.
func (d *Difference) askOn(key string, m *moment, a, b *Identity, parse func(string) (*protocol.Request, error)) {
	first := len(d.Answers)
	for i := range probes {
		p := &probes[i]
		if strings.Contains(p.line, "KEY") != (key != "") {
			continue
		}
		line := strings.Replace(p.line, "KEY", key, 1)
		req, err := parse(line)
		if err != nil {
			continue // it never gets as far as the policy, in either version
		}
		was, is := a.Decide(req, &m.at).Verdict, b.Decide(req, &m.at).Verdict
		if was != is {
			d.note(first, Answer{a.Name, key, m.text, []string{p.name}, line, was, is})
		}
	}
}

// note adds an answer to the ones from first on, with one of the same kind if there
// is any.
func (d *Difference) note(first int, n Answer) {
	for i := range d.Answers[first:] {
		if have := &d.Answers[first+i]; have.Was == n.Was && have.Is == n.Is {
			have.Commands = append(have.Commands, n.Commands...)
			return
		}
	}
	d.Answers = append(d.Answers, n)
}

// sortAnswers puts what is newly allowed first, then what is newly denied.
func (d *Difference) sortAnswers() {
	rank := func(a *Answer) int {
		switch {
		case a.Allows():
			return 0
		case a.Denies():
			return 1
		}
		return 2
	}
	slices.SortStableFunc(d.Answers, func(a, b Answer) int { return rank(&a) - rank(&b) })
}

// samples are keys at the edges of what the patterns of id cover, and of the
// namespaces of others.
func (id *Identity) samples() (keys []string) {
	add := func(text string) { keys = append(keys, text+"x", text) }
	for _, r := range id.rules {
		for _, p := range r.patterns {
			if p.kind == patternGlob {
				add(strings.NewReplacer("*", "", "?", "x").Replace(p.text))
				add(strings.NewReplacer("*", "x", "?", "x").Replace(p.text))
				continue
			}
			add(p.text)
		}
	}
	for _, root := range slices.Concat(id.walls, id.openRoots) {
		add(root)
	}
	return keys
}

// moment is one way to ask, and how it is told.
type moment struct {
	at   At
	text string
}

// momentsOf are the ways to ask that can make a difference to a rule of either.
func momentsOf(now int64, a, b *Identity) []moment {
	list := []moment{{At{Now: now, TLS: true}, ""}}
	add := func(at At, text string) {
		if !slices.ContainsFunc(list, func(m moment) bool { return m.text == text }) {
			list = append(list, moment{at, text})
		}
	}
	for _, r := range slices.Concat(a.rules, b.rules) {
		if r.when == nil {
			continue
		}
		if r.when.tls != nil {
			add(At{Now: now}, "without TLS")
		}
		for _, n := range r.when.from {
			add(At{Now: now, TLS: true, From: n.Addr()}, "from "+n.Addr().String())
		}
		if r.when.until != nil && int64(*r.when.until) > now {
			add(At{Now: int64(*r.when.until), TLS: true}, fmt.Sprintf("from %s on", r.when.until))
		}
	}
	return list
}
