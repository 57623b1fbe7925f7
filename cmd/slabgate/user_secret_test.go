package main

import (
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/auth"
)

func TestPasswdKeepForLeavesTwoSecrets(t *testing.T) {
	s := emptySite(t)
	s.callIn(t, firstPassword, "user", "add", "ann", fast).want(t, exitOK)
	before := time.Now()
	s.callIn(t, secondPassword, "user", "passwd", "ann", fast, "--keep-for", "1h").want(t, exitOK)
	if !s.logsIn(t, "ann", firstPassword) || !s.logsIn(t, "ann", secondPassword) {
		t.Error("both passwords must log in")
	}
	ann, _ := s.users(t).Find("ann")
	if len(ann.Secrets) != 2 || !ann.Secrets[0].NotAfter.IsZero() {
		t.Fatalf("got %d secrets, the first until %v, want 2, the first for ever", len(ann.Secrets), ann.Secrets[0].NotAfter)
	}
	if end := ann.Secrets[1].NotAfter; end.Before(before.Add(59*time.Minute)) || end.After(before.Add(61*time.Minute)) {
		t.Errorf("the old secret ends %v, want an hour from %v", end, before)
	}
	// A third password takes the place of the oldest, and the command says so.
	kept := endOf(ann.Secrets[1])
	s.call(t, "user", "list").want(t, exitOK, "ann   enabled  2        -, "+kept)
	s.callIn(t, "third", "user", "passwd", "ann", fast, "--keep-for", "1h").
		want(t, exitOK, "the older of the two passwords was kept until "+kept+" and ends now")
	if s.logsIn(t, "ann", firstPassword) || !s.logsIn(t, "ann", secondPassword) || !s.logsIn(t, "ann", "third") {
		t.Error("the second and third password must log in, and the first no more")
	}
}

func TestUserListShowsNoHashes(t *testing.T) {
	s := newSite(t)
	s.write(t, "users.yaml", siteUsers+"  - {name: gone, disabled: true}\n")
	o := s.call(t, "user", "list")
	o.want(t, exitOK, "SCRAM\n", "gone  disabled  0        -           -\n", "web   enabled   1        -           SHA-256\n")
	if strings.Contains(o.out, "SCRAM-") || strings.Contains(o.out, "766kesa") {
		t.Errorf("a record shows:\n%s", o.out)
	}
}

// Of two secrets those hashes count that both have.
func TestListShowsWhatEverySecretHas(t *testing.T) {
	s := emptySite(t)
	s.callIn(t, firstPassword, "user", "add", "ann", fast, "--scram", "SHA-512,SHA-1").want(t, exitOK)
	s.call(t, "user", "list").want(t, exitOK, " SHA-512,SHA-256,SHA-1\n")
	s.callIn(t, firstPassword, "user", "passwd", "ann", fast, "--scram", "SHA-512", "--keep-for=1h").want(t, exitOK)
	s.call(t, "user", "list").want(t, exitOK, " SHA-512,SHA-256\n")
}

// Keeping a secret never makes it live longer than it did.
func TestRotate(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name string
		keep time.Duration
		old  []auth.StoredSecret
		want []time.Time // the ends of the secrets
	}{
		{"nothing to keep", time.Hour, nil, []time.Time{{}}},
		{"not asked for", 0, []auth.StoredSecret{{}}, []time.Time{{}}},
		{"less than nothing", -time.Hour, []auth.StoredSecret{{}}, []time.Time{{}}},
		{"kept", time.Hour, []auth.StoredSecret{{}}, []time.Time{{}, now.Add(time.Hour)}},
		{"ends sooner", time.Hour, []auth.StoredSecret{{NotAfter: now.Add(time.Minute)}}, []time.Time{{}, now.Add(time.Minute)}},
		{"ends later", time.Hour, []auth.StoredSecret{{NotAfter: now.Add(48 * time.Hour)}}, []time.Time{{}, now.Add(time.Hour)}},
		{"newest of two", time.Hour, []auth.StoredSecret{{}, {NotAfter: now.Add(time.Second)}}, []time.Time{{}, now.Add(time.Hour)}},
	} {
		u := userCommand{keep: tc.keep}
		got := u.rotate(tc.old, auth.StoredSecret{}, now)
		if len(got) != len(tc.want) {
			t.Errorf("%s: got %d secrets, want %d", tc.name, len(got), len(tc.want))
			continue
		}
		for i := range got {
			if !got[i].NotAfter.Equal(tc.want[i]) {
				t.Errorf("%s: secret %d ends %v, want %v", tc.name, i, got[i].NotAfter, tc.want[i])
			}
		}
	}
}

// A change tells of a password that ends sooner than was promised, and of no
// other.
func TestCutShort(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	later := auth.StoredSecret{NotAfter: now.Add(time.Minute)}
	for _, tc := range []struct {
		name string
		keep time.Duration
		old  []auth.StoredSecret
		want string
	}{
		{"nothing kept before", time.Hour, []auth.StoredSecret{{}}, ""},
		{"kept before", time.Hour, []auth.StoredSecret{{}, later}, "until 2030-01-01T00:01:00Z"},
		{"kept without an end", time.Hour, []auth.StoredSecret{{}, {}}, "for good"},
		{"had ended", time.Hour, []auth.StoredSecret{{}, {NotAfter: now}}, ""},
		{"keeps nothing", 0, []auth.StoredSecret{{}, later}, ""},
	} {
		u := userCommand{keep: tc.keep}
		if got := u.cutShort(tc.old, now); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestUntilIsTheEndOfEachSecret(t *testing.T) {
	early := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	late := time.Date(2031, 1, 1, 1, 0, 0, 0, time.FixedZone("", 3600))
	for _, tc := range []struct {
		ends []time.Time
		want string
	}{
		{nil, "-"},
		{[]time.Time{{}}, "-"},
		{[]time.Time{early}, "2030-01-01T00:00:00Z"},
		{[]time.Time{late, early}, "2031-01-01T00:00:00Z, 2030-01-01T00:00:00Z"},
		{[]time.Time{{}, early}, "-, 2030-01-01T00:00:00Z"},
	} {
		var usr auth.User
		for _, end := range tc.ends {
			usr.Secrets = append(usr.Secrets, auth.StoredSecret{NotAfter: end})
		}
		if got := until(&usr); got != tc.want {
			t.Errorf("%v: got %q, want %q", tc.ends, got, tc.want)
		}
	}
}
