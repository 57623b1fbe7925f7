package auth

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/slabgate/slabgate/internal/finding"
)

// maxSecrets is how many secrets a user may have: the one in use and the one
// that takes over from it.
const maxSecrets = 2

// Codes of what can be wrong with a list of users.
const (
	codeName       = "SG1210"
	codeDuplicate  = "SG1211"
	codeNoSecret   = "SG1212"
	codeManySecret = "SG1213"
	codeNoRecord   = "SG1214"
	codeIterations = "SG1215"
	codeNoSHA256   = "SG1216"
	codeHashTwice  = "SG1217"
	codeTelling    = "SG1218"
)

// User is who may log in, and with what.
type User struct {
	Name     string         // compared byte for byte
	Disabled bool           // may not log in, whatever the secret
	Secrets  []StoredSecret // any live one will do
}

// Users is every user of one users file. It never changes and is safe for
// concurrent use.
type Users struct {
	generation uint64
	byName     map[string]*User
	names      []string // sorted

	// work is what every login costs, in iterations, one entry for each secret
	// that is tried: the most any user needs at that place. Spending it in full
	// on every login, known user or not, keeps the time from telling who exists.
	work []int

	byHash map[Hash]*hashUse // how the users use each hash
}

// NewUsers checks a list of users and makes it usable. The generation tells it
// from every other list this process reads. Users is nil if the findings hold
// an error; the list is copied and may change afterwards.
//
// A user has at most two secrets, expired ones included: whether a file is good
// does not depend on when it is read.
func NewUsers(list []User, generation uint64) (*Users, finding.List) {
	var faults finding.List
	u := &Users{generation: generation, byName: make(map[string]*User, len(list)), byHash: hashUses(list)}
	first := make(map[string]int, len(list))
	for i := range list {
		key := fmt.Sprintf("users[%d]", i)
		checkUser(&list[i], key, &faults)
		if j, ok := first[list[i].Name]; ok {
			faults.Errorf(codeDuplicate, key+".name", "keep one of the two",
				"user %s is already users[%d]", quote(list[i].Name), j)
			continue
		}
		first[list[i].Name] = i
		u.add(list[i])
	}
	u.checkWork(list, &faults)
	if faults.Failed() {
		return nil, faults
	}
	u.checkTelling(list, &faults)
	sort.Strings(u.names)
	return u, faults
}

// add takes a copy of usr and makes every login cost at least what its secrets do.
func (u *Users) add(usr User) {
	usr.Secrets = cloneSecrets(usr.Secrets)
	u.byName[usr.Name] = &usr
	u.names = append(u.names, usr.Name)
	for i := range usr.Secrets {
		if i == len(u.work) {
			u.work = append(u.work, 0)
		}
		u.work[i] = max(u.work[i], usr.Secrets[i].Record.iterations)
	}
}

// checkUser adds what is wrong with one user, seen alone.
func checkUser(usr *User, key string, faults *finding.List) {
	if fault := nameFault(usr.Name); fault != "" {
		faults.Errorf(codeName, key+".name", "use printable characters without space or ':'",
			"user name %s %s", quote(usr.Name), fault)
	}
	if len(usr.Secrets) == 0 && !usr.Disabled {
		faults.Errorf(codeNoSecret, key+".secrets", "set a password with `slabgate user passwd`, or write disabled: true",
			"user %s has no secret and can't log in", quote(usr.Name))
	}
	if n := len(usr.Secrets); n > maxSecrets {
		faults.Errorf(codeManySecret, key+".secrets", "remove the oldest, expired ones first",
			"user %s has %d secrets; at most %d are allowed", quote(usr.Name), n, maxSecrets)
	}
	for i := range usr.Secrets {
		checkSecret(usr, i, fmt.Sprintf("%s.secrets[%d]", key, i), faults)
	}
}

// checkSecret adds what is wrong with the records of one secret, at most one
// thing: each other follows from it or is reported once it is mended.
func checkSecret(usr *User, index int, key string, faults *finding.List) {
	const set = "set a password with `slabgate user passwd`"
	s := &usr.Secrets[index]
	if s.Record.IsZero() && len(s.Others) == 0 || slices.ContainsFunc(s.Others, Record.IsZero) {
		faults.Errorf(codeNoRecord, key, set, "secret of user %s holds no record", quote(usr.Name))
		return
	}
	if s.Record.hash != SHA256 {
		faults.Errorf(codeNoSHA256, key, set, "secret of user %s has no SCRAM-SHA-256 record", quote(usr.Name))
		return
	}
	seen := map[Hash]bool{}
	for _, r := range s.records() {
		if seen[r.hash] {
			faults.Errorf(codeHashTwice, key, "keep the one of the present password",
				"secret of user %s has two %s records", quote(usr.Name), r.hash.mechanism())
			return
		}
		seen[r.hash] = true
	}
}

// checkWork warns once if some record is dearer than others, as it sets what
// the login of everybody costs.
func (u *Users) checkWork(list []User, faults *finding.List) {
	for i := range list {
		for j := range list[i].Secrets {
			n := list[i].Secrets[j].Record.iterations
			if n == 0 || j >= len(u.work) || n == u.work[j] {
				continue
			}
			faults.Warnf(codeIterations, fmt.Sprintf("users[%d].secrets[%d]", i, j),
				"set all passwords with the same number of iterations",
				"%d iterations where another user has %d; every login costs the larger number", n, u.work[j])
			return
		}
	}
}

// nameFault says what keeps s from being a user name, or nothing.
func nameFault(s string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > MaxUser:
		return fmt.Sprintf("has %d bytes; at most %d are allowed", len(s), MaxUser)
	case !utf8.ValidString(s):
		return "is not UTF-8"
	case strings.ContainsFunc(s, badInName):
		return "holds a space, a ':' or a character that does not print"
	}
	return ""
}

// badInName keeps out what ends a name in one form of login (a space, a NUL),
// in other tools' password files (a colon), or on a reader's screen.
func badInName(r rune) bool {
	return r == ':' || r == ' ' || !unicode.IsPrint(r)
}

// Find returns the user called name. The result is a copy.
func (u *Users) Find(name string) (User, bool) {
	usr := u.byName[name]
	if usr == nil {
		return User{}, false
	}
	found := *usr
	found.Secrets = cloneSecrets(usr.Secrets)
	return found, true
}

// Names returns the names of all users, sorted. The result is a copy.
func (u *Users) Names() []string { return slices.Clone(u.names) }

// Generation is the generation the list was made with.
func (u *Users) Generation() uint64 { return u.generation }

// quote is s as it may stand in a message: quoted and cut at 64 bytes.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "…"
	}
	return fmt.Sprintf("%q", s)
}
