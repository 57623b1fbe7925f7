package main

import (
	"slices"
	"testing"
)

// TestReloadTellsWhatHasChanged changes each part of a site and compares the lines.
func TestReloadTellsWhatHasChanged(t *testing.T) {
	s := newSite(t)
	read := func() *loaded {
		t.Helper()
		src := source{path: s.path("slabgate.yaml"), dev: true}
		l := src.load(1)
		if l.snapshot == nil {
			t.Fatal(l.found)
		}
		return l
	}
	was := read()
	if got := was.parts.changed(read().parts); len(got) != 0 {
		t.Errorf("nothing has changed, and it says %q", got)
	}
	for _, tc := range []struct {
		file, old, text string
		want            []string
	}{
		{"policy.yaml", `keys: ["prefix:web:"]}`, `keys: ["prefix:web:", "prefix:w2:"]}`, []string{"changed identity web: rules"}},
		{"policy.yaml", "    mode: audit\n", "    limits: {rps: 5}\n", []string{"changed identity trial: limits, mode"}},
		{"policy.yaml", "  trial:\n    match: [{ascii: trial}]", "  other:\n    match: [{ascii: trial}]", []string{"added identity other", "removed identity trial"}},
		{"policy.yaml", "categories: 1\n", "categories: 1\ndefaults: {deny_reply: quiet}\n", []string{"changed defaults: deny_reply"}},
		{"users.yaml", "    secrets:", "    disabled: true\n    secrets:", []string{"changed user web: disabled"}},
		{"users.yaml", "- name: web", "- name: web2", []string{"added user web2", "removed user web"}},
		{"users.yaml", "      - scram:", "      - not_after: 2060-01-01T00:00:00Z\n        scram:", []string{"changed user web: secrets"}},
		{"slabgate.yaml", "client_auth: request", "client_auth: require", []string{"changed setting listeners[0].tls.client_auth: value"}},
	} {
		whole := s.read(t, tc.file)
		s.edit(t, tc.file, tc.old, tc.text)
		if got := was.parts.changed(read().parts); !slices.Equal(got, tc.want) {
			t.Errorf("%s with %q: got %q, want %q", tc.file, tc.text, got, tc.want)
		}
		s.write(t, tc.file, whole)
	}
}
