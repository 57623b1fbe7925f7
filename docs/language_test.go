package docs_test

import (
	"go/ast"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/policy"
)

// keysOf adds every key of a document of type t, and of what is in it.
func keysOf(t reflect.Type, keys map[string]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		keys[key] = true
		keysOf(t.Field(i).Type, keys)
	}
}

var keyWord = regexp.MustCompile(`[a-z_]+`)

// TestEveryKeyOfAPolicyIsNamed checks that policy.md has every key of the language
// in backquotes.
func TestEveryKeyOfAPolicyIsNamed(t *testing.T) {
	keys, named := map[string]bool{}, map[string]bool{}
	keysOf(reflect.TypeFor[policy.Document](), keys)
	if len(keys) < 50 || keys[""] {
		t.Fatalf("the document is not read right: %v", keys)
	}
	for _, s := range spans(read(t, "policy.md")) {
		for _, word := range keyWord.FindAllString(s, -1) {
			named[word] = true
		}
	}
	for key := range keys {
		if !named[key] {
			t.Errorf("policy.md: the key %s is not named", key)
		}
	}
}

// TestEveryLimitIsQuoted checks that both pages tell what a client reads that
// exceeds a limit, word for word.
func TestEveryLimitIsQuoted(t *testing.T) {
	var texts []string
	for _, spec := range specs(t, "../protocol/words.go") {
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok && strings.HasPrefix(spec.Names[0].Name, "Limit") {
			text, _ := strconv.Unquote(lit.Value)
			texts = append(texts, strings.TrimSuffix(text, "\r\n"))
		}
	}
	if len(texts) < 7 {
		t.Fatalf("only %q were found", texts)
	}
	for _, page := range []string{"policy.md", "compatibility.md"} {
		quoted := spans(read(t, page))
		for _, text := range texts {
			if !slices.Contains(quoted, text) {
				t.Errorf("%s: %q is not quoted", page, text)
			}
		}
	}
}

var (
	codeConst = regexp.MustCompile(`(?m)^\s*(code\w+)\s*= "(SG\d+)"`)
	warned    = regexp.MustCompile(`Warnf\((code\w+),`)
	codeWord  = regexp.MustCompile(`SG\d{4}`)
)

// TestEveryWarningIsListed compares the warnings that policy.md lists with those
// that the policy room gives.
func TestEveryWarningIsListed(t *testing.T) {
	files, err := filepath.Glob("../policy/*.go")
	if err != nil {
		t.Fatal(err)
	}
	codes, given, listed := map[string]string{}, map[string]bool{}, map[string]bool{}
	for _, m := range codeConst.FindAllStringSubmatch(read(t, "../policy/code.go"), -1) {
		codes[m[1]] = m[2]
	}
	for _, f := range files {
		for _, m := range warned.FindAllStringSubmatch(read(t, f), -1) {
			given[codes[m[1]]] = true
		}
	}
	for _, r := range rows(read(t, "policy.md")) {
		for _, code := range codeWord.FindAllString(r[0], -1) {
			listed[code] = true
		}
	}
	if len(given) < 10 || given[""] {
		t.Fatalf("the warnings are not read right: %v", given)
	}
	if !maps.Equal(given, listed) {
		t.Errorf("policy.md lists %v, want %v", slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(given)))
	}
}

// TestExamplesAreListed checks that policy.md says of each policy that is shipped
// what it is for.
func TestExamplesAreListed(t *testing.T) {
	files, err := os.ReadDir("../deploy/examples/policies")
	if err != nil || len(files) < 5 {
		t.Fatalf("found %v, %v", files, err)
	}
	page := rows(read(t, "policy.md"))
	for _, f := range files {
		link := "[" + f.Name() + "](../deploy/examples/policies/" + f.Name() + ")"
		if !slices.ContainsFunc(page, func(r []string) bool { return r[0] == link && len(r) == 2 && r[1] != "" }) {
			t.Errorf("policy.md: %s is not among the examples", f.Name())
		}
	}
}
