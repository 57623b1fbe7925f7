package policy

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

// messy is a document in which anything may be wrong.
type messy struct{ chooser }

// pool is what a messy document chooses from: mostly the good.
type pool struct{ good, bad []string }

var (
	messyNames     = pool{[]string{"web", "shop", "app", "x"}, []string{"", "deny", "a.b", "a b", strings.Repeat("n", 70)}}
	messyCommands  = pool{[]string{"get", "set", "gat", "stats", "delete", "@read", "@rw", "@all", "@flush", "stats:conns"}, []string{"@conn", "version", "gett", "@reads", "", "GET"}}
	messyPatterns  = pool{[]string{"*", "exact:a", "prefix:a:", "a:*", "prefix:a"}, []string{"foo", "glob:*", "prefix:", "exact:a b", "prefix:a*", "a?*", ""}}
	messyNetworks  = pool{[]string{"10.0.0.0/8", "10.1.0.0/16", "fd00::/8"}, []string{"10.1.2.3", "10.1.2.3/8", "::ffff:10.0.0.0/104", "x", ""}}
	messyURIs      = pool{[]string{"spiffe://corp/web", "spiffe://corp/*", "spiffe://corp/**"}, []string{"spiffe://corp/a*", "https://corp", ""}}
	messyDNS       = pool{[]string{"web.corp", "*.corp"}, []string{"Web", "*", ""}}
	messyIDNumbers = pool{[]string{"0", "33", "100"}, []string{"", "web", "033", "4294967295"}}
	messyPins      = pool{[]string{"sha256:" + strings.Repeat("0a", 32), "sha256:" + strings.Repeat("A", 43) + "="}, []string{"", "sha256:", strings.Repeat("0", 64)}}
	messyAccounts  = pool{[]string{"*", "shop", "shop-*"}, []string{"", "a*b", "Shop"}}
	messyModes     = pool{[]string{"", "enforce", "audit"}, []string{"learn", "off", "deny"}}
	messyReplies   = pool{[]string{"", "error", "quiet"}, []string{"miss"}}
	messyDefaults  = pool{[]string{"", "deny"}, []string{"web", "shop", "nobody"}}
	messyExpects   = pool{[]string{"allow", "deny"}, []string{"", "would_deny"}}
	messyIDs       = pool{[]string{"", "", "", "one", "two"}, []string{"a b"}}
)

// pick returns something good of p, or once in thirty something bad.
func (m messy) pick(p pool) string {
	if m.IntN(30) == 29 {
		return one(m.chooser, p.bad)
	}
	return one(m.chooser, p.good)
}

// some returns up to three of p, or seldom nothing or an empty list.
func (m messy) some(p pool) []string {
	switch m.IntN(30) {
	case 28:
		return nil
	case 29:
		return []string{}
	}
	var out []string
	for range 1 + m.IntN(3) {
		out = append(out, m.pick(p))
	}
	return out
}

// maybe returns one of p, or more often nil.
func (m messy) maybe(p pool) *string {
	if m.IntN(3) > 0 {
		return nil
	}
	return new(m.pick(p))
}

func (m messy) rules() []Rule {
	var rules []Rule
	for range m.IntN(3) {
		r := Rule{ID: m.pick(messyIDs), Keys: m.some(messyPatterns)}
		if m.IntN(4) > 0 {
			r.Allow = m.some(messyCommands)
		} else {
			r.Deny = m.some(messyCommands)
		}
		if m.IntN(20) == 19 {
			r.Read, r.Write, r.Deny = m.some(messyPatterns), m.some(messyPatterns), m.some(messyCommands)
		}
		rules = append(rules, r)
	}
	return rules
}

func (m messy) match() Match {
	out := Match{ASCII: m.maybe(messyNames), Listener: m.maybe(messyNames)}
	if m.IntN(3) == 0 {
		out.From = m.some(messyNetworks)
	}
	if m.IntN(3) == 0 {
		out.TLS = &TLSMatch{URI: m.maybe(messyURIs), CN: m.maybe(messyNames), Pin: m.maybe(messyPins)}
		if m.IntN(2) == 0 {
			out.TLS.DNS = m.some(messyDNS)
		}
	}
	if m.IntN(4) == 0 {
		out.Unix = &UnixMatch{UID: m.maybe(messyIDNumbers), GID: m.maybe(messyIDNumbers)}
	}
	if m.IntN(6) == 0 {
		out.ServiceAccount = &AccountMatch{new(m.pick(messyAccounts)), new(m.pick(messyAccounts)), m.maybe(messyNames)}
	}
	return out
}

func (m messy) doc() *Document {
	doc := &Document{Version: 1, Categories: 1, Roles: make(map[string]Role), Identities: make(map[string]IdentityDoc)}
	if m.IntN(30) == 29 {
		doc.Version, doc.Categories = m.IntN(3), m.IntN(3)
	}
	doc.Defaults = Defaults{Mode: m.pick(messyModes), Unauthenticated: m.pick(messyDefaults), DenyReply: m.pick(messyReplies)}
	for range m.IntN(3) {
		doc.Roles[m.pick(messyNames)] = Role{Rules: m.rules()}
	}
	for range 1 + m.IntN(3) {
		id := IdentityDoc{WeakOK: true, Rules: m.rules(), Mode: m.pick(messyModes), DenyReply: m.pick(messyReplies)}
		if m.IntN(4) == 0 {
			id.Roles = m.some(messyNames)
			id.WeakOK = false
		}
		id.Require = Require{TLS: m.IntN(2) == 0, Secret: m.IntN(8) == 7}
		for range 1 + m.IntN(2) {
			id.Match = append(id.Match, m.match())
		}
		doc.Identities[m.pick(messyNames)] = id
	}
	for range m.IntN(2) {
		doc.Tests = append(doc.Tests, Test{As: m.pick(messyNames), Cmd: m.pick(messyCommands), Expect: m.pick(messyExpects)})
	}
	return doc
}

