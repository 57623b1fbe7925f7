package auth

import (
	"crypto/sha256"
	"time"
)

// fingerprint tells one stored record from another without holding it, so that a
// login may be printed.
type fingerprint [sha256.Size]byte

func fingerprintOf(r Record) fingerprint { return sha256.Sum256([]byte(r.String())) }

// Honours reports whether a login that was good once still is: its user is
// there and not disabled, and the record that matched is still of one of the
// user's secrets that is live at now. A nil u honours nothing.
func (u *Users) Honours(l *Login, now time.Time) bool {
	if u == nil {
		return false
	}
	_, s := u.honoured(l, now)
	return s != nil
}

// honoured is the live secret with the record that matched, or nil, and its place
// among those of its user.
func (u *Users) honoured(l *Login, now time.Time) (slot int, _ *StoredSecret) {
	for i, s := range candidates(u.byName[l.User], now) {
		if s != nil && s.has(l.secret) {
			return i, s
		}
	}
	return 0, nil
}

// has reports whether one of the records of s is the one with this fingerprint.
func (s *StoredSecret) has(f fingerprint) bool {
	for _, r := range s.records() {
		if fingerprintOf(r) == f {
			return true
		}
	}
	return false
}
