package auth

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// StoredSecret is what is stored of one password, and how long it is good for.
type StoredSecret struct {
	Record   Record    // by SHA-256; a password in clear is checked against it alone
	Others   []Record  // by other hashes, one each: for clients that log in by SCRAM with them
	NotAfter time.Time // the zero time is for ever
}

// live reports whether the secret is good at now.
func (s *StoredSecret) live(now time.Time) bool {
	return s.NotAfter.IsZero() || now.Before(s.NotAfter)
}

// Hashes returns the hashes there is a record by, strongest first.
func (s *StoredSecret) Hashes() []Hash {
	return slices.DeleteFunc(Hashes(), func(h Hash) bool { return s.by(h).IsZero() })
}

// by is the record by a hash, or the zero Record.
func (s *StoredSecret) by(h Hash) Record {
	for _, r := range s.records() {
		if r.hash == h {
			return r
		}
	}
	return Record{}
}

// records are all records of the secret, the SHA-256 one first.
func (s *StoredSecret) records() []Record {
	return append([]Record{s.Record}, s.Others...)
}

// cloneSecrets is a copy that shares nothing with list.
func cloneSecrets(list []StoredSecret) []StoredSecret {
	list = slices.Clone(list)
	for i := range list {
		list[i].Others = slices.Clone(list[i].Others)
	}
	return list
}

// Recipe says how a password is to be stored.
type Recipe struct {
	Hashes     []Hash // to make records by; SHA-256 is always made and may be left out
	Iterations int    // MinIterations to MaxIterations
	Rand       io.Reader

	// Like is the secret that the new one will stand beside, or nil. A server
	// of SCRAM names salt and iterations before it can tell which of two
	// passwords the client has, so it takes both only if they have them in
	// common: the new records take theirs from Like where the iterations agree.
	Like *StoredSecret
}

// NewSecret stores a password, for ever. The password must be one that
// [Verifier.Verify] could accept; the error does not repeat it.
func NewSecret(password Secret, how Recipe) (StoredSecret, error) {
	if err := checkIterations(how.Iterations); err != nil {
		return StoredSecret{}, err
	}
	if len(password) > MaxPassword || !isText(string(password)) {
		return StoredSecret{}, fmt.Errorf("auth: password is empty, over %d bytes, not UTF-8 or holds a NUL", MaxPassword)
	}
	var s StoredSecret
	for _, h := range Hashes() {
		if h != SHA256 && !slices.Contains(how.Hashes, h) {
			continue
		}
		r, err := how.record(h, password)
		if err != nil {
			return StoredSecret{}, err
		}
		if h == SHA256 {
			s.Record = r
			continue
		}
		s.Others = append(s.Others, r)
	}
	return s, nil
}

// record makes the record by one hash.
func (how *Recipe) record(h Hash, password Secret) (Record, error) {
	salt, err := how.salt(h)
	if err != nil {
		return Record{}, err
	}
	k, err := h.deriveKeys(password, salt, how.Iterations)
	if err != nil {
		return Record{}, err
	}
	return Record{hash: h, iterations: how.Iterations, salt: salt, keys: k}, nil
}

// salt is that of Like if the two can share it, or else a new one.
func (how *Recipe) salt(h Hash) (string, error) {
	if how.Like != nil {
		if r := how.Like.by(h); r.iterations == how.Iterations {
			return r.salt, nil
		}
	}
	salt := make([]byte, newSalt)
	if _, err := io.ReadFull(how.Rand, salt); err != nil {
		return "", fmt.Errorf("auth: reading a random salt: %v", err)
	}
	return string(salt), nil
}
