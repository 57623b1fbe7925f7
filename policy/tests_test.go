package policy

import (
	"strings"
	"testing"
)

// The examples are whole policies as people write them, with tests in them.
var examples = map[string]string{
	"tenants": `
version: 1
categories: 1
roles:
  guard:
    rules:
      - {id: nodump, deny: ["@keyspace", "@settings", "@danger"]}
identities:
  shop:
    match: [{ascii: shop}]
    require: {tls: true, secret: true}
    roles: [guard]
    rules: [{id: own, allow: ["@rw"], keys: ["prefix:shop:"]}]
  blog:
    match: [{ascii: blog}]
    require: {tls: true, secret: true}
    roles: [guard]
    rules: [{id: own, allow: ["@rw"], keys: ["prefix:blog:"]}]
tests:
  - {as: shop, cmd: "set shop:cart:1 0 60 1", expect: allow}
  - {as: shop, cmd: "get blog:x", expect: deny}
  - {as: shop, cmd: "get shop:x blog:x", expect: deny}
  - {as: shop, cmd: "get shop", expect: deny}
  - {as: shop, cmd: "flush_all noreply", expect: deny}
  - {as: shop, cmd: "stats cached 1 5", expect: deny}
  - {as: shop, cmd: "stats cachedump 1 5", expect: deny}
  - {as: blog, cmd: "gat 60 blog:1", expect: allow}
  - {as: blog, cmd: "gat 60 shop:1", expect: deny}
  - {as: blog, cmd: "version", expect: allow}
`,
	"reader": `
version: 1
categories: 1
identities:
  reports:
    match: [{tls: {uri: "spiffe://corp/ns/reports/sa/etl"}}]
    require: {tls: true}
    rules:
      - {id: catalog, allow: ["@read"], read: ["prefix:catalog:", "exact:build-id"]}
    deny_reply: quiet
tests:
  - {as: reports, cmd: "get catalog:1 catalog:2", expect: allow}
  - {as: reports, cmd: "get catalog:1 secret:2", expect: deny}
  - {as: reports, cmd: "get build-id", expect: allow}
  - {as: reports, cmd: "get build-id2", expect: deny}
  - {as: reports, cmd: "gat 60 catalog:1", expect: deny}
  - {as: reports, cmd: "set catalog:1 0 0 1", expect: deny}
`,
	"migration": `
version: 1
categories: 1
defaults: {mode: audit, unauthenticated: legacy}
identities:
  legacy:
    match: [{from: [10.0.0.0/8]}]
    weak_ok: true
    rules:
      - {allow: ["@rw", "@stats"], keys: ["*"]}
      - {id: legacy-flush, deny: ["@flush", "@keyspace", "@settings", "@danger"]}
  web:
    match: [{tls: {dns: ["web.corp"]}}, {ascii: web}]
    rules: [{allow: ["@rw"], keys: ["prefix:web:", "prefix:sess:"]}]
    mode: enforce
  metrics:
    match: [{listener: stats}]
    rules: [{allow: [stats, "stats:conns"]}]
tests:
  - {as: legacy, cmd: "get anything", expect: allow}
  - {as: legacy, cmd: "flush_all", expect: deny}
  - {as: legacy, cmd: "stats conns", expect: deny}
  - {as: web, cmd: "set sess:1 0 0 1", expect: allow}
  - {as: web, cmd: "set sess2:1 0 0 1", expect: deny}
  - {as: metrics, cmd: "stats conns", expect: allow}
  - {as: metrics, cmd: "stats items", expect: allow}
  - {as: metrics, cmd: "stats reset", expect: deny}
  - {as: metrics, cmd: "get a", expect: deny}
`,
}

func TestExamples(t *testing.T) {
	for name, text := range examples {
		doc := parseDoc(t, text)
		p, list := Compile(doc)
		if list.Failed() {
			t.Errorf("%s: %s", name, brief(list))
			continue
		}
		if list := p.RunTests(doc, now, parseCmd); len(list) > 0 {
			t.Errorf("%s: %s", name, brief(list))
		}
	}
}

// TestRunTestsTurned expects of every example the opposite, so that each of its
// tests must fail.
func TestRunTestsTurned(t *testing.T) {
	turn := map[string]string{"allow": "deny", "deny": "allow"}
	for name, text := range examples {
		doc := parseDoc(t, text)
		for i := range doc.Tests {
			doc.Tests[i].Expect = turn[doc.Tests[i].Expect]
		}
		p, _ := Compile(doc)
		if list := p.RunTests(doc, now, parseCmd); len(list) != len(doc.Tests) {
			t.Errorf("%s: %d of %d turned tests fail: %s", name, len(list), len(doc.Tests), brief(list))
		}
	}
}

func TestRunTestsSaysWhy(t *testing.T) {
	doc := parseDoc(t, explainDoc+`
tests:
  - {as: shop, cmd: "get app:1", expect: allow}
  - {as: shop, cmd: "get app:1", expect: deny}
  - {as: shop, cmd: "get secret:1", expect: allow}
  - {as: shop, cmd: "get app:priv:1", expect: allow}
  - {as: shop, cmd: "gett app:1", expect: deny}
  - {as: shop, cmd: "gett app:1", expect: allow}
  - {as: quiet, cmd: "get z:1", expect: allow}
  - {as: quiet, cmd: "get z:1", expect: deny}
  - {as: bare, cmd: "get a", expect: allow}
`)
	p, list := Compile(doc)
	if list.Failed() {
		t.Fatal(brief(list))
	}
	want := []struct{ key, says string }{
		{"tests[1]", `shop: "get app:1" is expected to be denied and is allowed: allow rules grant all of it (read)`},
		{"tests[2]", `no allow rule that names the command covers the key (read); to allow it add "prefix:secret:" to read: of roles.app.rules[0]`},
		{"tests[3]", `is expected to be allowed and is denied: a deny rule matches (priv)`},
		{"tests[5]", `it is refused before the policy is asked: protocol: `},
		{"tests[6]", `quiet: "get z:1" is expected to be allowed and is denied`},
		{"tests[8]", `the identity has no allow rule; to allow it add {allow: ["@read"]`},
	}
	got := p.RunTests(doc, now, parseCmd)
	if len(got) != len(want) {
		t.Fatalf("got %d findings, want %d:\n%s", len(got), len(want), brief(got))
	}
	for i, w := range want {
		if f := got[i]; f.Code != codeTestFailed || f.Key != w.key || !strings.Contains(f.Problem, w.says) || f.Fix == "" {
			t.Errorf("got  %swant %s: ...%s...", brief(got[i:i+1]), w.key, w.says)
		}
	}
}

func TestRunTestsOfAnotherDocument(t *testing.T) {
	p := mustCompile(t, explainDoc)
	doc := &Document{Tests: []Test{{As: "nobody", Cmd: "get a", Expect: "allow"}}}
	if got := p.RunTests(doc, now, parseCmd); len(got) != 1 || !strings.Contains(got[0].Problem, "no such identity") {
		t.Errorf("got %s", brief(got))
	}
}
