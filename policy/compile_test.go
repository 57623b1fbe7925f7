package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/finding"
)

// compileCase is a document and the one finding it must give.
type compileCase struct {
	name string
	doc  string // below version and categories
	code string
	key  string
	says string // part of the problem or the fix
}

// web makes a document with one identity, of which it is given one more line.
func web(line string) string {
	return "identities: {web: {match: [{ascii: web}], " + line + "}}"
}

// run checks that each document gives its finding and nothing else.
func runCases(t *testing.T, severity finding.Severity, tests []compileCase) {
	t.Helper()
	for _, tt := range tests {
		p, list := Compile(parseDoc(t, head+tt.doc))
		if len(list) != 1 {
			t.Errorf("%s: %s\ngot %d findings, want one %s at %s:\n%s", tt.name, tt.doc, len(list), tt.code, tt.key, brief(list))
			continue
		}
		f := list[0]
		if f.Severity != severity || f.Code != tt.code || f.Key != tt.key || !strings.Contains(f.Problem+"; "+f.Fix, tt.says) {
			t.Errorf("%s: %s\ngot  %v %swant %v %s %s: ...%s...", tt.name, tt.doc, f.Severity, brief(list), severity, tt.code, tt.key, tt.says)
		}
		if (p == nil) != (severity == finding.Error) {
			t.Errorf("%s: policy is %v after a finding of severity %v", tt.name, p, severity)
		}
		if f.Fix == "" {
			t.Errorf("%s: no fix in %s", tt.name, brief(list))
		}
	}
}

func TestCompileRefusesHead(t *testing.T) {
	const none = "identities: {web: {match: [{ascii: web}]}}\n"
	runCases(t, finding.Error, []compileCase{
		{"mode", none + "defaults: {mode: enforced}", codeWord, "defaults.mode", `"enforced" is none of enforce, audit, learn and off`},
		{"reply", none + "defaults: {deny_reply: miss}", codeWord, "defaults.deny_reply", "write error or quiet"},
		{"default", none + "defaults: {unauthenticated: guest}", codeDefault, "defaults.unauthenticated", `no identity "guest"`},
		{"near default", none + "defaults: {unauthenticated: wep}", codeDefault, "defaults.unauthenticated", `write "web"`},
		{"empty role name", none + "roles: {'': {rules: []}}", codeName, "roles.", `""`},
		{"role name", none + "roles: {'a.b': {rules: []}}", codeName, "roles.a.b", `"a.b"`},
		{"identity name", "identities: {'web app': {match: [{ascii: web}]}}", codeName, "identities.web app", `"web app"`},
		{"reserved name", "identities: {deny: {match: [{ascii: web}]}}", codeName, "identities.deny", "not the word deny"},
		{"long name", "identities: {" + strings.Repeat("x", 65) + ": {match: [{ascii: web}]}}", codeName, "identities." + strings.Repeat("x", 65), "64"},
		{"identity mode", web("mode: on"), codeWord, "identities.web.mode", "learn or off"},
		{"identity reply", web("deny_reply: drop"), codeWord, "identities.web.deny_reply", "error or quiet"},
		{"role", web("roles: [app]"), codeRole, "identities.web.roles[0]", `no role "app"`},
		{"near role", "roles: {apps: {rules: []}}\n" + web("roles: [app]"), codeRole, "identities.web.roles[0]", `write "apps"`},
		{"role twice", "roles: {app: {rules: []}}\n" + web("roles: [app, app]"), codeRoleTwice, "identities.web.roles[1]", "listed twice"},
		{"test identity", none + "tests: [{as: shop, cmd: get a, expect: deny}]", codeTest, "tests[0].as", `no identity "shop"`},
		{"test command", none + "tests: [{as: web, cmd: ' ', expect: deny}]", codeTest, "tests[0].cmd", "no command"},
		{"test outcome", none + "tests: [{as: web, cmd: get a, expect: denied}]", codeTest, "tests[0].expect", "allow or deny"},
	})
}

