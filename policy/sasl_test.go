package policy

import (
	"testing"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/finding"
)

// TestIdentifyBySASL: one name in sasl is a user of both dialects, a name in
// ascii of one.
func TestIdentifyBySASL(t *testing.T) {
	runIdentify(t, `
identities:
  either: {match: [{sasl: web}]}
  apart:  {match: [{sasl: cart, ascii: basket}]}
  old:    {match: [{ascii: legacy}]}
  pair:   {match: [{sasl: shop, tls: {cn: shop}}]}
  spare:  {match: [{sasl: shop2}, {tls: {cn: spare}}], require: {tls: true, secret: true}}
`, []identifyCase{
		{"plain=web", "either", byLogin, 0},
		{"user=web", "either", byLogin, 0},
		{"plain=Web", "", "", KindUnknown},
		{"plain=cart", "apart", byLogin, 0},
		{"user=cart", "", "", KindUnknown},
		{"user=basket", "apart", byLogin, 0},
		{"plain=basket", "", "", KindUnknown},
		{"user=legacy", "old", byLogin, 0},
		{"plain=legacy", "", "", KindUnknown},
		{"plain=shop cn=shop", "pair", byLogin, 0},
		{"user=shop cn=shop", "pair", byLogin, 0},
		{"plain=shop", "", "", KindUnknown},
		{"plain=web cn=spare", "", "", KindConflict},
		{"plain=shop2 cn=spare", "spare", byLogin, 0},
		{"plain=shop2", "", "", KindRequireTLS},
		{"cn=spare", "", "", KindNeedLogin},
		{"plain=", "", "", KindUnknown},
		{"", "", "", KindNeedLogin},
	})
}

// TestIdentifyEveryMechanism: whatever the mechanism is called, it is a login
// over SASL unless it is that of the ASCII dialect.
func TestIdentifyEveryMechanism(t *testing.T) {
	p := mustCompile(t, head+"identities: {s: {match: [{sasl: web, ascii: never}]}, a: {match: [{ascii: web}]}}")
	for mechanism, want := range map[string]string{
		"PLAIN": "s", "SCRAM-SHA-1": "s", "SCRAM-SHA-256": "s", "SCRAM-SHA-256-PLUS": "s", "SCRAM-SHA-512": "s", "ascii": "a",
	} {
		id, _, err := p.Identify(auth.Facts{Login: &auth.Login{User: "web", Mechanism: mechanism}})
		if err != nil || id.Name != want {
			t.Errorf("%s: got %v, %v, want %s", mechanism, id, err, want)
		}
	}
}

func TestCompileRefusesSASL(t *testing.T) {
	match := func(m string) string { return "identities: {web: {match: " + m + "}}" }
	runCases(t, finding.Error, []compileCase{
		{"empty user", match("[{sasl: ''}]"), codeEmptyMatch, "identities.web.match[0].sasl", "empty name"},
		{"empty user beside ascii", match("[{sasl: '', ascii: web}]"), codeEmptyMatch, "identities.web.match[0].sasl", "empty name"},
		{"empty ascii beside it", match("[{sasl: web, ascii: ''}]"), codeEmptyMatch, "identities.web.match[0].ascii", "empty name"},
		{"user bytes", match(`[{sasl: "a\0b"}]`), codeMatchValue, "identities.web.match[0].sasl", "control"},
		{"no part", match("[{}]"), codeEmptyMatch, "identities.web.match[0]", "name tls, sasl, ascii, unix, listener or from"},
		{"secret", "identities: {web: {match: [{tls: {cn: web}}], require: {secret: true}}}", codeSecret, "identities.web.require.secret", "sasl"},
	})
}

// TestCompileRefusesOneUserTwice: two identities conflict if one client could be
// both in either dialect.
func TestCompileRefusesOneUserTwice(t *testing.T) {
	for _, row := range []struct {
		a, b string
		same bool
	}{
		{"{sasl: web}", "{sasl: web}", true},
		{"{sasl: web}", "{ascii: web}", true},
		{"{ascii: web}", "{sasl: web}", true},
		{"{sasl: a, ascii: web}", "{sasl: web}", true},
		{"{sasl: a, ascii: x}", "{sasl: a, ascii: y}", true},
		{"{sasl: x, ascii: a}", "{sasl: y, ascii: a}", true},
		{"{sasl: a, ascii: b}", "{sasl: b, ascii: a}", false},
		{"{sasl: web, ascii: other}", "{ascii: web}", false},
		{"{sasl: web}", "{sasl: Web}", false},
		{"{sasl: web}", "{listener: web}", false},
		{"{sasl: web, tls: {dns: [x, y]}}", "{sasl: web, tls: {dns: [y, z]}}", true},
		{"{sasl: web, tls: {dns: [x]}}", "{ascii: web, tls: {dns: [y]}}", false},
		{"{sasl: web, from: [10.0.0.0/8]}", "{ascii: web, from: [10.1.0.0/16]}", true},
		{"{sasl: web, from: [10.0.0.0/8]}", "{ascii: web, from: [11.0.0.0/8]}", false},
	} {
		_, list := Compile(parseDoc(t, head+"identities: {a: {match: ["+row.a+"]}, b: {match: ["+row.b+"]}}"))
		got := len(list) == 1 && list[0].Code == codeSameMatch && list[0].Key == "identities.b.match[0]"
		if got != row.same || !row.same && len(list) > 0 {
			t.Errorf("%s and %s: got %s, want the same clients: %v", row.a, row.b, brief(list), row.same)
		}
	}
}
