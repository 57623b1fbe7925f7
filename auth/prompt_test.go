package auth

import (
	"encoding/base64"
	"fmt"
	"hash"
	"regexp"
	"strings"
	"testing"
	"time"
)

// challengeOf is what the server answers to a first message of user.
func challengeOf(t *testing.T, v *testVerifier, h Hash, user string) string {
	t.Helper()
	challenge, _, err := v.begin(t, inClear(), h.mechanism()).Next([]byte("n,,n=" + user + ",r=abc"))
	if err != nil {
		t.Fatalf("%s: %v", user, err)
	}
	return string(challenge)
}

var challengeForm = regexp.MustCompile(`^r=abc([A-Z2-7]{26}),s=([A-Za-z0-9+/=]+),i=(\d+)$`)

// saltOf is the salt in a challenge, beside its iterations.
func saltOf(t *testing.T, challenge string) (salt, iterations string) {
	t.Helper()
	m := challengeForm.FindStringSubmatch(challenge)
	if m == nil {
		t.Fatalf("challenge %q is not of its form", challenge)
	}
	return m[2], m[3]
}

// TestNobodyIsAskedLikeAUser: nothing tells a name that is not there from one
// that is, whatever is the matter with the user.
func TestNobodyIsAskedLikeAUser(t *testing.T) {
	off := scramUser(t, "off", "pencil")
	off.Disabled = true
	ended := scramUser(t, "ended", "pencil")
	ended.Secrets[0].NotAfter = time.Unix(1, 0)
	list := []User{scramUser(t, "web", "pencil"), off, ended, {Name: "bare", Disabled: true}}
	v := newTestVerifier(t, usersOf(t, 1, list...))
	for _, h := range Hashes() {
		seen := map[string]string{}
		for _, name := range []string{"web", "off", "ended", "bare", "nobody", "Web", "web1", strings.Repeat("x", 128)} {
			first := challengeOf(t, v, h, name)
			salt, iterations := saltOf(t, first)
			if raw, err := base64.StdEncoding.DecodeString(salt); err != nil || len(raw) != newSalt || iterations != "4096" {
				t.Errorf("%s: %s: %q, want %d bytes of salt and 4096 iterations", h, name, first, newSalt)
			}
			v.Swap(usersOf(t, 2, list...))
			second := challengeOf(t, v, h, name)
			if again, _ := saltOf(t, second); again != salt || first == second {
				t.Errorf("%s: %s: first %q, then %q: want the same salt and another nonce", h, name, first, second)
			}
			if other, ok := seen[salt]; ok && !(strings.Contains("web off ended", name) && strings.Contains("web off ended", other)) {
				t.Errorf("%s: %s and %s have one salt", h, name, other)
			}
			seen[salt] = name
		}
	}
}

