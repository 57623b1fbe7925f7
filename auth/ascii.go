package auth

import (
	"bytes"
	"strings"
)

// ParseASCIIToken splits the token of memcached's ASCII login, the value of its
// set without the line end: the user is what comes before the first space, the
// password is all that follows, spaces included, byte for byte. The results are
// copies. The error is ErrTokenFormat without a space, ErrFormat outside the
// limits of a login.
func ParseASCIIToken(data []byte) (user string, password Secret, err error) {
	name, rest, found := bytes.Cut(data, []byte(" "))
	if !found {
		return "", "", ErrTokenFormat
	}
	if len(name) > MaxUser || len(rest) > MaxPassword {
		return "", "", ErrFormat // before anything is copied
	}
	user, password = string(name), Secret(rest)
	if !wellFormed(user, password) {
		return "", "", ErrFormat
	}
	return user, password, nil
}

// ASCIIPlain returns the PLAIN message that says the same as an ASCII login, so
// that both go through one [Exchange]. The error is ErrFormat if a NUL, which
// separates the parts of a PLAIN message, is in either.
func ASCIIPlain(user string, password Secret) ([]byte, error) {
	if strings.IndexByte(user, 0) >= 0 || strings.IndexByte(string(password), 0) >= 0 {
		return nil, ErrFormat
	}
	return []byte("\x00" + user + "\x00" + string(password)), nil
}
