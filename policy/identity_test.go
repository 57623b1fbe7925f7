package policy

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/auth"
)

// factsOf makes facts from words: tls, uri=..., dns=..., cn=..., pin=BYTE,
// user=..., plain=..., peer=UID:GID,GROUP,..., account=NAMESPACE/NAME@AUDIENCE,...,
// on=LISTENER, addr=....
func factsOf(t testing.TB, words string) auth.Facts {
	t.Helper()
	var f auth.Facts
	cert := func() *auth.Cert {
		if f.Cert == nil {
			f.Cert = new(auth.Cert)
		}
		f.TLS = true
		return f.Cert
	}
	for word := range strings.FieldsSeq(words) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "tls":
			f.TLS = true
		case "uri":
			cert().URI = value
		case "dns":
			cert().DNS = strings.Split(value, ",")
		case "cn":
			cert().CN = value
		case "pin":
			cert().Pin = [32]byte{31: value[0]}
		case "peer":
			f.Unix = peerOf(t, value)
		case "account":
			account, audiences, _ := strings.Cut(value, "@")
			f.Account = new(auth.ServiceAccount)
			f.Account.Namespace, f.Account.Name, _ = strings.Cut(account, "/")
			f.Account.Audiences = strings.Split(audiences, ",")
		case "user":
			f.Login = &auth.Login{User: value, Mechanism: "ascii"}
		case "plain":
			f.Login = &auth.Login{User: value, Mechanism: "PLAIN"}
		case "on":
			f.Listener = value
		case "addr":
			f.Addr = netip.MustParseAddr(value)
		default:
			t.Fatalf("unknown fact %q", word)
		}
	}
	return f
}

// peerOf makes a process from UID:GID,GROUP,....
func peerOf(t testing.TB, text string) *auth.Peer {
	t.Helper()
	uid, gids, _ := strings.Cut(text, ":")
	var ids []uint32
	for id := range strings.SplitSeq(uid+","+gids, ",") {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			t.Fatalf("peer %q: %v", text, err)
		}
		ids = append(ids, uint32(n))
	}
	return &auth.Peer{UID: ids[0], GID: ids[1], Groups: ids[2:]}
}

// identifyCase is a connection and what Identify must say of it: the name and
// source of its identity, or else the kind of the error.
type identifyCase struct {
	facts  string
	name   string
	source auth.Source
	kind   IdentifyKind
}

func runIdentify(t *testing.T, doc string, tests []identifyCase) {
	t.Helper()
	p := mustCompile(t, head+doc)
	for _, tt := range tests {
		id, source, err := p.Identify(factsOf(t, tt.facts))
		var e *IdentifyError
		switch {
		case tt.name == "" && !errors.As(err, &e):
			t.Errorf("%s: got %v by %q, error %v, want kind %v", tt.facts, id, source, err, tt.kind)
		case tt.name == "" && (e.Kind != tt.kind || id != nil || source != ""):
			t.Errorf("%s: got %v by %q, kind %v (%v), want kind %v", tt.facts, id, source, e.Kind, e, tt.kind)
		case tt.name != "" && (err != nil || id.Name != tt.name || source != tt.source):
			t.Errorf("%s: got %v by %q, error %v, want %s by %q", tt.facts, id, source, err, tt.name, tt.source)
		}
	}
}

const (
	byLogin    = auth.SourceLogin
	byCert     = auth.SourceCert
	byUnix     = auth.SourceUnix
	byAccount  = auth.SourceAccount
	byListener = auth.SourceListener
	byAddress  = auth.SourceAddress
	byDefault  = auth.SourceDefault
)

