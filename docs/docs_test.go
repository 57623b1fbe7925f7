// Package docs_test holds the documentation against the program: what a page
// says of a command, flag, key, default, group, answer or ending is looked up in
// the binary, or in the table of the room that has it.
//
// It judges no prose, and it starts no daemon.
package docs_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// slabgate is the binary under test, built once.
var slabgate string

func TestMain(m *testing.M) { os.Exit(build(m)) }

// build runs the tests with a binary of this tree.
func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "slabgate-docs")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	slabgate = filepath.Join(dir, "slabgate")
	if out, err := exec.Command("go", "build", "-o", slabgate, "../cmd/slabgate").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building slabgate: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// result is how a run of the binary ended.
type result struct {
	out, err string
	code     int
}

// run runs the binary in dir, without the variables that are settings.
func run(t *testing.T, dir string, args ...string) result {
	t.Helper()
	var out, talk bytes.Buffer
	cmd := exec.Command(slabgate, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &talk
	cmd.Env = slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "SLABGATE_") || strings.HasPrefix(e, "GODEBUG=")
	})
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("slabgate %q: %v", args, err)
	}
	return result{out.String(), talk.String(), cmd.ProcessState.ExitCode()}
}

// read is the text of a file, by its path from this folder.
func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// write writes a file below dir.
func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// pages are the paths of every page in Markdown.
func pages(t *testing.T) []string {
	t.Helper()
	here, err := filepath.Glob("*.md")
	if err != nil || len(here) < 4 {
		t.Fatalf("found %q, %v", here, err)
	}
	return append(here, "../README.md", "../CONTRIBUTING.md", "../SECURITY.md", "../CHANGELOG.md")
}

// rows are the table rows of a page, by their first cell, cells without the
// spaces around them.
func rows(text string) (list [][]string) {
	for line := range strings.SplitSeq(text, "\n") {
		inner, ok := strings.CutPrefix(line, "|")
		if !ok {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(inner, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		list = append(list, cells)
	}
	return list
}

var codeSpan = regexp.MustCompile("`([^`\n]+)`")

// spans are the words of a text that stand in backquotes.
func spans(text string) (list []string) {
	for _, m := range codeSpan.FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	return list
}

// rowOf is the only row whose first cell is name in backquotes.
func rowOf(t *testing.T, text, name string) []string {
	t.Helper()
	var found [][]string
	for _, r := range rows(text) {
		if r[0] == "`"+name+"`" {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Errorf("%q has %d rows; want 1", name, len(found))
		return nil
	}
	return found[0]
}

// fence is one fenced block of a page.
type fence struct{ kind, text string }

// fences are the fenced blocks of a page in order.
func fences(text string) (list []fence) {
	var open *fence
	for line := range strings.SplitSeq(text, "\n") {
		kind, mark := strings.CutPrefix(line, "```")
		switch {
		case mark && open == nil:
			open = &fence{kind: kind}
		case mark:
			list = append(list, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return list
}

// TestSourcesAreSeen opens every file the binary is built from, so that the test
// cache notices when one changes.
func TestSourcesAreSeen(t *testing.T) {
	n := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".go") {
			n++
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil || n < 100 {
		t.Errorf("saw %d files, %v", n, err)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notSlug = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// TestLinksLeadSomewhere checks links to files of this tree, and to headings.
func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			path, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			target := filepath.Join(filepath.Dir(page), path)
			if path == "" {
				target = page
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link %q: %v", page, m[1], err)
			} else if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s: link %q: no such heading", page, m[1])
			}
		}
	}
}

// anchors are the names of a page's headings in links.
func anchors(text string) (list []string) {
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		list = append(list, strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return list
}