func TestCompileRefusesVersions(t *testing.T) {
	tests := []struct {
		doc             Document
		code, key, says string
	}{
		{Document{Version: 0, Categories: 1}, codeVersion, "version", "write version: 1"},
		{Document{Version: 2, Categories: 1}, codeVersion, "version", "version 2"},
		{Document{Version: 1, Categories: 0}, codeCategories, "categories", "write categories: 1"},
		{Document{Version: 1, Categories: 2}, codeCategories, "categories", "version 2"},
	}
	for _, tt := range tests {
		tt.doc.Identities = map[string]IdentityDoc{"web": {Match: []Match{{ASCII: new("web")}}}}
		p, list := Compile(&tt.doc)
		if p != nil || len(list) != 1 || list[0].Code != tt.code || list[0].Key != tt.key || !strings.Contains(list[0].String(), tt.says) {
			t.Errorf("versions %d, %d: got %swant %s %s %s", tt.doc.Version, tt.doc.Categories, brief(list), tt.code, tt.key, tt.says)
		}
	}
}

func TestCompileRefusesMatch(t *testing.T) {
	match := func(m string) string { return "identities: {web: {match: " + m + "}}" }
	runCases(t, finding.Error, []compileCase{
		{"missing", "identities: {web: {rules: []}}", codeNoMatch, "identities.web.match", "match: [{sasl: web}]"},
		{"empty list", match("[]"), codeNoMatch, "identities.web.match", "no client can become"},
		{"empty entry", match("[{}]"), codeEmptyMatch, "identities.web.match[0]", "would match everyone"},
		{"second entry empty", match("[{ascii: web}, {}]"), codeEmptyMatch, "identities.web.match[1]", "would match everyone"},
		{"empty tls", match("[{tls: {}}]"), codeEmptyMatch, "identities.web.match[0].tls", "would match any"},
		{"empty tls beside login", match("[{tls: {}, ascii: web}]"), codeEmptyMatch, "identities.web.match[0].tls", "would match any"},
		{"empty user", match("[{ascii: ''}]"), codeEmptyMatch, "identities.web.match[0].ascii", "empty name"},
		{"empty user beside listener", match("[{ascii: '', listener: main}]"), codeEmptyMatch, "identities.web.match[0].ascii", "empty name"},
		{"empty listener", match("[{listener: ''}]"), codeEmptyMatch, "identities.web.match[0].listener", "empty name"},
		{"empty from", match("[{from: [], ascii: web}]"), codeEmptyMatch, "identities.web.match[0].from", "empty list"},
		{"empty dns", match("[{tls: {dns: [], cn: web}}]"), codeEmptyMatch, "identities.web.match[0].tls.dns", "empty list"},
		{"empty cn", match("[{tls: {cn: '', dns: [web]}}]"), codeEmptyMatch, "identities.web.match[0].tls.cn", "empty name"},
		{"empty uri", match("[{tls: {uri: ''}}]"), codeURI, "identities.web.match[0].tls.uri", "spiffe://"},
		{"uri prefix", match("[{tls: {uri: 'spiffe://corp/ns/prod*'}}]"), codeURI, "identities.web.match[0].tls.uri", "whole segment"},
		{"uri middle", match("[{tls: {uri: 'spiffe://corp/**/web'}}]"), codeURI, "identities.web.match[0].tls.uri", "before its end"},
		{"dns", match("[{tls: {dns: [web.corp, 'w*.corp']}}]"), codeDNS, "identities.web.match[0].tls.dns[1]", "label"},
		{"dns case", match("[{tls: {dns: [Web.corp]}}]"), codeDNS, "identities.web.match[0].tls.dns[0]", "upper-case"},
		{"user bytes", match(`[{ascii: "a\nb"}]`), codeMatchValue, "identities.web.match[0].ascii", "control"},
		{"cn bytes", match(`[{tls: {cn: "a\0b"}}]`), codeMatchValue, "identities.web.match[0].tls.cn", "control"},
		{"long listener", match("[{listener: " + strings.Repeat("x", 257) + "}]"), codeMatchValue, "identities.web.match[0].listener", "too long"},
		{"address alone", match("[{from: [10.0.0.0/8]}]"), codeWeak, "identities.web.match[0]", "weak_ok: true"},
		{"address alone in one", match("[{ascii: web}, {from: [10.0.0.0/8]}]"), codeWeak, "identities.web.match[1]", "weak_ok: true"},
		{"address", match("[{listener: main, from: [10.2.3.4]}]"), codeNetwork, "identities.web.match[0].from[0]", "write 10.2.3.4/32"},
		{"address 6", match("[{listener: main, from: ['::1']}]"), codeNetwork, "identities.web.match[0].from[0]", "write ::1/128"},
		{"address with zone", match("[{listener: main, from: ['fe80::1%eth0']}]"), codeNetwork, "identities.web.match[0].from[0]", "10.2.3.0/24"},
		{"host bits", match("[{listener: main, from: [10.0.0.0/8, 10.2.3.4/24]}]"), codeNetwork, "identities.web.match[0].from[1]", "write 10.2.3.0/24, or 10.2.3.4/32"},
		{"mapped", match("[{listener: main, from: ['::ffff:10.0.0.0/104']}]"), codeNetwork, "identities.web.match[0].from[0]", "IPv4 form"},
		{"name", match("[{listener: main, from: [localhost]}]"), codeNetwork, "identities.web.match[0].from[0]", `"localhost"`},
		{"secret", "identities: {web: {match: [{tls: {cn: web}}], require: {secret: true}}}", codeSecret, "identities.web.require.secret", "ascii"},
	})
}

