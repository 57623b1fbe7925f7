package auth

import "testing"

// TestProofTellsTheSecret: also a login that shows no password says which of two
// secrets was right.
func TestProofTellsTheSecret(t *testing.T) {
	usr := user(t, "rotating", "old", "new")
	v := newTestVerifier(t, usersOf(t, 1, usr))
	for slot := range usr.Secrets {
		login, ok := v.loginBy(usr.Secrets[slot].Record, usr.Name)
		if !ok || login.Slot != slot {
			t.Errorf("secret %d: login %+v, %t", slot, login, ok)
		}
	}
}
