package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/finding"
)

// record is the record of some password.
const record = "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$" +
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAI="

// record512 is the SHA-512 record of some password.
const record512 = "SCRAM-SHA-512$4096:MDEyMzQ1Njc4OWFiY2RlZg==$" +
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQ==:" +
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAg=="

func parsed(t testing.TB) auth.Record { return parsedFrom(t, record) }

func parsedFrom(t testing.TB, text string) auth.Record {
	t.Helper()
	r, err := auth.ParseRecord(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestUsersAreRead(t *testing.T) {
	users, list := readUsers("users.yaml", []byte(strings.ReplaceAll(`users:
  - name: Web
    secrets:
      - {scram: "RECORD", not_after: 2026-12-31T00:00:00Z}
      - {scram: "RECORD"}
  - name: web
    disabled: true
  - name: 007
    secrets: [{scram: "RECORD"}]
`, "RECORD", record)), 5)
	if len(list) != 0 {
		t.Fatal(list)
	}
	if got := fmt.Sprint(users.Names(), users.Generation()); got != "[007 Web web] 5" {
		t.Errorf("got %s", got)
	}
	got, _ := users.Find("Web")
	want := auth.User{Name: "Web", Secrets: []auth.StoredSecret{
		{Record: parsed(t), NotAfter: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)}, {Record: parsed(t)},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The records of a secret may be in any order; one may stand without a list.
func TestRecordsOfSeveralHashesAreRead(t *testing.T) {
	for _, row := range []struct {
		scram  string
		others int
	}{
		{`"RECORD"`, 0},
		{`["RECORD"]`, 0},
		{`["RECORD", "OTHER"]`, 1},
		{`["OTHER", "RECORD"]`, 1},
		{"\n        - RECORD\n        - OTHER", 1},
	} {
		text := strings.NewReplacer("RECORD", record, "OTHER", record512).Replace("users:\n  - name: web\n    secrets:\n      - scram: " + row.scram)
		users, list := readUsers("users.yaml", []byte(text), 1)
		if len(list) != 0 {
			t.Errorf("%s: %v", row.scram, list)
			continue
		}
		web, _ := users.Find("web")
		want := auth.StoredSecret{Record: parsed(t)}
		if row.others == 1 {
			want.Others = []auth.Record{parsedFrom(t, record512)}
		}
		if !reflect.DeepEqual(web.Secrets, []auth.StoredSecret{want}) {
			t.Errorf("%s: got %+v, want %+v", row.scram, web.Secrets, want)
		}
	}
}

func TestABrokenUsersFileIsPointedAt(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"", "1:1 SG1005"},
		{"users: []", ""},
		{"users:", "1:1 SG1010 users"},
		{"users: {web: {}}", "1:1 SG1009 users"},
		{"Users: []", "1:1 SG1008 Users"},
		{"users: []\nversion: 1", "2:1 SG1008 version"},
		{"users: [{nmae: a, disabled: true}]", "1:10 SG1008 users[0].nmae; 1:9 SG1210 users[0].name"},
		{"users: [{name: a, disabled: no}]", "1:19 SG1012 users[0].disabled; 1:9 SG1212 users[0].secrets"},
		{"users: [{name: a, secrets: [{scram: \"RECORD\", password: b}]}]", "1:174 SG1008 users[0].secrets[0].password"},
		{"users: [{name: a, secrets: [{hash: \"$argon2id$v=19$x\"}]}]", "1:30 SG1014 users[0].secrets[0].hash"},
		{"users: [{name: a, secrets: [{scram: hunter2}]}]", "1:30 SG1281 users[0].secrets[0].scram"},
		{"users: [{name: a, secrets: [{scram: [hunter2]}]}]", "1:30 SG1281 users[0].secrets[0].scram"},
		{"users: [{name: a, secrets: [{scram: [[hunter2]]}]}]", "1:38 SG1009 users[0].secrets[0].scram[0]"},
		{"users: [{name: a, secrets: [{scram: {hunter2: x}}]}]", "1:30 SG1009 users[0].secrets[0].scram"},
		{"users: [{name: a, secrets: [{scram: []}]}]", "1:30 SG1281 users[0].secrets[0].scram"},
		{"users: [{name: a, secrets: [{scram: }]}]", "1:30 SG1010 users[0].secrets[0].scram"},
		{"users: [{name: a, secrets: [{scram: !!str hunter2}]}]", "1:37 SG1011 users[0].secrets[0].scram[0]"},
		{"users:\n- name: a\n  secrets:\n  - scram:\n    - \"RECORD\"\n    - hunter2", "6:7 SG1281 users[0].secrets[0].scram[1]"},
		{"users:\n- name: a\n  secrets:\n  - scram:\n    - \"RECORD\"\n    - SCRAM-SHA-384$4096:x$y:z", "6:7 SG1281 users[0].secrets[0].scram[1]"},
		{"users:\n- name: a\n  secrets:\n  - scram: \"OTHER\"", "4:5 SG1216 users[0].secrets[0]"},
		{"users:\n- name: a\n  secrets:\n  - scram:\n    - \"RECORD\"\n    - \"RECORD\"", "4:5 SG1217 users[0].secrets[0]"},
		{"users:\n- name: a\n  secrets:\n  - scram: [\"OTHER\", \"RECORD\", \"OTHER\"]", "4:5 SG1217 users[0].secrets[0]"},
		{"users: [{name: a, secrets: [{}]}]", "1:29 SG1281 users[0].secrets[0].scram"},
		{"users: [{name: a, secrets: [hunter2]}]", "1:29 SG1009 users[0].secrets[0]"},
		{"users: [{name: a, secrets: [{scram: \"RECORD\", not_after: 2026-12-31}]}]", "1:174 SG1012 users[0].secrets[0].not_after"},
		{"users: [{name: a, secrets: []}]", "1:19 SG1212 users[0].secrets"},
		{"users: [{name: a b, disabled: true}]", "1:10 SG1210 users[0].name"},
		{"users:\n- {name: a, disabled: true}\n- {name: a, disabled: true}", "3:4 SG1211 users[1].name"},
		{"users: [{name: a, secrets: [{scram: \"RECORD\"}, {scram: \"RECORD\"}, {scram: \"RECORD\"}]}]", "1:19 SG1213 users[0].secrets"},
	} {
		text := strings.NewReplacer("RECORD", record, "OTHER", record512).Replace(row.text)
		users, list := readUsers("users.yaml", []byte(text), 1)
		if got := errorsOf(list); got != row.want {
			t.Errorf("%s:\ngot  %s\nwant %s\n%v", row.text, got, row.want, list)
		}
		if (users == nil) != (row.want != "") {
			t.Errorf("%s: users %v with findings %v", row.text, users, list)
		}
		for _, f := range list {
			if strings.Contains(f.String(), "hunter2") || strings.Contains(f.String(), "argon2id") || f.Fix == "" {
				t.Errorf("%s: finding repeats a secret or has no fix: %v", row.text, f)
			}
		}
	}
}

func TestUsersAreNotReadFromAFileThatOthersMayTouch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	if err := os.WriteFile(path, []byte("users: []"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		mode os.FileMode
		ok   bool
	}{
		{0o400, true}, {0o600, true}, {0o640, true}, {0o440, true}, {0o660, false}, {0o620, false},
		{0o644, false}, {0o604, false}, {0o602, false}, {0o601, false}, {0o777, false},
	} {
		if err := os.Chmod(path, row.mode); err != nil {
			t.Fatal(err)
		}
		users, list := LoadUsers(path, 1)
		if (users != nil) != row.ok || list.Failed() == row.ok {
			t.Errorf("%04o: got %v", row.mode, list)
		}
		if row.ok {
			continue
		}
		want := fmt.Sprintf("others may read or write it: mode %04o, owner %d:%d, slabgate runs as uid %d", row.mode, os.Getuid(), os.Getgid(), os.Getuid())
		if f := list[0]; f.Code != "SG1280" || f.Problem != want || f.Fix != "chmod 0640 "+path {
			t.Errorf("%04o: got %+v, want %s", row.mode, f, want)
		}
	}
	if _, list := LoadUsers(path+"x", 1); !list.Failed() || list[0].Code != "SG1001" {
		t.Errorf("missing file: got %v", list)
	}
}

func TestAFolderThatAnybodyWritesIsWarnedOf(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "users.yaml")
	if err := os.WriteFile(path, []byte("users: []"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		mode os.FileMode
		want int
	}{{0o755, 0}, {0o775, 0}, {0o777, 1}, {0o777 | os.ModeSticky, 0}} {
		if err := os.Chmod(dir, row.mode); err != nil {
			t.Fatal(err)
		}
		users, list := LoadUsers(path, 1)
		if users == nil || len(list) != row.want || row.want == 1 && (list[0].Code != "SG1038" || list[0].Severity != finding.Warning) {
			t.Errorf("%s: got %v", row.mode, list)
		}
	}
}

func TestSavedUsersAreWhatIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	want := []auth.User{
		{Name: "Web", Secrets: []auth.StoredSecret{{Record: parsed(t), NotAfter: time.Date(2026, 12, 31, 1, 2, 3, 4, time.UTC)}, {Record: parsed(t)}}},
		{Name: "both", Secrets: []auth.StoredSecret{{Record: parsed(t), Others: []auth.Record{parsedFrom(t, record512)}}}},
		{Name: "null", Disabled: true},
		{Name: "007", Disabled: true},
		{Name: "yes", Disabled: true},
		{Name: "-,[]{}#&*!|>'\"%@`?", Disabled: true},
		{Name: "höhe", Disabled: true},
	}
	if err := SaveUsers(path, want); err != nil {
		t.Fatal(err)
	}
	users, list := LoadUsers(path, 1)
	if len(list) != 0 {
		t.Fatal(list)
	}
	for _, u := range want {
		if got, ok := users.Find(u.Name); !ok || !reflect.DeepEqual(got, u) {
			t.Errorf("got %+v, want %+v", got, u)
		}
	}
	if len(users.Names()) != len(want) {
		t.Errorf("got %v", users.Names())
	}
}

func TestSavingKeepsTheModeAndLeavesNothingBehind(t *testing.T) {
	for _, row := range []struct{ before, after os.FileMode }{
		{0, 0o640}, {0o600, 0o600}, {0o440, 0o440}, {0o640, 0o640}, {0o666, 0o640},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "users.yaml")
		if row.before != 0 {
			if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, row.before); err != nil {
				t.Fatal(err)
			}
		}
		if err := SaveUsers(path, nil); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(path)
		if err != nil || st.Mode() != row.after {
			t.Errorf("%04o: got %v, %v, want %04o", row.before, st.Mode(), err, row.after)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("%04o: left %v, %v", row.before, left, err)
		}
	}
}

func TestSavingThroughALinkKeepsTheLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.yaml"), filepath.Join(dir, "users.yaml")
	if err := SaveUsers(target, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := SaveUsers(link, []auth.User{{Name: "a", Disabled: true}}); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Lstat(link); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", st, err)
	}
	if users, list := LoadUsers(target, 1); users == nil || len(users.Names()) != 1 {
		t.Errorf("the target was not written: %v", list)
	}
}

func TestAFailedSaveChangesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "users.yaml") // a folder, which no rename replaces
	if err := os.MkdirAll(filepath.Join(path, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := SaveUsers(path, nil); err == nil || !strings.HasPrefix(err.Error(), "config: ") {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
	if err := SaveUsers(filepath.Join(dir, "none", "users.yaml"), nil); err == nil {
		t.Error("saved into a folder that is not there")
	}
}
