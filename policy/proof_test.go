package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/finding"
)

func TestIdentifyByProcess(t *testing.T) {
	runIdentify(t, `
identities:
  user:  {match: [{unix: {uid: 33}}]}
  group: {match: [{unix: {gid: 100}}]}
  both:  {match: [{unix: {uid: 7, gid: 7}}]}
  root:  {match: [{unix: {uid: 0, gid: 0}, listener: admin}]}
  side:  {match: [{listener: side}]}
`, []identifyCase{
		{"peer=33:33", "user", byUnix, 0},
		{"peer=33:5,6", "user", byUnix, 0},
		{"peer=33:33 on=side", "user", byUnix, 0},
		{"peer=34:33", "", "", KindUnknown}, // a group's number is no user's
		{"peer=5:100", "group", byUnix, 0},
		{"peer=5:5,99,100", "group", byUnix, 0},
		{"peer=5:5,99,101", "", "", KindUnknown},
		{"peer=100:5", "", "", KindUnknown},
		{"peer=33:100", "", "", KindConflict},
		{"peer=7:7", "both", byUnix, 0},
		{"peer=7:8,7", "both", byUnix, 0},
		{"peer=7:8", "", "", KindUnknown},
		{"peer=8:7", "", "", KindUnknown},
		{"peer=0:0 on=admin", "root", byUnix, 0},
		{"peer=0:0 on=other", "", "", KindUnknown},
		{"peer=1:0 on=admin", "", "", KindUnknown},
		{"on=admin", "", "", KindUnknown}, // over TCP nobody is user 0
		{"peer=8:8 on=side", "side", byListener, 0},
		{"on=side", "side", byListener, 0},
		{"addr=127.0.0.1", "", "", KindUnknown},
	})
}

// TestIdentifyProcessFallsBack: whoever comes to a unix socket is a process, so
// that one which matches nobody is like one that was not asked.
func TestIdentifyProcessFallsBack(t *testing.T) {
	runIdentify(t, `
defaults: {unauthenticated: guest}
identities:
  web:   {match: [{unix: {uid: 33}}]}
  guest: {}
  shop:  {match: [{ascii: shop}, {tls: {cn: shop}}]}
`, []identifyCase{
		{"peer=33:33", "web", byUnix, 0},
		{"peer=34:34", "guest", byDefault, 0},
		{"peer=34:34 user=shop", "shop", byLogin, 0},
		{"peer=34:34 cn=shop", "shop", byCert, 0},
		{"peer=33:33 user=nobody", "", "", KindUnknown},
		{"peer=33:33 cn=nobody", "", "", KindNeedLogin},
		{"peer=33:33 user=shop", "", "", KindConflict},
		{"peer=33:33 cn=shop", "", "", KindConflict},
	})
}

func TestIdentifyProcessAndLogin(t *testing.T) {
	runIdentify(t, `
identities:
  both: {match: [{sasl: web, unix: {uid: 33}}]}
`, []identifyCase{
		{"peer=33:33 plain=web", "both", byLogin, 0},
		{"peer=33:33", "", "", KindNeedLogin},
		{"peer=34:33", "", "", KindUnknown}, // a login alone is not enough
		{"peer=34:33 plain=web", "", "", KindUnknown},
		{"plain=web", "", "", KindUnknown},
		{"peer=33:33 plain=other", "", "", KindUnknown},
	})
	runIdentify(t, `
identities:
  web:   {match: [{ascii: web}, {unix: {uid: 33}}]}
  shop:  {match: [{ascii: shop}, {unix: {uid: 7}}, {tls: {cn: shop}}]}
  pair:  {match: [{ascii: shop, unix: {uid: 33}}]}
  three: {match: [{ascii: shop, unix: {uid: 33}, tls: {cn: shop}}]}
  host:  {match: [{tls: {cn: host}, unix: {uid: 33}}]}
`, []identifyCase{
		{"user=web peer=33:33", "web", byLogin, 0},
		{"user=web peer=7:7", "", "", KindConflict},
		{"user=shop peer=33:33", "pair", byLogin, 0},
		{"user=shop peer=33:33 cn=shop", "three", byLogin, 0},
		{"user=shop peer=33:33 cn=other", "pair", byLogin, 0},
		{"user=shop peer=7:7 cn=shop", "shop", byLogin, 0},
		{"peer=33:33 cn=host", "host", byCert, 0},
		{"peer=7:7 cn=host", "", "", KindNeedLogin},
		{"user=web peer=33:33 cn=host", "", "", KindConflict},  // no entry lists all three
		{"user=other peer=33:33 cn=host", "", "", KindUnknown}, // nor excuses the login
		{"user=shop peer=33:33 cn=host", "", "", KindConflict}, // two entries list two each
		{"user=web peer=7:7 cn=shop", "", "", KindConflict},
	})
}

