package finding

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// codePattern is what a code looks like wherever it stands.
var codePattern = regexp.MustCompile(`\bSG1[0-9]{3}\b`)

// usedCodes are the codes that shipped Go files name, each with one that does.
// The table and its users read the files themselves, so that a change of one is
// seen by go's test cache.
func usedCodes(t *testing.T) map[string]string {
	t.Helper()
	used := map[string]string{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		own := path == filepath.Join(root, "internal", "finding", "codes.go")
		if d.IsDir() || own || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, code := range codePattern.FindAllString(string(text), -1) {
			used[code] = path
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(used) < 50 {
		t.Fatalf("only %d codes were found: the walk is broken", len(used))
	}
	return used
}

func TestEveryCodeIsExplainedOnce(t *testing.T) {
	rows := map[string]int{}
	for _, c := range Codes {
		rows[c.Code]++
	}
	for code, path := range usedCodes(t) {
		if rows[code] != 1 {
			t.Errorf("%s, used in %s, has %d rows in Codes, want 1", code, path, rows[code])
		}
	}
	for code, n := range rows {
		if n != 1 {
			t.Errorf("%s has %d rows in Codes", code, n)
		}
	}
}

func TestEveryExplanationSaysSomething(t *testing.T) {
	last := ""
	titles := map[string]string{}
	for _, c := range Codes {
		if codePattern.FindString(c.Code) != c.Code || c.Code <= last {
			t.Errorf("%q follows %q: codes are in order", c.Code, last)
		}
		last = c.Code
		if len(c.Title) < 8 || len(c.Title) > 70 || strings.HasSuffix(c.Title, ".") {
			t.Errorf("%s: title %q", c.Code, c.Title)
		}
		if len(c.Text) < 20 || !strings.HasSuffix(c.Text, ".") && !strings.HasSuffix(c.Text, "groups") {
			t.Errorf("%s: text %q", c.Code, c.Text)
		}
		if n := strings.Count(c.Text, ". ") + 1; n > 3 {
			t.Errorf("%s: %d sentences", c.Code, n)
		}
		area := c.Code[:4] // the same words may be said of two sorts of file
		if other, twice := titles[area+c.Title]; twice {
			t.Errorf("%s has the title of %s", c.Code, other)
		}
		titles[area+c.Title] = c.Code
	}
}
