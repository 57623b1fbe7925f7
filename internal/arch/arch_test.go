package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/slabgate/slabgate/"

// mayImport is the whole picture. A package that is missing here may import
// nothing of ours; an arrow that is not here does not exist.
var mayImport = map[string][]string{
	"protocol":             {},
	"auth":                 {"internal/finding"},
	"certs":                {"internal/finding"},
	"internal/finding":     {},
	"internal/metrics":     {},
	"internal/buffers":     {},
	"internal/poll":        {},
	"internal/procnet":     {},
	"policy":               {"auth", "internal/finding", "protocol"},
	"upstream":             {"internal/buffers", "internal/finding", "internal/metrics", "internal/poll", "internal/procnet", "protocol"},
	"internal/audit":       {"auth", "internal/finding", "internal/metrics", "policy"},
	"internal/denials":     {},
	"internal/doctor":      {"internal/finding", "internal/host"},
	"internal/host":        {"internal/procnet"},
	"internal/probe":       {"internal/doctor", "internal/host"},
	"internal/exporter":    {"internal/metrics", "protocol"},
	"internal/generations": {"protocol"},
	"internal/learn":       {"policy", "protocol"},
	"proxy":                {"auth", "internal/audit", "internal/buffers", "internal/denials", "internal/finding", "internal/generations", "internal/learn", "internal/metrics", "internal/poll", "policy", "protocol", "upstream"},
	"internal/admin":       {"internal/denials", "internal/metrics", "internal/status", "proxy"},
	"internal/status":      {"proxy"},
	"internal/page":        {"internal/status"},
	"internal/systemd":     {},
	"internal/watch":       {},
	"internal/config":      {"auth", "certs", "internal/audit", "internal/finding", "policy", "proxy", "upstream"},
	"internal/testkit":     {},
	"internal/arch":        {},
	"internal/democlient":  {},
	"bench":                {},
	"scripts/summary":      {},
	"cmd/slabgate": {
		"auth", "certs", "internal/admin", "internal/audit", "internal/config", "internal/denials", "internal/doctor", "internal/exporter", "internal/finding",
		"internal/generations", "internal/host", "internal/learn", "internal/metrics", "internal/page", "internal/probe", "internal/status", "internal/systemd", "internal/watch", "policy", "protocol", "proxy", "upstream",
	},
}

// mayUse is the room of each third-party module: who else imports it fails.
var mayUse = map[string][]string{
	"github.com/coreos/go-systemd/v22":    {"internal/systemd"},
	"github.com/emersion/go-sasl":         {"auth"},
	"github.com/fsnotify/fsnotify":        {"internal/watch"},
	"github.com/hashicorp/golang-lru/v2":  {"auth"},
	"github.com/xdg-go/scram":             {"auth"},
	"github.com/spiffe/go-spiffe/v2":      {"auth"},
	"golang.org/x/sync":                   {"auth"},
	"github.com/spf13/viper":              {"internal/config"},
	"github.com/go-viper/mapstructure/v2": {"internal/config"},
	"go.yaml.in/yaml/v3":                  {"internal/config"},
	"github.com/spf13/cobra":              {"cmd/slabgate"},
	"golang.org/x/term":                   {"cmd/slabgate"},
	"golang.org/x/sys":                    {"cmd/slabgate", "internal/host", "internal/poll", "proxy"},
	"go.uber.org/zap":                     {"cmd/slabgate", "internal/admin", "internal/generations", "internal/watch", "proxy", "upstream"},
	"github.com/prometheus/client_golang": {"internal/admin", "internal/exporter"},
	"go.uber.org/goleak":                  {"internal/testkit"},
}

// mayNotUse are standard packages that would break what a room promises. The
// reason is printed.
var mayNotUse = map[string]map[string]string{
	"protocol": {"net": "it is pure", "os": "it is pure", "time": "it is pure", "log": "it never logs", "sync": "it keeps no state", "crypto/tls": "it is pure"},
	"policy":   {"net": "it is pure", "os": "it is pure", "time": "it is handed the time", "log": "it never logs", "sync": "it never changes"},
	"auth":     {"net": "it holds no connection", "log": "it never logs", "os": "it is handed its users"},
	"proxy":    {"net/http": "HTTP has a room of its own"},
	"upstream": {"net/http": "HTTP has a room of its own"},
}

// mayStart are the files in which a goroutine may be started: each has an owner
// that waits for it.
var mayStart = []string{"proxy/server.go", "upstream/lane.go", "cmd/slabgate/serve.go", "cmd/slabgate/look.go", "cmd/slabgate/drain.go", "cmd/slabgate/reload.go", "cmd/slabgate/loading.go", "bench/load.go", "internal/host/askall.go"}

// source is one Go file that ships.
type source struct {
	path, pkg string // from the root of the tree, with slashes
	file      *ast.File
}

// shipped parses every file that is no test.
func shipped(t *testing.T) (*token.FileSet, []source) {
	t.Helper()
	root := filepath.Join("..", "..")
	fset := token.NewFileSet()
	var list []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		rel = filepath.ToSlash(rel)
		if d.IsDir() && (d.Name() == "testdata" || rel != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, rel, data, parser.ParseComments)
		list = append(list, source{rel, filepath.ToSlash(filepath.Dir(rel)), f})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 50 {
		t.Fatalf("only %d files were found: the walk is broken", len(list))
	}
	return fset, list
}

