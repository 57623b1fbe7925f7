package policy

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
)

// nobodyID is the number that the kernel takes for no user and no group.
const nobodyID = 1<<32 - 1

// unixMatch compiles what a match asks of a process.
func (c *compiler) unixMatch(path string, m *UnixMatch) *peerMatch {
	if m.UID == nil && m.GID == nil {
		c.out.Errorf(codeEmptyMatch, path, "name uid or gid", "a match that asks nothing of a process would match any")
	}
	return &peerMatch{uid: c.idMatch(path+".uid", m.UID), gid: c.idMatch(path+".gid", m.GID)}
}

// idMatch compiles the number of a user or group. It has one spelling, since a
// leading 0 means octal digits to some readers.
func (c *compiler) idMatch(path string, s *string) idMatch {
	if s == nil {
		return idMatch{}
	}
	if *s == "" {
		c.out.Errorf(codeEmptyMatch, path, "write a number or a name, or remove the key", "an empty name would ask for nothing")
		return idMatch{written: true, id: nobodyID}
	}
	n, err := strconv.ParseUint(*s, 10, 32)
	if err != nil || n == nobodyID || strconv.FormatUint(n, 10) != *s {
		c.out.Errorf(codeUnixID, path, "write a number below 4294967295 in decimal digits", "%q is the number of no user and no group", clip(*s))
		n = nobodyID
	}
	return idMatch{written: true, id: uint32(n)}
}

// pin compiles the pin of a key to its bytes.
func (c *compiler) pin(path string, s *string) string {
	if s == nil {
		return ""
	}
	pin, ok := parsePin(*s)
	if !ok {
		c.out.Errorf(codePin, path, "write sha256: and the SHA-256 of the public key, as 64 hex digits or 44 characters of base64",
			"%q is not the pin of a key", clip(*s))
	}
	return pin
}

// parsePin reads a pin: sha256: with 64 hex digits, or with padded base64 of
// which no bit is left over.
func parsePin(s string) (pin string, ok bool) {
	text, ok := strings.CutPrefix(s, "sha256:")
	decode := hex.DecodeString
	if len(text) == base64.StdEncoding.EncodedLen(sha256.Size) {
		decode = base64.StdEncoding.Strict().DecodeString
	}
	hash, err := decode(text)
	return string(hash), ok && err == nil && len(hash) == sha256.Size
}

// Limits of the names of service accounts, in bytes, as Kubernetes has them.
const (
	longestNamespace = 63
	longestAccount   = 253
)

// accountMatch compiles what a match asks of a service account.
func (c *compiler) accountMatch(path string, m *AccountMatch) *accountMatch {
	before := len(c.out)
	out := &accountMatch{
		namespace: c.namePattern(path, "namespace", m.Namespace, longestNamespace),
		name:      c.namePattern(path, "name", m.Name, longestAccount),
		audience:  c.value(path+".audience", m.Audience),
	}
	if len(c.out) == before {
		c.out.Warnf(codeNoAccounts, path, "match a certificate with tls, if the client is to get in today",
			"no login of this version proves a service account, so that no client fits this entry")
	}
	return out
}

// namePattern compiles the pattern under key in the match at path, of a name of
// at most longest bytes.
func (c *compiler) namePattern(path, key string, s *string, longest int) namePattern {
	const fix = `write a name, the beginning of one and *, or "*" for any`
	if s == nil {
		c.out.Errorf(codeEmptyMatch, path, "add "+key+`; "*" is any`, "it has no %s", key)
		return namePattern{}
	}
	at := path + "." + key
	if *s == "" {
		c.out.Errorf(codeEmptyMatch, at, fix, "an empty name would ask for nothing")
	}
	var p namePattern
	p.text, p.prefix = strings.CutSuffix(*s, "*")
	other := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' }
	if strings.ContainsFunc(p.text, other) || len(p.text) > longest {
		c.out.Errorf(codeAccount, at, fix, "%q fits no %s: those have up to %d lower-case letters, digits, dashes and dots", clip(*s), key, longest)
	}
	return p
}
