package config

import (
	"strings"
	"testing"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/finding"
)

// located checks that a list of errors says of each where it stands.
func located(t *testing.T, text string, list finding.List) {
	t.Helper()
	lines := strings.Count(text, "\n") + 1
	for _, f := range list {
		if f.File != "f.yaml" || f.Line < 1 || f.Col < 1 || f.Fix == "" || f.Code == "" {
			t.Errorf("%q: finding without a place or fix: %+v", text, f)
		}
		// What ends a line for YAML but not for an editor may add lines.
		if !strings.ContainsAny(text, "\r\u0085\u2028\u2029") && f.Line > lines {
			t.Errorf("%q: line %d of %d: %+v", text, f.Line, lines, f)
		}
	}
}

// FuzzLoad checks that a file either says what is wrong with it, and where, or
// makes a Config that nothing is wrong with. A Config that was let through half
// read would run with less than the operator wrote.
func FuzzLoad(f *testing.F) {
	f.Add(small)
	f.Add("version: 1\nlisteners: [{name: a}]\n")
	for _, row := range brokenFiles {
		f.Add(row.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, list := loader{file: "f.yaml", dir: "/etc/slabgate"}.load([]byte(text), nil, nil)
		located(t, text, list)
		if (c == nil) != list.Failed() {
			t.Fatalf("%q: config %v with findings %v", text, c, list)
		}
		if c != nil && c.Validate().Failed() {
			t.Errorf("%q: loads, and then is refused: %v", text, c.Validate())
		}
	})
}

// FuzzLayers checks the same of a variable and a flag over a good file.
func FuzzLayers(f *testing.F) {
	f.Add("SLABGATE_LOG__LEVEL=info", "log.level", "warn")
	f.Add("SLABGATE_LISTENERS__MY_APP__TLS__BUNDLE=x", "listeners.main.address", ":1")
	f.Add("SLABGATE_LOGINS__SASL=PLAIN,EXTERNAL", "logins.sasl", "PLAIN-PLUS,plain")
	f.Add("SLABGATE_", "", "")
	f.Fuzz(func(t *testing.T, variable, flag, value string) {
		c, list := loadText(small, map[string]string{flag: value}, variable)
		if (c == nil) != list.Failed() {
			t.Fatalf("%q %q=%q: config %v with findings %v", variable, flag, value, c, list)
		}
		if c != nil && c.Validate().Failed() {
			t.Errorf("%q %q=%q: loads, and then is refused: %v", variable, flag, value, c.Validate())
		}
	})
}

// FuzzDecodeStrict checks that a document is read or refused with a place, and
// that every key stands inside the text.
func FuzzDecodeStrict(f *testing.F) {
	for _, s := range []string{
		"version: 1", "people: {web: {rules: [{allow: [x, y]}]}}", "a: &a [*a]", "? [a]\n: b", "{<<: {}}", "---\n---\n", "on: yes\n\twait: 5",
		"\ufeffversion: 1", "note: |\n  a\n b", "tags: [\n", "%YAML 1.2\n---\nversion: 1", "words: {~: ~}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var a, b sample
		at, list := DecodeStrict("f.yaml", []byte(text), &a)
		located(t, text, list)
		for path, p := range at.at {
			if p.line < 1 || p.col < 1 || p.col > len(text)+1 {
				t.Errorf("%q: %s stands at %v", text, path, p)
			}
		}
		if _, again := DecodeStrict("f.yaml", []byte(text), &b); len(again) != len(list) {
			t.Errorf("%q: found %v, then %v", text, list, again)
		}
	})
}

// FuzzUsers checks that what was read is read again as the same after it was
// written, and that no text of a secret shows in a message.
func FuzzUsers(f *testing.F) {
	f.Add("web", record, false)
	f.Add("007", "hunter2-hunter2", true)
	f.Fuzz(func(t *testing.T, name, scram string, disabled bool) {
		r, err := auth.ParseRecord(scram)
		if err != nil {
			_, list := readUsers("f.yaml", []byte("users: [{name: a, secrets: [{scram: '"+strings.ReplaceAll(scram, "'", "''")+"hunter2'}]}]"), 1)
			for _, found := range list {
				if strings.Contains(found.String(), "hunter2") {
					t.Errorf("%q: the secret is in %v", scram, found)
				}
			}
			return
		}
		users := []auth.User{{Name: name, Disabled: disabled, Secrets: []auth.StoredSecret{{Record: r}}}}
		if _, list := auth.NewUsers(users, 1); list.Failed() {
			return
		}
		path := t.TempDir() + "/users.yaml"
		if err := SaveUsers(path, users); err != nil {
			t.Fatal(err)
		}
		again, list := LoadUsers(path, 1)
		if list.Failed() {
			t.Fatalf("%q: %v", name, list)
		}
		if got, ok := again.Find(name); !ok || got.Disabled != disabled || len(got.Secrets) != 1 || got.Secrets[0].Record != r {
			t.Errorf("%q: got %+v", name, got)
		}
	})
}
