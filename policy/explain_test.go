package policy

import (
	"fmt"
	"strings"
	"testing"
)

// explainDoc is what the explanations are about.
const explainDoc = head + `
roles:
  app:
    rules:
      - {id: read, allow: ["@read"], read: ["prefix:app:"]}
      - {allow: ["@store", "@delete"], write: ["prefix:app:tmp:"]}
      - {id: guard, deny: ["@flush", "@danger"]}
identities:
  shop:
    match: [{ascii: shop}]
    roles: [app]
    rules:
      - {id: priv, deny: ["@read", "@store", get], keys: ["prefix:app:priv:"]}
      - {allow: ["@stats", "@touch"], keys: ["prefix:app:"]}
  bare:
    match: [{ascii: bare}]
  quiet:
    match: [{ascii: quiet}]
    mode: audit
    rules: [{allow: [get], read: ["prefix:q:"]}]
`

func TestExplainFix(t *testing.T) {
	p := mustCompile(t, explainDoc)
	tests := []struct {
		as, cmd string
		want    string
	}{
		{"shop", "get app:1", ""},
		{"shop", "version", ""},
		{"shop", "get secret:1", `add "prefix:secret:" to read: of roles.app.rules[0]`},
		{"shop", "get secret", `add "exact:secret" to read: of roles.app.rules[0]`},
		{"shop", "get user:1:name", `add "prefix:user:1:" to read: of roles.app.rules[0]`},
		{"shop", "get secret:", `add "exact:secret:" to read: of roles.app.rules[0]`},
		{"shop", "get secret:1 app:1 secret:2 other/1", `add "prefix:secret:" to read: of roles.app.rules[0]; add "prefix:other/" to read: of roles.app.rules[0]`},
		{"shop", "set app:1 0 0 1", `add "prefix:app:" to write: of roles.app.rules[1]`},
		{"shop", "gat 60 b:1", `add "prefix:b:" to read: of identities.shop.rules[1]; add "prefix:b:" to write: of identities.shop.rules[1]`},
		{"shop", "touch app:1 -1", `add "prefix:app:" to write: of roles.app.rules[1]`},
		{"shop", "incr app:1 1", `add "@arith" to allow: of identities.shop.rules[1]`},
		{"shop", "incr b:1 1", `add {allow: ["@arith"], keys: ["prefix:b:"]} to rules: of identities.shop`},
		{"shop", "flush_all", `remove "@flush" from deny: of roles.app.rules[2]; add "@flush" to allow: of identities.shop.rules[1]`},
		{"shop", "verbosity 1", `add "@settings" to allow: of identities.shop.rules[1]`},
		{"shop", "watch", `add "watch" to allow: of identities.shop.rules[1]`},
		{"shop", "stats conns", `add "stats:conns" to allow: of identities.shop.rules[1]`},
		{"shop", "get app:priv:1", `remove "@read" from deny: of identities.shop.rules[0]; remove "get" from deny: of identities.shop.rules[0]`},
		{"shop", "set app:priv:1 0 0 1", `remove "@store" from deny: of identities.shop.rules[0]; add "prefix:app:priv:" to write: of roles.app.rules[1]`},
		{"bare", "get a", `add {allow: ["@read"], read: ["exact:a"]} to rules: of identities.bare`},
		{"bare", "set a:b 0 0 1", `add {allow: ["@store"], write: ["prefix:a:"]} to rules: of identities.bare`},
		{"bare", "gat 60 a:b", `add {allow: ["@touch"], keys: ["prefix:a:"]} to rules: of identities.bare`},
		{"bare", "stats", `add {allow: ["@stats"]} to rules: of identities.bare`},
		{"bare", "stats reset", `add {allow: ["stats:reset"]} to rules: of identities.bare`},
		{"bare", "get \xff\xfe", ``},
		{"bare", "get ab\xffc", `add {allow: ["@read"], read: ["prefix:ab"]} to rules: of identities.bare`},
		{"quiet", "get q:1", ""},
		{"quiet", "get z:1", `add "prefix:z:" to read: of identities.quiet.rules[0]`},
	}
	for _, tt := range tests {
		e := mustFind(t, p, tt.as).Explain(mustParse(t, tt.cmd), at)
		if e.Fix != tt.want || e.Identity != tt.as {
			t.Errorf("%s: %q\ngot  %s: %s\nwant %s", tt.as, tt.cmd, e.Identity, e.Fix, tt.want)
		}
	}
}

