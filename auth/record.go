package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"
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

// recordPrefix opens every record; maxRecord bounds one, in bytes. The longest
// valid one has 208.
const (
	recordPrefix = "SCRAM-SHA-256$"
	maxRecord    = 256
)

// Record is what is stored of a password: enough to check it, by SCRAM-SHA-256
// or in clear, and not enough to log in with. It is a comparable value. The zero
// Record is not valid; [ParseRecord] and [NewRecord] make valid ones only.
type Record struct {
	iterations int
	salt       string // raw bytes
	keys       keys
}

// keys are the two keys SCRAM derives from a password (RFC 5802 §3).
type keys struct {
	stored [sha256.Size]byte
	server [sha256.Size]byte
}

// Iterations is how often the password is hashed.
func (r Record) Iterations() int { return r.iterations }

// IsZero reports whether r is the zero Record, which no password matches.
func (r Record) IsZero() bool { return r == Record{} }

// String is the record as it is stored:
//
//	SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>
func (r Record) String() string {
	return recordPrefix + strconv.Itoa(r.iterations) + ":" + encodeBase64([]byte(r.salt)) +
		"$" + encodeBase64(r.keys.stored[:]) + ":" + encodeBase64(r.keys.server[:])
}

// ParseRecord reads a record as String writes it, and nothing that String would
// write differently. Its errors do not repeat the input, which may be a password
// that was put in the wrong place.
func ParseRecord(s string) (Record, error) {
	rest, ok := strings.CutPrefix(s, recordPrefix)
	if !ok || len(s) > maxRecord {
		return Record{}, errors.New("auth: record does not start with SCRAM-SHA-256$ or is too long")
	}
	head, tail, ok1 := strings.Cut(rest, "$")
	iterations, salt, ok2 := strings.Cut(head, ":")
	stored, server, ok3 := strings.Cut(tail, ":")
	if !ok1 || !ok2 || !ok3 {
		return Record{}, errors.New("auth: record is not of the form SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey")
	}
	var r Record
	err := errors.Join(
		parseIterations(&r.iterations, iterations),
		parseSalt(&r.salt, salt),
		parseKey(&r.keys.stored, "StoredKey", stored),
		parseKey(&r.keys.server, "ServerKey", server),
	)
	if err != nil {
		return Record{}, err
	}
	return r, nil
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

func parseKey(to *[sha256.Size]byte, name, s string) error {
	b, err := decodeBase64(s)
	if err != nil {
		return fmt.Errorf("auth: record: %s is %v", name, err)
	}
	if copy(to[:], b) != sha256.Size || len(b) != sha256.Size {
		return fmt.Errorf("auth: record: %s of %d bytes; want %d", name, len(b), sha256.Size)
	}
	return nil
}

// NewRecord makes the record of a password with a salt read from rand. The
// password must be one that [Verifier.Verify] could accept.
func NewRecord(password Secret, iterations int, rand io.Reader) (Record, error) {
	if err := checkIterations(iterations); err != nil {
		return Record{}, err
	}
	if len(password) > MaxPassword || !isText(string(password)) {
		return Record{}, fmt.Errorf("auth: password is empty, over %d bytes, not UTF-8 or holds a NUL", MaxPassword)
	}
	salt := make([]byte, newSalt)
	if _, err := io.ReadFull(rand, salt); err != nil {
		return Record{}, fmt.Errorf("auth: reading a random salt: %v", err)
	}
	k, err := deriveKeys(password, string(salt), iterations)
	if err != nil {
		return Record{}, err
	}
	return Record{iterations: iterations, salt: string(salt), keys: k}, nil
}

var errPassword = errors.New("auth: password holds characters that SASLprep (RFC 4013) does not allow, or only such that it drops")

// deriveKeys runs the key derivation of SCRAM-SHA-256 over the password as
// SASLprep (RFC 4013) prepares it: the same code for a record, for a login in
// clear and for SCRAM, so that they never differ about a password.
func deriveKeys(password Secret, salt string, iterations int) (keys, error) {
	client, err := scram.SHA256.NewClient("", string(password), "")
	if err != nil {
		return keys{}, errPassword // the library's own text may describe the password
	}
	if !hasPrintableASCII(string(password)) && preparesToNothing(client, salt) {
		return keys{}, errPassword
	}
	return credentials(client, salt, iterations)
}

// preparesToNothing reports whether SASLprep left nothing of a password: soft
// hyphens and the like are dropped, and a password made of them is no password.
// The prepared form can't be had from the client, so one cheap round of the
// derivation is compared with that of the empty password.
func preparesToNothing(client *scram.Client, salt string) bool {
	empty, err := scram.SHA256.NewClientUnprepped("", "", "")
	if err != nil {
		return true
	}
	a, errA := credentials(client, salt, 1)
	b, errB := credentials(empty, salt, 1)
	return errA != nil || errB != nil || subtle.ConstantTimeCompare(a.stored[:], b.stored[:]) == 1
}

// hasPrintableASCII reports whether s holds a character that SASLprep keeps for
// certain.
func hasPrintableASCII(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r >= ' ' && r <= '~' })
}

func credentials(client *scram.Client, salt string, iterations int) (keys, error) {
	c, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: salt, Iters: iterations})
	if err != nil {
		return keys{}, fmt.Errorf("auth: deriving keys: %v", err)
	}
	return keys{stored: [sha256.Size]byte(c.StoredKey), server: [sha256.Size]byte(c.ServerKey)}, nil
}
