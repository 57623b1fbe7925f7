package auth

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// hashesOf makes a secret with records by these hashes.
func hashesOf(t testing.TB, iterations int, hashes ...Hash) StoredSecret {
	t.Helper()
	s, err := NewSecret("pencil", Recipe{Hashes: hashes, Iterations: iterations, Rand: seeded(3)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNewSecret(t *testing.T) {
	for _, tt := range []struct{ hashes, want string }{
		{"", "SHA-256"},
		{"SHA-256", "SHA-256"},
		{"SHA-512", "SHA-512 SHA-256"},
		{"SHA-1 SHA-1", "SHA-256 SHA-1"},
		{"SHA-1 SHA-256 SHA-512", "SHA-512 SHA-256 SHA-1"},
	} {
		var hashes []Hash
		for _, h := range strings.Fields(tt.hashes) {
			hashes = append(hashes, Hash(h))
		}
		s := hashesOf(t, MinIterations, hashes...)
		if got := strings.Trim(fmt.Sprint(s.Hashes()), "[]"); got != tt.want || s.Record.Hash() != SHA256 {
			t.Errorf("%q: records by %s, the first by %s; want %s", tt.hashes, got, s.Record.Hash(), tt.want)
		}
		salts := map[string]bool{}
		for _, r := range s.records() {
			salts[r.salt] = true
			if back, err := ParseRecord(r.String()); err != nil || back != r {
				t.Errorf("%s is read back as %s, %v", r, back, err)
			}
		}
		if len(salts) != len(s.records()) {
			t.Errorf("%q: %d salts for %d records", tt.hashes, len(salts), len(s.records()))
		}
	}
}

func TestNewSecretLikeAnother(t *testing.T) {
	old := hashesOf(t, MinIterations, SHA512)
	for _, tt := range []struct {
		iterations int
		same       map[Hash]bool // whether the salt is
	}{
		{MinIterations, map[Hash]bool{SHA256: true, SHA512: true, SHA1: false}},
		{MinIterations + 1, map[Hash]bool{SHA256: false, SHA512: false, SHA1: false}},
	} {
		s, err := NewSecret("paper", Recipe{Hashes: Hashes(), Iterations: tt.iterations, Rand: seeded(4), Like: &old})
		if err != nil {
			t.Fatal(err)
		}
		for h, same := range tt.same {
			if r := s.by(h); (r.salt == old.by(h).salt) != same || len(r.salt) != newSalt || r.keys == old.by(h).keys {
				t.Errorf("%d iterations, %s: the same salt: %t, want %t", tt.iterations, h, !same, same)
			}
		}
	}
}

func TestParseHash(t *testing.T) {
	for _, h := range Hashes() {
		if got, err := ParseHash(string(h)); got != h || err != nil {
			t.Errorf("ParseHash(%s) = %s, %v", h, got, err)
		}
	}
	for _, s := range []string{"", "sha-256", "SHA256", "MD5", "SHA-256 "} {
		if got, err := ParseHash(s); got != "" || err == nil || !strings.Contains(err.Error(), "SHA-512") {
			t.Errorf("ParseHash(%q) = %q, %v", s, got, err)
		}
	}
}

func TestRecordsOfASecretAreChecked(t *testing.T) {
	full := hashesOf(t, MinIterations, SHA512)
	with := func(record Record, others ...Record) StoredSecret {
		return StoredSecret{Record: record, Others: others}
	}
	by256, by512 := full.Record, full.Others[0]
	dear := hashesOf(t, 5000, SHA512)
	usual := []User{{Name: "a", Secrets: []StoredSecret{full}}, {Name: "b", Secrets: []StoredSecret{full}}}
	for _, tt := range []struct {
		name    string
		secrets []StoredSecret
		want    string
	}{
		{"one hash", []StoredSecret{with(by256)}, ""},
		{"two hashes", []StoredSecret{full}, ""},
		{"two secrets", []StoredSecret{full, full}, ""},
		{"none", []StoredSecret{with(Record{})}, "SG1214"},
		{"one of two is none", []StoredSecret{with(by256, Record{})}, "SG1214"},
		{"SHA-256 is missing", []StoredSecret{with(Record{}, by512)}, "SG1216"},
		{"another in its place", []StoredSecret{with(by512)}, "SG1216"},
		{"in the wrong order", []StoredSecret{with(by512, by256)}, "SG1216"},
		{"SHA-256 twice", []StoredSecret{with(by256, by256)}, "SG1217"},
		{"SHA-512 twice", []StoredSecret{with(by256, by512, by512)}, "SG1217"},
		{"SHA-512 of two passwords", []StoredSecret{with(by256, by512, dear.Others[0])}, "SG1217"},
		{"of different cost than another user's", []StoredSecret{with(by256, dear.Others[0])}, "SG1218"},
		{"the second of different cost", []StoredSecret{full, with(by256, dear.Others[0])}, ""},
	} {
		users, faults := NewUsers([]User{{Name: "web", Secrets: tt.secrets}, usual[0], usual[1]}, 1)
		got := ""
		for _, f := range faults {
			got += f.Code
			if f.Fix == "" || f.Problem == "" || !strings.HasPrefix(f.Key, "users[0].secrets[") {
				t.Errorf("%s: %+v", tt.name, f)
			}
		}
		if warned := tt.want == "" || tt.want == "SG1218"; got != tt.want || (users != nil) != warned {
			t.Errorf("%s: %s, users %t; want %s", tt.name, got, users != nil, tt.want)
		}
	}
}

func TestSupports(t *testing.T) {
	bare, full := hashesOf(t, MinIterations), hashesOf(t, MinIterations, SHA512)
	enabled := func(name string, secrets ...StoredSecret) User { return User{Name: name, Secrets: secrets} }
	off := User{Name: "off", Disabled: true, Secrets: []StoredSecret{bare}}
	for _, tt := range []struct {
		name string
		list []User
		want bool // of SHA-512
	}{
		{"nobody", nil, false},
		{"everybody", []User{enabled("a", full), enabled("b", full)}, true},
		{"one lacks it", []User{enabled("a", full), enabled("b", bare)}, false},
		{"one lacks it in one of two secrets", []User{enabled("a", full, bare)}, false},
		{"one who is disabled lacks it", []User{enabled("a", full), off}, true},
		{"one is disabled without a secret", []User{enabled("a", full), {Name: "none", Disabled: true}}, true},
	} {
		u := usersOf(t, 1, tt.list...)
		for name, want := range map[string]bool{
			"SCRAM-SHA-512": tt.want, "SCRAM-SHA-512-PLUS": tt.want, "scram-sha-512": tt.want,
			"SCRAM-SHA-256": true, "SCRAM-SHA-1": false, "PLAIN": true, "EXTERNAL": true, "CRAM-MD5": false, "": false,
		} {
			if got := u.Supports(name); got != want {
				t.Errorf("%s: %s: %t, want %t", tt.name, name, got, want)
			}
		}
	}
	for name, want := range map[string]bool{"SCRAM-SHA-256": false, "PLAIN": false, "EXTERNAL": true} {
		if got := (*Users)(nil).Supports(name); got != want {
			t.Errorf("no users: %s: %t, want %t", name, got, want)
		}
	}
}

// TestFindSharesNothing: the records of a user that was found may be changed.
func TestFindSharesNothing(t *testing.T) {
	list := []User{{Name: "web", Secrets: []StoredSecret{hashesOf(t, MinIterations, SHA512, SHA1)}}}
	u := usersOf(t, 1, list...)
	want, _ := u.Find("web")
	list[0].Secrets[0].Others[0] = Record{}
	found, _ := u.Find("web")
	found.Secrets[0].Others[1] = Record{}
	if got, _ := u.Find("web"); !reflect.DeepEqual(got, want) || got.Secrets[0].by(SHA1).IsZero() || got.Secrets[0].by(SHA512).IsZero() {
		t.Errorf("after changing what went in and out: %v, want %v", got, want)
	}
}