func TestCompileRefusesSameMatch(t *testing.T) {
	two := func(a, b string) string {
		return "identities: {a: {weak_ok: true, match: [" + a + "]}, b: {weak_ok: true, match: [" + b + "]}}"
	}
	for _, m := range []string{
		"{ascii: web}",
		"{listener: main}",
		"{tls: {uri: 'spiffe://corp/web'}}",
		"{tls: {cn: web}}",
		"{tls: {dns: [web.corp]}}",
		"{tls: {dns: [web.corp], cn: web}, ascii: web, listener: main, from: [10.0.0.0/8]}",
		"{from: [10.0.0.0/8]}",
	} {
		runCases(t, finding.Error, []compileCase{{"same", two(m, m), codeSameMatch, "identities.b.match[0]", "identities.a.match[0]"}})
	}
	runCases(t, finding.Error, []compileCase{
		{"second entry", two("{ascii: x}, {ascii: web}", "{ascii: y}, {ascii: web}"), codeSameMatch, "identities.b.match[1]", "identities.a.match[1]"},
		{"one dns name", two("{tls: {dns: [x, web, y]}}", "{tls: {dns: [z, web, y]}}"), codeSameMatch, "identities.b.match[0]", "identities.a.match[0]"},
		{"one network", two("{from: [10.1.0.0/16, 10.2.0.0/16]}", "{from: [10.3.0.0/16, 10.2.0.0/16]}"), codeSameMatch, "identities.b.match[0]", "identities.a.match[0]"},
		{"network in network", two("{from: [10.0.0.0/8]}", "{from: [10.7.0.0/16]}"), codeSameMatch, "identities.b.match[0]", "identities.a.match[0]"},
	})
	for _, ok := range []string{
		two("{ascii: web}", "{ascii: Web}"),
		two("{ascii: web}", "{tls: {cn: web}}"),
		two("{ascii: web}", "{listener: web}"),
		two("{tls: {dns: [web]}}", "{tls: {cn: web}}"),
		two("{from: [10.1.0.0/16]}", "{from: [10.2.0.0/16, 'fd00::/8']}"),
		two("{ascii: web, from: [10.1.0.0/16]}", "{ascii: web, from: [10.2.0.0/16]}"),
		"identities: {a: {match: [{ascii: web}, {ascii: web}]}}",
	} {
		if _, list := Compile(parseDoc(t, head+ok)); len(list) > 0 {
			t.Errorf("%s\ngot %s, want nothing", ok, brief(list))
		}
	}
}

