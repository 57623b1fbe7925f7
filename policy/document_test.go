package policy

import (
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestDocumentTags(t *testing.T) {
	got := parseDoc(t, `
version: 1
categories: 1
defaults: {mode: audit, unauthenticated: web, deny_reply: quiet}
roles:
  app: {rules: [{id: x, allow: ["@rw"], read: ["a:*"], write: ["b:*"], keys: ["c:*"]}, {deny: [get]}]}
identities:
  web:
    match:
      - {tls: {uri: "spiffe://corp/web", dns: [web.corp], cn: web, pin: "sha256:00"}, sasl: Web, ascii: web, listener: main, from: [10.0.0.0/8]}
      - {unix: {uid: 33, gid: www-data}, service_account: {namespace: "shop-*", name: cart, audience: cache}}
    weak_ok: true
    require: {tls: true, secret: true}
    roles: [app]
    rules: [{allow: [stats]}]
    mode: enforce
    deny_reply: error
tests:
  - {as: web, cmd: "get user:1", expect: allow}
`)
	want := &Document{
		Version: 1, Categories: 1,
		Defaults: Defaults{Mode: "audit", Unauthenticated: "web", DenyReply: "quiet"},
		Roles: map[string]Role{"app": {Rules: []Rule{
			{ID: "x", Allow: []string{"@rw"}, Read: []string{"a:*"}, Write: []string{"b:*"}, Keys: []string{"c:*"}},
			{Deny: []string{"get"}},
		}}},
		Identities: map[string]IdentityDoc{"web": {
			Match: []Match{{
				TLS:  &TLSMatch{URI: new("spiffe://corp/web"), DNS: []string{"web.corp"}, CN: new("web"), Pin: new("sha256:00")},
				SASL: new("Web"), ASCII: new("web"), Listener: new("main"), From: []string{"10.0.0.0/8"},
			}, {
				Unix:           &UnixMatch{UID: new("33"), GID: new("www-data")},
				ServiceAccount: &AccountMatch{Namespace: new("shop-*"), Name: new("cart"), Audience: new("cache")},
			}},
			WeakOK:  true,
			Require: Require{TLS: true, Secret: true},
			Roles:   []string{"app"},
			Rules:   []Rule{{Allow: []string{"stats"}}},
			Mode:    "enforce", DenyReply: "error",
		}},
		Tests: []Test{{As: "web", Cmd: "get user:1", Expect: "allow"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	out, err := yaml.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if again := parseDoc(t, string(out)); !reflect.DeepEqual(again, want) {
		t.Errorf("written and read again: %s", out)
	}
}

func TestPolicyFind(t *testing.T) {
	p := mustCompile(t, head+`
defaults: {deny_reply: quiet, mode: audit}
identities:
  web:  {match: [{ascii: web}], require: {tls: true}}
  shop: {match: [{ascii: shop}], require: {secret: true}, deny_reply: error, mode: enforce}
  Web:  {match: [{ascii: Web}]}
`)
	if got := strings.Join(p.Identities(), " "); got != "Web shop web" {
		t.Errorf("identities are %q", got)
	}
	tests := []struct {
		name                      string
		audit, quiet, tls, secret bool
	}{
		{"web", true, true, true, false},
		{"shop", false, false, false, true},
		{"Web", true, true, false, false},
	}
	for _, tt := range tests {
		id := mustFind(t, p, tt.name)
		if id.Name != tt.name || (id.Mode == ModeAudit) != tt.audit || id.Quiet != tt.quiet || id.RequireTLS != tt.tls || id.RequireSecret != tt.secret {
			t.Errorf("%s is %+v, want %+v", tt.name, id, tt)
		}
	}
	for _, name := range []string{"", "WEB", "web ", "deny"} {
		if id, ok := p.Find(name); ok || id != nil {
			t.Errorf("Find(%q) = %v", name, id)
		}
	}
}
