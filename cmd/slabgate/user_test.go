package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/config"
)

const (
	firstPassword  = "first-Pa55word-canary"
	secondPassword = "second-Pa55word-canary"
)

// fast keeps a test from spending a second on hashes.
const fast = "--iterations=4096"

// users reads the users file of the site back.
func (s site) users(t *testing.T) *auth.Users {
	t.Helper()
	users, found := config.LoadUsers(s.path("users.yaml"), 1)
	if users == nil || len(found) > 0 {
		t.Fatalf("users.yaml: %v\n%s", found, s.read(t, "users.yaml"))
	}
	return users
}

// logsIn reports whether the users of the site let name in with a password.
func (s site) logsIn(t *testing.T, name, password string) bool {
	t.Helper()
	v, err := auth.NewVerifier(auth.VerifierConfig{Now: time.Now}, s.users(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(context.Background(), loopback, name, auth.Secret(password))
	return err == nil
}

// emptySite is a site without a users file.
func emptySite(t *testing.T) site {
	t.Helper()
	s := newSite(t)
	if err := os.Remove(s.path("users.yaml")); err != nil {
		t.Fatal(err)
	}
	return s
}

// wantSecretFree fails the test if a command printed a password or the file
// holds one.
func (s site) wantSecretFree(t *testing.T, o outcome) {
	t.Helper()
	for _, password := range []string{firstPassword, secondPassword} {
		if strings.Contains(o.out+o.err+s.read(t, "users.yaml"), password) {
			t.Errorf("a password shows in %q, %q or the file", o.out, o.err)
		}
	}
}

func TestUserLife(t *testing.T) {
	s := emptySite(t)
	o := s.callIn(t, firstPassword+"\n", "user", "add", "ann", fast)
	o.want(t, exitOK, "users.yaml written", "SIGHUP")
	s.wantSecretFree(t, o)
	if !s.logsIn(t, "ann", firstPassword) || s.logsIn(t, "ann", secondPassword) {
		t.Errorf("after add: the first password must log in, and only it")
	}

	o = s.callIn(t, secondPassword+"\n", "user", "passwd", "ann", fast)
	o.want(t, exitOK, "written")
	s.wantSecretFree(t, o)
	if s.logsIn(t, "ann", firstPassword) || !s.logsIn(t, "ann", secondPassword) {
		t.Errorf("after passwd: the second password must log in, and only it")
	}

	s.call(t, "user", "disable", "ann").want(t, exitOK, "written")
	if s.logsIn(t, "ann", secondPassword) {
		t.Errorf("a disabled user logs in")
	}
	s.call(t, "user", "list").want(t, exitOK, "ann   disabled  1        -")
	s.call(t, "user", "disable", "ann", "--undo").want(t, exitOK, "written")
	if !s.logsIn(t, "ann", secondPassword) {
		t.Errorf("disable --undo does not let the user in again")
	}
	s.call(t, "user", "list").want(t, exitOK, "NAME  STATE    SECRETS  GOOD UNTIL", "ann   enabled  1        -")
}

// hashesOf is what the records of a user's first secret are made with.
func (s site) hashesOf(t *testing.T, name string) string {
	t.Helper()
	usr, _ := s.users(t).Find(name)
	return fmt.Sprint(usr.Secrets[0].Hashes())
}

// A change of password keeps the hashes a user has, unless it is told others.
func TestPasswdKeepsTheHashes(t *testing.T) {
	s := emptySite(t)
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"add"}, "[SHA-256]"},
		{[]string{"passwd", "--scram", "SHA-512"}, "[SHA-512 SHA-256]"},
		{[]string{"passwd"}, "[SHA-512 SHA-256]"},
		{[]string{"passwd", "--keep-for=1h"}, "[SHA-512 SHA-256]"},
		{[]string{"passwd", "--scram", "SHA-1,SHA-256,SHA-512"}, "[SHA-512 SHA-256 SHA-1]"},
		{[]string{"passwd", "--scram", "SHA-256"}, "[SHA-256]"},
	} {
		o := s.callIn(t, firstPassword, append([]string{"user", step.args[0], "ann", fast}, step.args[1:]...)...)
		o.want(t, exitOK)
		if got := s.hashesOf(t, "ann"); got != step.want {
			t.Errorf("%v: records by %s, want %s", step.args, got, step.want)
		}
		if !s.logsIn(t, "ann", firstPassword) {
			t.Errorf("%v: the password must log in", step.args)
		}
		s.wantSecretFree(t, o)
	}
}

