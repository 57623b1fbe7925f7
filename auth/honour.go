package auth

import (
	"crypto/sha256"
	"time"
)

// fingerprint tells one stored secret from another without holding it, so that a
// login may be printed.
type fingerprint [sha256.Size]byte

func fingerprintOf(r Record) fingerprint { return sha256.Sum256([]byte(r.String())) }

// Honours reports whether a login that was good once still is: its user is
// there and not disabled, and the secret that matched is still one of the user's
// and live at now. A nil u honours nothing.
func (u *Users) Honours(l *Login, now time.Time) bool {
	if u == nil {
		return false
	}
	for _, s := range candidates(u.byName[l.User], now) {
		if s != nil && fingerprintOf(s.Record) == l.secret {
			return true
		}
	}
	return false
}
