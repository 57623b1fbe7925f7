package auth

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestNewUsersFindings(t *testing.T) {
	cheap, dear := record(t, "pw"), recordOf(t, "pw", 5000)
	one := []StoredSecret{{Record: cheap}}
	two := []StoredSecret{{Record: cheap}, {Record: cheap}}
	tests := []struct {
		name   string
		list   []User
		codes  string // of the findings, in order
		key    string // of the first
		failed bool
	}{
		{"none", nil, "", "", false},
		{"one", []User{{Name: "web", Secrets: one}}, "", "", false},
		{"two secrets", []User{{Name: "web", Secrets: two}}, "", "", false},
		{"disabled without secret", []User{{Name: "web", Disabled: true}}, "", "", false},
		{"case tells users apart", []User{{Name: "web", Secrets: one}, {Name: "Web", Secrets: one}}, "", "", false},
		{"no secret", []User{{Name: "web"}}, "SG1212", "users[0].secrets", true},
		{"three secrets", []User{{Name: "web", Secrets: append(two, one...)}}, "SG1213", "users[0].secrets", true},
		{"three secrets, one expired", []User{{Name: "web", Secrets: append(two, StoredSecret{Record: cheap, NotAfter: time.Unix(1, 0)})}},
			"SG1213", "users[0].secrets", true},
		{"no record", []User{{Name: "web", Secrets: make([]StoredSecret, 1)}}, "SG1214", "users[0].secrets[0]", true},
		{"duplicate", []User{{Name: "web", Secrets: one}, {Name: "app", Secrets: one}, {Name: "web", Secrets: one}},
			"SG1211", "users[2].name", true},
		{"twice empty", []User{{Secrets: one}, {Secrets: one}}, "SG1210 SG1210 SG1211", "users[0].name", true},
		{"iterations differ", []User{{Name: "a", Secrets: []StoredSecret{{Record: dear}}}, {Name: "b", Secrets: one}},
			"SG1215", "users[1].secrets[0]", false},
		{"iterations differ often", []User{{Name: "a", Secrets: one}, {Name: "b", Secrets: []StoredSecret{{Record: dear}}},
			{Name: "c", Secrets: one}}, "SG1215", "users[0].secrets[0]", false},
		{"everything", []User{{Name: "a b"}, {Name: "a b", Secrets: append(two, one...)}},
			"SG1210 SG1212 SG1210 SG1213 SG1211", "users[0].name", true},
	}
	for _, tt := range tests {
		u, faults := NewUsers(tt.list, 1)
		var codes []string
		for _, f := range faults {
			codes = append(codes, f.Code)
			if f.Fix == "" || f.Problem == "" {
				t.Errorf("%s: finding without problem or fix: %+v", tt.name, f)
			}
		}
		if got := strings.Join(codes, " "); got != tt.codes {
			t.Errorf("%s: codes %q, want %q", tt.name, got, tt.codes)
		}
		if len(faults) > 0 && faults[0].Key != tt.key {
			t.Errorf("%s: key %q, want %q", tt.name, faults[0].Key, tt.key)
		}
		if faults.Failed() != tt.failed || (u == nil) != tt.failed {
			t.Errorf("%s: failed %t, users %v; want failed %t", tt.name, faults.Failed(), u, tt.failed)
		}
	}
}