func TestIdentifyByOneSource(t *testing.T) {
	runIdentify(t, `
identities:
  login:    {match: [{ascii: web}]}
  uri:      {match: [{tls: {uri: "spiffe://corp/ns/*/sa/etl"}}]}
  dns:      {match: [{tls: {dns: ["web.corp", "*.shop.corp"]}}]}
  cn:       {match: [{tls: {cn: legacy}}]}
  listener: {match: [{listener: stats}]}
  address:  {match: [{from: [10.2.0.0/16, "fd00::/8"]}], weak_ok: true}
`, []identifyCase{
		{"user=web", "login", byLogin, 0},
		{"user=web on=stats addr=10.2.3.4", "login", byLogin, 0},
		{"user=Web", "", "", KindUnknown},
		{"user=web2", "", "", KindUnknown},
		{"plain=web", "", "", KindUnknown}, // another kind of login is another name
		{"uri=spiffe://corp/ns/a/sa/etl", "uri", byCert, 0},
		{"uri=spiffe://corp/ns/a/sa/etl on=stats addr=10.2.3.4", "uri", byCert, 0},
		{"uri=spiffe://corp/ns/a/b/sa/etl", "", "", KindNeedLogin},
		{"dns=web.corp", "dns", byCert, 0},
		{"dns=x.corp,web.corp", "dns", byCert, 0},
		{"dns=eu.shop.corp", "dns", byCert, 0},
		{"dns=a.eu.shop.corp", "", "", KindNeedLogin},
		{"dns=x.corp", "", "", KindNeedLogin},
		{"cn=legacy", "cn", byCert, 0},
		{"cn=Legacy", "", "", KindNeedLogin},
		{"cn=web.corp", "", "", KindNeedLogin}, // a common name is no DNS name
		{"dns=legacy", "", "", KindNeedLogin},
		{"on=stats", "listener", byListener, 0},
		{"on=stats addr=10.2.3.4", "listener", byListener, 0},
		{"on=Stats", "", "", KindNeedLogin},
		{"addr=10.2.3.4", "address", byAddress, 0},
		{"addr=::ffff:10.2.3.4", "address", byAddress, 0},
		{"addr=fd00::1", "address", byAddress, 0},
		{"addr=10.3.3.4", "", "", KindNeedLogin},
		{"addr=::1", "", "", KindNeedLogin},
		{"", "", "", KindNeedLogin},
		{"tls", "", "", KindNeedLogin},
	})
}

func TestIdentifyNeverFallsBack(t *testing.T) {
	runIdentify(t, `
defaults: {unauthenticated: guest}
identities:
  web:   {match: [{ascii: web}]}
  guest: {match: [{from: [0.0.0.0/0]}], weak_ok: true}
  side:  {match: [{listener: side}]}
`, []identifyCase{
		{"addr=10.0.0.1", "guest", byAddress, 0},
		{"", "guest", byDefault, 0},
		{"addr=::1", "guest", byDefault, 0},
		{"user=web addr=10.0.0.1", "web", byLogin, 0},
		{"user=nobody", "", "", KindUnknown},
		{"user=nobody addr=10.0.0.1", "", "", KindUnknown},
		{"user=nobody on=side", "", "", KindUnknown},
		{"cn=nobody", "", "", KindNeedLogin},
		{"cn=nobody addr=10.0.0.1 on=side", "", "", KindNeedLogin},
		{"cn=nobody user=web", "web", byLogin, 0},
		{"cn=nobody user=nobody", "", "", KindUnknown},
	})
	runIdentify(t, `
defaults: {unauthenticated: guest}
identities: {guest: {}}
`, []identifyCase{
		{"", "guest", byDefault, 0},
		{"on=main addr=10.0.0.1 tls", "guest", byDefault, 0},
		{"cn=nobody", "", "", KindUnknown}, // no login could help
		{"user=nobody", "", "", KindUnknown},
	})
	runIdentify(t, "identities: {side: {match: [{listener: side}]}}", []identifyCase{
		{"", "", "", KindUnknown},
	})
}