func TestCompileRefusesRules(t *testing.T) {
	rules := func(r string) string { return web("rules: [" + r + "]") }
	const at = "identities.web.rules[0]"
	runCases(t, finding.Error, []compileCase{
		{"neither", rules("{keys: ['a:*']}"), codeAllowDeny, at, "must allow or deny"},
		{"nothing", rules("{}"), codeAllowDeny, at, "must allow or deny"},
		{"both", rules("{allow: [get], deny: [get], keys: ['a:*']}"), codeAllowDeny, at, "either"},
		{"empty allow", rules("{allow: []}"), codeNoCommands, at + ".allow", "does nothing"},
		{"empty deny", rules("{deny: []}"), codeNoCommands, at + ".deny", "does nothing"},
		{"group", rules(`{allow: ["@reads"], keys: ['a:*']}`), codeGroup, at + ".allow[0]", `unknown command group "@reads"; write "@read", or list groups with: slabgate help groups`},
		{"second group", rules(`{allow: [get, "@flsh"], keys: ['a:*']}`), codeGroup, at + ".allow[1]", `write "@flush"`},
		{"far group", rules(`{allow: ["@everything"], keys: ['a:*']}`), codeGroup, at + ".allow[0]", "list groups with"},
		{"group in deny", rules(`{deny: ["@Flush"]}`), codeGroup, at + ".deny[0]", `write "@flush"`},
		{"command", rules("{allow: [gett], keys: ['a:*']}"), codeCommand, at + ".allow[0]", `unknown command "gett"; write "get"`},
		{"case", rules("{allow: [GET], keys: ['a:*']}"), codeCommand, at + ".allow[0]", `write "get"`},
		{"missing @", rules("{allow: [read], keys: ['a:*']}"), codeCommand, at + ".allow[0]", `write "@read"`},
		{"far command", rules("{allow: [fetch_everything], keys: ['a:*']}"), codeCommand, at + ".allow[0]", "list commands with"},
		{"subcommand", rules(`{allow: ["stats conns"]}`), codeCommand, at + ".allow[0]", `write "stats:conns"`},
		{"no keys", rules("{allow: [get]}"), codeKeysMissing, at, `add read: ["prefix:..."]`},
		{"no keys for group", rules(`{allow: ["@store"]}`), codeKeysMissing, at, "add write:"},
		{"no write", rules(`{allow: ["@rw"], read: ['a:*']}`), codeKeysMissing, at, "add write:"},
		{"no read", rules(`{allow: ["@touch"], write: ['a:*']}`), codeKeysMissing, at, "add read:"},
		{"no read for arith", rules(`{allow: [incr], write: ['a:*']}`), codeKeysMissing, at, "add read:"},
		{"one of several", rules(`{allow: ["@stats", get]}`), codeKeysMissing, at, "add read:"},
		{"empty read", rules("{allow: [get], read: []}"), codeNoPatterns, at + ".read", "empty list"},
		{"empty keys of deny", rules("{deny: [get], keys: []}"), codeNoPatterns, at + ".keys", "empty list"},
		{"unused keys", rules(`{allow: ["@stats", "@flush"], keys: ['a:*']}`), codeKeysUnused, at, "none of its commands"},
		{"unused keys of command", rules("{allow: [flush_all], write: ['a:*']}"), codeKeysUnused, at, "none of its commands"},
		{"unused keys of deny", rules(`{deny: ["@flush"], keys: ['a:*']}`), codeKeysUnused, at, "none of its commands"},
		{"unused write", rules(`{allow: ["@read"], read: ['a:*'], write: ['a:*']}`), codeKeysUnused, at + ".write", "writes a key"},
		{"unused read", rules(`{allow: ["@store"], write: ['a:*'], read: ['a:*']}`), codeKeysUnused, at + ".read", "reads a key"},
		{"unused read of deny", rules("{deny: [set], read: ['a:*']}"), codeKeysUnused, at + ".read", "reads a key"},
		{"keyless in deny of keys", rules(`{deny: ["@read", "@flush"], keys: ['a:*']}`), codeKeyless, at + ".deny[1]", "move it"},
		{"keyless command in deny of keys", rules("{deny: [stats, get], read: ['a:*']}"), codeKeyless, at + ".deny[0]", "move it"},
		{"deny conn", rules(`{deny: ["@conn"]}`), codeConn, at + ".deny[0]", "always allowed"},
		{"deny version", rules("{deny: [stats, version]}"), codeConn, at + ".deny[1]", "always allowed"},
		{"pattern", rules("{allow: [get], read: ['a:*', foo]}"), codePattern, at + ".read[1]", `write "exact:foo" or "prefix:foo"`},
		{"glob", rules("{allow: [get], read: ['glob:a*']}"), codePattern, at + ".read[0]", `write "prefix:a"`},
		{"space", rules("{allow: [set], write: ['exact:a b']}"), codeNoKey, at + ".write[0]", "0x20"},
		{"long", rules("{allow: [set], keys: ['exact:" + strings.Repeat("k", 251) + "']}"), codeNoKey, at + ".keys[0]", "250"},
		{"id", rules("{id: 'a b', allow: [stats]}"), codeName, at + ".id", `"a b"`},
		{"id twice", rules("{id: x, allow: [stats]}, {id: x, deny: [stats]}"), codeIDTwice, "identities.web.rules[1].id", at},
		{"id of a role", "roles: {app: {rules: [{id: x, allow: [stats]}]}}\n" + web("roles: [app], rules: [{id: x, deny: [stats]}]"), codeIDTwice, at + ".id", "roles.app.rules[0]"},
		{"role rule", "roles: {app: {rules: [{allow: [stats]}, {allow: [get], keys: [foo]}]}}\n" + web("roles: [app]"), codePattern, "roles.app.rules[1].keys[0]", "exact:foo"},
		{"rule of a role nobody has", "roles: {app: {rules: [{allow: [gett], keys: ['a:*']}]}}\n" + web("rules: []"), codeCommand, "roles.app.rules[0].allow[0]", "get"},
	})
}

