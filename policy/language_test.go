package policy

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/finding"
)

// TestWorkedExamplesPass checks that the worked examples of the language load, as
// they were written first and as they are shipped, and pass their own tests.
func TestWorkedExamplesPass(t *testing.T) {
	for _, folder := range []string{"testdata/worked", "../deploy/examples/policies"} {
		files, err := os.ReadDir(folder)
		if err != nil || len(files) != 5 {
			t.Fatalf("%s: %d examples, %v", folder, len(files), err)
		}
		for _, f := range files {
			data, err := os.ReadFile(filepath.Join(folder, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			// On this host the group may not exist; names are looked up where files are read.
			doc := parseDoc(t, strings.ReplaceAll(string(data), "gid: memcache-admin", `gid: "990"`))
			p, list := Compile(doc)
			if list.Failed() {
				t.Errorf("%s/%s: %s", folder, f.Name(), brief(list))
				continue
			}
			if list := p.RunTests(doc, now, parseCmd); len(list) > 0 {
				t.Errorf("%s/%s: %s", folder, f.Name(), brief(list))
			}
		}
	}
}

// TestModes checks what each mode makes of a denial, of a rule's own mode against
// the identity's, and which of them a test counts as allowed.
func TestModes(t *testing.T) {
	const allow = `{allow: ["@read"], keys: ["a:*"]}`
	for _, tt := range []struct {
		name, body, cmd string
		want            Verdict
		granted         bool
	}{
		{"enforce", "rules: [" + allow + "]", "get b:1", Deny, false},
		{"audit", "mode: audit, rules: [" + allow + "]", "get b:1", WouldDeny, false},
		{"learn", "mode: learn, rules: [" + allow + "]", "get b:1", Learned, false},
		{"off", "mode: off, rules: [" + allow + "]", "get b:1", Allow, false},
		{"audit of what is allowed", "mode: audit, rules: [" + allow + "]", "get a:1", Allow, true},
		{"a deny rule enforced in audit", `mode: audit, rules: [{allow: ["@all"], keys: ["*"]}, {mode: enforce, deny: ["@flush"]}]`, "flush_all", Deny, false},
		{"a deny rule enforced in off", `mode: off, rules: [{mode: enforce, deny: ["@flush"]}]`, "flush_all", Deny, false},
		{"a deny rule in off", `mode: off, rules: [` + allow + `, {deny: ["@read"]}]`, "get a:1", Allow, false},
		{"a deny rule on trial", `rules: [` + allow + `, {mode: audit, deny: ["@read"]}]`, "get a:1", WouldDeny, false},
		{"a deny rule that learns", `rules: [` + allow + `, {mode: learn, deny: ["@read"]}]`, "get a:1", Learned, false},
		{"a deny rule that is off", `rules: [` + allow + `, {mode: off, deny: ["@read"]}]`, "get a:1", Allow, true},
		{"a deny rule on trial of what is denied anyway", `rules: [` + allow + `, {mode: audit, deny: ["@read"]}]`, "get b:1", Deny, false},
		{"an allow rule on trial", `rules: [{mode: audit, allow: ["@read"], keys: ["a:*"]}]`, "get a:1", WouldDeny, false},
		{"an allow rule that is off", `rules: [{mode: off, allow: ["@read"], keys: ["a:*"]}]`, "get a:1", Deny, false},
		{"an allow rule on trial beside a firm one", `rules: [{mode: audit, allow: ["@read"], keys: ["*"]}, ` + allow + `]`, "get a:1", Allow, true},
		{"one key of two on trial", `rules: [{mode: audit, allow: ["@read"], keys: ["*"]}, ` + allow + `]`, "get a:1 b:1", WouldDeny, false},
		{"keyless on trial", `rules: [{mode: audit, allow: [stats]}]`, "stats", WouldDeny, false},
		{"on trial where all is let through", `mode: learn, rules: [{mode: audit, allow: [stats]}]`, "stats", Learned, false},
		{"two deny rules, the hardest counts", `rules: [` + allow + `, {mode: learn, deny: [get]}, {mode: enforce, deny: ["@read"]}]`, "get a:1", Deny, false},
	} {
		id := mustFind(t, mustCompile(t, head+web(tt.body)), "web")
		got := id.Decide(mustParse(t, tt.cmd), at)
		if got.Verdict != tt.want || got.Granted() != tt.granted {
			t.Errorf("%s: %q is %v (%v), granted %v; want %v, %v", tt.name, tt.cmd, got.Verdict, got.Reason, got.Granted(), tt.want, tt.granted)
		}
		if mode, by := map[Verdict]Mode{WouldDeny: ModeAudit, Learned: ModeLearn}[got.Verdict]; by && !id.Tries(mode) {
			t.Errorf("%s: nothing is told to be in mode %v", tt.name, mode)
		}
	}
	if id := mustFind(t, mustCompile(t, head+web("mode: audit, rules: [{mode: off, deny: [get]}]")), "web"); id.Tries(ModeLearn) || id.Tries(ModeEnforce) || !id.Tries(ModeOff) {
		t.Error("an identity is told to be in a mode that nothing of it is in")
	}
}

// TestWhen checks each part of a condition at its edge.
func TestWhen(t *testing.T) {
	in, out := netip.MustParseAddr("10.2.3.4"), netip.MustParseAddr("10.3.0.0")
	for _, tt := range []struct {
		when string
		at   At
		want bool
	}{
		{"{tls: true}", At{TLS: true}, true},
		{"{tls: true}", At{}, false},
		{"{tls: false}", At{}, true},
		{"{tls: false}", At{TLS: true}, false},
		{"{from: [10.2.0.0/16]}", At{From: in}, true},
		{"{from: [10.2.0.0/16]}", At{From: netip.MustParseAddr("::ffff:10.2.3.4")}, true},
		{"{from: [10.2.0.0/16]}", At{From: out}, false},
		{"{from: [10.2.0.0/16]}", At{}, false},
		{"{from: [192.0.2.0/24, 10.2.0.0/16]}", At{From: in}, true},
		{"{until: 2026-07-01T00:00:00Z}", At{Now: now - 1}, true},
		{"{until: 2026-07-01T00:00:00Z}", At{Now: now}, false},
		{"{tls: true, from: [10.2.0.0/16]}", At{TLS: true, From: in}, true},
		{"{tls: true, from: [10.2.0.0/16]}", At{From: in}, false},
		{"{tls: true, from: [10.2.0.0/16]}", At{TLS: true, From: out}, false},
	} {
		allowed := mustFind(t, mustCompile(t, head+web(`rules: [{allow: [get, stats], keys: ["*"], when: `+tt.when+`}]`)), "web")
		denied := mustFind(t, mustCompile(t, head+web(`rules: [{allow: ["@all"], keys: ["*"]}, {deny: ["@read", stats], when: `+tt.when+`}]`)), "web")
		for _, cmd := range []string{"get a", "stats"} {
			req := mustParse(t, cmd)
			if got := allowed.Decide(req, &tt.at).Verdict == Allow; got != tt.want {
				t.Errorf("%s at %+v: %q allowed is %v", tt.when, tt.at, cmd, got)
			}
			if got := denied.Decide(req, &tt.at).Verdict == Deny; got != tt.want {
				t.Errorf("%s at %+v: %q denied is %v", tt.when, tt.at, cmd, got)
			}
		}
	}
}

// TestFlush checks what flush_all needs, and whom it concerns.
func TestFlush(t *testing.T) {
	const space = `namespace: "t/{identity}/", `
	for _, tt := range []struct {
		body           string
		allowed, scope bool
	}{
		{space + "flush: scoped", true, true},
		{space + `flush: scoped, rules: [{deny: ["@flush"]}]`, false, true},
		{space + `flush: scoped, rules: [{mode: audit, deny: ["@flush"]}]`, false, true},
		{space + `rules: [{allow: [stats]}]`, false, true},
		{space + `rules: [{allow: ["@flush"]}]`, true, true},
		{space + `flush: upstream`, false, false},
		{space + `flush: upstream, rules: [{allow: ["@flush"]}]`, true, false},
		{space + `flush: deny, rules: [{allow: ["@flush"]}]`, false, true},
		{`rules: [{allow: ["@flush"]}]`, true, false},
		{`flush: deny, rules: [{allow: ["@flush"]}]`, false, false},
		{`flush: upstream, rules: [{allow: ["@flush"]}]`, true, false},
	} {
		id := mustFind(t, mustCompile(t, head+web(tt.body)), "web")
		d := id.Decide(mustParse(t, "flush_all"), at)
		if d.Granted() != tt.allowed || id.ScopedFlush != tt.scope {
			t.Errorf("%s: granted %v (%v), scoped %v; want %v, %v", tt.body, d.Granted(), d.Reason, id.ScopedFlush, tt.allowed, tt.scope)
		}
		if fix := id.Explain(mustParse(t, "flush_all"), at).Fix; (fix == "") != tt.allowed {
			t.Errorf("%s: the fix is %q", tt.body, fix)
		}
	}
}

// TestNamespaceRoots checks what is put before keys.
func TestNamespaceRoots(t *testing.T) {
	uri := auth.Facts{Cert: &auth.Cert{URI: "spiffe://corp/ns/shop/sa/cart"}}
	account := auth.Facts{Account: &auth.ServiceAccount{Namespace: "shop-eu", Name: "cart.v2"}}
	for _, tt := range []struct {
		namespace, match string
		facts            auth.Facts
		want             string // "" if there can't be one
	}{
		{"t/{identity}/", "ascii: web", auth.Facts{}, "t/web/"},
		{"tenant:web:", "ascii: web", auth.Facts{}, "tenant:web:"},
		{"u/{tls.uri[1]}/{tls.uri[3]}/", `tls: {uri: "spiffe://corp/**"}`, uri, "u/shop/cart/"},
		{"u/{tls.uri[0]}/", `tls: {uri: "spiffe://corp/**"}`, uri, "u/ns/"},
		{"u/{tls.uri[4]}/", `tls: {uri: "spiffe://corp/**"}`, uri, ""},
		{"u/{tls.uri[1]}/", `tls: {uri: "spiffe://corp/**"}`, auth.Facts{}, ""},
		{"k/{k8s.namespace}/{k8s.name}/", `service_account: {namespace: "*", name: "*"}`, account, "k/shop-eu/cart.v2/"},
		{"k/{k8s.name}/", `service_account: {namespace: "*", name: "*"}`, auth.Facts{Account: &auth.ServiceAccount{Name: "a/b"}}, ""},
		{"k/{k8s.name}/", `service_account: {namespace: "*", name: "*"}`, auth.Facts{Account: &auth.ServiceAccount{Name: strings.Repeat("n", longestRoot)}}, ""},
	} {
		p := mustCompile(t, head+"identities: {web: {match: [{"+tt.match+`}], namespace: "`+tt.namespace+`"}}`)
		got, err := mustFind(t, p, "web").Root(&tt.facts)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: got %q, %v, want %q", tt.namespace, got, err, tt.want)
		}
		if tt.want != "" && !p.IsRoot(tt.want) || p.IsRoot("other/web/") || p.IsRoot("t") {
			t.Errorf("%s: what is a root is not told from what is none", tt.namespace)
		}
	}
}

// TestNamespacesAreApart checks that nobody without a namespace reaches one.
func TestNamespacesAreApart(t *testing.T) {
	two := func(raw string) string {
		return head + `identities: {tenant: {match: [{ascii: t}], namespace: "t/{identity}/", rules: [{allow: ["@all"], keys: ["*"]}]}, raw: {match: [{ascii: r}], ` + raw + `}}`
	}
	all := `rules: [{allow: ["@all"], keys: ["*"]}]`
	for _, tt := range []struct {
		raw, cmd string
		want     bool
	}{
		{all, "get t", true},
		{all, "get tt/1", true},
		{all, "get t/", false},
		{all, "get t/tenant/1/k", false},
		{all, "get a t/tenant/1/k", false},
		{all, "set t/other/1/k 0 0 1", false},
		{all, "delete slabgate/generation/t/tenant/", false},
		{"mode: audit, " + all, "get t/tenant/1/k", false},
		{"mode: learn, " + all, "get t/tenant/1/k", false},
		{"mode: off, " + all, "get t/tenant/1/k", false},
		{"namespaces: [all], " + all, "get t/tenant/1/k", true},
		{"namespaces: [all], " + all, "get slabgate/generation/t/tenant/", false},
		{"namespaces: [all], mode: off, " + all, "set slabgate/flushes 0 0 1", false},
		{`namespaces: ["t/"], ` + all, "get t/tenant/1/k", true},
		{`namespaces: ["t/"], ` + all, "get slabgate/x", false},
		{`namespaces: ["t/other/"], ` + all, "get t/tenant/1/k", false},
		{`namespaces: ["t/other/"], ` + all, "get t/other/1/k", true},
	} {
		id := mustFind(t, mustCompile(t, two(tt.raw)), "raw")
		d := id.Decide(mustParse(t, tt.cmd), at)
		if (d.Verdict == Allow) != tt.want || !tt.want && d.Reason != ReasonNamespace {
			t.Errorf("%s: %q is %v, %v; want allowed %v", tt.raw, tt.cmd, d.Verdict, d.Reason, tt.want)
		}
	}
	tenant := mustFind(t, mustCompile(t, two(all)), "tenant")
	if d := tenant.Decide(mustParse(t, "get t/raw/1/k"), at); d.Verdict != Allow {
		t.Errorf("inside a namespace every key is its own, and is %v", d.Verdict)
	}
}

// TestForwards checks who may send commands that slabgate does not know: whoever is
// allowed everything, and from whom no namespace is kept.
func TestForwards(t *testing.T) {
	const tenant = `, t: {match: [{ascii: t}], namespace: "t/"}`
	for _, tt := range []struct {
		unknown, body, others string
		want                  bool
	}{
		{"forward", `rules: [{allow: ["@all"], keys: ["*"]}]`, "", true},
		{"deny", `rules: [{allow: ["@all"], keys: ["*"]}]`, "", false},
		{"forward", `rules: [{allow: ["@all"], keys: ["a:*"]}]`, "", false},
		{"forward", `rules: [{allow: ["@all"], keys: ["*"]}, {deny: ["@read"], keys: ["secret:*"]}]`, "", false},
		{"forward", `rules: [{allow: ["@all"], keys: ["*"]}, {deny: ["@flush"]}]`, "", true},
		{"forward", `rules: [{allow: ["@rw", "@danger"], keys: ["*"]}]`, "", false},
		{"forward", `namespace: "n/", rules: [{allow: ["@all"], keys: ["*"]}]`, "", false},
		{"forward", `rules: [{allow: ["@all"], keys: ["*"]}]`, tenant, false},
		{"forward", `namespaces: [all], rules: [{allow: ["@all"], keys: ["*"]}]`, tenant, true},
	} {
		doc := head + "defaults: {unknown_command: " + tt.unknown + "}\nidentities: {web: {match: [{ascii: web}], " + tt.body + "}" + tt.others + "}"
		if got := mustFind(t, mustCompile(t, doc), "web").Forwards; got != tt.want {
			t.Errorf("%s: forwards %v, want %v", doc, got, tt.want)
		}
	}
}

// TestTestsKnowNamespacesAndLimits checks what a test can ask for besides rules.
func TestTestsKnowNamespacesAndLimits(t *testing.T) {
	long := strings.Repeat("k", 236-len("t/web/"))
	for _, tt := range []struct{ body, test string }{
		{`namespace: "t/{identity}/"`, `cmd: "get ` + long + `", expect: allow`},
		{`namespace: "t/{identity}/"`, `cmd: "get ` + long + `k", expect: deny`},
		{`limits: {multiget_max: 2}`, `cmd: "get a b", expect: allow`},
		{`limits: {multiget_max: 2}`, `cmd: "get a b c", expect: deny`},
		{`limits: {value_max: 1KiB}`, `cmd: "set a 0 0 1024", expect: allow`},
		{`limits: {value_max: 1KiB}`, `cmd: "set a 0 0 1025", expect: deny`},
		{`limits: {ttl_max: 60s}`, `cmd: "set a 0 61 1", expect: allow`},
		{`limits: {ttl_max: 60s, ttl_over: deny}`, `cmd: "set a 0 61 1", expect: deny`},
	} {
		doc := parseDoc(t, head+web(`rules: [{allow: ["@rw"], keys: ["*"]}], `+tt.body)+"\ntests: [{as: web, "+tt.test+"}]")
		p, list := Compile(doc)
		if list.Failed() {
			t.Fatal(brief(list))
		}
		if list := p.RunTests(doc, now, parseCmd); len(list) > 0 {
			t.Errorf("%s, %s: %s", tt.body, tt.test, brief(list))
		}
	}
	doc := parseDoc(t, head+`
identities:
  fam: {match: [{tls: {uri: "spiffe://corp/ns/*/sa/*"}}], namespace: "u/{tls.uri[1]}/", flush: scoped, rules: [{allow: ["@rw"], keys: ["*"]}]}
tests:
  - {as: "fam:spiffe://corp/ns/shop/sa/cart", cmd: "get a", expect: allow, upstream_key: "u/shop/0/a"}
  - {as: "fam:spiffe://corp/ns/shop/sa/cart", cmd: "flush_all", expect: allow, effect: "generation u/shop 0 -> 1"}
  - {as: "fam:spiffe://corp/shop", cmd: "get a", expect: deny}
`)
	p, list := Compile(doc)
	if list.Failed() {
		t.Fatal(brief(list))
	}
	if list := p.RunTests(doc, now, parseCmd); len(list) > 0 {
		t.Error(brief(list))
	}
}

// TestExplainTellsOfLimits checks what is said of a request that only a limit denies.
func TestExplainTellsOfLimits(t *testing.T) {
	id := mustFind(t, mustCompile(t, head+web(`rules: [{allow: [get], keys: ["*"]}], limits: {multiget_max: 1}`)), "web")
	e := id.Explain(mustParse(t, "get a b"), at)
	if e.Decision.Verdict != Deny || e.Decision.Reason != ReasonLimit || e.Decision.Rule.String() != "limits.multiget_max" ||
		!strings.HasPrefix(e.Fix, "raise limits.multiget_max of identities.web") {
		t.Errorf("got %+v, fix %q", e.Decision, e.Fix)
	}
	if e := id.Explain(mustParse(t, "get a"), at); !e.Decision.Granted() || e.Fix != "" {
		t.Errorf("got %+v, fix %q", e.Decision, e.Fix)
	}
}

// TestLimits checks how limits of roles and of an identity come together.
func TestLimits(t *testing.T) {
	p := mustCompile(t, head+`
roles:
  a: {rules: [], limits: {conns: 5, rps: 100, ttl_max: 7d, value_max: 256KiB, ttl_over: deny}}
  b: {rules: [], limits: {conns: 9, rps: 50, bytes_in: 20MiB/s, multiget_max: 7}}
identities:
  none: {match: [{ascii: n}]}
  two:  {match: [{ascii: t}], roles: [a, b]}
  own:  {match: [{ascii: o}], roles: [a, b], limits: {conns: 100, rps: 1, ttl_max: 24h, ttl_over: clamp, inflight: 3, bytes_out: 1KiB/s}}
`)
	for name, want := range map[string]Limits{
		"none": {},
		"two":  {Conns: 5, RPS: 50, BytesIn: 20 << 20, ValueMax: 256 << 10, MultigetMax: 7, TTLMax: 7 * 86400, DenyTTL: true},
		"own":  {Conns: 100, RPS: 1, InFlight: 3, BytesIn: 20 << 20, BytesOut: 1024, ValueMax: 256 << 10, MultigetMax: 7, TTLMax: 86400},
	} {
		if got := mustFind(t, p, name).Limits; got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestCompileRefusesLanguage(t *testing.T) {
	space := func(text string) string { return web(`namespace: "` + text + `"`) }
	two := func(a, b string) string {
		return `identities: {a: {match: [{tls: {uri: "spiffe://corp/a/*"}}], namespace: "` + a + `"}, b: {match: [{tls: {uri: "spiffe://corp/b/*"}}], namespace: "` + b + `"}}`
	}
	rules := func(list string) string { return web("rules: [" + list + "]") }
	const at, of = "identities.web.rules[0]", "identities.web.namespace"
	runCases(t, finding.Error, []compileCase{
		{"multiget", "defaults: {multiget_denied: some}\n" + web("rules: []"), codeWord, "defaults.multiget_denied", "write error or miss"},
		{"unknown", "defaults: {unknown_command: allow}\n" + web("rules: []"), codeWord, "defaults.unknown_command", "write deny or forward"},
		{"overlong", "defaults: {overlong_key: cut}\n" + web("rules: []"), codeWord, "defaults.overlong_key", "write error or hash"},
		{"rule mode", rules("{allow: [stats], mode: warn}"), codeWord, at + ".mode", "learn or off"},
		{"when", rules("{allow: [stats], when: {}}"), codeEmptyMatch, at + ".when", "tls, from or until"},
		{"when from", rules("{allow: [stats], when: {from: []}}"), codeEmptyMatch, at + ".when.from", "empty list"},
		{"when network", rules("{allow: [stats], when: {from: [10.1.2.3]}}"), codeNetwork, at + ".when.from[0]", "10.1.2.3/32"},
		{"flush", web("flush: all"), codeWord, "identities.web.flush", "scoped"},
		{"scoped", web("flush: scoped"), codeFlush, "identities.web.flush", "namespace"},
		{"no end", space("t/web"), codeNamespace, of, "does not end"},
		{"no beginning", space("{identity}/"), codeNamespace, of, "text of its own"},
		{"empty", space(""), codeNamespace, of, "text of its own"},
		{"no segment", space("t//"), codeNamespace, of, "neither a name nor"},
		{"half a word", space("t/x{identity}/"), codeNamespace, of, "neither a name nor"},
		{"word", space("t/{user}/"), codeNamespace, of, "{identity}"},
		{"uri without number", space("t/{tls.uri}/"), codeNamespace, of, "stands for nothing"},
		{"blank", space("t/a b/"), codeNamespace, of, "neither a name nor"},
		{"long", space(strings.Repeat("t/", 65)), codeNamespace, of, "128"},
		{"no uri", space("t/{tls.uri[1]}/"), codeNamespace, of, "says nothing of {tls.uri}"},
		{"records", space("slabgate/x/"), codeNamespace, of, "its own records"},
		{"records of many", "identities: {web: {match: [{tls: {uri: 'spiffe://corp/**'}}], namespace: 'slabgate/{tls.uri[0]}/'}}", codeNamespace, of, "its own records"},
		{"uri too short", "identities: {web: {match: [{tls: {uri: 'spiffe://corp/a/*'}}], namespace: 't/{tls.uri[2]}/'}}", codeNamespace, of, "says nothing of {tls.uri}"},
		{"grant of records", "identities: {web: {match: [{ascii: w}], namespaces: ['slabgate/']}, t: {match: [{ascii: t}], namespace: 't/'}}", codeNamespaces, "identities.web.namespaces[0]", "no namespace begins"},
		{"one begins the other", two("t/", "t/b/"), codeNamespaces, "identities.b.namespace", "identities.a.namespace"},
		{"generation", two("t/b/", "t/b/0/"), codeNamespaces, "identities.b.namespace", "identities.a.namespace"},
		{"may be the same", two("t/{tls.uri[1]}/", "t/b/"), codeNamespaces, "identities.b.namespace", "segment of its own"},
		{"may begin", two("t/{tls.uri[1]}/", "t/{tls.uri[1]}/b/"), codeNamespaces, "identities.b.namespace", "segment of its own"},
		{"grant of none", web(`namespaces: ["t/"]`), codeNamespaces, "identities.web.namespaces[0]", "no namespace begins"},
		{"both", web(`namespace: "t/web/", namespaces: [all]`), codeNamespaces, "identities.web.namespaces", "remove one"},
		{"limit", web("limits: {rps: 0}"), codeLimit, "identities.web.limits.rps", "1 or more"},
		{"limit of a role", "roles: {r: {rules: [], limits: {conns: -1}}}\n" + web("rules: []"), codeLimit, "roles.r.limits.conns", "1 or more"},
		{"ttl_over", web("limits: {ttl_over: refuse}"), codeWord, "identities.web.limits.ttl_over", "clamp or deny"},
		{"test address", web("rules: []") + "\ntests: [{as: web, cmd: stats, expect: deny, from: here}]", codeTest, "tests[0].from", "10.2.3.4"},
	})
	for _, ok := range []string{
		two("t/a/", "t/b/"), two("t/a/", "t/a/"), two("t/{identity}/", "t/{identity}/"),
		two("a/{tls.uri[1]}/", "b/{tls.uri[1]}/"), two("t:a:", "t/a/"), two("t/{tls.uri[1]}/", "t/b:c/"),
	} {
		if _, list := Compile(parseDoc(t, head+ok)); list.Failed() {
			t.Errorf("%s\ngot %s, want nothing", ok, brief(list))
		}
	}
}

func TestLintOfRules(t *testing.T) {
	const at = "identities.web.rules"
	runCases(t, finding.Warning, []compileCase{
		{"off", web("mode: off"), codeOff, "identities.web.mode", "audit"},
		{"star", "identities: {a: {match: [{ascii: a}], rules: [{allow: [get], read: ['*']}]}, b: {match: [{ascii: b}], rules: [{allow: [get], read: ['b:*']}]}}",
			codeStar, "identities.a.rules[0].read[0]", "namespace"},
		{"settings", web(`rules: [{allow: [stats, "@settings"]}]`), codeAdmin, at + "[0].allow[1]", "until"},
		{"flush", web(`rules: [{allow: ["@flush"]}]`), codeAdmin, at + "[0].allow[0]", "whole server"},
		{"denied", web(`rules: [{allow: ["@read"], keys: ["a:*"]}, {deny: ["@read"]}]`), codeShadowed, at + "[0]", "refuse all"},
		{"denied keys", web(`rules: [{allow: [get], keys: ["a:b:*", "exact:a:"]}, {deny: ["@read"], keys: ["a:*"]}]`), codeShadowed, at + "[0]", "refuse all"},
		{"allowed after", web(`rules: [{allow: [get, set], keys: ["a:b:*"]}, {allow: ["@rw"], keys: ["a:*"]}]`), codeShadowed, at + "[0]", "after it"},
		{"all", web(`rules: [{allow: ["@all"], keys: ["a:*"]}]`), codeAdmin, at + "[0].allow[0]", "whole server"},
		{"glob of all", "identities: {a: {match: [{ascii: a}], rules: [{allow: [get], read: ['glob:*?']}]}, b: {match: [{ascii: b}], rules: [{allow: [get], read: ['b:*']}]}}",
			codeStar, "identities.a.rules[0].read[0]", "namespace"},
		{"allowed before", web(`rules: [{allow: ["@rw"], keys: ["a:*"]}, {allow: [get, set], keys: ["a:b:*"]}]`), codeShadowed, at + "[1]", "allow all of it"},
	})
	for _, ok := range []string{
		web(`rules: [{allow: ["@rw"], keys: ["a:*"]}, {allow: [get], keys: ["a:b:*"], when: {tls: true}}]`),
		web(`rules: [{allow: [get], keys: ["a:*"]}, {allow: [get, set], keys: ["a:b:*"]}]`),
		web(`rules: [{allow: ["@read"], keys: ["a:*"]}, {mode: audit, deny: ["@read"]}]`),
		web(`rules: [{allow: ["@read"], keys: ["a:*"]}, {deny: ["@read"], keys: ["a:b:*"]}]`),
		web(`rules: [{allow: [set], keys: ["a:*"]}, {allow: [delete], keys: ["a:b:*"]}]`),
		web(`namespaces: [all], rules: [{allow: ["@settings", "@keyspace"], keys: ["*"]}]`),
		web(`rules: [{allow: ["@flush"], when: {until: 2027-01-01T00:00:00Z}}]`),
		web(`namespace: "t/web/", rules: [{allow: ["@flush"]}]`),
		"roles: {r: {rules: [{allow: [get], keys: ['a:*']}]}}\nidentities: {a: {match: [{ascii: a}], roles: [r], rules: [{deny: [get]}]}, b: {match: [{ascii: b}], roles: [r]}}",
	} {
		if _, list := Compile(parseDoc(t, head+ok)); len(list) > 0 {
			t.Errorf("%s\ngot %s, want nothing", ok, brief(list))
		}
	}
}

func TestUnits(t *testing.T) {
	var b Bytes
	var r Rate
	var s Span
	var i Instant
	type text interface{ UnmarshalText([]byte) error }
	for _, tt := range []struct {
		into text
		in   string
		ok   bool
	}{
		{&b, "512B", true}, {&b, "256KiB", true}, {&b, "1GiB", true}, {&b, "2GiB", false}, {&b, "1KB", false}, {&b, "5", false}, {&b, "01B", false}, {&b, "0B", false}, {&b, "-1B", false}, {&b, "", false},
		{&r, "20MiB/s", true}, {&r, "20MiB", false}, {&r, "/s", false},
		{&s, "60s", true}, {&s, "15m", true}, {&s, "24h", true}, {&s, "7d", true}, {&s, "1w", false}, {&s, "1.5h", false}, {&s, "60", false}, {&s, "30000d", false},
		{&i, "2026-12-01T06:00:00Z", true}, {&i, "2024-02-29T23:59:59Z", true}, {&i, "2023-02-29T00:00:00Z", false}, {&i, "2026-13-01T00:00:00Z", false}, {&i, "2026-00-01T00:00:00Z", false},
		{&i, "2026-12-01", false}, {&i, "2026-12-01T06:00:00+01:00", false}, {&i, "2026-12-01T24:00:00Z", false}, {&i, "2026-12-01T06:00:00Zx", false}, {&i, "1900-01-01T00:00:00Z", true}, {&i, "2000-02-29T00:00:00Z", true},
	} {
		err := tt.into.UnmarshalText([]byte(tt.in))
		if (err == nil) != tt.ok {
			t.Errorf("%T %q: %v", tt.into, tt.in, err)
			continue
		}
		if m, _ := tt.into.(interface{ MarshalText() ([]byte, error) }); err == nil && m != nil {
			if again, _ := m.MarshalText(); string(again) != tt.in && !slices.Contains([]string{"60s", "24h"}, tt.in) {
				t.Errorf("%T %q is written as %q", tt.into, tt.in, again)
			}
		}
	}
	for n := int64(-40000); n < 80000; n += 13 {
		at := Instant(n * 86400)
		if err := i.UnmarshalText([]byte(at.String())); err != nil || i != at {
			t.Fatalf("day %d is written %s and read as %d: %v", n, at, i, err)
		}
	}
}