func TestIdentifyByPin(t *testing.T) {
	pin := func(b byte) string { return "sha256:" + strings.Repeat("00", 31) + fmt.Sprintf("%02x", b) }
	runIdentify(t, `
identities:
  key:  {match: [{tls: {pin: "`+pin('k')+`"}}]}
  both: {match: [{tls: {pin: "`+pin('b')+`", cn: both, dns: [both.corp]}}]}
  b64:  {match: [{tls: {pin: "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHg="}}]}
`, []identifyCase{
		{"pin=k", "key", byCert, 0},
		{"pin=k cn=any dns=any.corp", "key", byCert, 0},
		{"pin=l", "", "", KindUnknown},
		{"cn=both dns=both.corp", "", "", KindUnknown},
		{"pin=b", "", "", KindUnknown},
		{"pin=b cn=both", "", "", KindUnknown},
		{"pin=b cn=both dns=both.corp", "both", byCert, 0},
		{"pin=k cn=both dns=both.corp", "key", byCert, 0},
		{"pin=x", "b64", byCert, 0},
		{"", "", "", KindUnknown},
	})
}

func TestIdentifyByServiceAccount(t *testing.T) {
	runIdentify(t, `
identities:
  cart:   {match: [{service_account: {namespace: shop, name: cart}}]}
  family: {match: [{service_account: {namespace: "team-*", name: "*"}}]}
  aud:    {match: [{service_account: {namespace: "*", name: batch, audience: cache}}]}
  local:  {match: [{service_account: {namespace: shop, name: agent}, unix: {uid: 33}}]}
  web:    {match: [{ascii: web}, {unix: {uid: 7}}]}
  side:   {match: [{listener: side}]}
`, []identifyCase{
		{"account=shop/cart@cache", "cart", byAccount, 0},
		{"account=shop/cart", "cart", byAccount, 0},
		{"account=shop/cart2", "", "", KindNeedLogin},
		{"account=shop2/cart", "", "", KindNeedLogin},
		{"account=team-a/any", "family", byAccount, 0},
		{"account=team-/any", "family", byAccount, 0},
		{"account=team/any", "", "", KindNeedLogin},
		{"account=a/batch@other,cache", "aud", byAccount, 0},
		{"account=a/batch@other", "", "", KindNeedLogin},
		{"account=a/batch2@cache", "", "", KindNeedLogin},
		{"account=team-a/batch@cache", "", "", KindConflict},
		{"account=shop/agent peer=33:33", "local", byUnix, 0},
		{"account=shop/agent peer=34:34", "", "", KindNeedLogin},
		{"account=shop/cart peer=7:7", "", "", KindConflict},
		{"account=shop/cart user=web", "", "", KindConflict},
		{"account=a/nobody user=web", "web", byLogin, 0}, // as beside a certificate of nobody
		{"account=a/nobody peer=7:7", "", "", KindNeedLogin},
		{"account=a/nobody on=side", "", "", KindNeedLogin},
		{"account=shop/cart on=side", "cart", byAccount, 0},
		{"", "", "", KindNeedLogin},
	})
}

