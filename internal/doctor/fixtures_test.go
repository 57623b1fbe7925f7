package doctor

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/host"
	"github.com/slabgate/slabgate/internal/testkit"
)

// A fixture is a captured tree of a machine, as [testkit.Tree] reads it, with
// what a check says of it at its end:
//
//	-- expect --
//	fail critical tcp 0.0.0.0:11211
//	  what was found
//	  @ /proc/net/tcp:2
//	  fix: what to do
//	  $ a command
//	  | a line of configuration
//
// testdata/ID has bad.txt, on which the check finds something, and good.txt, on
// which it does not; variants are bad-NAME.txt and good-NAME.txt. In a tree \0 is
// a byte 0, as /proc has between words, and without a time.txt it is fixtureTime.
//
// With -update the end is written anew: read it before it is committed.
var update = flag.Bool("update", false, "write what the checks say to the end of the fixtures")

const (
	fixtureTime  = "2026-11-26T12:00:00Z"
	expectHeader = "-- expect --\n"
)

// unfinished are groups of checks that have no fixtures yet. A group that has
// them all must not stand here.
var unfinished = []string{}

func TestFixtures(t *testing.T) {
	missing := map[string]int{}
	for _, c := range Checks() {
		for _, bad := range []bool{true, false} {
			files := fixtures(t, c.ID, bad)
			if len(files) == 0 {
				group, _, _ := strings.Cut(c.ID, "-")
				missing[group]++
				if !strings.Contains(strings.Join(unfinished, " "), group) {
					t.Errorf("%s has no fixture %s", c.ID, fixtureKind(bad))
				}
			}
			for _, file := range files {
				t.Run(strings.TrimSuffix(file, ".txt"), func(t *testing.T) { testFixture(t, &c, file, bad) })
			}
		}
	}
	for _, group := range unfinished {
		has := false
		for _, c := range Checks() {
			has = has || strings.HasPrefix(c.ID, group+"-")
		}
		if has && missing[group] == 0 {
			t.Errorf("%s has all its fixtures: take it out of unfinished", group)
		}
	}
}

func fixtureKind(bad bool) string {
	if bad {
		return "bad"
	}
	return "good"
}

// fixtures are the files of a check, as NET-01/bad.txt.
func fixtures(t *testing.T, id string, bad bool) (files []string) {
	t.Helper()
	kind := fixtureKind(bad)
	for _, pattern := range []string{kind + ".txt", kind + "-*.txt"} {
		found, err := filepath.Glob(filepath.Join("testdata", id, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			files = append(files, id+"/"+filepath.Base(f))
		}
	}
	return files
}

// testFixture examines the tree of one file with one check.
func testFixture(t *testing.T, c *Check, file string, bad bool) {
	path := filepath.Join("testdata", file)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tree, want, _ := strings.Cut(string(data), expectHeader)
	records := Examine(fixtureFacts(t, tree), []Check{*c})
	found := 0
	for i := range records {
		found += checkRecord(t, &records[i])
	}
	if (found > 0) != bad {
		t.Errorf("%d findings in a %s tree", found, fixtureKind(bad))
	}
	got := recordText(records)
	if !bad && !strings.Contains(got, "pass ") {
		t.Error("nothing passes in a good tree")
	}
	if got == want {
		return
	}
	if *update {
		if err := os.WriteFile(path, []byte(tree+expectHeader+got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("got\n%s\nwant\n%s", got, want)
}

// fixtureFacts is what is seen in a tree.
func fixtureFacts(t *testing.T, tree string) *host.Facts {
	t.Helper()
	tree = strings.ReplaceAll(tree, `\0`, "\x00")
	if !strings.Contains(tree, "-- time.txt --") {
		tree += "-- time.txt --\n" + fixtureTime + "\n"
	}
	source, err := host.Tree(testkit.Tree(t, tree))
	if err != nil {
		t.Fatal(err)
	}
	return host.Gather(context.Background(), source, host.Options{Active: strings.Contains(tree, "-- active --")})
}

// checkRecord holds what every finding must have, and returns 1 if r is one.
func checkRecord(t *testing.T, r *Record) int {
	t.Helper()
	if r.Text == "" || strings.Contains(r.Text, "\n") {
		t.Errorf("its text is no line: %q", r.Text)
	}
	if !r.Found() {
		return 0
	}
	if len(r.Evidence) == 0 || r.Evidence[0].Source == "" {
		t.Errorf("%s: it does not say where it was seen", r.Text)
	}
	if r.Fix.Text == "" || strings.Contains(r.Fix.Text, "\n") {
		t.Errorf("%s: what to do is no line: %q", r.Text, r.Fix.Text)
	}
	for _, command := range r.Fix.Commands {
		if command == "" || strings.Contains(command, "\n") {
			t.Errorf("%s: a command is no line: %q", r.Text, command)
		}
	}
	return 1
}

// recordText is what a check said, as a fixture has it.
func recordText(records []Record) string {
	var b strings.Builder
	for i := range records {
		r := &records[i]
		fmt.Fprintln(&b, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Status, r.Severity, cmp.Or(r.Subject, "-"))))
		fmt.Fprintf(&b, "  %s\n", r.Text)
		for _, e := range r.Evidence {
			fmt.Fprintf(&b, "  @ %s\n", e.Where())
		}
		if r.Fix == nil {
			continue
		}
		fmt.Fprintf(&b, "  fix: %s\n", r.Fix.Text)
		for _, c := range r.Fix.Commands {
			fmt.Fprintf(&b, "  $ %s\n", c)
		}
		for line := range strings.Lines(r.Fix.Config) {
			fmt.Fprintf(&b, "  | %s\n", strings.TrimRight(line, "\n"))
		}
	}
	return b.String()
}

func TestChecksAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Checks() {
		if seen[c.ID] {
			t.Errorf("%s is there twice", c.ID)
		}
		seen[c.ID] = true
		if c.Title == "" || c.Why == "" || len(c.Refs) == 0 || c.Run == nil {
			t.Errorf("%s lacks a title, a reason, a reference or a question", c.ID)
		}
		if _, ok := ParseSeverity(string(c.Severity)); !ok {
			t.Errorf("%s has severity %q", c.ID, c.Severity)
		}
	}
}

// TestChecksBearAnything examines what nothing is known of: each check has an
// answer, and finds nothing where nothing was seen.
func TestChecksBearAnything(t *testing.T) {
	for _, c := range Checks() {
		records := Examine(&host.Facts{Settings: map[string]string{}}, []Check{c})
		if len(records) == 0 {
			t.Errorf("%s has no answer", c.ID)
		}
		for i := range records {
			if records[i].Found() {
				t.Errorf("%s finds %q where nothing was seen", c.ID, records[i].Text)
			}
		}
	}
}
