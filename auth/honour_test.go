package auth

import (
	"net/netip"
	"testing"
	"time"
)

// TestHonours: what a reload does to the login of a client that is connected.
func TestHonours(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	first, second := honourRecord(t, "first"), honourRecord(t, "second")
	users := func(list ...User) *Users {
		u, found := NewUsers(list, 1)
		if u == nil {
			t.Fatalf("users: %v", found)
		}
		return u
	}
	old := users(User{Name: "web", Secrets: []StoredSecret{{Record: first}}})
	v, err := NewVerifier(VerifierConfig{Now: func() time.Time { return now }}, old)
	if err != nil {
		t.Fatal(err)
	}
	for _, fromCache := range []bool{false, true} {
		login, err := v.Verify(t.Context(), netip.Addr{}, "web", "first")
		if err != nil {
			t.Fatal(err)
		}
		if !login.NotAfter.IsZero() {
			t.Errorf("from cache %v: the login ends %s, want never", fromCache, login.NotAfter)
		}
		tests := []struct {
			name  string
			users *Users
			want  bool
		}{
			{"the same users", old, true},
			{"no users at all", nil, false},
			{"the user is gone", users(User{Name: "other", Secrets: []StoredSecret{{Record: first}}}), false},
			{"the user is disabled", users(User{Name: "web", Disabled: true, Secrets: []StoredSecret{{Record: first}}}), false},
			{"a second secret came", users(User{Name: "web", Secrets: []StoredSecret{{Record: second}, {Record: first}}}), true},
			{"the secret was replaced", users(User{Name: "web", Secrets: []StoredSecret{{Record: second}}}), false},
			{"the secret ends later", users(User{Name: "web", Secrets: []StoredSecret{{Record: first, NotAfter: now.Add(time.Second)}}}), true},
			{"the secret ended", users(User{Name: "web", Secrets: []StoredSecret{{Record: first, NotAfter: now}, {Record: second}}}), false},
		}
		for _, tt := range tests {
			if got := tt.users.Honours(&login, now); got != tt.want {
				t.Errorf("from cache %v, %s: honoured %v, want %v", fromCache, tt.name, got, tt.want)
			}
		}
	}
}

// TestLoginEndsWithItsSecret: of two secrets, the one that matched counts.
func TestLoginEndsWithItsSecret(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	soon := now.Add(time.Minute)
	users, found := NewUsers([]User{{Name: "web", Secrets: []StoredSecret{
		{Record: honourRecord(t, "new")}, {Record: honourRecord(t, "old"), NotAfter: soon},
	}}}, 1)
	if users == nil {
		t.Fatal(found)
	}
	v, err := NewVerifier(VerifierConfig{Now: func() time.Time { return now }}, users)
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[Secret]time.Time{"new": {}, "old": soon} {
		for _, how := range []string{"hashed", "from the cache"} {
			login, err := v.Verify(t.Context(), netip.Addr{}, "web", password)
			if err != nil || !login.NotAfter.Equal(want) {
				t.Errorf("%s: the login ends %v (%v), want %v", how, login.NotAfter, err, want)
			}
		}
	}
}

// TestHonoursNobody: a login that no verifier made is never honoured.
func TestHonoursNobody(t *testing.T) {
	u, _ := NewUsers([]User{{Name: "web", Secrets: []StoredSecret{{Record: honourRecord(t, "x")}}}}, 1)
	if u.Honours(&Login{User: "web"}, time.Unix(0, 0)) {
		t.Error("a login without a secret is honoured")
	}
}

func honourRecord(t *testing.T, password Secret) Record {
	t.Helper()
	r, err := NewRecord(password, MinIterations, zeroReader{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// zeroReader makes every salt the same, so that only passwords differ.
type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }
