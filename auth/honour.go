package auth

import "time"

// Honours reports whether a login that was good once still is: its user is
// there, is not disabled, and has a secret that is live at now.
func (u *Users) Honours(l *Login, now time.Time) bool {
	if u == nil {
		return false
	}
	for _, s := range candidates(u.byName[l.User], now) {
		if s != nil {
			return true
		}
	}
	return false
}
