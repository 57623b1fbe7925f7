package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/protocol"
)

// version compiles a document that has no errors.
func version(t *testing.T, text string) Version {
	t.Helper()
	doc := parseDoc(t, head+text)
	p, list := Compile(doc)
	if list.Failed() {
		t.Fatalf("%s\n%s", brief(list), text)
	}
	return Version{doc, p}
}

// told writes a difference, one thing a line.
func told(d *Difference) string {
	var lines []string
	for _, c := range d.Changes {
		lines = append(lines, fmt.Sprintf("%s %s: %s -> %s", c.Identity, c.What, c.Was, c.Is))
	}
	for _, a := range d.Answers {
		lines = append(lines, fmt.Sprintf("%s %q %s%v: %v -> %v", a.Identity, a.Key, a.When, a.Commands, a.Was, a.Is))
	}
	return strings.Join(lines, "\n")
}

// who is an identity x with some keys of its own.
func who(keys string) string { return "identities: {x: {match: [{sasl: x}], " + keys + "}}" }

const readsA = `{id: a, allow: ["@read"], keys: ["prefix:a:"]}`

var differences = []struct{ name, was, is, want string }{
	{"nothing", who("rules: [" + readsA + "]"), who("rules: [" + readsA + "]"), ""},
	{"the order of lists and rules", who(`rules: [{allow: [get, mg], keys: ["a*", "b*"]}, {allow: [stats]}]`),
		who(`rules: [{allow: [stats]}, {allow: [mg, get], keys: ["b*", "a*"]}]`), ""},
	{"rules that move into a role", who("rules: [" + readsA + "]"), "roles: {r: {rules: [" + readsA + "]}}\n" + who("roles: [r], rules: []"), ""},
	{"a default written out", who("rules: []"), "defaults: {mode: enforce}\n" + who("rules: [], flush: upstream, deny_reply: error"), ""},
	{"a new identity", "identities: {}", who("namespace: x/, rules: [" + readsA + "]"), `x identity:  -> defined
x namespace:  -> x/
x flush:  -> scoped, if a rule allows it
x match:  -> {sasl: "x"}
x rule a:  -> allow: ["@read"], keys: ["prefix:a:"]`},
	{"an identity that is gone", who("mode: audit, rules: []"), "identities: {}", `x identity: defined -> 
x mode: audit -> 
x match: {sasl: "x"} -> `},
	{"a match", who("rules: []"), `identities: {x: {match: [{tls: {dns: ["b.c", "a.b"]}, from: ["10.0.0.0/8"]}], rules: []}}`, `x match: {sasl: "x"} -> 
x match:  -> {tls: {dns: ["a.b", "b.c"]}, from: ["10.0.0.0/8"]}`},
	{"settings", who("rules: []"), who("rules: [], require: {tls: true, secret: true}, deny_reply: quiet, flush: deny, upstream: u, limits: {rps: 5, ttl_max: 1m, ttl_over: deny}"),
		`x require:  -> tls, secret
x flush: upstream -> deny
x upstream:  -> u
x deny_reply: error -> quiet
x limits:  -> rps=5 ttl_max=60 ttl_over=deny`},
	{"defaults", who("rules: []"), "defaults: {unauthenticated: x, multiget_denied: miss, overlong_key: hash}\n" + who("rules: []"),
		" defaults.unauthenticated: deny -> x\nx multiget_denied: error -> miss\nx overlong_key: error -> hash"},
	{"a mode", who("rules: []"), who("rules: [], mode: audit"), `x mode: enforce -> audit
x "" [flush_all stats stats conns stats reset verbosity cache_memlimit slabs lru lru_crawler extstore]: deny -> would_deny`},
	{"patterns of a rule", who(`rules: [{id: a, allow: [get, mg], keys: ["exact:a"]}]`), who(`rules: [{id: a, allow: [get, mg], keys: ["prefix:a"]}]`),
		`x rule a keys: ["exact:a"] -> ["prefix:a"]
x "ax" [get mg]: deny -> allow`},
	{"a deny rule", who("rules: [" + readsA + "]"), who("rules: [" + readsA + `, {deny: [mg], keys: ["glob:a*:?"]}]`), `x rule:  -> deny: ["mg"], keys: ["glob:a*:?"]
x "a:x" [mg]: allow -> deny`},
	{"a deletion by expiry", who(`rules: [{id: a, allow: [touch], keys: ["exact:a"]}]`), who(`rules: [{id: a, allow: [touch, delete], keys: ["exact:a"]}]`),
		`x rule a allow:  -> ["delete"]
x "a" [touch -1 delete]: deny -> allow`},
	{"conditions", who(`rules: [{id: a, allow: [get], keys: ["exact:a"], when: {tls: true}}]`), who(`rules: [{id: a, allow: [get], keys: ["exact:a"], when: {from: ["10.0.0.0/8"]}}]`),
		`x rule a when: {tls: true} -> {from: ["10.0.0.0/8"]}
x "a" [get]: allow -> deny`},
	{"a condition that is dropped", who(`rules: [{id: a, allow: [get], keys: ["exact:a"], when: {tls: true}}]`), who(`rules: [{id: a, allow: [get], keys: ["exact:a"]}]`),
		`x rule a when: {tls: true} -> 
x "a" without TLS[get]: deny -> allow`},
	{"a time", who(`rules: [{id: a, allow: [get], keys: ["exact:a"], when: {until: 2027-01-01T00:00:00Z}}]`), who(`rules: [{id: a, allow: [get], keys: ["exact:a"]}]`),
		`x rule a when: {until: 2027-01-01T00:00:00Z} -> 
x "a" from 2027-01-01T00:00:00Z on[get]: deny -> allow`},
	{"a namespace of another", `identities: {x: {match: [{sasl: x}], rules: [{allow: [get], keys: ["*"]}]}, y: {match: [{sasl: y}], rules: []}}`,
		`identities: {x: {match: [{sasl: x}], rules: [{allow: [get], keys: ["*"]}]}, y: {match: [{sasl: y}], rules: [], namespace: "t/y/"}}`,
		`y namespace:  -> t/y/
y flush: upstream -> scoped, if a rule allows it
x "t/y/" [get]: allow -> deny
x "t/y/x" [get]: allow -> deny`},
	{"a rule's mode", who(`rules: [{id: a, deny: [flush_all]}, {allow: [flush_all]}]`), who(`rules: [{id: a, deny: [flush_all], mode: audit}, {allow: [flush_all]}]`),
		`x rule a mode:  -> audit
x "" [flush_all]: deny -> would_deny`},
}

