package policy

import (
	"slices"
	"testing"
)

// TestRulesAreEachNamedOnce: those of a role that two identities have, and those
// that have no id.
func TestRulesAreEachNamedOnce(t *testing.T) {
	one, two := "one", "two"
	p, found := Compile(&Document{
		Version: 1, Categories: 1,
		Roles: map[string]Role{"reader": {Rules: []Rule{{ID: "reads", Allow: []string{"@read"}, Keys: []string{"a:*"}}}}},
		Identities: map[string]IdentityDoc{
			"one": {Match: []Match{{SASL: &one}}, Roles: []string{"reader"}},
			"two": {Match: []Match{{SASL: &two}}, Roles: []string{"reader"}, Rules: []Rule{{Allow: []string{"set"}, Keys: []string{"a:*"}}}},
		},
	})
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range p.Rules() {
		got = append(got, r.String())
	}
	slices.Sort(got)
	if want := []string{"identities.two.rules[0]", "reads"}; !slices.Equal(got, want) {
		t.Errorf("rules %q, want %q", got, want)
	}
}
