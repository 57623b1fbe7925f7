package auth

import (
	"crypto/hmac"
	"crypto/sha512"
	"fmt"
	"io"
	"time"
)

// prompt is what a server of SCRAM goes by for one user: records with the same
// salt and iterations, which it names before it sees a proof.
type prompt [maxSecrets]Record

// prompt returns the records by a hash that the proof of a user is checked
// against. There are always as many, and each takes the same work: decoys, which
// no password matches, stand in for a user who is not there or lacks the hash.
//
// A user who is disabled or whose secrets have expired is asked as before; what
// the proof is worth is for the users there are then.
func (v *Verifier) prompt(h Hash, user string) (p prompt) {
	users := v.users.Load()
	decoy := v.scramDecoy(h, user, users.usual(h))
	usr := users.byName[user]
	lead := leading(usr, h, v.now())
	if lead.IsZero() {
		return prompt{decoy, decoy}
	}
	decoy.salt, decoy.iterations = lead.salt, lead.iterations
	for i := range p {
		p[i] = decoy
		if i >= len(usr.Secrets) {
			continue
		}
		if r := usr.Secrets[i].by(h); r.salt == lead.salt && r.iterations == lead.iterations {
			p[i] = r
		}
	}
	return p
}

// leading is the record that says what a user is asked: of the first secret that
// is live, or of the first if none is. It is zero if there is none by the hash.
func leading(usr *User, h Hash, now time.Time) (lead Record) {
	if usr == nil {
		return lead
	}
	for i := range usr.Secrets {
		s := &usr.Secrets[i]
		r := s.by(h)
		if !r.IsZero() && s.live(now) {
			return r
		}
		if lead.IsZero() {
			lead = r
		}
	}
	return lead
}

// scramDecoy stands in for the record of a user that is not there. Its salt is
// always the same for one name, as that of a record is, and can't be foretold
// without the key of this process: it changes when slabgate is started anew.
func (v *Verifier) scramDecoy(h Hash, user string, s shape) Record {
	return Record{
		hash:       h,
		iterations: s.iterations,
		salt:       v.decoyBytes("salt", h, user)[:s.salt],
		keys: keys{
			stored: v.decoyBytes("StoredKey", h, user)[:h.size()],
			server: v.decoyBytes("ServerKey", h, user)[:h.size()],
		},
	}
}

// decoyBytes are 64 bytes for one purpose, as many as the longest salt or key has.
func (v *Verifier) decoyBytes(purpose string, h Hash, user string) string {
	mac := hmac.New(sha512.New, v.decoyKey)
	_, _ = io.WriteString(mac, purpose+"\x00"+string(h)+"\x00"+user) // a hash takes all
	return string(mac.Sum(nil))
}

// newDecoyKey is the secret that decoys are made from.
func newDecoyKey(rand io.Reader) ([]byte, error) {
	key := make([]byte, sha512.Size)
	if _, err := io.ReadFull(rand, key); err != nil {
		return nil, fmt.Errorf("auth: reading a random key: %v", err)
	}
	return key, nil
}

// loginBy is the login that a proof of a record makes now. It is not ok if the
// record is no longer one of the user's, or may not be used.
func (v *Verifier) loginBy(r Record, user string) (Login, bool) {
	users := v.users.Load()
	login := Login{User: user, Generation: users.generation, secret: fingerprintOf(r)}
	slot, s := users.honoured(&login, v.now())
	if s == nil {
		return Login{}, false
	}
	login.NotAfter, login.Slot = s.NotAfter, slot
	return login, true
}

// denied is the error of a login as user that no secret matched, or none that
// counts.
func (v *Verifier) denied(user string) error {
	return &DeniedError{reasonOf(v.users.Load().byName[user], v.now())}
}
