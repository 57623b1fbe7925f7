package auth

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// What a login may hold. Both are counted in bytes, and neither may be empty.
const (
	MaxUser     = 128
	MaxPassword = 1024
)

// Why a login did not succeed. What a client is told depends on nothing finer
// than these.
var (
	// ErrDenied matches every login that was judged and refused, whatever the
	// reason: see [DeniedError].
	ErrDenied = errors.New("auth: login denied")
	// ErrThrottled is a login that was not judged, because its source has been
	// wrong too often lately.
	ErrThrottled = errors.New("auth: too many wrong logins from this source")
	// ErrBusy is a login that was not judged, because too many others are.
	ErrBusy = errors.New("auth: too many logins at once")
	// ErrFormat is a login message that breaks its grammar or its limits.
	ErrFormat = errors.New("auth: malformed login message")
	// ErrTokenFormat is an ASCII login token without a space.
	ErrTokenFormat = errors.New("auth: no space in the login token")
	// ErrMechanism is a mechanism that the connection can't be logged in by.
	ErrMechanism = errors.New("auth: mechanism is not accepted on this connection")
	// ErrExchangeOver is a message for an exchange that has ended.
	ErrExchangeOver = errors.New("auth: the login exchange is over")
	// ErrPanic is an exchange that ended in a panic. What was panicked with is
	// dropped, as it may hold the password.
	ErrPanic = errors.New("auth: the login exchange panicked")
)

// Reason says why a login was denied. The set is closed, so that it can label a
// metric. It is for logs and never for the client.
type Reason string

const (
	ReasonMalformed   Reason = "malformed"      // outside the limits, not UTF-8, or no valid password
	ReasonUnknownUser Reason = "unknown user"   // no such name in the users file
	ReasonDisabled    Reason = "disabled user"  // the users file says so
	ReasonExpired     Reason = "expired secret" // every secret of the user is past its date
	ReasonPassword    Reason = "wrong password" // none of the live secrets matches
	ReasonBinding     Reason = "wrong channel"  // SCRAM is bound to another connection, or not as its mechanism says
)

// DeniedError is a denied login with its reason. It matches [ErrDenied] and
// holds nothing that the client sent.
type DeniedError struct {
	Reason Reason
}

// Error is the text for logs.
func (e *DeniedError) Error() string { return ErrDenied.Error() + ": " + string(e.Reason) }

// Is makes every denied login match ErrDenied.
func (e *DeniedError) Is(target error) bool { return target == ErrDenied }

// wellFormed reports whether user and password are within the limits of a
// login. Both forms of login and the verifier ask it, so that what one lets
// through no other refuses.
func wellFormed(user string, password Secret) bool {
	return len(user) <= MaxUser && isText(user) &&
		len(password) <= MaxPassword && isText(string(password))
}

// isText reports whether s is non-empty UTF-8 without NUL.
func isText(s string) bool {
	return s != "" && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}
