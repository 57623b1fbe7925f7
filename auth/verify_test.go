package auth

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestVerify(t *testing.T) {
	base := newClock().now()
	users := func(t *testing.T) *Users {
		rotating := user(t, "rotating", "old", "new")
		ending := user(t, "ending", "old", "new")
		ending.Secrets[0].NotAfter = base
		ending.Secrets[1].NotAfter = base.Add(time.Hour)
		ended := user(t, "ended", "pw")
		ended.Secrets[0].NotAfter = base.Add(-time.Second)
		off := user(t, "off", "pw")
		off.Disabled = true
		return usersOf(t, 3, user(t, "web", "s3cret pass"), user(t, "jürgen", "caf\u00e9"), rotating, ending, ended, off)
	}
	long := strings.Repeat("x", 2000)
	tests := []struct {
		name     string
		user     string
		password Secret
		want     string
	}{
		{"right", "web", "s3cret pass", "ok"},
		{"wrong", "web", "s3cret pasS", "wrong password"},
		{"shorter", "web", "s3cret pas", "wrong password"},
		{"longer", "web", "s3cret pass ", "wrong password"},
		{"somebody else's", "web", "new", "wrong password"},
		{"not ASCII", "jürgen", "caf\u00e9", "ok"},
		{"composed otherwise", "jürgen", "cafe\u0301", "ok"},
		{"a name composed otherwise", "ju\u0308rgen", "caf\u00e9", "unknown user"},
		{"the old of two", "rotating", "old", "ok"},
		{"the new of two", "rotating", "new", "ok"},
		{"neither of two", "rotating", "other", "wrong password"},
		{"expired of two", "ending", "old", "wrong password"},
		{"live of two", "ending", "new", "ok"},
		{"expired", "ended", "pw", "expired secret"},
		{"expired and wrong", "ended", "no", "expired secret"},
		{"disabled", "off", "pw", "disabled user"},
		{"disabled and wrong", "off", "no", "disabled user"},
		{"unknown", "nobody", "pw", "unknown user"},
		{"other case", "Web", "s3cret pass", "unknown user"},
		{"no user", "", "pw", "malformed"},
		{"no password", "web", "", "malformed"},
		{"long user", long[:129], "pw", "malformed"},
		{"longest user", long[:128], "pw", "unknown user"},
		{"long password", "web", Secret(long[:1025]), "malformed"},
		{"longest password", "web", Secret(long[:1024]), "wrong password"},
		{"user is not UTF-8", "web\xff", "pw", "malformed"},
		{"password is not UTF-8", "web", "\xff", "malformed"},
		{"NUL in the user", "web\x00", "s3cret pass", "malformed"},
		{"NUL in the password", "web", "s3cret pass\x00", "malformed"},
		{"password SASLprep refuses", "web", "a\x07", "malformed"},
		{"the same for an unknown user", "nobody", "a\x07", "malformed"},
		{"password SASLprep leaves nothing of", "web", "\u00ad", "malformed"},
	}
	for _, tt := range tests {
		v := newTestVerifier(t, users(t))
		login, err := v.login("192.0.2.1", tt.user, tt.password)
		if got := verdict(err); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		want := Login{}
		if err == nil {
			slot := map[string]int{"the new of two": 1, "live of two": 1}[tt.name]
			want = Login{User: tt.user, Generation: 3, NotAfter: login.NotAfter, Slot: slot, secret: login.secret} // which secret: TestHonours
		}
		if login != want {
			t.Errorf("%s: login %+v, want %+v", tt.name, login, want)
		}
		if err != nil && !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v does not match ErrDenied", tt.name, err)
		}
	}
}

// TestEveryLoginCostsTheSame counts derivations, as time can't be trusted: how
// many there are, and of how many iterations in all, must not tell whether a
// user exists, is disabled, has expired, or has one secret or two.
func TestEveryLoginCostsTheSame(t *testing.T) {
	expired := user(t, "expired", "pw")
	expired.Secrets[0].NotAfter = time.Unix(1, 0)
	off := user(t, "off", "pw")
	off.Disabled = true
	single := []User{user(t, "one", "right"), expired, off}
	double := append([]User{user(t, "two", "other", "right")}, single...)
	mixed := append([]User{{Name: "dear", Secrets: []StoredSecret{{Record: recordOf(t, "right", 9000)}}}}, double...)

	tests := []struct {
		name  string
		list  []User
		calls int // 0: not the same for all
		work  int
	}{
		{"one secret each", single, 1, 4096},
		{"two for some", double, 2, 8192},
		{"other iterations for one", mixed, 0, 9000 + 4096},
		{"nobody", nil, 1, DefaultIterations},
	}
	logins := [][2]string{
		{"one", "right"}, {"one", "wrong"}, {"two", "right"}, {"two", "other"}, {"two", "wrong"},
		{"dear", "right"}, {"dear", "wrong"}, {"expired", "pw"}, {"off", "pw"}, {"unknown", "right"},
	}
	for _, tt := range tests {
		for _, l := range logins {
			v := newTestVerifier(t, usersOf(t, 1, tt.list...))
			_, err := v.login("", l[0], Secret(l[1]))
			calls := v.kdfs.take()
			sum := 0
			for _, n := range calls {
				sum += n
			}
			if sum != tt.work || tt.calls != 0 && len(calls) != tt.calls {
				t.Errorf("%s: login as %s with %s (%s): derivations %v, want %d of %d iterations in all",
					tt.name, l[0], l[1], verdict(err), calls, tt.calls, tt.work)
			}
		}
	}
}