// Two passwords that are good at once can both be used with SCRAM: the records
// have salt and iterations in common, unless another number was asked for.
func TestPasswdKeepForSharesTheSalt(t *testing.T) {
	for _, tc := range []struct {
		args []string
		same bool
	}{
		{nil, true},
		{[]string{fast}, true},
		{[]string{"--iterations=5000"}, false},
	} {
		s := emptySite(t)
		s.callIn(t, firstPassword, "user", "add", "ann", fast, "--scram", "SHA-256,SHA-1").want(t, exitOK)
		o := s.callIn(t, secondPassword, append([]string{"user", "passwd", "ann", "--keep-for=1h"}, tc.args...)...)
		o.want(t, exitOK)
		if said := strings.Contains(o.err, "SCRAM takes the new password only; both need --iterations 4096"); said == tc.same {
			t.Errorf("%v: said %q", tc.args, o.err)
		}
		ann, _ := s.users(t).Find("ann")
		now, old := ann.Secrets[0], ann.Secrets[1]
		for i, pair := range [][2]auth.Record{{now.Record, old.Record}, {now.Others[0], old.Others[0]}} {
			if head := headOf(pair[0]); (head == headOf(pair[1])) != tc.same || pair[0] == pair[1] {
				t.Errorf("%v: record %d: %s and %s, want the same salt and work %t", tc.args, i, pair[0], pair[1], tc.same)
			}
		}
		if !s.logsIn(t, "ann", firstPassword) || !s.logsIn(t, "ann", secondPassword) {
			t.Errorf("%v: both passwords must log in", tc.args)
		}
	}
}

// headOf is what a record has besides keys: hash, iterations and salt.
func headOf(r auth.Record) string { return r.String()[:strings.LastIndex(r.String(), "$")] }

// A change that keeps nothing takes the work that it is told, and a new salt.
func TestPasswdWithoutKeepForTakesANewSalt(t *testing.T) {
	s := emptySite(t)
	s.callIn(t, firstPassword, "user", "add", "ann", fast).want(t, exitOK)
	before, _ := s.users(t).Find("ann")
	s.callIn(t, firstPassword, "user", "passwd", "ann").want(t, exitOK)
	after, _ := s.users(t).Find("ann")
	if len(after.Secrets) != 1 || headOf(after.Secrets[0].Record) == headOf(before.Secrets[0].Record) ||
		after.Secrets[0].Record.Iterations() != auth.DefaultIterations {
		t.Errorf("got %v after %v", after.Secrets, before.Secrets)
	}
}

func TestRefusedChangeLeavesTheFileAlone(t *testing.T) {
	for _, tc := range []struct {
		name  string
		stdin string
		args  []string
		code  int
		says  string
	}{
		{"duplicate", firstPassword, []string{"add", "web", fast}, exitFindings, "slabgate user passwd web"},
		{"nobody's password", firstPassword, []string{"passwd", "wbe", fast}, exitFindings, `no user is called "wbe"`},
		{"nobody to disable", "", []string{"disable", "wbe"}, exitFindings, `no user is called "wbe"`},
		{"name with space", firstPassword, []string{"add", "a b", fast}, exitUsage, "SG1210"},
		{"name with colon", firstPassword, []string{"add", "a:b", fast}, exitUsage, "SG1210"},
		{"empty name", firstPassword, []string{"add", "", fast}, exitUsage, "SG1210"},
		{"long name", firstPassword, []string{"add", strings.Repeat("n", 129), fast}, exitUsage, "SG1210"},
		{"empty password", "\n", []string{"add", "ann", fast}, exitUsage, "the password is empty"},
		{"no password", "", []string{"passwd", "web", fast}, exitUsage, "the password is empty"},
		{"long password", strings.Repeat("p", auth.MaxPassword+1), []string{"add", "ann", fast}, exitUsage, "longer than 1024 bytes"},
		{"password with NUL", "a\x00b\n", []string{"add", "ann", fast}, exitUsage, "NUL"},
		{"unknown hash", firstPassword, []string{"add", "ann", "--scram", "SHA-256,sha-512"}, exitUsage, `no hash is called "sha-512"`},
		{"unknown hash for a change", firstPassword, []string{"passwd", "web", "--scram", "MD5"}, exitUsage, `no hash is called "MD5"`},
		{"too little work", firstPassword, []string{"add", "ann", "--iterations=4095"}, exitUsage, "4095 iterations"},
		{"no password file", "", []string{"add", "ann", "--password-file", "/nonexistent/p"}, exitUsage, "/nonexistent/p"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t)
			o := s.callIn(t, tc.stdin, append([]string{"user"}, tc.args...)...)
			o.want(t, tc.code, tc.says)
			if got := s.read(t, "users.yaml"); got != siteUsers {
				t.Errorf("the file has changed:\n%s", got)
			}
			s.wantSecretFree(t, o)
			s.wantNoLeftovers(t)
		})
	}
}