func TestCompileRefusesProofs(t *testing.T) {
	match := func(m string) string { return "identities: {web: {match: [" + m + "]}}" }
	const at = "identities.web.match[0]"
	hash := strings.Repeat("0", 63)
	runCases(t, finding.Error, []compileCase{
		{"empty unix", match("{unix: {}}"), codeEmptyMatch, at + ".unix", "name uid or gid"},
		{"empty unix beside login", match("{unix: {}, ascii: web}"), codeEmptyMatch, at + ".unix", "would match any"},
		{"empty uid", match("{unix: {uid: ''}}"), codeEmptyMatch, at + ".unix.uid", "empty name"},
		{"empty gid beside uid", match("{unix: {uid: 1, gid: ''}}"), codeEmptyMatch, at + ".unix.gid", "empty name"},
		{"name", match("{unix: {uid: www-data}}"), codeUnixID, at + ".unix.uid", `"www-data"`},
		{"octal", match("{unix: {uid: '033'}}"), codeUnixID, at + ".unix.uid", "decimal digits"},
		{"sign", match("{unix: {gid: '+33'}}"), codeUnixID, at + ".unix.gid", `"+33"`},
		{"negative", match("{unix: {gid: -1}}"), codeUnixID, at + ".unix.gid", `"-1"`},
		{"nobody at all", match("{unix: {uid: 4294967295}}"), codeUnixID, at + ".unix.uid", "below 4294967295"},
		{"too large", match("{unix: {uid: 4294967296}}"), codeUnixID, at + ".unix.uid", "below 4294967295"},
		{"empty pin", match("{tls: {pin: ''}}"), codePin, at + ".tls.pin", "sha256:"},
		{"pin without kind", match("{tls: {pin: '" + hash + "0'}}"), codePin, at + ".tls.pin", "sha256:"},
		{"pin of another kind", match("{tls: {pin: 'sha512:" + hash + "0'}}"), codePin, at + ".tls.pin", "sha256:"},
		{"short pin", match("{tls: {pin: 'sha256:" + hash + "'}}"), codePin, at + ".tls.pin", "64 hex digits"},
		{"long pin", match("{tls: {pin: 'sha256:" + hash + "000'}}"), codePin, at + ".tls.pin", "64 hex digits"},
		{"pin with another letter", match("{tls: {pin: 'sha256:" + hash + "g'}}"), codePin, at + ".tls.pin", "64 hex digits"},
		{"pin with stray bits", match("{tls: {pin: 'sha256:" + strings.Repeat("A", 42) + "B='}}"), codePin, at + ".tls.pin", "base64"},
		{"pin without padding", match("{tls: {pin: 'sha256:" + strings.Repeat("A", 43) + "'}}"), codePin, at + ".tls.pin", "base64"},
		{"pin of 33 bytes", match("{tls: {pin: 'sha256:" + strings.Repeat("A", 44) + "'}}"), codePin, at + ".tls.pin", "base64"},
		{"pin with a line break", match(`{tls: {pin: "sha256:` + strings.Repeat("A", 42) + `\n="}}`), codePin, at + ".tls.pin", "base64"},
		{"pin beside login", match("{tls: {pin: x}, ascii: web}"), codePin, at + ".tls.pin", `"x"`},
		{"no namespace", match("{service_account: {name: cart}}"), codeEmptyMatch, at + ".service_account", "add namespace"},
		{"no name", match("{service_account: {namespace: shop, audience: a}}"), codeEmptyMatch, at + ".service_account", "add name"},
		{"empty namespace", match("{service_account: {namespace: '', name: cart}}"), codeEmptyMatch, at + ".service_account.namespace", `"*" for any`},
		{"empty name", match("{service_account: {namespace: shop, name: ''}}"), codeEmptyMatch, at + ".service_account.name", `"*" for any`},
		{"empty audience", match("{service_account: {namespace: shop, name: cart, audience: ''}}"), codeEmptyMatch, at + ".service_account.audience", "empty name"},
		{"star inside", match("{service_account: {namespace: 's*p', name: cart}}"), codeAccount, at + ".service_account.namespace", "lower-case"},
		{"two stars", match("{service_account: {namespace: shop, name: 'a**'}}"), codeAccount, at + ".service_account.name", "lower-case"},
		{"capital", match("{service_account: {namespace: Shop, name: cart}}"), codeAccount, at + ".service_account.namespace", `"Shop"`},
		{"long namespace", match("{service_account: {namespace: " + strings.Repeat("n", 64) + ", name: cart}}"), codeAccount, at + ".service_account.namespace", "63"},
		{"long name", match("{service_account: {namespace: shop, name: " + strings.Repeat("n", 254) + "}}"), codeAccount, at + ".service_account.name", "253"},
		{"secret", "identities: {web: {match: [{unix: {uid: 1}}], require: {secret: true}}}", codeSecret, "identities.web.require.secret", "sasl"},
	})
	runCases(t, finding.Warning, []compileCase{
		{"account", match("{service_account: {namespace: '*', name: '*'}}"), codeNoAccounts, at + ".service_account", "tls"},
		{"account beside login", match("{ascii: web, service_account: {namespace: shop, name: cart, audience: a}}"), codeNoAccounts, at + ".service_account", "no client fits"},
	})
}

