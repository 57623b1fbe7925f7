package policy

import (
	"slices"

	"github.com/slabgate/slabgate/protocol"
)

// Group is a set of commands that a policy names with one word.
type Group struct {
	Name     string   // "@read"
	Commands []string // what allowing the group allows, sorted
	Apart    []string // what it does not: allowed only by name or by @all, sorted
	About    string   // what its commands do, for a person
}

// group is one row of the table of groups.
type group struct {
	name       string
	categories protocol.Category
	access     protocol.Access // of a group that has no command yet
	about      string
}

const (
	readsAndWrites = protocol.Reads | protocol.Writes

	catRW = protocol.CatRead | protocol.CatTouch | protocol.CatVivify |
		protocol.CatStore | protocol.CatDelete | protocol.CatArith
)

// groups is every group a policy can name: one for each category, and two that
// hold several.
var groups = []group{
	{"@read", protocol.CatRead, protocol.Reads, "read the value or metadata of named keys"},
	{"@touch", protocol.CatTouch, readsAndWrites, "change the expiry of named keys"},
	{"@vivify", protocol.CatVivify, readsAndWrites, "create a key while reading or counting it, or renew one: flags of mg and ma; incr and decr of the binary protocol"},
	{"@store", protocol.CatStore, protocol.Writes, "write values"},
	{"@delete", protocol.CatDelete, protocol.Writes, "remove named keys, or make them vanish by their expiry"},
	{"@arith", protocol.CatArith, readsAndWrites, "add to or subtract from a stored number"},
	{"@flush", protocol.CatFlush, 0, "invalidate every key"},
	{"@stats", protocol.CatStats, 0, "tell about the server"},
	{"@keyspace", protocol.CatKeyspace, 0, "reveal the names of keys"},
	{"@settings", protocol.CatSettings, 0, "change how the server runs"},
	{"@danger", protocol.CatDanger, 0, "end, reload or debug the server"},
	{"@conn", protocol.CatConn, 0, "concern one connection alone; always allowed after login"},
	{"@auth", protocol.CatAuth, 0, "log in; answered here, never forwarded"},
	{groupRW, catRW, readsAndWrites, "@read @touch @vivify @store @delete @arith"},
	{groupAll, protocol.CatAll, readsAndWrites, "every command of this version of the table"},
}

const (
	groupRW  = "@rw"
	groupAll = "@all"
)

// standsFor is the command that may be named for a category which a request
// needs besides its own: a touch that expires its key at once needs @delete,
// and is covered by a rule that names delete.
var standsFor = map[string]protocol.Category{
	"delete": protocol.CatDelete,
}

// Groups returns every group in the order of the table, for a person to read.
func Groups() []Group {
	list := make([]Group, 0, len(groups))
	for _, g := range groups {
		list = append(list, Group{Name: g.name, About: g.about})
		last := &list[len(list)-1]
		for _, grant := range protocol.Grants() {
			granted, apart := g.holds(grant)
			switch {
			case granted:
				last.Commands = append(last.Commands, grant)
			case apart:
				last.Apart = append(last.Apart, grant)
			}
		}
	}
	return list
}

// holds tells whether allowing g allows a verb of grant, and if not, whether
// one of its category is kept apart.
func (g *group) holds(grant string) (granted, apart bool) {
	for _, v := range protocol.ByGrant(grant) {
		if v.Category&g.categories == 0 {
			continue
		}
		if v.Apart && g.name != groupAll {
			apart = true
			continue
		}
		granted = true
	}
	return granted, apart
}

// GroupName returns the group of a single category, "@read" for
// [protocol.CatRead], or "" if there is none.
func GroupName(c protocol.Category) string {
	for i := range groups {
		if groups[i].categories == c {
			return groups[i].name
		}
	}
	return ""
}

// word is what one name in allow or deny stands for.
type word struct {
	categories protocol.Category // of a group; 0 for a command
	grant      string            // of a command; "" for a group
	extra      protocol.Category // what a command stands for besides itself
	allowed    protocol.Access   // to keys, by what an allow rule of it covers
	denied     protocol.Access   // and by what a deny rule of it covers
	connOnly   bool              // it names nothing but what is always allowed
}

// lexicon is every name a rule may use.
type lexicon map[string]word

// newLexicon makes the lexicon of the newest command table.
func newLexicon() lexicon { return lexiconOf(protocol.CategoriesVersion) }

// lexiconOf makes the lexicon of a version of the command table: what came later
// has no name in it.
func lexiconOf(version int) lexicon {
	words := make(lexicon)
	for _, grant := range protocol.Grants() {
		if protocol.ByGrant(grant)[0].Since > max(version, 1) {
			continue
		}
		w := word{grant: grant, extra: standsFor[grant], connOnly: true}
		for _, v := range protocol.ByGrant(grant) {
			w.allowed |= v.Access
			w.connOnly = w.connOnly && v.Category == protocol.CatConn
		}
		w.denied = w.allowed
		words[grant] = w
	}
	for i := range groups {
		words[groups[i].name] = groups[i].word()
	}
	return words
}

// word is what naming g stands for. A group that has no command yet may be
// named as if it had the ones its row expects.
func (g *group) word() word {
	w := word{categories: g.categories, connOnly: g.categories == protocol.CatConn}
	empty := true
	for _, grant := range protocol.Grants() {
		for _, v := range protocol.ByGrant(grant) {
			if v.Category&g.categories == 0 {
				continue
			}
			empty = false
			w.denied |= v.Access
			if !v.Apart || g.name == groupAll {
				w.allowed |= v.Access
			}
		}
	}
	if empty {
		w.allowed, w.denied = g.access, g.access
	}
	return w
}

// names returns every name of the lexicon, sorted.
func (l lexicon) names() []string {
	list := make([]string, 0, len(l))
	for name := range l {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