func TestNoDerivation(t *testing.T) {
	v := newTestVerifier(t, usersOf(t, 1, user(t, "web", "pw")))
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := v.Verify(done, netip.Addr{}, "web", "pw"); !errors.Is(err, context.Canceled) {
		t.Errorf("context done: %v", err)
	}
	for _, u := range []string{"", strings.Repeat("x", 129), "a\xff"} {
		if _, err := v.login("", u, "pw"); verdict(err) != "malformed" {
			t.Errorf("user %q: %v", u, err)
		}
	}
	if calls := v.kdfs.take(); len(calls) != 0 {
		t.Errorf("derivations %v, want none", calls)
	}
}

func TestADecoyIsNoPassword(t *testing.T) {
	v := newTestVerifier(t, nil)
	// Even a derivation that gives the decoy's own keys lets nobody in.
	v.kdf = func(Secret, string, int) (keys, error) { return v.decoy.keys, nil }
	if _, err := v.login("", "nobody", "pw"); verdict(err) != "unknown user" {
		t.Errorf("the decoy matched: %v", err)
	}
	if other := newTestVerifier(t, nil); other.decoy.iterations != DefaultIterations || len(other.decoy.salt) != 16 {
		t.Errorf("decoy %v", other.decoy)
	}
}

func TestSwapEndsWhatTheOldUsersAllowed(t *testing.T) {
	v := newTestVerifier(t, usersOf(t, 1, user(t, "web", "old"), user(t, "app", "pw")))
	steps := []struct {
		swap     *Users
		user     string
		password Secret
		want     string
		gen      uint64
	}{
		{nil, "web", "old", "ok", 1},
		{nil, "web", "old", "ok", 1},
		{usersOf(t, 2, user(t, "web", "new")), "web", "old", "wrong password", 0},
		{nil, "web", "new", "ok", 2},
		{nil, "app", "pw", "unknown user", 0},
		// Users of the same generation are other users all the same.
		{usersOf(t, 2, user(t, "web", "newer")), "web", "new", "wrong password", 0},
		{usersOf(t, 1, user(t, "web", "old"), user(t, "app", "pw")), "web", "old", "ok", 1},
	}
	for i, s := range steps {
		if s.swap != nil {
			v.Swap(s.swap)
		}
		login, err := v.login("", s.user, s.password)
		if verdict(err) != s.want || login.Generation != s.gen {
			t.Errorf("step %d: %s, generation %d; want %s, %d", i, verdict(err), login.Generation, s.want, s.gen)
		}
	}
	v.Swap(nil)
	if _, err := v.login("", "web", "old"); verdict(err) != "unknown user" {
		t.Errorf("without users: %v", err)
	}
}

func TestNewVerifierRefuses(t *testing.T) {
	clock := newClock()
	tests := []struct {
		name string
		c    VerifierConfig
		want string
	}{
		{"no clock", VerifierConfig{}, "clock"},
		{"no random bytes", VerifierConfig{Now: clock.now, Rand: strings.NewReader("")}, "decoy"},
		{"too few for the key", VerifierConfig{Now: clock.now, Rand: strings.NewReader(strings.Repeat("r", 90))}, "random key"},
		{"negative size", VerifierConfig{Now: clock.now, CacheSize: -1}, "-1 entries"},
	}
	for _, tt := range tests {
		if _, err := NewVerifier(tt.c, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
	}
	if v, err := NewVerifier(VerifierConfig{Now: clock.now}, nil); err != nil || v.cache.ttl != DefaultCacheTTL {
		t.Errorf("defaults: %v", err)
	}
}

func TestErrorsRepeatNothing(t *testing.T) {
	v := newTestVerifier(t, usersOf(t, 1, user(t, "web", "pw")))
	const mark = "XyzzyMark"
	for _, l := range [][2]string{{mark, mark}, {"web", mark}, {mark + "\xff", "pw"}, {"web", mark + "\x07"}, {"web", mark + "\U0001f512"}} {
		if _, err := v.login("", l[0], Secret(l[1])); err == nil || strings.Contains(err.Error(), mark) {
			t.Errorf("login as %q: error %v", l[0], err)
		}
	}
}
