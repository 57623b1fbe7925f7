package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// cacheKey stands for a user and password. Without the random key of this
// process nothing can be learned from it.
type cacheKey [sha256.Size]byte

// verified is a login that succeeded: against which users, with which of the
// user's secrets, and until when that counts.
type verified struct {
	users  *Users
	secret int
	expiry time.Time
}

// cache remembers logins that succeeded, so that a storm of reconnects costs no
// hashing. It never holds a password, and never a failure: failures are slowed
// by the throttle and would only push out what is worth keeping.
type cache struct {
	key     []byte // random, of this process
	ttl     time.Duration
	entries *lru.Cache[cacheKey, verified]
}

func newCache(size int, ttl time.Duration, rand io.Reader) (*cache, error) {
	key := make([]byte, sha256.Size)
	if _, err := io.ReadFull(rand, key); err != nil {
		return nil, fmt.Errorf("auth: reading a random key: %v", err)
	}
	entries, err := lru.New[cacheKey, verified](size)
	if err != nil {
		return nil, fmt.Errorf("auth: login cache of %d entries: %v", size, err)
	}
	return &cache{key: key, ttl: ttl, entries: entries}, nil
}

// keyOf is HMAC-SHA-256(key, len(user) | user | password). The length keeps
// "ab"+"c" from being "a"+"bc".
func (c *cache) keyOf(user string, password Secret) cacheKey {
	mac := hmac.New(sha256.New, c.key)
	msg := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(user)+len(password)), uint32(len(user)))
	msg = append(append(msg, user...), string(password)...)
	mac.Write(msg)
	clear(msg)
	return cacheKey(mac.Sum(nil))
}

// holds reports whether the login succeeded against these very users and still
// counts at now, and with which of the user's secrets. Users are told apart by
// pointer, which is stricter than by generation.
func (c *cache) holds(k cacheKey, users *Users, now time.Time) (secret int, ok bool) {
	v, ok := c.entries.Get(k)
	return v.secret, ok && v.users == users && now.Before(v.expiry)
}

// add remembers that the secret with this index matched. The entry ends with
// the secret, if that is sooner.
func (c *cache) add(k cacheKey, users *Users, secret *StoredSecret, index int, now time.Time) {
	expiry := now.Add(c.ttl)
	if !secret.NotAfter.IsZero() && secret.NotAfter.Before(expiry) {
		expiry = secret.NotAfter
	}
	c.entries.Add(k, verified{users: users, secret: index, expiry: expiry})
}

// clear forgets everything, and lets go of the users it was verified against.
func (c *cache) clear() { c.entries.Purge() }
