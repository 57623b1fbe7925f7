package auth

import (
	"fmt"

	"github.com/slabgate/slabgate/internal/finding"
)

// hashUse is how a list of users uses one hash.
type hashUse struct {
	everywhere bool  // each secret of each user that may log in has a record by it
	usual      shape // of the records of first secrets, most of them
}

// shape is what a server of SCRAM tells of a record before any proof.
type shape struct {
	iterations int
	salt       int // bytes
}

func shapeOf(r Record) shape { return shape{r.iterations, len(r.salt)} }

// before orders shapes, so that the usual one does not depend on chance.
func (s shape) before(other shape) bool {
	if s.iterations != other.iterations {
		return s.iterations < other.iterations
	}
	return s.salt < other.salt
}

// hashUses looks at all records of a list.
func hashUses(list []User) map[Hash]*hashUse {
	uses := map[Hash]*hashUse{}
	for _, h := range Hashes() {
		uses[h] = useOf(h, list)
	}
	return uses
}

// useOf looks at the records by one hash. That by SHA-256 is in every secret;
// of the others one must be seen, or no users at all would have them all. Of two
// secrets it is the first by which a user is asked.
func useOf(h Hash, list []User) *hashUse {
	count := map[shape]int{}
	missing := false
	for i := range list {
		for j := range list[i].Secrets {
			r := list[i].Secrets[j].by(h)
			switch {
			case r.IsZero():
				missing = missing || !list[i].Disabled
			case j == 0:
				count[shapeOf(r)]++
			}
		}
	}
	return &hashUse{everywhere: !missing && len(count) > 0 || h == SHA256, usual: most(count)}
}

// most is the shape with the largest count.
func most(count map[shape]int) shape {
	usual := shape{DefaultIterations, newSalt}
	for s, n := range count {
		if n > count[usual] || n == count[usual] && usual.before(s) {
			usual = s
		}
	}
	return usual
}

// usual is the shape that records by a hash have, most of them. What stands in
// for a user that is not there has it too, so that it looks like the others.
func (u *Users) usual(h Hash) shape {
	if use := u.byHash[h]; use != nil {
		return use.usual
	}
	return most(nil)
}

// Supports reports whether every user that may log in can do so by a mechanism,
// whichever of the live secrets the client has. Only then it is offered: a
// client takes the strongest that is, and can't know that its user lacks it. A
// nil u supports nothing but EXTERNAL, which needs no user.
func (u *Users) Supports(mechanism string) bool {
	m := mechanismOf(mechanism)
	switch {
	case m == nil:
		return false
	case m.name == External:
		return true
	case u == nil:
		return false
	case m.hash == "":
		return true
	}
	use := u.byHash[m.hash]
	return use != nil && use.everywhere
}

// checkTelling warns once if the records by one hash are not all of one shape.
// Of the iterations by SHA-256 checkWork warns.
func (u *Users) checkTelling(list []User, faults *finding.List) {
	for i := range list {
		for _, r := range firstOthers(&list[i]) {
			s, usual := shapeOf(r), u.usual(r.hash)
			if s == usual {
				continue
			}
			faults.Warnf(codeTelling, fmt.Sprintf("users[%d].secrets[0]", i),
				"set all passwords with the same number of iterations",
				"%s record of %d iterations and %d bytes of salt where most have %d and %d",
				r.hash.mechanism(), s.iterations, s.salt, usual.iterations, usual.salt)
			return
		}
	}
}

// firstOthers are the records of a user's first secret that are not by SHA-256.
func firstOthers(usr *User) []Record {
	if len(usr.Secrets) == 0 {
		return nil
	}
	return usr.Secrets[0].Others
}