// TestDecoysDependOnTheProcess: a salt can't be computed from the name, and each
// purpose has bytes of its own.
func TestDecoysDependOnTheProcess(t *testing.T) {
	a, err := NewVerifier(VerifierConfig{Now: newClock().now, Rand: seeded(1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewVerifier(VerifierConfig{Now: newClock().now, Rand: seeded(2)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for name, v := range map[string]*Verifier{"a": a, "b": b} {
		for _, h := range Hashes() {
			r := v.scramDecoy(h, "web", shape{4096, maxSalt})
			if len(r.salt) != maxSalt || len(r.keys.stored) != h.size() || len(r.keys.server) != h.size() {
				t.Errorf("%s %s: salt of %d bytes, keys of %d and %d", name, h, len(r.salt), len(r.keys.stored), len(r.keys.server))
			}
			for what, s := range map[string]string{"salt": r.salt, "stored": r.keys.stored, "server": r.keys.server} {
				if other, ok := seen[s[:newSalt]]; ok {
					t.Errorf("%s is also %s", name+what, other)
				}
				seen[s[:newSalt]] = fmt.Sprint(name, h, what)
			}
		}
	}
}

// TestNobodyIsAskedWithTheUsualWork: a decoy looks like most records.
func TestNobodyIsAskedWithTheUsualWork(t *testing.T) {
	dear := func(name string) User {
		return User{Name: name, Secrets: []StoredSecret{{Record: recordOf(t, "pw", 5000)}}}
	}
	cheap := func(name string) User { return user(t, name, "pw") }
	for _, tt := range []struct {
		list []User
		want string
	}{
		{nil, "15000"},
		{[]User{cheap("a")}, "4096"},
		{[]User{cheap("a"), cheap("b"), dear("c")}, "4096"},
		{[]User{cheap("a"), dear("b"), dear("c")}, "5000"},
		{[]User{cheap("a"), dear("b")}, "5000"}, // none is usual: the dearer
	} {
		v := newTestVerifier(t, usersOf(t, 1, tt.list...))
		if _, got := saltOf(t, challengeOf(t, v, SHA256, "nobody")); got != tt.want {
			t.Errorf("%d users: %s iterations, want %s", len(tt.list), got, tt.want)
		}
	}
}

// TestLeadingSecret: which of two secrets a user is asked by, seen by the salt.
func TestLeadingSecret(t *testing.T) {
	now := newClock().now()
	past, future := now, now.Add(time.Hour)
	salted := func(seed byte, end time.Time) StoredSecret {
		s, err := NewSecret("pencil", Recipe{Iterations: MinIterations, Rand: seeded(seed)})
		if err != nil {
			t.Fatal(err)
		}
		s.NotAfter = end
		return s
	}
	for _, tt := range []struct {
		name      string
		ends      [2]time.Time
		disabled  bool
		want      int
		wantLogin bool
	}{
		{"both live", [2]time.Time{{}, future}, false, 0, true},
		{"first expired", [2]time.Time{past, future}, false, 1, true},
		{"both expired", [2]time.Time{past, past}, false, 0, false},
		{"disabled", [2]time.Time{{}, future}, true, 0, false},
		{"disabled, first expired", [2]time.Time{past, future}, true, 1, false},
	} {
		secrets := []StoredSecret{salted(1, tt.ends[0]), salted(2, tt.ends[1])}
		v := newTestVerifier(t, usersOf(t, 1, User{Name: "web", Disabled: tt.disabled, Secrets: secrets}))
		salt, _ := saltOf(t, challengeOf(t, v, SHA256, "web"))
		if want := encodeBase64([]byte(secrets[tt.want].Record.salt)); salt != want {
			t.Errorf("%s: asked with %s, want that of secret %d", tt.name, salt, tt.want)
		}
		_, err := talk(t, v.begin(t, inClear(), "SCRAM-SHA-256"), client{hash: SHA256, user: "web", password: "pencil"}.conversation(t))
		if (err == nil) != tt.wantLogin {
			t.Errorf("%s: %v, want a login %t", tt.name, err, tt.wantLogin)
		}
	}
}

// TestEverySCRAMLoginTakesTheSameWork counts hashes, as time can't be trusted:
// up to the answer to a wrong proof there are as many for every name.
func TestEverySCRAMLoginTakesTheSameWork(t *testing.T) {
	off := scramUser(t, "off", "pencil")
	off.Disabled = true
	users := usersOf(t, 1, scramUser(t, "one", "pencil"), scramUser(t, "two", "pencil", "paper"), off)
	for _, h := range Hashes() {
		function, made := hashFunctions[h], 0
		work := map[string]int{}
		for _, name := range []string{"one", "two", "off", "nobody"} {
			v := newTestVerifier(t, users)
			c := client{hash: h, user: name, password: "wrong"}.conversation(t)
			x := v.begin(t, inClear(), h.mechanism())
			hashFunctions[h] = func() hash.Hash { made++; return function() }
			first, _ := c.Step("")
			made = 0
			challenge, _, err := x.Next([]byte(first))
			firstWork := made
			hashFunctions[h] = function
			if err != nil {
				t.Fatal(err)
			}
			final, err := c.Step(string(challenge))
			if err != nil {
				t.Fatal(err)
			}
			made = 0
			if _, _, err = x.Next([]byte(final)); err == nil {
				t.Errorf("%s: a wrong proof is taken", name)
			}
			work[name] = firstWork + made
			if work[name] != work["one"] || made == 0 {
				t.Errorf("%s: %s takes %d hashes, want %d as every other", h, name, work[name], work["one"])
			}
		}
	}
}
