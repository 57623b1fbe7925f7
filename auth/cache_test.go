package auth

import (
	"fmt"
	"testing"
	"time"
)

func TestCacheSparesTheDerivation(t *testing.T) {
	clock := newClock()
	ending := user(t, "ending", "pw")
	ending.Secrets[0].NotAfter = clock.now().Add(time.Minute)
	v := newTestVerifier(t, usersOf(t, 1, user(t, "web", "pw"), ending))
	steps := []struct {
		name     string
		wait     time.Duration
		user     string
		password Secret
		want     string
		kdfs     int
	}{
		{"first login", 0, "web", "pw", "ok", 1},
		{"second", 0, "web", "pw", "ok", 0},
		{"wrong in between", 0, "web", "no", "wrong password", 1},
		{"wrong again is not remembered", 0, "web", "no", "wrong password", 1},
		{"third", 0, "web", "pw", "ok", 0},
		{"just within the time", DefaultCacheTTL - time.Nanosecond, "web", "pw", "ok", 0},
		{"at its end", time.Nanosecond, "web", "pw", "ok", 1},
		{"using it did not prolong it", DefaultCacheTTL - 1, "web", "pw", "ok", 0},
	}
	for _, s := range steps {
		v.clock.add(s.wait)
		_, err := v.login("", s.user, s.password)
		if got := len(v.kdfs.take()); verdict(err) != s.want || got != s.kdfs {
			t.Errorf("%s: %s with %d derivations; want %s with %d", s.name, verdict(err), got, s.want, s.kdfs)
		}
	}
}

func TestCacheEndsWithTheSecret(t *testing.T) {
	ending := user(t, "web", "pw")
	ending.Secrets[0].NotAfter = newClock().now().Add(time.Minute)
	v := newTestVerifier(t, usersOf(t, 1, ending))
	steps := []struct {
		wait time.Duration
		want string
		kdfs int
	}{
		{0, "ok", 1},
		{time.Minute - 1, "ok", 0},
		{1, "expired secret", 1},
	}
	for i, s := range steps {
		v.clock.add(s.wait)
		_, err := v.login("", "web", "pw")
		if got := len(v.kdfs.take()); verdict(err) != s.want || got != s.kdfs {
			t.Errorf("step %d: %s with %d derivations; want %s with %d", i, verdict(err), got, s.want, s.kdfs)
		}
	}
}

func TestCacheIsClearedBySwap(t *testing.T) {
	u := user(t, "web", "pw")
	v := newTestVerifier(t, usersOf(t, 1, u))
	for i := range 3 {
		if i > 0 {
			v.Swap(usersOf(t, uint64(i+1), u))
			if n := v.cache.entries.Len(); n != 0 {
				t.Errorf("%d entries after a swap", n)
			}
		}
		login, err := v.login("", "web", "pw")
		if got := len(v.kdfs.take()); err != nil || got != 1 || login.Generation != uint64(i+1) {
			t.Errorf("login %d: %v, generation %d, %d derivations; want ok with 1", i, err, login.Generation, got)
		}
	}
}

// TestCacheTellsUsersApart covers an entry that a login under way adds after the
// swap has cleared the cache.
func TestCacheTellsUsersApart(t *testing.T) {
	u := user(t, "web", "pw")
	before, after := usersOf(t, 1, u), usersOf(t, 2, u)
	v := newTestVerifier(t, after)
	key := v.cache.keyOf("web", "pw")
	v.cache.add(key, before, &u.Secrets[0], 0, v.clock.now())
	if _, ok := v.cache.holds(key, after, v.clock.now()); ok {
		t.Error("an entry of other users counts")
	}
	if _, ok := v.cache.holds(key, before, v.clock.now()); !ok {
		t.Error("an entry of the same users does not count")
	}
	if _, err := v.login("", "web", "pw"); err != nil || len(v.kdfs.take()) != 1 {
		t.Errorf("login: %v, want one derivation", err)
	}
}

func TestCacheKey(t *testing.T) {
	a, _ := newCache(8, time.Minute, seeded(1))
	b, _ := newCache(8, time.Minute, seeded(2))
	pairs := [][2]string{{"ab", "c"}, {"a", "bc"}, {"", "abc"}, {"abc", ""}, {"ab", "d"}, {"ac", "b"}}
	seen := map[cacheKey]string{}
	for _, p := range pairs {
		for name, c := range map[string]*cache{"a": a, "b": b} {
			k := c.keyOf(p[0], Secret(p[1]))
			if k != c.keyOf(p[0], Secret(p[1])) {
				t.Errorf("%q: key differs from itself", p)
			}
			at := fmt.Sprintf("%s%q", name, p)
			if other, ok := seen[k]; ok {
				t.Errorf("%s and %s have one key", at, other)
			}
			seen[k] = at
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	list := []User{}
	for i := range 6 {
		list = append(list, user(t, fmt.Sprint("u", i), "pw"))
	}
	clock := newClock()
	v, err := NewVerifier(VerifierConfig{Now: clock.now, CacheSize: 4}, usersOf(t, 1, list...))
	if err != nil {
		t.Fatal(err)
	}
	tv := &testVerifier{v, clock, &kdfCalls{}}
	for _, u := range list {
		if _, err := tv.login("", u.Name, "pw"); err != nil {
			t.Errorf("%s: %v", u.Name, err)
		}
		_, _ = tv.login("192.0.2.9", u.Name, "wrong")
	}
	if n := v.cache.entries.Len(); n != 4 {
		t.Errorf("%d entries, want 4", n)
	}
}

func TestCacheKnowsWhichSecret(t *testing.T) {
	v := newTestVerifier(t, usersOf(t, 1, user(t, "web", "old", "new")))
	for want, password := range []Secret{"old", "new"} {
		if _, err := v.login("", "web", password); err != nil {
			t.Fatal(err)
		}
		entry, ok := v.cache.entries.Peek(v.cache.keyOf("web", password))
		if !ok || entry.secret != want {
			t.Errorf("secret %d, found %t; want %d", entry.secret, ok, want)
		}
	}
}