func TestIdentifyTwoStrongSources(t *testing.T) {
	runIdentify(t, `
identities:
  web:  {match: [{ascii: web}, {tls: {cn: web}}]}
  shop: {match: [{ascii: shop}, {tls: {cn: shop}}]}
  pair: {match: [{ascii: shop, tls: {cn: web}}]}
`, []identifyCase{
		{"user=web cn=web", "web", byLogin, 0},
		{"user=shop cn=shop", "shop", byLogin, 0},
		{"user=web cn=shop", "", "", KindConflict},
		{"user=shop cn=web", "pair", byLogin, 0}, // one entry lists both
		{"user=web cn=other", "web", byLogin, 0},
		{"user=other cn=web", "", "", KindUnknown},
		{"cn=web", "web", byCert, 0},
		{"user=shop", "shop", byLogin, 0},
	})
	runIdentify(t, `
identities:
  both: {match: [{ascii: web, tls: {cn: web}}]}
`, []identifyCase{
		{"user=web cn=web", "both", byLogin, 0},
		{"user=web", "", "", KindUnknown},
		{"cn=web", "", "", KindNeedLogin},
		{"cn=web2", "", "", KindUnknown}, // a login alone is not enough
		{"user=web cn=web2", "", "", KindUnknown},
	})
}

func TestIdentifyRefusesTwoOfOneSource(t *testing.T) {
	runIdentify(t, `
identities:
  all:   {match: [{tls: {uri: "spiffe://corp/**"}}]}
  etl:   {match: [{tls: {uri: "spiffe://corp/etl"}}]}
  near:  {match: [{ascii: web}]}
  far:   {match: [{ascii: web, from: [10.0.0.0/8]}]}
  main:  {match: [{listener: main}]}
  local: {match: [{listener: main, from: [127.0.0.1/32]}]}
  pair:  {match: [{ascii: web, tls: {cn: a}}]}
  pairs: {match: [{ascii: web, tls: {dns: [b]}}]}
`, []identifyCase{
		{"uri=spiffe://corp/web", "all", byCert, 0},
		{"uri=spiffe://corp/etl", "", "", KindConflict},
		{"user=web", "near", byLogin, 0},
		{"user=web addr=10.0.0.1", "", "", KindConflict},
		{"on=main", "main", byListener, 0},
		{"on=main addr=127.0.0.1", "", "", KindConflict},
		{"user=web cn=a", "pair", byLogin, 0},
		{"user=web cn=a dns=b", "", "", KindConflict},
		{"user=web uri=spiffe://corp/etl", "", "", KindConflict},
	})
}

func TestIdentifyAllOfAnEntry(t *testing.T) {
	runIdentify(t, `
identities:
  web: {match: [{ascii: web, listener: main, from: [10.0.0.0/8]}]}
  etl: {match: [{tls: {cn: etl, dns: [etl.corp], uri: "spiffe://corp/etl"}, listener: main}]}
  in:  {match: [{listener: side, from: [10.0.0.0/8]}]}
`, []identifyCase{
		{"user=web on=main addr=10.0.0.1", "web", byLogin, 0},
		{"user=web on=main addr=11.0.0.1", "", "", KindUnknown},
		{"user=web on=side addr=10.0.0.1", "", "", KindUnknown},
		{"user=web on=main", "", "", KindUnknown}, // a unix socket has no address
		{"on=main addr=10.0.0.1", "", "", KindNeedLogin},
		{"on=main addr=11.0.0.1", "", "", KindUnknown}, // from there no login helps
		{"cn=etl dns=etl.corp uri=spiffe://corp/etl on=main", "etl", byCert, 0},
		{"cn=etl dns=etl.corp uri=spiffe://corp/etl on=side", "", "", KindUnknown},
		{"cn=etl dns=etl.corp on=main", "", "", KindUnknown},
		{"cn=etl uri=spiffe://corp/etl on=main", "", "", KindUnknown},
		{"dns=etl.corp uri=spiffe://corp/etl on=main", "", "", KindUnknown},
		{"on=side addr=10.0.0.1", "in", byListener, 0},
		{"on=side", "", "", KindUnknown},
	})
}

