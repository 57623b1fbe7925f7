package auth

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// How often a password is hashed, and how large its salt is in bytes.
const (
	MinIterations     = 4096 // RFC 7677 §4
	DefaultIterations = 15000
	MaxIterations     = 600000 // a login costs about a tenth of a second of CPU

	minSalt = 16
	maxSalt = 64
	newSalt = 16
)

// maxRecord bounds a record, in bytes. The longest valid one has 287.
const maxRecord = 320

// Record is what is stored of a password by one hash: enough to check it, by
// SCRAM or in clear, and not enough to log in with. It is a comparable value. The
// zero Record is not valid; [ParseRecord], [NewRecord] and [NewSecret] make valid
// ones only.
type Record struct {
	hash       Hash
	iterations int
	salt       string // raw bytes
	keys       keys
}

// Hash is the hash the record is made with.
func (r Record) Hash() Hash { return r.hash }

// Iterations is how often the password is hashed.
func (r Record) Iterations() int { return r.iterations }

// IsZero reports whether r is the zero Record, which no password matches.
func (r Record) IsZero() bool { return r == Record{} }

// String is the record as it is stored:
//
//	SCRAM-<hash>$<iterations>:<salt>$<StoredKey>:<ServerKey>
func (r Record) String() string {
	return r.hash.mechanism() + "$" + strconv.Itoa(r.iterations) + ":" + encodeBase64([]byte(r.salt)) +
		"$" + encodeBase64([]byte(r.keys.stored)) + ":" + encodeBase64([]byte(r.keys.server))
}

// ParseRecord reads a record as String writes it, and nothing that String would
// write differently. Its errors do not repeat the input, which may be a password
// that was put in the wrong place.
func ParseRecord(s string) (Record, error) {
	hash, rest, ok := cutHash(s)
	if !ok || len(s) > maxRecord {
		return Record{}, errors.New("auth: record does not start with SCRAM-SHA-256$, SCRAM-SHA-512$ or SCRAM-SHA-1$, or is too long")
	}
	head, tail, ok1 := strings.Cut(rest, "$")
	iterations, salt, ok2 := strings.Cut(head, ":")
	stored, server, ok3 := strings.Cut(tail, ":")
	if !ok1 || !ok2 || !ok3 {
		return Record{}, fmt.Errorf("auth: record is not of the form %s$iterations:salt$StoredKey:ServerKey", hash.mechanism())
	}
	r := Record{hash: hash}
	err := errors.Join(
		parseIterations(&r.iterations, iterations),
		parseSalt(&r.salt, salt),
		parseKey(&r.keys.stored, hash.key("StoredKey"), stored),
		parseKey(&r.keys.server, hash.key("ServerKey"), server),
	)
	if err != nil {
		return Record{}, err
	}
	return r, nil
}

// cutHash takes the hash, and the dollar that ends it, off the front of s.
func cutHash(s string) (h Hash, rest string, ok bool) {
	for _, h := range Hashes() {
		if rest, ok := strings.CutPrefix(s, h.mechanism()+"$"); ok {
			return h, rest, true
		}
	}
	return "", s, false
}

// parseIterations reads a count without sign, leading zero or space.
func parseIterations(to *int, s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(n) != s {
		return errors.New("auth: record: iterations is not a number")
	}
	*to = n
	return checkIterations(n)
}

// checkIterations bounds what one login may cost from both sides.
func checkIterations(n int) error {
	if n < MinIterations || n > MaxIterations {
		return fmt.Errorf("auth: %d iterations; want %d to %d", n, MinIterations, MaxIterations)
	}
	return nil
}

func parseSalt(to *string, s string) error {
	b, err := decodeBase64(s)
	if err != nil {
		return fmt.Errorf("auth: record: salt is %v", err)
	}
	if len(b) < minSalt || len(b) > maxSalt {
		return fmt.Errorf("auth: record: salt of %d bytes; want %d to %d", len(b), minSalt, maxSalt)
	}
	*to = string(b)
	return nil
}

// keyForm is what one key of a record is called, and its length in bytes.
type keyForm struct {
	name string
	size int
}

func (h Hash) key(name string) keyForm { return keyForm{name, h.size()} }

func parseKey(to *string, form keyForm, s string) error {
	b, err := decodeBase64(s)
	if err != nil {
		return fmt.Errorf("auth: record: %s is %v", form.name, err)
	}
	if len(b) != form.size {
		return fmt.Errorf("auth: record: %s of %d bytes; want %d", form.name, len(b), form.size)
	}
	*to = string(b)
	return nil
}

// NewRecord makes the SHA-256 record of a password with a salt read from rand.
// The password must be one that [Verifier.Verify] could accept.
func NewRecord(password Secret, iterations int, rand io.Reader) (Record, error) {
	s, err := NewSecret(password, Recipe{Iterations: iterations, Rand: rand})
	return s.Record, err
}
