package protocol

import (
	"slices"
	"strings"
	"testing"
)

// TestEveryCommandHasARow lists the commands of all dialects, and the category
// each must have.
func TestEveryCommandHasARow(t *testing.T) {
	for _, row := range []struct {
		category Category
		names    string
	}{
		{CatRead, "get gets bget mg GET GETK"},
		{CatTouch, "touch gat gats TOUCH GAT GATK"},
		{CatStore, "set add replace append prepend cas ms SET ADD REPLACE APPEND PREPEND"},
		{CatDelete, "delete md DELETE"},
		{CatArith, "incr decr ma INCREMENT DECREMENT"},
		{CatFlush, "flush_all FLUSH"},
		{CatStats, "stats,stats items,stats slabs,stats sizes,stats settings,stats extstore,stats conns,stats reset,STAT"},
		{CatKeyspace, "stats cachedump,stats detail,lru_crawler metadump,lru_crawler mgdump,watch,me"},
		{CatSettings, "verbosity,cache_memlimit,slabs reassign,slabs automove,slabs automove window,lru mode,lru tune,lru temp_ttl," +
			"lru_crawler,lru_crawler sleep,lru_crawler crawl,extstore,extstore max_frag"},
		{CatDanger, "shutdown refresh_certs misbehave debugtime debugitem"},
		{CatConn, "version quit mn VERSION QUIT NOOP"},
		{CatVivify, ""}, // no command: a part of some, see Request.Needs
		{CatAuth, "SASL_LIST_MECHS SASL_AUTH SASL_STEP"}, // a login in lines is no command: see ParseLogin
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
		if names[v.Name] {
			t.Errorf("%s: two rows have the name", v.Name)
		}
		names[v.Name] = true
		for _, fault := range faultsOf(v) {
			t.Errorf("%s: %s", v.Name, fault)
		}
	}
}

// faultsOf are the rules that a row breaks.
func faultsOf(v *Verb) []string {
	_, one := categoryNames()[v.Category]
	opcode := v.packet.read != nil
	word := ""
	if !opcode {
		word = strings.Fields(v.Name)[0]
	}
	named := v.word == v.canon.classic || v.canon.classic == "" && (opcode || v.word == v.canon.word)
	rules := []struct {
		ok   bool
		rule string
	}{
		{one, "has exactly one category"},
		{v.Grant != "" && v.parse != nil, "has a grant, and something parses it"},
		{v.word == word && v.word == strings.ToLower(v.word), "its word is the first of its name; an opcode has none"},
		{!opcode || v.Name == strings.ToUpper(v.Name), "an opcode is in capitals"},
		{(v.Route == RouteKeys) == (v.canon.word != ""), "is sent a command a key exactly if it has a form upstream"},
		{v.Route != RouteKeys || named, "is upstream what it is called"},
		{(v.Route == RouteKeyless) == (v.grammar != nil), "goes alone exactly if its replies have a grammar"},
		{(v.Route == RouteLocal) || v.Local == LocalRefusal, "is not answered in two places"},
		{v.Route != RouteKeys || v.Access != 0, "a command about keys does something to them"},
		{v.Route != RouteKeys || v.Denied != StatusNone, "can be denied so that it looks like a miss"},
		{v.Denied == StatusNone || !v.Denied.Failed(), "a miss is no failure"},
		{v.quiet == 0 || v.isQuiet(), "hides nothing but in a quiet form"},
		{v.answers[StatusValue] == "" && v.answers[StatusNumber] == "" && v.answers[StatusNone] == "", "a status without a line has none"},
	}
	var faults []string
	for _, r := range rules {
		if !r.ok {
			faults = append(faults, "breaks the rule that it "+r.rule)
		}
	}
	return faults
}

// isQuiet reports whether the row has a quiet form: a quiet opcode, or the q flag.
func (v *Verb) isQuiet() bool { return v.packet.twin != 0 || v.word != "" && v.word == v.canon.word }

// TestAccessFollowsCategory: whoever may not read a key learns nothing of it,
// whoever may not write one does not change it.
func TestAccessFollowsCategory(t *testing.T) {
	want := map[Category]Access{
		CatRead: Reads, CatStore: Writes, CatDelete: Writes, CatArith: Reads | Writes,
	}
	byName := map[string]Access{
		"touch": Writes, "gat": Reads | Writes, "gats": Reads | Writes, "me": Reads,
		"TOUCH": Writes, "GAT": Reads | Writes, "GATK": Reads | Writes,
	}
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
			sameWord := v.word == first.word || v.packet.read != nil
			if v.Grant != grant || v.Category != first.Category || v.Apart != first.Apart || v.Route != first.Route || !sameWord {
				t.Errorf("grant %s: rows %s and %s differ in meaning", grant, first.Name, v.Name)
			}
		}
	}
	if !slices.IsSorted(Grants()) {
		t.Errorf("grants are not sorted: %q", Grants())
	}
	for _, name := range []string{"", "Get", "GET", "SET", "stats items", "stats:", "stats:items", "@read", "noreply"} {
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
				if v.packet.read == nil && other.args == v.args {
					t.Errorf("%s and %s have the same arguments %q", other.Name, v.Name, v.args)
				}
			}
		}
	}
}

func TestMetaVerbs(t *testing.T) {
	var words []string
	for _, v := range Verbs() {
		if v.IsMeta() {
			words = append(words, v.Name)
		}
	}
	slices.Sort(words)
	if want := []string{"ma", "md", "me", "mg", "mn", "ms"}; !slices.Equal(words, want) {
		t.Errorf("got %q, want %q", words, want)
	}
}
