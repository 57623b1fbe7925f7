package auth

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/xdg-go/scram"
)

// Hash is a hash function that SCRAM is used with, under its name in that of
// the mechanism.
type Hash string

// The hashes a record may be made with.
const (
	SHA512 Hash = "SHA-512"
	SHA256 Hash = "SHA-256" // every secret has a record by it
	SHA1   Hash = "SHA-1"   // for clients that know nothing newer
)

// hashFunctions are the SCRAM of every hash.
var hashFunctions = map[Hash]scram.HashGeneratorFcn{
	SHA512: scram.SHA512,
	SHA256: scram.SHA256,
	SHA1:   scram.SHA1,
}

// Hashes returns every hash a record may be made with, strongest first.
func Hashes() []Hash { return []Hash{SHA512, SHA256, SHA1} }

// ParseHash returns the hash called name, in the spelling of the constants. The
// error names those there are.
func ParseHash(name string) (Hash, error) {
	if h := Hash(name); h.known() {
		return h, nil
	}
	return "", fmt.Errorf("auth: no hash is called %s; there are %s, %s and %s", quote(name), SHA256, SHA512, SHA1)
}

func (h Hash) known() bool { return slices.Contains(Hashes(), h) }

// mechanism is the name of SCRAM with h, without channel binding. Records start
// with it too.
func (h Hash) mechanism() string { return "SCRAM-" + string(h) }

// size is the length of a key, in bytes.
func (h Hash) size() int { return hashFunctions[h]().Size() }

var errPassword = errors.New("auth: password holds characters that SASLprep (RFC 4013) does not allow, or only such that it drops")

// deriveKeys runs the key derivation of SCRAM over the password as SASLprep
// (RFC 4013) prepares it: the same code for a record, for a login in clear and
// for SCRAM, so that they never differ about a password.
func (h Hash) deriveKeys(password Secret, salt string, iterations int) (keys, error) {
	client, err := hashFunctions[h].NewClient("", string(password), "")
	if err != nil {
		return keys{}, errPassword // the library's own text may describe the password
	}
	if !hasPrintableASCII(string(password)) && h.preparesToNothing(client, salt) {
		return keys{}, errPassword
	}
	return credentials(client, salt, iterations)
}

// preparesToNothing reports whether SASLprep left nothing of a password: soft
// hyphens and the like are dropped, and a password made of them is no password.
// The prepared form can't be had from the client, so one cheap round of the
// derivation is compared with that of the empty password.
func (h Hash) preparesToNothing(client *scram.Client, salt string) bool {
	empty, err := hashFunctions[h].NewClientUnprepped("", "", "")
	if err != nil {
		return true
	}
	a, errA := credentials(client, salt, 1)
	b, errB := credentials(empty, salt, 1)
	return errA != nil || errB != nil || a.storedAs(b)
}

// hasPrintableASCII reports whether s holds a character that SASLprep keeps for
// certain.
func hasPrintableASCII(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r >= ' ' && r <= '~' })
}

// keys are the two keys SCRAM derives from a password (RFC 5802 §3), raw bytes.
type keys struct {
	stored string
	server string
}

// storedAs reports whether both have the same StoredKey, in constant time.
func (k keys) storedAs(other keys) bool {
	return subtle.ConstantTimeCompare([]byte(k.stored), []byte(other.stored)) == 1
}

func credentials(client *scram.Client, salt string, iterations int) (keys, error) {
	c, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: salt, Iters: iterations})
	if err != nil {
		return keys{}, fmt.Errorf("auth: deriving keys: %v", err)
	}
	return keys{stored: string(c.StoredKey), server: string(c.ServerKey)}, nil
}