func TestDiff(t *testing.T) {
	for _, tt := range differences {
		d := Diff(version(t, tt.was), version(t, tt.is), now, parseCmd)
		if got := told(&d); got != tt.want || d.Equal() != (tt.want == "") {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// TestDiffPutsWhatIsAllowedFirst checks the order of answers.
func TestDiffPutsWhatIsAllowedFirst(t *testing.T) {
	was := version(t, who(`rules: [{allow: [get], keys: ["exact:a"]}]`))
	is := version(t, who(`rules: [{allow: [get], keys: ["exact:b"]}]`))
	d := Diff(was, is, now, parseCmd)
	if len(d.Answers) != 2 || !d.Answers[0].Allows() || d.Answers[0].Sample != "get b" || !d.Answers[1].Denies() {
		t.Errorf("got %s", told(&d))
	}
}

// TestProbesAreEveryCommand checks that no command that is served is left out, and
// that every line is one of the command it says.
func TestProbesAreEveryCommand(t *testing.T) {
	probed := map[string]bool{}
	for _, p := range probes {
		probed[p.grant] = true
		req, err := parseCmd(strings.Replace(p.line, "KEY", "key", 1))
		if err != nil || req.Verb.Grant != p.grant || len(new(demands).of(req, now)) == 0 {
			t.Errorf("%s: %v, %+v", p.line, err, req)
		}
	}
	for _, v := range protocol.Verbs() {
		open := v.Category&(protocol.CatConn|protocol.CatAuth) != 0
		if v.Served() && !open && !probed[v.Grant] {
			t.Errorf("%s is never asked", v.Grant)
		}
	}
}

// TestDiffTellsTheTruth checks of random pairs of documents that answers are what
// both versions give, that a pair without a difference has none for any request,
// and that nothing differs from itself.
func TestDiffTellsTheTruth(t *testing.T) {
	c := rand.New(rand.NewPCG(1, 2))
	answers := 0
	for range 300 {
		a, b := genVersion(t, c), genVersion(t, c)
		if d := Diff(a, a, now, parseCmd); !d.Equal() {
			t.Fatalf("a document differs from itself:\n%s", told(&d))
		}
		d := Diff(a, b, now, parseCmd)
		for i := range d.Answers {
			answers++
			checkAnswer(t, &d.Answers[i], a, b)
		}
		for range 20 {
			req, at := genRequest(c), genAt(c)
			if was, is := mustFind(t, a.Policy, "x").Decide(req, at), mustFind(t, b.Policy, "x").Decide(req, at); was.Verdict != is.Verdict && d.Equal() {
				t.Fatalf("%s\n%v and %v, but no difference is told", describe(b.Doc, req), was, is)
			}
		}
	}
	if answers < 100 {
		t.Errorf("only %d answers were told", answers)
	}
}

// genVersion makes a random document and compiles it.
func genVersion(t *testing.T, c chooser) Version {
	t.Helper()
	doc := genDoc(c)
	p, list := Compile(doc)
	if list.Failed() {
		t.Fatal(brief(list))
	}
	return Version{doc, p}
}

// checkAnswer asks both versions again.
func checkAnswer(t *testing.T, a *Answer, was, is Version) {
	t.Helper()
	x, y := mustFind(t, was.Policy, a.Identity), mustFind(t, is.Policy, a.Identity)
	i := slices.IndexFunc(momentsOf(now, x, y), func(m moment) bool { return m.text == a.When })
	req := mustParse(t, a.Sample)
	at := &momentsOf(now, x, y)[i].at
	if got := [...]Verdict{x.Decide(req, at).Verdict, y.Decide(req, at).Verdict}; got != [...]Verdict{a.Was, a.Is} || a.Was == a.Is {
		t.Fatalf("%+v: asked again %v", *a, got)
	}
}

func TestAs(t *testing.T) {
	p := mustCompile(t, head+`identities:
  web: {match: [{sasl: web}], rules: []}
  k8s: {match: [{service_account: {namespace: "shop-*", name: "*"}}], rules: []}
`)
	for as, want := range map[string]string{
		"web": "", "k8s": "", "k8s:shop-eu/cart": "",
		"ghost":           `no identity is called "ghost"`,
		"ghost:a/b":       `no identity is called "ghost"`,
		"k8s:billing/api": `"k8s:billing/api" is no service account or certificate of identity "k8s"; write k8s:NAMESPACE/NAME or k8s:spiffe://DOMAIN/PATH`,
		"k8s:shop-eu":     `"k8s:shop-eu" is no service account or certificate of identity "k8s"; write k8s:NAMESPACE/NAME or k8s:spiffe://DOMAIN/PATH`,
		"web:a/b":         `"web:a/b" is no service account or certificate of identity "web"; write web:NAMESPACE/NAME or web:spiffe://DOMAIN/PATH`,
	} {
		id, err := p.As(as)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if name, _, _ := strings.Cut(as, ":"); got != want || (err == nil) != (id != nil) || id != nil && id.Name != name {
			t.Errorf("%s: got %v and %q, want %q", as, id, got, want)
		}
	}
}
