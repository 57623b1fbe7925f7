package protocol

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// names of the categories, as a policy has them.
func categoryNames() map[Category]string {
	return map[Category]string{
		CatRead: "read", CatTouch: "touch", CatVivify: "vivify", CatStore: "store", CatDelete: "delete",
		CatArith: "arith", CatFlush: "flush", CatStats: "stats", CatKeyspace: "keyspace",
		CatSettings: "settings", CatDanger: "danger", CatConn: "conn", CatAuth: "auth",
	}
}

// listing is the table as text, a row a line.
func listing() []byte {
	var b bytes.Buffer
	routes := []string{"local", "keys", "keyless"}
	access := []string{"-", "read", "write", "read+write"}
	for _, v := range Verbs() {
		apart := ""
		if v.Apart {
			apart = ", apart"
		}
		fmt.Fprintf(&b, "%s: grant %s of @%s%s; keys %s; %s", v.Name, v.Grant, categoryNames()[v.Category], apart, access[v.Access], routes[v.Route])
		if v.canon.word != "" {
			fmt.Fprintf(&b, "; upstream %s%s, %s", v.canon.word, v.canon.flags, v.canon.classic)
		}
		if v.args != "" {
			fmt.Fprintf(&b, "; arguments %s", v.args)
		}
		if v.expires {
			b.WriteString("; may expire at once")
		}
		if v.Denied != "" {
			fmt.Fprintf(&b, "; denied as %s", strings.TrimSpace(v.Denied))
		}
		b.WriteString("\n")
	}
	return b.Bytes()
}

// TestVerbsAreAsListed makes every change of the command table visible. Run it
// with -update to write the listing anew.
func TestVerbsAreAsListed(t *testing.T) {
	const name = "testdata/verbs.txt"
	got := listing()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	was := strings.Split(string(want), "\n")
	for _, row := range strings.Split(string(got), "\n") {
		if !slices.Contains(was, row) {
			t.Errorf("%s lacks: %s", name, row)
		}
	}
	t.Errorf("the command table has %d rows that differ from %s, or their order does", len(Verbs()), name)
}