func TestExplainRemovesWholeRules(t *testing.T) {
	tests := []struct{ deny, cmd, want string }{
		{`{deny: ["@read"]}`, "get a", "remove identities.web.rules[0]"},
		{`{deny: ["@read", "@store"]}`, "get a", `remove "@read" from deny: of identities.web.rules[0]`},
		{`{deny: ["@read", "@store"], read: ["*"], write: ["*"]}`, "get a", "remove identities.web.rules[0]"}, // read would be left over
		{`{deny: ["@read", "@store"], keys: ["*"]}`, "get a", `remove "@read" from deny: of identities.web.rules[0]`},
		{`{deny: ["@all"]}`, "stats", "remove identities.web.rules[0]"},
		{`{deny: [delete, "@stats"]}`, "touch a -1", `remove "delete" from deny: of identities.web.rules[0]`},
	}
	for _, tt := range tests {
		id := mustFind(t, mustCompile(t, head+web("rules: ["+tt.deny+`, {allow: ["@all"], keys: ["*"]}]`)), "web")
		if e := id.Explain(mustParse(t, tt.cmd), at); e.Fix != tt.want {
			t.Errorf("%s, %q\ngot  %s\nwant %s", tt.deny, tt.cmd, e.Fix, tt.want)
		}
	}
}

func TestExplainSteps(t *testing.T) {
	p := mustCompile(t, explainDoc)
	tests := []struct {
		cmd  string
		want string // the outcome of read, rules[1], guard, priv and the last rule
	}{
		{"get app:1", "allows not_named not_named not_keys not_named"},
		{"get app:1 secret:1", "allows_part not_named not_named not_keys not_named"},
		{"get secret:1", "not_keys not_named not_named not_keys not_named"},
		{"get app:priv:1", "allows not_named not_named denies not_named"},
		{"set app:tmp:1 0 0 1", "not_named allows not_named not_keys not_named"},
		{"set app:tmp:1 0 -1 1", "not_named allows not_named not_keys not_named"},
		{"touch app:tmp:1 -1", "not_named allows_part not_named not_named allows_part"},
		{"touch app:1 -1", "not_named not_keys not_named not_named allows_part"},
		{"gat 60 app:1", "not_named not_named not_named not_named allows"},
		{"flush_all", "not_named not_named denies not_named not_named"},
		{"stats", "not_named not_named not_named not_named allows"},
		{"stats conns", "not_named not_named not_named not_named not_named"},
	}
	for _, tt := range tests {
		e := mustFind(t, p, "shop").Explain(mustParse(t, tt.cmd), at)
		var got []string
		for _, s := range e.Steps {
			got = append(got, s.Outcome.String())
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%q\ngot  %s\nwant %s", tt.cmd, strings.Join(got, " "), tt.want)
		}
	}
	e := mustFind(t, p, "shop").Explain(mustParse(t, "get app:1"), at)
	for i, want := range []string{
		`read roles.app.rules[0] allow: ["@read"], read: ["prefix:app:"]`,
		`roles.app.rules[1] roles.app.rules[1] allow: ["@store", "@delete"], write: ["prefix:app:tmp:"]`,
		`guard roles.app.rules[2] deny: ["@flush", "@danger"]`,
		`priv identities.shop.rules[0] deny: ["@read", "@store", "get"], keys: ["prefix:app:priv:"]`,
		`identities.shop.rules[1] identities.shop.rules[1] allow: ["@stats", "@touch"], keys: ["prefix:app:"]`,
	} {
		if s := e.Steps[i]; fmt.Sprint(s.Rule, " ", s.Rule.Path, " ", s.Text) != want {
			t.Errorf("step %d\ngot  %s %s %s\nwant %s", i, s.Rule, s.Rule.Path, s.Text, want)
		}
	}
}

func TestExplainShortensLongLists(t *testing.T) {
	r := Rule{Allow: []string{"@read"}}
	for i := range 1000 {
		r.Read = append(r.Read, fmt.Sprintf("p%d:*", i))
	}
	doc := &Document{Version: 1, Categories: 1, Identities: map[string]IdentityDoc{"x": {Match: []Match{{ASCII: new("x")}}, Rules: []Rule{r}}}}
	id := compileX(t, doc)
	e := id.Explain(mustParse(t, "get p999:1"), at)
	if want := `allow: ["@read"], read: ["p0:*", "p1:*", "p2:*", "p3:*", "p4:*", "p5:*", "p6:*", "p7:*", and 992 more]`; e.Steps[0].Text != want {
		t.Errorf("got  %s\nwant %s", e.Steps[0].Text, want)
	}
	var keys []string
	for c := range 20 {
		keys = append(keys, fmt.Sprintf("q%d", c))
	}
	e = id.Explain(mustParse(t, "get "+strings.Join(keys, " ")), at)
	if n := strings.Count(e.Fix, "add"); n != 8 || !strings.HasSuffix(e.Fix, "; and 12 more like these") {
		t.Errorf("%d edits in %s", n, e.Fix)
	}
}

func TestShape(t *testing.T) {
	for key, want := range map[string]string{
		"":              "",
		"user:1":        "prefix:user:",
		"a/b/c":         "prefix:a/b/",
		"user:":         "exact:user:",
		"plain":         "exact:plain",
		"caf\xc3\xa9:1": "prefix:caf\u00e9:",
		"bin\xff\xfe":   "prefix:bin",
		"\xff\xfe":      "*",
	} {
		if got := Shape([]byte(key)); got != want {
			t.Errorf("%q: got %q, want %q", key, got, want)
		}
	}
}
