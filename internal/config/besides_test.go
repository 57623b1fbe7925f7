package config

import (
	"testing"

	"github.com/slabgate/slabgate/internal/finding"
)

// TestBesides: what was refused is not told again by what follows from it.
func TestBesides(t *testing.T) {
	var first, later finding.List
	first.Errorf("SG1008", "identities.web.rules[0].kyes", "x", "unknown key")
	first.Warnf("SG1016", "log", "x", "only a warning")
	for _, key := range []string{
		"identities.web.rules[0]",         // lacks keys: that is the mistyped one
		"identities.web",                  // and so may what it stands in
		"identities.web.rules[0].kyes[0]", // below what was refused
		"identities.web.rules[0].allow[0]",
		"identities.web.rules[1]",
		"log",
		"",
	} {
		later.Errorf("SG1199", key, "x", "wrong as well")
	}
	later.Warnf("SG1150", "identities.web.rules[2]", "x", "may follow from anything")
	var got []string
	for _, f := range Besides(later, first) {
		got = append(got, f.Key)
	}
	want := []string{"identities.web.rules[0].allow[0]", "identities.web.rules[1]", "log", ""}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