// TestEveryCommandHasARow lists the commands of the classic and the meta
// dialect, and the category each must have.
func TestEveryCommandHasARow(t *testing.T) {
	for _, row := range []struct {
		category Category
		names    string
	}{
		{CatRead, "get gets bget mg"},
		{CatTouch, "touch gat gats"},
		{CatStore, "set add replace append prepend cas ms"},
		{CatDelete, "delete md"},
		{CatArith, "incr decr ma"},
		{CatFlush, "flush_all"},
		{CatStats, "stats,stats items,stats slabs,stats sizes,stats settings,stats extstore,stats conns,stats reset"},
		{CatKeyspace, "stats cachedump,stats detail,lru_crawler metadump,lru_crawler mgdump,watch,me"},
		{CatSettings, "verbosity,cache_memlimit,slabs reassign,slabs automove,slabs automove window,lru mode,lru tune,lru temp_ttl," +
			"lru_crawler,lru_crawler sleep,lru_crawler crawl,extstore,extstore max_frag"},
		{CatDanger, "shutdown refresh_certs misbehave debugtime debugitem"},
		{CatConn, "version quit mn"},
		{CatVivify, ""}, // no command of these dialects that is served
		{CatAuth, ""},   // a login is no command: see ParseLogin
	} {
		sep := " "
		if strings.Contains(row.names, ",") {
			sep = ","
		}
		var want, got []string
		if row.names != "" {
			want = strings.Split(row.names, sep)
		}
		for _, v := range Verbs() {
			if v.Category == row.category {
				got = append(got, v.Name)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("@%s: got %q, want %q", categoryNames()[row.category], got, want)
		}
	}
}

func TestCategoriesAreClosed(t *testing.T) {
	var all Category
	for c := range categoryNames() {
		if all&c != 0 || c&(c-1) != 0 {
			t.Errorf("category %#x is not one bit of its own", c)
		}
		all |= c
	}
	if all != CatAll {
		t.Errorf("CatAll is %#x, want %#x", CatAll, all)
	}
}

// TestEveryRowIsWhole checks what all rows have in common.
func TestEveryRowIsWhole(t *testing.T) {
	names := map[string]bool{}
	for _, v := range Verbs() {
		fault := func(format string, args ...any) { t.Errorf("%s: "+format, append([]any{v.Name}, args...)...) }
		if names[v.Name] {
			fault("two rows have the name")
		}
		names[v.Name] = true
		if _, one := categoryNames()[v.Category]; !one {
			fault("category is %#x, want exactly one", v.Category)
		}
		if v.word != strings.Fields(v.Name)[0] || v.word != strings.ToLower(v.word) {
			fault("word is %q", v.word)
		}
		if v.parse == nil {
			fault("nothing parses it")
		}
		if (v.Route == RouteKeys) != (v.canon.word != "" && v.canon.classic != "") {
			fault("route is %d, and the forms upstream are %q and %q", v.Route, v.canon.word, v.canon.classic)
		}
		if v.Route == RouteKeys && v.canon.classic != v.word {
			fault("is %q in the classic dialect", v.canon.classic)
		}
		if (v.Route == RouteKeyless) != (v.grammar != nil) {
			fault("route is %d, and a grammar of replies is there: %v", v.Route, v.grammar != nil)
		}
		if v.Route == RouteKeys && v.Access == 0 || v.Route == RouteKeyless && v.Access != 0 {
			fault("access is %d on route %d", v.Access, v.Route)
		}
		if v.Route == RouteKeys && v.Denied == "" || v.Denied != "" && !strings.HasSuffix(v.Denied, crlf) {
			fault("denied as %q", v.Denied)
		}
		if v.expires && v.canon.fields&(hasExptime|hasValue) == 0 {
			fault("expires without carrying an expiry")
		}
		if v.answers[StatusValue] != "" || v.answers[StatusNone] != "" {
			fault("a status without a line has one")
		}
	}
}

// TestAccessFollowsCategory: whoever may not read a key learns nothing of it,
// whoever may not write one does not change it.
func TestAccessFollowsCategory(t *testing.T) {
	want := map[Category]Access{
		CatRead: Reads, CatStore: Writes, CatDelete: Writes, CatArith: Reads | Writes,
	}
	byName := map[string]Access{"touch": Writes, "gat": Reads | Writes, "gats": Reads | Writes, "me": Reads}
	for _, v := range Verbs() {
		access, named := byName[v.Name]
		if !named {
			access = want[v.Category]
		}
		if v.Access != access {
			t.Errorf("%s: access is %d, want %d", v.Name, v.Access, access)
		}
	}
}

// TestGrantsMeanOneThing: the rows behind one grant are of one category, are all
// apart or none, and are answered in one place.
func TestGrantsMeanOneThing(t *testing.T) {
	for _, grant := range Grants() {
		rows := ByGrant(grant)
		for _, v := range rows {
			first := rows[0]
			if v.Grant != grant || v.Category != first.Category || v.Apart != first.Apart || v.Route != first.Route || v.word != first.word {
				t.Errorf("grant %s: rows %s and %s differ in meaning", grant, first.Name, v.Name)
			}
		}
	}
	if !slices.IsSorted(Grants()) {
		t.Errorf("grants are not sorted: %q", Grants())
	}
	for _, name := range []string{"", "Get", "stats items", "stats:", "stats:items", "@read", "noreply"} {
		if got := ByGrant(name); got != nil {
			t.Errorf("ByGrant(%q) = %d rows, want none", name, len(got))
		}
	}
}

// TestApartRows lists what a category does not grant.
func TestApartRows(t *testing.T) {
	var got []string
	for _, v := range Verbs() {
		if v.Apart {
			got = append(got, v.Grant)
		}
	}
	if want := []string{"stats:conns", "stats:reset"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestArgumentsAreExact: no two rows of a word match the same line.
func TestArgumentsAreExact(t *testing.T) {
	for _, rows := range byWord {
		for i, v := range rows {
			for _, other := range rows[:i] {
				if other.args == v.args {
					t.Errorf("%s and %s have the same arguments %q", other.Name, v.Name, v.args)
				}
			}
		}
	}
}

func TestNamedVerbs(t *testing.T) {
	for name, v := range map[string]*Verb{"version": Version, "quit": Quit, "mn": NoOp, "set": Set} {
		if v.Name != name {
			t.Errorf("the row for %s is %s", name, v.Name)
		}
	}
}