var codeForm = regexp.MustCompile(`^SG11[0-9][0-9]$`)

// checkCompile checks what holds of the findings about any document.
func checkCompile(t *testing.T, doc, same *Document) bool {
	t.Helper()
	text, err := yaml.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	p, list := Compile(doc)
	if (p == nil) != list.Failed() {
		t.Fatalf("%s\npolicy %v with findings\n%s", text, p, brief(list))
	}
	if !reflect.DeepEqual(doc, same) {
		t.Fatalf("%s\nwas changed by Compile", text)
	}
	if _, again := Compile(same); brief(again) != brief(list) {
		t.Fatalf("%s\ngives findings\n%sand again\n%s", text, brief(list), brief(again))
	}
	seen := make(map[string]bool)
	for _, f := range list {
		if !codeForm.MatchString(f.Code) || f.Problem == "" || f.Fix == "" || strings.ContainsAny(f.Problem+f.Fix, "\n\r") {
			t.Fatalf("%s\nfinding %+v", text, f)
		}
		if !resolves(tree, f.Key) {
			t.Fatalf("%s\nthere is no %q, in %s", text, f.Key, f)
		}
		if line := f.Code + f.String(); seen[line] {
			t.Fatalf("%s\nis told twice: %s", text, line)
		} else {
			seen[line] = true
		}
	}
	return p != nil
}

// resolves reports whether a key path leads somewhere in a document, or to a
// key that a map of it could have.
func resolves(node any, path string) bool {
	if path == "" {
		return true
	}
	switch n := node.(type) {
	case []any:
		var i int
		if _, err := fmt.Sscanf(path, "[%d]", &i); err != nil || i >= len(n) {
			return false
		}
		_, rest, _ := strings.Cut(path, "]")
		return resolves(n[i], strings.TrimPrefix(rest, "."))
	case map[string]any:
		for k, v := range n {
			rest, ok := strings.CutPrefix(path, k)
			if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') && resolves(v, strings.TrimPrefix(rest, ".")) {
				return true
			}
		}
		return !strings.ContainsAny(path, ".[")
	}
	return false
}

// TestCompileMessyDocuments tries documents in which anything may be wrong.
func TestCompileMessyDocuments(t *testing.T) {
	rounds := 1500
	if long() {
		rounds = 100000
	}
	compiled := 0
	for i := range rounds {
		make := func() *Document { return messy{rand.New(rand.NewPCG(15, uint64(i)))}.doc() }
		if checkCompile(t, make(), make()) {
			compiled++
		}
	}
	if compiled < rounds/40 {
		t.Errorf("%d of %d documents compile; the test tries too little", compiled, rounds)
	}
}

// FuzzCompile checks the findings about a document made of the fuzzed bytes.
func FuzzCompile(f *testing.F) {
	rnd := rand.New(rand.NewPCG(17, 18))
	for range 50 {
		seed := make([]byte, 120)
		for i := range seed {
			seed[i] = byte(rnd.IntN(256))
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		checkCompile(t, messy{&bytesChooser{in}}.doc(), messy{&bytesChooser{in}}.doc())
	})
}

// TestPolicyIsShared uses one policy from several goroutines: under the race
// detector it shows that asking changes nothing.
func TestPolicyIsShared(t *testing.T) {
	doc := parseDoc(t, examples["migration"])
	p, _ := Compile(doc)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				if list := p.RunTests(doc, now, parseCmd); len(list) > 0 {
					t.Errorf("got %s", brief(list))
				}
				if id, _, err := p.Identify(factsOf(t, "user=web")); err != nil || id.Name != "web" {
					t.Errorf("got %v, %v", id, err)
				}
				Groups()
			}
		})
	}
	all.Wait()
}

// TestPolicyOutlivesItsSuccessor checks that a request which holds one policy is
// decided by it alone after another has been compiled from a changed document.
func TestPolicyOutlivesItsSuccessor(t *testing.T) {
	before := mustFind(t, mustCompile(t, head+web(`rules: [{allow: [get], read: ["a:*"]}]`)), "web")
	after := mustFind(t, mustCompile(t, head+web(`rules: [{allow: [get], read: ["b:*"]}]`)), "web")
	for cmd, want := range map[string][2]Verdict{
		"get a:1":     {Allow, Deny},
		"get b:1":     {Deny, Allow},
		"get a:1 b:1": {Deny, Deny}, // never half by one and half by the other
	} {
		req := mustParse(t, cmd)
		if got := [2]Verdict{before.Decide(req, at).Verdict, after.Decide(req, at).Verdict}; got != want {
			t.Errorf("%q: got %v, want %v", cmd, got, want)
		}
	}
}