// TestCompileCountsProofs: what is strong is not warned of, nor wants weak_ok.
func TestCompileCountsProofs(t *testing.T) {
	for _, m := range []string{
		"{unix: {uid: 33}}",
		"{unix: {gid: 0}, from: [10.0.0.0/8]}",
		"{unix: {uid: 4294967294, gid: 33}, listener: local}",
		"{tls: {pin: 'sha256:" + strings.Repeat("Ab", 32) + "'}}",
		"{tls: {pin: 'sha256:" + strings.Repeat("A", 43) + "='}}",
	} {
		doc := head + "identities: {web: {match: [" + m + "], rules: [{allow: ['@rw'], keys: ['*']}]}}"
		if p, list := Compile(parseDoc(t, doc)); len(list) > 0 || p == nil {
			t.Errorf("%s\ngot %s, want nothing", doc, brief(list))
		}
	}
}

func TestCompileComparesProofs(t *testing.T) {
	const account = "{service_account: {namespace: %s, name: %s}}"
	pin := func(s string) string { return "{tls: {pin: 'sha256:" + s + "'}}" }
	for _, row := range []struct {
		a, b string
		same bool
	}{
		{"{unix: {uid: 33}}", "{unix: {uid: 33}}", true},
		{"{unix: {uid: 33, gid: 0}}", "{unix: {gid: 0, uid: 33}}", true},
		{"{unix: {uid: 33}, ascii: web}", "{unix: {uid: 33}, sasl: web}", true},
		{"{unix: {uid: 33}}", "{unix: {gid: 33}}", false},
		{"{unix: {uid: 0}}", "{unix: {uid: 0, gid: 0}}", false},
		{"{unix: {uid: 33}}", "{unix: {uid: 34}}", false},
		{"{unix: {uid: 33}}", "{unix: {uid: 33}, listener: main}", false},
		{pin(strings.Repeat("ab", 32)), pin(strings.Repeat("AB", 32)), true},
		{pin(strings.Repeat("00", 32)), pin(strings.Repeat("A", 43) + "="), true}, // one hash in two spellings
		{pin(strings.Repeat("ab", 32)), pin(strings.Repeat("ac", 32)), false},
		{"{tls: {cn: web, pin: 'sha256:" + strings.Repeat("00", 32) + "'}}", "{tls: {cn: web}}", false},
		{fmt.Sprintf(account, "shop", "cart"), fmt.Sprintf(account, "shop", "cart"), true},
		{fmt.Sprintf(account, "'*'", "cart"), fmt.Sprintf(account, "'*'", "cart"), true},
		{fmt.Sprintf(account, "shop", "'*'"), fmt.Sprintf(account, "shop", "cart"), false},
		{fmt.Sprintf(account, "shop", "cart"), fmt.Sprintf(account, "shop", "'cart*'"), false},
		{fmt.Sprintf(account, "shop", "cart"), "{service_account: {namespace: shop, name: cart, audience: a}}", false},
	} {
		_, list := Compile(parseDoc(t, head+"identities: {a: {match: ["+row.a+"]}, b: {match: ["+row.b+"]}}"))
		var errs finding.List
		for _, f := range list {
			if f.Severity == finding.Error {
				errs = append(errs, f)
			}
		}
		got := len(errs) == 1 && errs[0].Code == codeSameMatch && errs[0].Key == "identities.b.match[0]"
		if got != row.same || !row.same && len(errs) > 0 {
			t.Errorf("%s and %s: got %s, want the same clients: %v", row.a, row.b, brief(list), row.same)
		}
	}
}