func TestIdentifyRequirements(t *testing.T) {
	runIdentify(t, `
identities:
  web:   {match: [{ascii: web}], require: {tls: true}}
  cert:  {match: [{tls: {cn: cert}}, {ascii: cert}], require: {secret: true}}
  other: {match: [{tls: {cn: other}, listener: main}, {ascii: other, listener: side}], require: {secret: true}}
  side:  {match: [{listener: plain}], require: {tls: true}}
`, []identifyCase{
		{"user=web tls", "web", byLogin, 0},
		{"user=web", "", "", KindRequireTLS},
		{"on=plain", "", "", KindRequireTLS},
		{"on=plain tls", "side", byListener, 0},
		{"cn=cert", "", "", KindNeedLogin},
		{"cn=cert user=cert", "cert", byLogin, 0},
		{"user=cert", "cert", byLogin, 0},
		{"on=side", "", "", KindNeedLogin},
	})
	runIdentify(t, `
identities:
  other: {match: [{tls: {cn: other}, listener: main}, {ascii: other, listener: side}], require: {secret: true}}
`, []identifyCase{
		{"cn=other on=main", "", "", KindRequireSecret},
		{"cn=other on=main user=other", "", "", KindUnknown},
	})
	runIdentify(t, `
defaults: {unauthenticated: guest}
identities:
  web:   {match: [{ascii: web}], require: {tls: true}}
  guest: {require: {secret: true}}
`, []identifyCase{
		{"", "", "", KindRequireTLS}, // a password is not to be sent in the clear
		{"tls", "", "", KindNeedLogin},
		{"tls user=web", "web", byLogin, 0},
	})
	runIdentify(t, "identities: {web: {match: [{ascii: web}], require: {tls: true}}}", []identifyCase{
		{"", "", "", KindRequireTLS},
		{"tls", "", "", KindNeedLogin},
		{"cn=other", "", "", KindNeedLogin},
	})
}

func TestIdentifyErrorText(t *testing.T) {
	p := mustCompile(t, head+`
identities:
  web:  {match: [{ascii: web}], require: {tls: true}}
  shop: {match: [{tls: {cn: shop}}]}
  open: {match: [{listener: open}, {ascii: open, listener: never}], require: {secret: true}}
`)
	tests := []struct{ facts, want string }{
		{"user=nobody", `policy: no identity matches the login of "nobody"`},
		{"user=" + strings.Repeat("x", 99), `policy: no identity matches the login of "` + strings.Repeat("x", 64) + `..."`},
		{"cn=nobody", `policy: no identity matches the certificate of "nobody"; a login is awaited`},
		{"dns=a.corp,b.corp", `policy: no identity matches the certificate of "a.corp"; a login is awaited`},
		{"uri=spiffe://x dns=a.corp", `policy: no identity matches the certificate of "spiffe://x"; a login is awaited`},
		{"tls", "policy: no identity matches; a login is awaited"},
		{"", "policy: no identity matches without TLS"},
		{"user=web", `policy: identity "web" requires TLS`},
		{"user=web cn=shop", `policy: the connection matches both identity "web" and "shop"`},
		{"tls on=open", `policy: identity "open" requires a login`},
		{"peer=33:33,100,101 tls", `policy: no identity matches the process of "uid=33 gid=33 groups=[100 101]"; a login is awaited`},
		{"account=shop/cart tls", `policy: no identity matches the service account of "shop/cart"; a login is awaited`},
	}
	for _, tt := range tests {
		_, _, err := p.Identify(factsOf(t, tt.facts))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s:\ngot  %v\nwant %s", tt.facts, err, tt.want)
		}
	}
}

func TestIdentifyKindWords(t *testing.T) {
	want := []string{"unknown", "need_login", "conflict", "require_tls", "require_secret", "unknown"}
	for i, w := range want {
		if got := IdentifyKind(i).String(); got != w {
			t.Errorf("kind %d is %q, want %q", i, got, w)
		}
	}
}
