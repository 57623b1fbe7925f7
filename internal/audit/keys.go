package audit

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// maxKey is the longest key there is, in bytes.
const maxKey = 250

// hashShown is how many bytes of a hash an event shows.
const hashShown = 16

// Keys is how a key is written into an event.
type Keys struct {
	show  func(key []byte) string
	plain int // so many bytes of it can be read there
}

// ParseKeys reads full, hash, none or prefix:N, N from 1 to 250 bytes.
//
// Hash is an HMAC under a random key that is made here and nowhere written: equal
// keys look alike as long as the process lives, and nobody can find a key by
// hashing guesses.
func ParseKeys(text string) (Keys, error) {
	switch text {
	case "full":
		return Keys{func(key []byte) string { return clip(key, len(key)) }, maxKey}, nil
	case "hash":
		return Keys{hasher(), 0}, nil
	case "none":
		return Keys{func([]byte) string { return "" }, 0}, nil
	}
	digits, ok := strings.CutPrefix(text, "prefix:")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || n > maxKey || strconv.Itoa(n) != digits {
		return Keys{}, fmt.Errorf("audit: %.40q is no way to write a key", text)
	}
	return Keys{func(key []byte) string { return clip(key, n) }, n}, nil
}

// Text returns what an event shows of key, which is not kept; nothing of nil.
func (k Keys) Text(key []byte) string {
	if key == nil {
		return ""
	}
	return k.show(key)
}

// Reads reports whether an event lets the first n bytes of a key be read.
func (k Keys) Reads(n int) bool { return n <= k.plain }

// hasher returns a function that writes the start of a key's HMAC in hexadecimal.
func hasher() func(key []byte) string {
	secret := make([]byte, sha256.Size)
	rand.Read(secret) // never fails: it ends the process first
	return func(key []byte) string {
		mac := hmac.New(sha256.New, secret)
		mac.Write(key)
		return hex.EncodeToString(mac.Sum(nil)[:hashShown])
	}
}

// clip shows the first n bytes of a key so that no byte of it can be taken for
// anything else in a line.
func clip(key []byte, n int) string {
	more := ""
	if len(key) > n {
		key, more = key[:n], "…"
	}
	return strconv.QuoteToASCII(string(key)) + more
}