func TestArrows(t *testing.T) {
	_, list := shipped(t)
	for _, s := range list {
		allowed, known := mayImport[s.pkg]
		if !known {
			t.Errorf("%s: package %s is not in mayImport", s.path, s.pkg)
		}
		for _, imp := range imports(s.file) {
			checkImport(t, s, allowed, imp)
		}
	}
}

func checkImport(t *testing.T, s source, allowed []string, imp string) {
	t.Helper()
	if ours, ok := strings.CutPrefix(imp, module); ok {
		if !slices.Contains(allowed, ours) {
			t.Errorf("%s: imports %s, an arrow that does not exist", s.path, ours)
		}
		return
	}
	if why, no := mayNotUse[s.pkg][imp]; no {
		t.Errorf("%s: imports %s: %s", s.path, imp, why)
	}
	if !strings.Contains(strings.Split(imp, "/")[0], ".") {
		return
	}
	for mod, rooms := range mayUse {
		if imp == mod || strings.HasPrefix(imp, mod+"/") {
			if !slices.Contains(rooms, s.pkg) {
				t.Errorf("%s: imports %s, whose room is %v", s.path, imp, rooms)
			}
			return
		}
	}
	t.Errorf("%s: imports %s, which has no room", s.path, imp)
}

func imports(f *ast.File) (paths []string) {
	for _, i := range f.Imports {
		paths = append(paths, strings.Trim(i.Path.Value, `"`))
	}
	return paths
}

func TestGoroutinesHaveAnOwner(t *testing.T) {
	fset, list := shipped(t)
	for _, s := range list {
		if s.pkg == "internal/testkit" || slices.Contains(mayStart, s.path) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if n != nil && startsGoroutine(n) {
				t.Errorf("%s: starts a goroutine; it may in %v only", fset.Position(n.Pos()), mayStart)
			}
			return true
		})
	}
}

// startsGoroutine reports whether n is a go statement, or a call of the method by
// which a WaitGroup starts one.
func startsGoroutine(n ast.Node) bool {
	if _, ok := n.(*ast.GoStmt); ok {
		return true
	}
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	return ok && method.Sel.Name == "Go"
}

func TestStartsGoroutineSeesBothWays(t *testing.T) {
	for text, want := range map[string]bool{"go f()": true, "wg.Go(f)": true, "wg.Wait()": false, "f()": false} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nfunc g() { "+text+" }", 0)
		if err != nil {
			t.Fatal(err)
		}
		got := false
		ast.Inspect(f, func(n ast.Node) bool {
			got = got || n != nil && startsGoroutine(n)
			return true
		})
		if got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestOnlyMainExits(t *testing.T) {
	fset, list := shipped(t)
	for _, s := range list {
		ast.Inspect(s.file, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := c.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" && sel.Sel.Name == "Exit" && !strings.HasSuffix(s.path, "/main.go") {
				t.Errorf("%s: ends the process", fset.Position(c.Pos()))
			}
			return true
		})
	}
}

func TestNoInitAndNoMutableVariables(t *testing.T) {
	fset, list := shipped(t)
	for _, s := range list {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: init function", fset.Position(f.Pos()))
			}
		}
		assigned := assignedNames(s.file)
		for _, name := range packageVars(s.file) {
			if assigned[name] {
				t.Errorf("%s: package variable %s is assigned to in a function", s.path, name)
			}
		}
	}
}

func packageVars(f *ast.File) (names []string) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			for _, n := range spec.(*ast.ValueSpec).Names {
				names = append(names, n.Name)
			}
		}
	}
	return names
}

// assignedNames are the identifiers that are assigned to, with = and no new
// name, and whose object the parser resolved to the file's own scope.
func assignedNames(f *ast.File) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		a, ok := n.(*ast.AssignStmt)
		if !ok || a.Tok == token.DEFINE {
			return true
		}
		for _, l := range a.Lhs {
			if id, ok := l.(*ast.Ident); ok && id.Obj != nil && f.Scope.Lookup(id.Name) == id.Obj {
				names[id.Name] = true
			}
		}
		return true
	})
	return names
}

func TestEveryPackageHasAComment(t *testing.T) {
	_, list := shipped(t)
	commented, all := map[string]bool{}, map[string]bool{}
	for _, s := range list {
		all[s.pkg] = true
		if s.file.Doc != nil {
			commented[s.pkg] = true
		}
	}
	for pkg := range all {
		if !commented[pkg] {
			t.Errorf("package %s has no comment", pkg)
		}
	}
}

func TestNothingShippedImportsTestkit(t *testing.T) {
	_, list := shipped(t)
	for _, s := range list {
		if s.pkg == "internal/testkit" {
			continue
		}
		if slices.Contains(imports(s.file), module+"internal/testkit") {
			t.Errorf("%s: imports internal/testkit", s.path)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	fset, list := shipped(t)
	for _, s := range list {
		ast.Inspect(s.file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			for _, bad := range []string{"failed to", "unable to", "could not "} {
				if strings.Contains(lit.Value, bad) {
					t.Errorf("%s: says %q: say what happened instead", fset.Position(lit.Pos()), bad)
				}
			}
			return true
		})
	}
}
