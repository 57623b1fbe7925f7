package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/protocol"
)

func TestGroups(t *testing.T) {
	want := map[string]struct{ commands, apart string }{ // those that must be in it; all that are kept apart
		"@read":     {"get gets", ""},
		"@touch":    {"gat gats touch", ""},
		"@vivify":   {"", ""},
		"@store":    {"add append cas prepend replace set", ""},
		"@delete":   {"delete", ""},
		"@arith":    {"decr incr", ""},
		"@flush":    {"flush_all", ""},
		"@stats":    {"stats", "stats:conns stats:reset"},
		"@keyspace": {"lru_crawler:metadump lru_crawler:mgdump stats:cachedump stats:detail watch", ""},
		"@settings": {"cache_memlimit extstore lru lru_crawler slabs verbosity", ""},
		"@danger":   {"refresh_certs shutdown", ""},
		"@conn":     {"mn quit version", ""},
		"@auth":     {"", ""},
		"@rw":       {"get gat touch set delete incr", ""},
		"@all":      {strings.Join(protocol.Grants(), " "), ""},
	}
	list := Groups()
	if len(list) != len(want) {
		t.Errorf("%d groups, want %d", len(list), len(want))
	}
	for _, g := range list {
		w, ok := want[g.Name]
		if !ok || g.About == "" {
			t.Errorf("group %q is not expected, or has no text: %q", g.Name, g.About)
		}
		for _, c := range strings.Fields(w.commands) {
			if !slices.Contains(g.Commands, c) {
				t.Errorf("%s holds %q, want %q in it", g.Name, g.Commands, c)
			}
		}
		if got := strings.Join(g.Apart, " "); got != w.apart {
			t.Errorf("%s keeps %q apart, want %q", g.Name, got, w.apart)
		}
	}
}

// TestGroupsHoldEveryCommand checks that every command is in exactly one group
// of one category, or kept apart from it, and in @all.
func TestGroupsHoldEveryCommand(t *testing.T) {
	var all protocol.Category
	in := make(map[string][]string)
	for _, g := range Groups() {
		if g.Name == groupAll || g.Name == groupRW {
			continue
		}
		for _, c := range append(g.Commands, g.Apart...) {
			in[c] = append(in[c], g.Name)
		}
	}
	for _, grant := range protocol.Grants() {
		if len(in[grant]) != 1 {
			t.Errorf("%q is in the groups %q, want one", grant, in[grant])
		}
	}
	for i := range groups {
		if g := &groups[i]; g.name != groupAll {
			all |= g.categories
		}
	}
	if all != protocol.CatAll {
		t.Errorf("the groups hold the categories %b, want %b", all, protocol.CatAll)
	}
}

// TestGroupsAreAllowed checks each verb against each group through a policy.
func TestGroupsAreAllowed(t *testing.T) {
	for i := range groups {
		g := &groups[i]
		rule := Rule{Allow: []string{g.name}}
		if w := newLexicon()[g.name]; w.allowed != 0 {
			rule.Keys = []string{"*"}
		}
		id := compileX(t, &Document{Version: 1, Categories: 1, Identities: map[string]IdentityDoc{
			"x": {Match: []Match{{ASCII: new("x")}}, Rules: []Rule{rule}},
		}})
		for _, v := range protocol.Verbs() {
			req := &protocol.Request{Form: protocol.Form{Verb: v}}
			if v.Access != 0 {
				req.Keys = [][]byte{[]byte("k")}
			}
			want := v.Category&g.categories != 0 && (!v.Apart || g.name == groupAll) || v.Category == protocol.CatConn
			if got := id.Decide(req, at); (got.Verdict == Allow) != want {
				t.Errorf("allow %s: %q is %v (%v), want allowed %v", g.name, v.Name, got.Verdict, got.Reason, want)
			}
		}
	}
}

// TestGroupAccess checks the access that the table expects of a group against
// that of its commands.
func TestGroupAccess(t *testing.T) {
	for i := range groups {
		g := &groups[i]
		w := g.word()
		if g.access != 0 && w.denied|g.access != g.access {
			t.Errorf("%s: its commands have access %b, its row says %b", g.name, w.denied, g.access)
		}
		if w.allowed&^w.denied != 0 {
			t.Errorf("%s: allows access %b and denies only %b", g.name, w.allowed, w.denied)
		}
	}
}

func TestGroupName(t *testing.T) {
	tests := []struct {
		in   protocol.Category
		want string
	}{
		{protocol.CatRead, "@read"},
		{protocol.CatDelete, "@delete"},
		{protocol.CatAuth, "@auth"},
		{catRW, "@rw"},
		{protocol.CatAll, "@all"},
		{0, ""},
		{protocol.CatRead | protocol.CatStats, ""},
		{1 << 31, ""},
	}
	for _, tt := range tests {
		if got := GroupName(tt.in); got != tt.want {
			t.Errorf("GroupName(%b) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := newLexicon().names()
	tests := []struct{ in, want string }{
		{"@reads", "@read"},
		{"@red", "@read"},
		{"read", "@read"},
		{"Read", "@read"},
		{"@Read", "@read"},
		{"GET", "get"},
		{"gest", "get"},
		{"flushall", "flush_all"},
		{"incrr", "incr"},
		{"stats:con", "stats:conns"},
		{"xyzzy", ""},
		{"", ""},
		{strings.Repeat("get", 100), ""},
	}
	for _, tt := range tests {
		if got := nearest(tt.in, names); got != tt.want {
			t.Errorf("nearest(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "abd", 1},
		{"abc", "ac", 1}, {"abc", "abcd", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 2},
	}
	for _, tt := range tests {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := distance(tt.b, tt.a); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}