// wantNoLeftovers fails the test if the site has files that it should not have.
func (s site) wantNoLeftovers(t *testing.T) {
	t.Helper()
	names, err := filepath.Glob(s.path(".users*"))
	if err != nil || len(names) > 0 {
		t.Errorf("left behind: %q, %v", names, err)
	}
}

func TestUsersFileKeepsItsModeAndIsReplacedWhole(t *testing.T) {
	s := emptySite(t)
	s.callIn(t, firstPassword, "user", "add", "ann", fast).want(t, exitOK)
	if fi, err := os.Stat(s.path("users.yaml")); err != nil || fi.Mode().Perm() != 0o640 {
		t.Errorf("new file: got %v, %v, want mode 0640", fi.Mode(), err)
	}
	s.chmod(t, "users.yaml", 0o600)
	// A reader that has the old file open goes on reading the old file.
	old, err := os.Open(s.path("users.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	s.callIn(t, firstPassword, "user", "add", "bob", fast).want(t, exitOK)
	was, err := old.Stat()
	if err != nil {
		t.Fatal(err)
	}
	is, err := os.Stat(s.path("users.yaml"))
	if err != nil || is.Mode().Perm() != 0o600 || os.SameFile(was, is) {
		t.Errorf("changed file: got %v, %v, the same file: %v, want mode 0600 and another file", is.Mode(), err, os.SameFile(was, is))
	}
	s.wantNoLeftovers(t)
}

// A file that cannot be written back is an answer, and the old file stays.
func TestUsersFileThatCannotBeReplaced(t *testing.T) {
	s := newSite(t)
	o := s.callIn(t, firstPassword, "user", "add", "ann", fast, "--users", s.path("no/such/users.yaml"))
	o.want(t, exitPermission, "no/such")
}

func TestUserCommandsRefuseABrokenFile(t *testing.T) {
	s := newSite(t)
	s.edit(t, "users.yaml", "name: web", "nmae: web")
	was := s.read(t, "users.yaml")
	for _, args := range [][]string{{"list"}, {"add", "ann", fast}, {"passwd", "web", fast}, {"disable", "web"}} {
		s.callIn(t, firstPassword, append([]string{"user"}, args...)...).want(t, exitConfig, "error SG1008", "users.yaml:2:5")
	}
	if s.read(t, "users.yaml") != was {
		t.Error("a broken file was written over")
	}
	s.write(t, "users.yaml", siteUsers)
	s.chmod(t, "users.yaml", 0o644)
	s.call(t, "user", "list").want(t, exitPermission, "error SG1280")
}

func TestUserCommandsFindTheFile(t *testing.T) {
	s := newSite(t)
	other := s.path("other.yaml")
	o := s.callIn(t, firstPassword, "user", "add", "ann", fast, "--users", other)
	o.want(t, exitOK, other+" written")
	if s.read(t, "users.yaml") != siteUsers {
		t.Error("the configuration's file was changed, not that of --users")
	}
	slabgate(t, "user", "list", "--users", other).want(t, exitOK, "ann")
	slabgate(t, "user", "list", "--users", s.path("none.yaml")).want(t, exitOK, "NAME")
	s.edit(t, "slabgate.yaml", "logins: {ascii: [memcached], users: users.yaml}\n", "")
	s.call(t, "user", "list").want(t, exitUsage, "has no logins.users; name the file with --users")
	s.edit(t, "slabgate.yaml", "version: 1", "version: 3")
	s.call(t, "user", "list").want(t, exitConfig, "error SG1020")
}
