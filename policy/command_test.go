package policy

import (
	"strings"
	"testing"

	"github.com/slabgate/slabgate/protocol"
)

// commandTable is what a policy sees of every command: the name it is allowed
// by, its group, whether the group leaves it out, and what it does to its keys.
var commandTable = []struct {
	name, grant, group string
	apart              bool
	access             string // r, w, rw, or "" without keys
}{
	{"get", "get", "@read", false, "r"},
	{"gets", "gets", "@read", false, "r"},
	{"bget", "bget", "@read", false, "r"},
	{"gat", "gat", "@touch", false, "rw"},
	{"gats", "gats", "@touch", false, "rw"},
	{"touch", "touch", "@touch", false, "w"},
	{"set", "set", "@store", false, "w"},
	{"add", "add", "@store", false, "w"},
	{"replace", "replace", "@store", false, "w"},
	{"append", "append", "@store", false, "w"},
	{"prepend", "prepend", "@store", false, "w"},
	{"cas", "cas", "@store", false, "w"},
	{"delete", "delete", "@delete", false, "w"},
	{"incr", "incr", "@arith", false, "rw"},
	{"decr", "decr", "@arith", false, "rw"},
	{"mg", "mg", "@read", false, "r"},
	{"ms", "ms", "@store", false, "w"},
	{"md", "md", "@delete", false, "w"},
	{"ma", "ma", "@arith", false, "rw"},
	{"me", "me", "@keyspace", false, "r"},
	{"flush_all", "flush_all", "@flush", false, ""},
	{"stats", "stats", "@stats", false, ""},
	{"stats items", "stats", "@stats", false, ""},
	{"stats slabs", "stats", "@stats", false, ""},
	{"stats sizes", "stats", "@stats", false, ""},
	{"stats settings", "stats", "@stats", false, ""},
	{"stats conns", "stats:conns", "@stats", true, ""},
	{"stats reset", "stats:reset", "@stats", true, ""},
	{"stats cachedump", "stats:cachedump", "@keyspace", false, ""},
	{"stats detail", "stats:detail", "@keyspace", false, ""},
	{"lru_crawler metadump", "lru_crawler:metadump", "@keyspace", false, ""},
	{"lru_crawler mgdump", "lru_crawler:mgdump", "@keyspace", false, ""},
	{"watch", "watch", "@keyspace", false, ""},
	{"verbosity", "verbosity", "@settings", false, ""},
	{"cache_memlimit", "cache_memlimit", "@settings", false, ""},
	{"slabs reassign", "slabs", "@settings", false, ""},
	{"slabs automove", "slabs", "@settings", false, ""},
	{"lru mode", "lru", "@settings", false, ""},
	{"lru_crawler", "lru_crawler", "@settings", false, ""},
	{"extstore", "extstore", "@settings", false, ""},
	{"shutdown", "shutdown", "@danger", false, ""},
	{"refresh_certs", "refresh_certs", "@danger", false, ""},
	{"debugtime", "debugtime", "@danger", false, ""},
	{"SASL_AUTH", "sasl", "@auth", false, ""},
	{"GETK", "get", "@read", false, "r"},
	{"GATK", "gat", "@touch", false, "rw"},
	{"TOUCH", "touch", "@touch", false, "w"},
	{"APPEND", "append", "@store", false, "w"},
	{"DELETE", "delete", "@delete", false, "w"},
	{"INCREMENT", "incr", "@arith", false, "rw"},
	{"FLUSH", "flush_all", "@flush", false, ""},
	{"STAT", "stats", "@stats", false, ""},
}