func TestUserNames(t *testing.T) {
	secrets := []StoredSecret{{Record: record(t, "pw")}}
	tests := []struct {
		name string
		ok   bool
	}{
		{"a", true},
		{"web-01.shop_eu@example", true},
		{"spiffe-ish/path", true},
		{`quo"te\`, true},
		{"jürgen", true},
		{"ユーザー", true},
		{strings.Repeat("x", 128), true},
		{"", false},
		{strings.Repeat("x", 129), false},
		{strings.Repeat("ü", 65), false}, // bytes are counted
		{"a b", false},
		{" a", false},
		{"a ", false},
		{"a:b", false},
		{":", false},
		{"a\x00b", false},
		{"a\nb", false},
		{"a\tb", false},
		{"a\x7f", false},
		{"a\x1b[31m", false},
		{"a\u0085", false},  // next line
		{"a\u00a0b", false}, // no-break space
		{"a\u200bb", false}, // zero width space
		{"a\u202eb", false}, // right-to-left override
		{"a\u2028b", false}, // line separator
		{"a\ufeff", false},  // byte order mark
		{"a\xff", false},
	}
	for _, tt := range tests {
		u, faults := NewUsers([]User{{Name: tt.name, Secrets: secrets}}, 1)
		if (u != nil) != tt.ok {
			t.Errorf("user name %q: findings %v, want ok %t", tt.name, faults, tt.ok)
		}
		for _, f := range faults {
			if len(f.Problem) > 400 || strings.ContainsAny(f.Problem, "\x00\n\x1b\u202e") {
				t.Errorf("user name %q: finding is long or raw: %q", tt.name, f.Problem)
			}
		}
	}
}

func TestFindingsAreClipped(t *testing.T) {
	_, faults := NewUsers([]User{{Name: strings.Repeat("x", 4000)}}, 1)
	for _, f := range faults {
		if len(f.Problem) > 200 {
			t.Errorf("problem of %d bytes: %s", len(f.Problem), f.Problem)
		}
	}
}

func TestUsersLookUp(t *testing.T) {
	u := usersOf(t, 7, user(t, "web", "a"), user(t, "app", "b", "c"), User{Name: "old", Disabled: true})
	if got, want := u.Names(), []string{"app", "old", "web"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Names() = %q, want %q", got, want)
	}
	if u.Generation() != 7 {
		t.Errorf("Generation() = %d, want 7", u.Generation())
	}
	tests := []struct {
		name    string
		found   bool
		secrets int
	}{
		{"web", true, 1}, {"app", true, 2}, {"old", true, 0},
		{"Web", false, 0}, {"we", false, 0}, {"web ", false, 0}, {"", false, 0},
	}
	for _, tt := range tests {
		got, ok := u.Find(tt.name)
		if ok != tt.found || len(got.Secrets) != tt.secrets {
			t.Errorf("Find(%q) = %v, %t; want found %t with %d secrets", tt.name, got, ok, tt.found, tt.secrets)
		}
		if ok && got.Name != tt.name {
			t.Errorf("Find(%q) is called %q", tt.name, got.Name)
		}
	}
}

func TestUsersNeverChange(t *testing.T) {
	list := []User{user(t, "web", "a"), user(t, "app", "b")}
	u := usersOf(t, 1, list...)
	want, _ := u.Find("web")

	list[0].Name, list[0].Disabled = "changed", true
	list[0].Secrets[0] = StoredSecret{}
	u.Names()[0] = "changed"
	found, _ := u.Find("web")
	found.Secrets[0] = StoredSecret{}

	if got, ok := u.Find("web"); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("after changing what was passed in and out: %v, want %v", got, want)
	}
	if got := fmt.Sprint(u.Names()); got != "[app web]" {
		t.Errorf("Names() = %s after changing a copy", got)
	}
}

func TestUsersWork(t *testing.T) {
	c, d := record(t, "x"), recordOf(t, "x", 5000)
	secrets := func(rs ...Record) (list []StoredSecret) {
		for _, r := range rs {
			list = append(list, StoredSecret{Record: r})
		}
		return list
	}
	tests := []struct {
		name string
		list []User
		want []int
	}{
		{"no users", nil, []int{DefaultIterations}},
		{"only a disabled one", []User{{Name: "a", Disabled: true}}, []int{DefaultIterations}},
		{"one", []User{{Name: "a", Secrets: secrets(c)}}, []int{4096}},
		{"two", []User{{Name: "a", Secrets: secrets(c, c)}, {Name: "b", Secrets: secrets(c)}}, []int{4096, 4096}},
		{"the dearer", []User{{Name: "a", Secrets: secrets(c)}, {Name: "b", Secrets: secrets(d)}}, []int{5000}},
		{"the dearer at each place", []User{{Name: "a", Secrets: secrets(c, d)}, {Name: "b", Secrets: secrets(d, c)}},
			[]int{5000, 5000}},
	}
	for _, tt := range tests {
		if got := usersOf(t, 1, tt.list...).cost(); !sameInts(got, tt.want) {
			t.Errorf("%s: cost %v, want %v", tt.name, got, tt.want)
		}
	}
}
