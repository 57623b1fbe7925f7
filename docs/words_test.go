package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// constants are the values of a Go file's string constants whose name begins
// with prefix, or that have the type kind.
func constants(t *testing.T, path, kind, prefix string) (values []string) {
	t.Helper()
	for _, spec := range specs(t, path) {
		typ, _ := spec.Type.(*ast.Ident)
		named := strings.HasPrefix(spec.Names[0].Name, prefix)
		if len(spec.Values) != 1 || kind != "" && (typ == nil || typ.Name != kind) || !named {
			continue
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
			values = append(values, strings.Trim(lit.Value, `"`))
		}
	}
	if len(values) < 4 {
		t.Fatalf("%s: found only %q", path, values)
	}
	return values
}

// specs are the constants and variables of a Go file.
func specs(t *testing.T, path string) (list []*ast.ValueSpec) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, read(t, path), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range g.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok {
				list = append(list, v)
			}
		}
	}
	return list
}

// TestWords checks that every word an operator meets is explained.
func TestWords(t *testing.T) {
	configuration := read(t, "configuration.md")
	for _, end := range constants(t, "../proxy/end.go", "End", "End") {
		rowOf(t, configuration, end)
	}
	man := read(t, "man/slabgate.8")
	for _, code := range constants(t, "../cmd/slabgate/main.go", "", "exit") {
		if !strings.Contains(man, "\n.It "+code+"\n") {
			t.Errorf("slabgate.8: exit status %s is missing", code)
		}
	}
}

var answer = regexp.MustCompile(`^(CLIENT_ERROR|SERVER_ERROR) `)

// TestAnswers checks that every error answer a page quotes is one there is.
func TestAnswers(t *testing.T) {
	var known []string
	for _, spec := range specs(t, "../protocol/words.go") {
		for _, v := range spec.Values {
			if lit, ok := v.(*ast.BasicLit); ok {
				text, _ := strconv.Unquote(lit.Value)
				known = append(known, strings.TrimSuffix(text, "\r\n"))
			}
		}
	}
	n := 0
	for _, page := range pages(t) {
		for _, s := range spans(read(t, page)) {
			if !answer.MatchString(s) {
				continue
			}
			n++
			if !slices.Contains(known, s) {
				t.Errorf("%s: slabgate never answers %q", page, s)
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d answers were found", n)
	}
}

// TestArrows compares the table of CONTRIBUTING.md with the one that is tested.
func TestArrows(t *testing.T) {
	page := map[string][]string{}
	for _, r := range rows(read(t, "../CONTRIBUTING.md")) {
		if len(r) == 2 && len(spans(r[0])) == 1 {
			page[spans(r[0])[0]] = spans(r[1])
		}
	}
	arrows := arrowsOf(t)
	for pkg, want := range arrows {
		if got := page[pkg]; !slices.Equal(got, want) {
			t.Errorf("CONTRIBUTING.md: %s imports %q, want %q", pkg, got, want)
		}
	}
	for pkg := range page {
		if _, ok := arrows[pkg]; !ok {
			t.Errorf("CONTRIBUTING.md: %s is not in mayImport", pkg)
		}
	}
}

// arrowsOf reads mayImport, each list sorted.
func arrowsOf(t *testing.T) map[string][]string {
	t.Helper()
	arrows := map[string][]string{}
	for _, spec := range specs(t, "../internal/arch/arch_test.go") {
		if spec.Names[0].Name != "mayImport" {
			continue
		}
		for _, e := range spec.Values[0].(*ast.CompositeLit).Elts {
			pair := e.(*ast.KeyValueExpr)
			pkg := strings.Trim(pair.Key.(*ast.BasicLit).Value, `"`)
			arrows[pkg] = nil
			for _, to := range pair.Value.(*ast.CompositeLit).Elts {
				arrows[pkg] = append(arrows[pkg], strings.Trim(to.(*ast.BasicLit).Value, `"`))
			}
			slices.Sort(arrows[pkg])
		}
	}
	if len(arrows) < 10 {
		t.Fatalf("mayImport is not read right: %v", arrows)
	}
	return arrows
}
