package policy

import "testing"

// TestUnknownCommandsAreForwardedForNobodyWhoIsKeptFromKeys: they could reach any key,
// and have no name that a namespace could be put before.
func TestUnknownCommandsAreForwardedForNobodyWhoIsKeptFromKeys(t *testing.T) {
	const all = "rules: [{allow: [\"@all\"], keys: [\"*\"]}]"
	for _, c := range []struct {
		name, web, other string
		want             bool
	}{
		{"without namespaces", all, "", true},
		{"in a namespace", all + ", namespace: t/web/", "", false},
		{"beside a namespace", all, "namespace: t/b/, " + all, false},
		{"beside a namespace it may see", all + ", namespaces: [t/b/]", "namespace: t/b/, " + all, false},
		{"who sees every namespace", all + ", namespaces: [all]", "namespace: t/b/, " + all, true},
		{"without @all", `rules: [{allow: ["@rw"], keys: ["*"]}]`, "", false},
	} {
		text := "version: 1\ncategories: 1\ndefaults: {unknown_command: forward}\nidentities:\n" +
			"  web: {match: [{listener: web}], " + c.web + "}\n"
		if c.other != "" {
			text += "  other: {match: [{listener: other}], " + c.other + "}\n"
		}
		if got := mustFind(t, mustCompile(t, text), "web").Forwards; got != c.want {
			t.Errorf("%s: forwards %v, want %v", c.name, got, c.want)
		}
	}
}