func TestCompileAccepts(t *testing.T) {
	for _, doc := range []string{
		web("rules: []"),
		web("rules: [{allow: [get], read: ['a:*']}]"),
		web("rules: [{allow: [get], keys: ['a:*']}]"),
		web("rules: [{allow: [get, set], read: ['a:*'], write: ['b:*']}]"),
		web("rules: [{allow: ['@rw'], read: ['a:*'], keys: ['b:*']}]"),
		web("rules: [{allow: ['@rw', '@stats'], keys: ['a:*']}, {allow: ['@flush'], when: {until: 2027-01-01T00:00:00Z}}]"),
		web("rules: [{allow: ['@vivify'], keys: ['a:*']}]"),
		web("rules: [{allow: ['@conn', stats, 'stats:conns']}]"),
		web("rules: [{deny: ['@all']}]"),
		web("rules: [{deny: ['@read']}]"),
		web("rules: [{deny: ['@rw'], write: ['a:*']}]"),
		web("rules: [{deny: ['@flush', '@keyspace', '@settings', '@danger']}]"),
		web("rules: [{deny: ['@read'], read: ['prefix:secret']}]"), // a deny rule may be broad
		web("mode: audit, deny_reply: quiet, require: {tls: true, secret: true}"),
		"identities: {web: {weak_ok: true, match: [{from: [10.0.0.0/8]}]}}",
		"identities: {web: {match: [{listener: main}]}}",
		"identities: {web: {match: [{listener: main, from: [10.0.0.0/8]}]}}",
		"identities: {web: {match: [{ascii: web, from: [10.0.0.0/8, '::1/128']}]}}",
		"defaults: {mode: enforce, unauthenticated: deny, deny_reply: error}\n" + web("rules: []"),
		"defaults: {mode: audit, unauthenticated: guest, deny_reply: quiet}\nidentities: {guest: {rules: [{allow: [stats]}]}}",
		"roles: {unused: {rules: [{allow: [stats]}]}}\n" + web("rules: []"),
		"roles: {app: {rules: [{id: x, allow: [stats]}]}}\nidentities: {a: {match: [{ascii: a}], roles: [app]}, b: {match: [{ascii: b}], roles: [app]}}",
	} {
		if p, list := Compile(parseDoc(t, head+doc)); len(list) > 0 || p == nil {
			t.Errorf("%s\ngot %s, want nothing", doc, brief(list))
		}
	}
}

