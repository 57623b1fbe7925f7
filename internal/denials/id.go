package denials

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
)

// minID is how many characters an id has, unless a shorter beginning of it is
// another's.
const minID = 5

// alphabet is Crockford's: no letter of it looks like a digit.
var alphabet = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// lookalikes are what a person may read an id's characters as.
var lookalikes = strings.NewReplacer("O", "0", "I", "1", "L", "1")

// longID is the id of k in full. Its beginnings are what k may be called.
func (k *kind) longID() string {
	h := sha256.New()
	for _, part := range []string{k.kind, k.identity, k.verb, k.rule, k.reason, k.shape} {
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	return alphabet.EncodeToString(h.Sum(nil))
}

// shortID is the shortest beginning of long that taken does not hold. With long
// ids that differ there is one.
func shortID(long string, taken func(id string) bool) string {
	n := minID
	for n < len(long) && taken(long[:n]) {
		n++
	}
	return long[:n]
}

// readID is an id as a person may have typed it.
func readID(s string) string { return lookalikes.Replace(strings.ToUpper(s)) }
