package config

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/policy"
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

// idsOf reads a policy with one match of a process, and returns it.
func idsOf(t *testing.T, match string) (*policy.UnixMatch, finding.List) {
	t.Helper()
	doc, _, list := LoadPolicy(writePolicy(t, "version: 1\ncategories: 1\nidentities:\n  web: {match: [{unix: "+match+"}]}\n"))
	return doc.Identities["web"].Match[0].Unix, list
}

func TestUsersAndGroupsBecomeNumbers(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	mine, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Skipf("group %s has no name here", me.Gid)
	}
	for _, row := range []struct{ match, uid, gid string }{
		{fmt.Sprintf("{uid: %s, gid: %s}", me.Username, mine.Name), me.Uid, me.Gid},
		{fmt.Sprintf("{uid: %s, gid: 12}", me.Username), me.Uid, "12"},
		{"{uid: 4242, gid: '17'}", "4242", "17"},
		{"{uid: '033', gid: ''}", "033", ""}, // for the policy to refuse
		{"{gid: 7}", "", "7"},
	} {
		got, list := idsOf(t, row.match)
		uid, gid := "", ""
		if got.UID != nil {
			uid = *got.UID
		}
		if got.GID != nil {
			gid = *got.GID
		}
		if uid != row.uid || gid != row.gid || len(list) > 0 {
			t.Errorf("%s: got %q and %q, %v; want %q and %q", row.match, uid, gid, list, row.uid, row.gid)
		}
	}
}

func TestUnknownUsersAndGroups(t *testing.T) {
	for _, row := range []struct{ match, want, says string }{
		{"{uid: no-such-user}", "4:25 SG1156 identities.web.match[0].unix.uid", `there is no user "no-such-user"`},
		{"{gid: no-such-group}", "4:25 SG1156 identities.web.match[0].unix.gid", `there is no group "no-such-group"`},
		{"{uid: -1}", "4:25 SG1156 identities.web.match[0].unix.uid", `there is no user "-1"`},
		{"{uid: 0x21}", "4:25 SG1156 identities.web.match[0].unix.uid", "or a number"},
		{"{uid: 1, gid: ' 1'}", "4:33 SG1156 identities.web.match[0].unix.gid", `there is no group " 1"`},
	} {
		_, list := idsOf(t, row.match)
		if got := errorsOf(list); got != row.want || !strings.Contains(list.Err().Error(), row.says) {
			t.Errorf("%s: got %s, %v; want %s: %s", row.match, got, list, row.want, row.says)
		}
	}
	_, list := idsOf(t, "{uid: no-such-user, gid: no-such-group}")
	if len(list) != 2 {
		t.Errorf("got %v, want both", list)
	}
}

// TestAHostThatCannotTell: a name is not called unknown when nobody could say.
func TestAHostThatCannotTell(t *testing.T) {
	k := idKind{"user", func(string) (string, error) { return "", os.ErrPermission }}
	name := "web"
	list := k.number("x.uid", &name)
	if len(list) != 1 || list[0].Problem != `looking up the user "web": permission denied` || name != "web" {
		t.Errorf("got %v, name %q", list, name)
	}
}

func TestNamesOfAnotherHostAreNotLookedUp(t *testing.T) {
	path := writePolicy(t, `version: 1
categories: 1
identities:
  a: {match: [{unix: {uid: no-such-user}}], rules: []}
  b: {match: [{unix: {gid: no-such-group}}, {unix: {uid: "7"}}], rules: []}
`)
	doc, written, at, list := LoadPolicyElsewhere(path)
	if len(list) > 0 || at.Where("identities.b") == "" {
		t.Fatal(list)
	}
	if _, found := policy.Compile(doc); found.Failed() {
		t.Errorf("the numbers are none: %v", found)
	}
	b, as := doc.Identities["b"].Match, written.Identities["b"].Match
	if *as[0].Unix.GID != "no-such-group" || *b[0].Unix.GID == "no-such-group" || *b[1].Unix.UID != "7" {
		t.Errorf("got %s for %s, and %s", *b[0].Unix.GID, *as[0].Unix.GID, *b[1].Unix.UID)
	}
	if *b[0].Unix.GID == *doc.Identities["a"].Match[0].Unix.UID {
		t.Error("two names have one number")
	}
	if _, _, _, list := LoadPolicyElsewhere(path + ".not"); len(list) != 1 || list[0].Code != "SG1001" {
		t.Errorf("without a file: %v", list)
	}
}
