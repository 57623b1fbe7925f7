package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/denials"
	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/policy"
)

// TestPageShowsKeysAsTheRecordDoes: who has the socket sees whole keys, who has the
// page sees of them what audit.keys says.
func TestPageShowsKeysAsTheRecordDoes(t *testing.T) {
	for keys, want := range map[string]struct{ command, fix string }{
		"full":      {`^get "secret-4711:alice"$`, `^add "prefix:secret-4711:" to read: of `},
		"prefix:12": {`^get "secret-4711:"…$`, `^add "prefix:secret-4711:" to read: of `},
		"prefix:6":  {`^get "secret"…$`, `^type slabgate explain \w+ on the host$`},
		"hash":      {`^get [0-9a-f]{32}$`, `^type slabgate explain \w+ on the host$`},
		"none":      {`^get$`, `^type slabgate explain \w+ on the host$`},
	} {
		t.Run(keys, func(t *testing.T) {
			w := startWatched(t, "--set", "admin.http=127.0.0.1:0", "--set", "audit.keys="+keys)
			w.asks(t, "get secret-4711:alice")
			_, text := w.page(t, "/status")
			var published status.Document
			if err := json.Unmarshal([]byte(text), &published); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			g := published.Denials.Groups[0]
			if !regexp.MustCompile(want.command).MatchString(g.Command) || !regexp.MustCompile(want.fix).MatchString(g.Fix) {
				t.Errorf("got %q and %q, want %q and %q", g.Command, g.Fix, want.command, want.fix)
			}
			_, html := w.page(t, "/")
			for _, secret := range []string{"alice", "4711"} {
				if shown := strings.Contains(html, secret); shown != strings.Contains(want.command+want.fix, secret) {
					t.Errorf("the page has %q: %v", secret, shown)
				}
			}
			own := w.statusNow(t).Denials.Groups[0]
			if own.Command != "get secret-4711:alice" || !strings.Contains(own.Fix, `"prefix:secret-4711:"`) {
				t.Errorf("the socket says %q and %q", own.Command, own.Fix)
			}
			w.stop(t)
		})
	}
}

// TestWhatIsPublishedOfADenial has those whose key is not the refused one's, and
// lines that say more than a key.
func TestWhatIsPublishedOfADenial(t *testing.T) {
	keys, err := audit.ParseKeys("prefix:4")
	if err != nil {
		t.Fatal(err)
	}
	const cut = "type slabgate explain D1 on the host"
	for _, tc := range []struct{ verb, line, key, fix, command, told string }{
		{"get", "get ab:cd", "ab:cd", `add "prefix:ab:" to read: of r`, `get "ab:c"…`, `add "prefix:ab:" to read: of r`},
		{"get", "get abcdef", "abcdef", `add "exact:abcdef" to read: of r`, `get "abcd"…`, cut},
		{"get", "get abcd", "abcd", `add "exact:abcd" to read: of r`, `get "abcd"`, `add "exact:abcd" to read: of r`},
		{"set", "set abcdef 0 0 5", "", `add "@store" to allow: of r`, `set "abcd"…`, `add "@store" to allow: of r`},
		{"set", "set abcdef 0 0 5", "", `add {allow: ["@store"], write: ["exact:abcdef"]} to rules: of r`, `set "abcd"…`, cut},
		{"mg", "mg YWJjZGVm b", "", `add "@read" to allow: of r`, `mg "abcd"…`, `add "@read" to allow: of r`},
		{"stats", "stats items", "", `add "@stats" to allow: of r`, "stats", `add "@stats" to allow: of r`},
		{"unknown", "gte abcdef", "", "", "unknown", ""},
		{"get", "get \xff\xfe", "\xff\xfe", `add "*" to read: of r`, `get "\xff\xfe"`, `add "*" to read: of r`},
	} {
		e := &denials.Entry{ID: "D1", Denial: denials.Denial{Verb: tc.verb, Sample: denials.Sample{Line: tc.line}}}
		if tc.key != "" {
			e.Sample.Key = []byte(tc.key)
			e.Shape = policy.Shape(e.Sample.Key)
		}
		if command, told := asRecorded(keys)(e, tc.fix); command != tc.command || told != tc.told {
			t.Errorf("%q: got %q and %q, want %q and %q", tc.line, command, told, tc.command, tc.told)
		}
	}
}
