package config

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/slabgate/slabgate/internal/finding"
)

func writePolicy(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAPolicyIsRead(t *testing.T) {
	path := writePolicy(t, `version: 1
categories: 1
identities:
  Web:
    match:
      - tls: {uri: "spiffe://td/web"}
    rules:
      - allow: ["@read", get]
        keys: ["user:*"]
  web:
    match: [{ascii: web}]
    rules: []
`)
	doc, at, list := LoadPolicy(path)
	if len(list) != 0 {
		t.Fatal(list)
	}
	id := doc.Identities["Web"]
	got := fmt.Sprint(doc.Version, doc.Categories, len(doc.Identities), id.Match[0].TLS != nil, id.Rules[0].Allow, id.Rules[0].Keys)
	if got != "1 1 2 true [@read get] [user:*]" {
		t.Errorf("got %s", got)
	}
	f := at.Place(finding.List{{Key: "identities.Web.rules[0].allow[1]"}})[0]
	if f.File != path || f.Line != 8 || f.Col != 26 {
		t.Errorf("got %s", f)
	}
}

func TestABrokenPolicyIsPointedAt(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"", "1:1 SG1005"},
		{"version: 1\nconnect: x", "2:1 SG1008 connect"},
		{"identities: {a: {mtach: []}}", "1:18 SG1008 identities.a.mtach"},
		{"identities: {a: {}, a: {}}", "1:21 SG1007 identities.a"},
		{"identities: {a: {weak_ok: yes}}", "1:18 SG1012 identities.a.weak_ok"},
		{"identities: {a: {rules: [{allow: get}]}}", "1:27 SG1009 identities.a.rules[0].allow"},
		{"identities: {a: {limits: {value_max: 5}}}", "1:27 SG1012 identities.a.limits.value_max"},
		{"roles: {a: {limits: {bytes_in: 5MiB, ttl_max: 1y}}}", "1:22 SG1012 roles.a.limits.bytes_in; 1:38 SG1012 roles.a.limits.ttl_max"},
		{"roles: {a: {rules: [{when: {until: tomorrow}}]}}", "1:29 SG1012 roles.a.rules[0].when.until"},
	} {
		doc, _, list := LoadPolicy(writePolicy(t, row.text))
		if got := errorsOf(list); got != row.want || doc == nil {
			t.Errorf("%s: got %s, want %s (%v)", row.text, got, row.want, list)
		}
	}
	path := writePolicy(t, "version: 1")
	if err := os.Chmod(path, 0o646); err != nil {
		t.Fatal(err)
	}
	if _, _, list := LoadPolicy(path); len(list) != 1 || list[0].Code != "SG1015" {
		t.Errorf("writable by anybody: got %v", list)
	}
	if _, _, list := LoadPolicy(path + "x"); len(list) != 1 || list[0].Code != "SG1001" {
		t.Errorf("missing: got %v", list)
	}
}