func TestCompileReportsEverything(t *testing.T) {
	doc := parseDoc(t, `
version: 2
categories: 3
defaults: {mode: loud, unauthenticated: nobody}
roles:
  app:
    rules:
      - {allow: ["@reads"], keys: [foo]}
identities:
  web:
    match: [{}, {from: [10.1.2.3]}]
    roles: [apps]
    rules:
      - {allow: [get]}
      - {deny: ["@flush"], keys: ["*"]}
  shop: {}
tests:
  - {as: nobody, cmd: "", expect: maybe}
`)
	want := []string{
		"version", "categories", "defaults.mode", "defaults.unauthenticated",
		"roles.app.rules[0].allow[0]", "roles.app.rules[0].keys[0]",
		"identities.shop.match", "identities.web.match[0]", "identities.web.match[1].from[0]",
		"identities.web.roles[0]", "identities.web.rules[0]", "identities.web.rules[1]",
		"tests[0].as", "tests[0].cmd", "tests[0].expect",
	}
	p, list := Compile(doc)
	var got []string
	for _, f := range list {
		got = append(got, f.Key)
	}
	if !slices.Equal(got, want) || p != nil {
		t.Errorf("got findings at\n%s\nwant them at\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	_, again := Compile(doc)
	if brief(again) != brief(list) {
		t.Errorf("the same document gives other findings:\n%s\nthan before:\n%s", brief(again), brief(list))
	}
}

func TestCompileWarns(t *testing.T) {
	two := func(a, b string) string {
		return fmt.Sprintf("identities: {a: {match: [{ascii: a}], rules: [%s]}, b: {match: [{ascii: b}], rules: [%s]}}", a, b)
	}
	weak := func(rest string) string {
		return "identities: {web: {weak_ok: true, match: [{from: [10.0.0.0/8]}], " + rest + "}}"
	}
	runCases(t, finding.Warning, []compileCase{
		{"no identity", "identities: {}", codeNoIdentities, "identities", "every client is refused"},
		{"delimiter", web("rules: [{allow: [get], read: ['prefix:app']}]"), codeDelimiter, "identities.web.rules[0].read[0]", `"app2"`},
		{"delimiter of star", web("rules: [{allow: [get], read: ['a:*', 'app*']}]"), codeDelimiter, "identities.web.rules[0].read[1]", `"app"`},
		{"delimiter in a shared role", "roles: {r: {rules: [{allow: [get], read: [app*]}]}}\nidentities: {a: {match: [{ascii: a}], roles: [r]}, b: {match: [{ascii: b}], roles: [r]}}",
			codeDelimiter, "roles.r.rules[0].read[0]", `"app"`},
		{"overlap", two("{allow: [get], read: ['a:*']}", "{allow: [get], read: ['a:b:*']}"), codeOverlap, "identities.a.rules[0].read[0]", `"a:b:" of "b"`},
		{"overlap the other way", two("{allow: [get], read: ['a:b:*']}", "{allow: [get], read: ['a:*']}"), codeOverlap, "identities.b.rules[0].read[0]", `"a:b:" of "a"`},
		{"overlap with two", two("{allow: [get], read: ['a:*']}", "{allow: [get], read: ['a:b:*', 'a:c:*']}"), codeOverlap, "identities.a.rules[0].read[0]", `"a:b:" of "b"`},
		{"weak star", weak("rules: [{allow: [get], read: ['*']}]"), codeWeakAll, "identities.web.rules[0].read[0]", "reach every key"},
		{"weak keys star", weak("rules: [{allow: ['@rw'], keys: ['a:*', '*']}]"), codeWeakAll, "identities.web.rules[0].keys[1]", "identities.web.match[0]"},
		{"weak all", weak("rules: [{allow: ['@all'], keys: ['a:*']}]"), codeWeakAll, "identities.web.rules[0]", "run every command"},
		{"weak listener", "identities: {web: {match: [{ascii: web}, {listener: main}], rules: [{allow: [get], read: ['*']}]}}",
			codeWeakAll, "identities.web.rules[0].read[0]", "identities.web.match[1]"},
		{"weak default", "defaults: {unauthenticated: web}\n" + web("rules: [{allow: [get], read: ['*']}]"), codeWeakAll, "identities.web.rules[0].read[0]", "defaults.unauthenticated"},
		{"deny all on keys", web("rules: [{deny: ['@all'], keys: ['a:*']}]"), codeAllKeyless, "identities.web.rules[0]", "no keys"},
	})
	for _, ok := range []string{
		two("{allow: [get], read: ['a:*']}", "{allow: [get], read: ['a:*']}"),
		two("{allow: [get], read: ['a:*']}", "{allow: [get], read: ['b:*', 'exact:a:b']}"),
		two("{allow: [get], read: ['a:*']}", "{allow: [get], read: ['a:*', 'a:b:*']}"),
		two("{allow: [get], read: ['a:*', 'a:b:*']}", "{allow: [get], read: ['b:*']}"),
		two("{deny: [get], read: ['a:*']}", "{allow: [get], read: ['a:b:*']}"),
		weak("rules: [{allow: ['@stats'] }, {deny: [stats:conns]}]"),
		weak("rules: [{deny: ['@read'], read: ['*']}]"),
		web("rules: [{allow: ['@rw', '@stats'], keys: ['*']}]"),
		web("rules: [{allow: [get], keys: ['a:*', b.*, c/*, d-*, e_*, 'f|*']}]"),
	} {
		if _, list := Compile(parseDoc(t, head+ok)); len(list) > 0 {
			t.Errorf("%s\ngot %s, want nothing", ok, brief(list))
		}
	}
}
