package auth

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// tryAll says for each password how a login with it ends.
func tryAll(t *testing.T, v *testVerifier, h Hash, passwords ...Secret) string {
	t.Helper()
	got := ""
	for _, p := range passwords {
		x := v.begin(t, inClear(), h.mechanism())
		_, err := talk(t, x, client{hash: h, user: "web", password: p}.conversation(t))
		got += fmt.Sprintf("%s: %s; ", string(p), verdict(err))
	}
	return got
}

// TestSCRAMWithTwoPasswords: of two live secrets both count if they have the
// salt in common, otherwise the first alone.
func TestSCRAMWithTwoPasswords(t *testing.T) {
	const wrong = "wrong password"
	for _, tt := range []struct {
		name string
		how  Recipe // of the second secret
		like bool   // it takes its salt from the first
		want [2]string
	}{
		{"same salt and work", Recipe{Hashes: Hashes(), Iterations: MinIterations}, true, [2]string{"ok", "ok"}},
		{"another salt", Recipe{Hashes: Hashes(), Iterations: MinIterations}, false, [2]string{"ok", wrong}},
		{"other work", Recipe{Hashes: Hashes(), Iterations: 5000}, true, [2]string{"ok", wrong}},
	} {
		first := secretOf(t, "old")
		tt.how.Rand = seeded(9)
		if tt.like {
			tt.how.Like = &first
		}
		second, err := NewSecret("new", tt.how)
		if err != nil {
			t.Fatal(err)
		}
		v := newTestVerifier(t, usersOf(t, 1, User{Name: "web", Secrets: []StoredSecret{first, second}}))
		for _, h := range Hashes() {
			want := fmt.Sprintf("old: %s; new: %s; other: %s; ", tt.want[0], tt.want[1], wrong)
			if got := tryAll(t, v, h, "old", "new", "other"); got != want {
				t.Errorf("%s, %s: got %s, want %s", tt.name, h, got, want)
			}
		}
		for _, p := range []Secret{"old", "new"} { // a password in clear is tried on both
			if _, err := v.login("", "web", p); err != nil {
				t.Errorf("%s: in clear with %s: %v", tt.name, string(p), err)
			}
		}
	}
}

// TestSCRAMLoginEndsWithItsSecret: of two secrets, the one that matched counts.
func TestSCRAMLoginEndsWithItsSecret(t *testing.T) {
	web := scramUser(t, "web", "new", "old")
	web.Secrets[1].NotAfter = newClock().now().Add(time.Minute)
	v := newTestVerifier(t, usersOf(t, 1, web))
	for i, p := range []Secret{"new", "old"} {
		x := v.begin(t, inClear(), "SCRAM-SHA-512")
		if _, err := talk(t, x, client{hash: SHA512, user: "web", password: p}.conversation(t)); err != nil {
			t.Fatal(err)
		}
		login, _ := x.Login()
		if !login.NotAfter.Equal(web.Secrets[i].NotAfter) || login.secret != fingerprintOf(web.Secrets[i].by(SHA512)) {
			t.Errorf("%s: %+v, want the login of secret %d", string(p), login, i)
		}
	}
	v.clock.add(time.Minute)
	if got, want := tryAll(t, v, SHA512, "new", "old"), "new: ok; old: wrong password; "; got != want {
		t.Errorf("at its end: got %s, want %s", got, want)
	}
}

// TestUsersAreSwappedUnderALogin: what counts are the users there are when the
// proof comes, and once more when the login ends.
func TestUsersAreSwappedUnderALogin(t *testing.T) {
	before := scramUser(t, "web", "pencil")
	off := scramUser(t, "web", "pencil")
	off.Disabled = true
	end := newClock().now().Add(time.Hour)
	ending := scramUser(t, "web", "paper", "pencil")
	ending.Secrets[1].NotAfter = end
	for _, tt := range []struct {
		name  string
		after []User
		want  string
		end   time.Time
	}{
		{"the same", []User{before}, "ok", time.Time{}},
		{"the secret is about to end", []User{ending}, "ok", end},
		{"gone", nil, "unknown user", time.Time{}},
		{"disabled", []User{off}, "disabled user", time.Time{}},
		{"another password", []User{scramUser(t, "web", "paper")}, "wrong password", time.Time{}},
		{"the hash is gone", []User{user(t, "web", "pencil")}, "wrong password", time.Time{}},
	} {
		for at := range 2 {
			v := newTestVerifier(t, usersOf(t, 1, before))
			x, c := v.begin(t, inClear(), "SCRAM-SHA-1"), client{hash: SHA1, user: "web", password: "pencil"}.conversation(t)
			challenge, err := "", error(nil)
			for step := range 3 {
				if step == at+1 {
					v.Swap(usersOf(t, 2, tt.after...))
				}
				message, _ := c.Step(challenge)
				var answer []byte
				if answer, _, err = x.Next([]byte(message)); err != nil {
					break
				}
				challenge = string(answer)
			}
			login, ok := x.Login()
			if verdict(err) != tt.want || ok != (tt.want == "ok") || ok && (login.Generation != 2 || !login.NotAfter.Equal(tt.end)) {
				t.Errorf("%s, after message %d: %+v, %v; want %s", tt.name, at+1, login, err, tt.want)
			}
		}
	}
}

// TestSCRAMIsThrottled: wrong proofs count as wrong passwords in clear do, also
// those of logins that began before any of them failed.
func TestSCRAMIsThrottled(t *testing.T) {
	users := usersOf(t, 1, scramUser(t, "web", "pencil"))
	v := newTestVerifier(t, users)
	good, bad := client{hash: SHA256, user: "web", password: "pencil"}, client{hash: SHA256, user: "web", password: "paper"}
	early, talker := v.begin(t, inClear(), "SCRAM-SHA-256"), good.conversation(t)
	first, _ := talker.Step("")
	challenge, _, err := early.Next([]byte(first))
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxWrong {
		if _, err := talk(t, v.begin(t, inClear(), "SCRAM-SHA-256"), bad.conversation(t)); verdict(err) != "wrong password" {
			t.Errorf("wrong login %d: %v", i, err)
		}
	}
	final, _ := talker.Step(string(challenge))
	if _, _, err := early.Next([]byte(final)); !errors.Is(err, ErrThrottled) {
		t.Errorf("a right proof of a login that began before: %v, want ErrThrottled", err)
	}
	for _, c := range []client{good, bad, {hash: SHA256, user: "nobody", password: "x"}} {
		challenges, err := talk(t, v.begin(t, inClear(), "SCRAM-SHA-256"), c.conversation(t))
		if !errors.Is(err, ErrThrottled) || len(challenges) != 0 {
			t.Errorf("%s with %s: %v after %q, want ErrThrottled at once", c.user, string(c.password), err, challenges)
		}
	}
	if _, err := v.login("192.0.2.1", "web", "pencil"); !errors.Is(err, ErrThrottled) {
		t.Errorf("in clear: %v, want ErrThrottled", err)
	}
	v.clock.add(firstPenalty)
	if _, err := talk(t, v.begin(t, inClear(), "SCRAM-SHA-256"), good.conversation(t)); err != nil {
		t.Errorf("after the penalty: %v", err)
	}
}