// verbNamed returns the verb of a row.
func verbNamed(t *testing.T, name string) *protocol.Verb {
	t.Helper()
	for _, v := range protocol.Verbs() {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("there is no command %q", name)
	return nil
}

// withKeys writes pattern into the lists that access names.
func withKeys(r Rule, access string, pattern string) Rule {
	if strings.Contains(access, "r") {
		r.Read = []string{pattern}
	}
	if strings.Contains(access, "w") {
		r.Write = []string{pattern}
	}
	return r
}

// allows reports whether an identity with these rules may run v on key.
func allows(t *testing.T, v *protocol.Verb, key string, rules ...Rule) bool {
	t.Helper()
	id := compileX(t, &Document{Version: 1, Categories: 1, Identities: map[string]IdentityDoc{
		"x": {Match: []Match{{ASCII: new("x")}}, Rules: rules},
	}})
	req := &protocol.Request{Form: protocol.Form{Verb: v}}
	if v.Access != 0 {
		req.Keys = [][]byte{[]byte(key)}
	}
	return id.Decide(req, at).Verdict == Allow
}

// TestCommandByName checks that a rule which names a command allows it, on the
// keys it covers and no others.
func TestCommandByName(t *testing.T) {
	for _, c := range commandTable {
		v := verbNamed(t, c.name)
		rule := withKeys(Rule{Allow: []string{c.grant}}, c.access, "prefix:in:")
		if !allows(t, v, "in:1", rule) {
			t.Errorf("%q is not allowed by %s", c.name, c.grant)
		}
		if c.access != "" && allows(t, v, "out:1", rule) {
			t.Errorf("%q is allowed on a key that %s does not cover", c.name, c.grant)
		}
	}
}

// TestCommandByGroup checks that the group of a command allows it unless it is
// kept apart, and that no other group does.
func TestCommandByGroup(t *testing.T) {
	words := newLexicon()
	for _, c := range commandTable {
		v := verbNamed(t, c.name)
		for _, g := range Groups() {
			rule := Rule{Allow: []string{g.Name}}
			if words[g.Name].allowed != 0 {
				rule.Keys = []string{"*"}
			}
			in := g.Name == c.group && !c.apart || g.Name == groupAll
			in = in || g.Name == groupRW && strings.Contains("@read @touch @vivify @store @delete @arith", c.group)
			if got := allows(t, v, "k", rule); got != in {
				t.Errorf("%q allowed by %s: %v, want %v", c.name, g.Name, got, in)
			}
		}
	}
}

// TestCommandNeedsEachAccess checks that a command which reads and writes its
// key is refused if only one of them is covered.
func TestCommandNeedsEachAccess(t *testing.T) {
	for _, c := range commandTable {
		if c.access != "rw" {
			continue
		}
		v := verbNamed(t, c.name)
		one := Rule{Allow: []string{c.grant}, Read: []string{"prefix:k"}, Write: []string{"prefix:other"}}
		two := Rule{Allow: []string{c.grant}, Read: []string{"prefix:other"}, Write: []string{"prefix:k"}}
		if allows(t, v, "k", one) || allows(t, v, "k", two) {
			t.Errorf("%q is allowed with half of its access covered", c.name)
		}
		if !allows(t, v, "k", one, two) {
			t.Errorf("%q is refused with both halves covered by two rules", c.name)
		}
	}
}

// TestCommandDenied checks that a deny rule refuses a command by its name, by
// its group, whether or not the group keeps it apart, and by @all.
func TestCommandDenied(t *testing.T) {
	all := Rule{Allow: []string{groupAll}, Keys: []string{"*"}}
	for _, c := range commandTable {
		v := verbNamed(t, c.name)
		if !allows(t, v, "k", all) {
			t.Errorf("%q is not allowed by @all", c.name)
		}
		for _, name := range []string{c.grant, c.group, groupAll} {
			if allows(t, v, "k", all, Rule{Deny: []string{name}}) {
				t.Errorf("%q is allowed beside deny of %s", c.name, name)
			}
		}
		if c.access == "" {
			continue
		}
		for _, half := range strings.Split(c.access, "") {
			rule := withKeys(Rule{Deny: []string{c.grant}}, half, "exact:k")
			if allows(t, v, "k", all, rule) {
				t.Errorf("%q is allowed on a key that is denied to %s", c.name, half)
			}
			if !allows(t, v, "k2", all, rule) {
				t.Errorf("%q is refused on another key than the one denied to %s", c.name, half)
			}
		}
	}
}

// TestCommandTableIsWhole checks that every name of the table a policy may use
// has a row here, and no row says more than the table.
func TestCommandTableIsWhole(t *testing.T) {
	rows := make(map[string]bool)
	for _, c := range commandTable {
		rows[c.grant] = true
		v := verbNamed(t, c.name)
		if v.Grant != c.grant || v.Apart != c.apart || GroupName(v.Category) != c.group {
			t.Errorf("%q is %s %s apart %v, want %s %s apart %v", c.name, v.Grant, GroupName(v.Category), v.Apart, c.grant, c.group, c.apart)
		}
	}
	for _, v := range protocol.Verbs() {
		if !rows[v.Grant] && v.Category != protocol.CatConn && v.Category != protocol.CatDanger {
			t.Errorf("%q has no row", v.Name)
		}
	}
}
