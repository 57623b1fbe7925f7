package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/slabgate/slabgate/internal/finding"
)

func TestFindingsArePrintedErrorsFirst(t *testing.T) {
	s := newSite(t)
	s.write(t, "a.yaml", "first: 1\nsecond: \x1b[31mred\nthird: 3\n")
	path := s.path("a.yaml")
	var found finding.List
	found.Warnf("SG1402", "identities.web", "say something", "a warning")
	found = append(found, finding.Finding{Code: "SG1008", File: path, Line: 2, Col: 9, Key: "second", Problem: "unknown key", Effect: "nothing happens", Fix: "remove it"})
	found = append(found, finding.Finding{Code: "SG1004", File: path, Line: 1, Col: 1, Problem: "no YAML", Fix: "write YAML"})
	found = append(found, finding.Finding{Code: "SG1001", File: "/gone.yaml", Problem: "not there", Fix: "create it"})
	var w buffer
	printFindings(&w, found, s.path("users.yaml"))
	want := `error SG1008  FILE:2:9  unknown key
     1 | first: 1
     2 | second:  [31mred
       |         ^
  key     second
  effect  nothing happens
  fix     remove it
  more    slabgate help SG1008
error SG1004  FILE:1:1  no YAML
     1 | first: 1
       | ^
  fix     write YAML
  more    slabgate help SG1004
error SG1001  /gone.yaml  not there
  fix     create it
  more    slabgate help SG1001
warning SG1402  a warning
  key     identities.web
  fix     say something
  more    slabgate help SG1402
`
	if got := strings.ReplaceAll(w.String(), path, "FILE"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestFindingsQuoteOnlyWhatMayBeSeen(t *testing.T) {
	s := newSite(t)
	for _, tc := range []struct {
		name   string
		f      finding.Finding
		quoted bool
	}{
		{"configuration", finding.Finding{Code: "SG1008", File: s.path("slabgate.yaml"), Line: 3, Col: 1}, true},
		{"users", finding.Finding{Code: "SG1281", File: s.path("users.yaml"), Line: 4, Col: 9}, false},
		{"no line", finding.Finding{Code: "SG1008", File: s.path("slabgate.yaml")}, false},
		{"line beyond the file", finding.Finding{Code: "SG1008", File: s.path("slabgate.yaml"), Line: 99, Col: 1}, false},
		{"file gone", finding.Finding{Code: "SG1008", File: s.path("gone.yaml"), Line: 1, Col: 1}, false},
	} {
		var w buffer
		printFinding(&w, &tc.f, s.path("users.yaml"))
		if quoted := strings.Contains(w.String(), " | "); quoted != tc.quoted {
			t.Errorf("%s: got %q, quoted: %v, want %v", tc.name, w.String(), quoted, tc.quoted)
		}
	}
}

// The shape of every file has codes of its own, so that a users file can be
// what is wrong with them too.
func TestUsersFileIsNeverQuoted(t *testing.T) {
	for _, broken := range []string{
		"users: [{name: web, password: hunter2-canary}]\n",
		"users:\n  - name: web\n    secrets: hunter2-canary\n",
		"users:\n  - name: web\n    secrets: [{scram: hunter2-canary}]\n",
		"users: {web: hunter2-canary\n",
		"hunter2-canary\n",
		"users:\n  - name: web\n    name: hunter2-canary\n",
		"users:\n  - &hunter2-canary name: web\n",
	} {
		s := newSite(t)
		s.write(t, "users.yaml", broken)
		o := s.call(t, "check")
		o.want(t, exitConfig, s.path("users.yaml"))
		list := s.call(t, "user", "list")
		list.want(t, exitConfig, s.path("users.yaml"))
		if strings.Contains(o.err+list.err, "hunter2-canary") {
			t.Errorf("%q is quoted:\n%s%s", broken, o.err, list.err)
		}
	}
}

func TestPrintable(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"plain: text", "plain: text"},
		{"tab\tbell\a", "tab bell "},
		{"\x1b]0;title\x07", " ]0;title "},
		{"csi \u009b31m", "csi  31m"},
		{"\u202ereversed", " reversed"},
		{"umlaut ä 世界", "umlaut ä 世界"},
		{"\xff\xfe", "��"},
		{strings.Repeat("x", 100), strings.Repeat("x", 100)},
		{strings.Repeat("x", 101), strings.Repeat("x", 100) + "…"},
		{strings.Repeat("世", 120), strings.Repeat("世", 100) + "…"},
	} {
		got := printable(tc.in)
		if got != tc.want || !utf8.ValidString(got) {
			t.Errorf("%q: got %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestCount(t *testing.T) {
	for _, tc := range []struct {
		errors, warnings int
		want             string
	}{
		{0, 0, "0 errors, 0 warnings"},
		{1, 0, "1 error, 0 warnings"},
		{2, 1, "2 errors, 1 warning"},
		{0, 12, "0 errors, 12 warnings"},
	} {
		var found finding.List
		for range tc.errors {
			found.Errorf("SG1008", "", "", "an error")
		}
		for range tc.warnings {
			found.Warnf("SG1402", "", "", "a warning")
		}
		if got := count(found); got != tc.want {
			t.Errorf("%d errors and %d warnings: got %q, want %q", tc.errors, tc.warnings, got, tc.want)
		}
	}
}
