package auth

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// Defaults of a [VerifierConfig].
const (
	DefaultCacheSize = 4096
	DefaultCacheTTL  = 5 * time.Minute
)

// maxAttempts is how often a login is judged anew because the users were
// swapped while it was being judged.
const maxAttempts = 3

// VerifierConfig is what a [Verifier] is made with.
type VerifierConfig struct {
	Now       func() time.Time // the clock; required
	Rand      io.Reader        // of cryptographic quality; nil is crypto/rand
	CacheSize int              // logins remembered; 0 is DefaultCacheSize
	CacheTTL  time.Duration    // how long one is remembered; 0 is DefaultCacheTTL
}

// Verifier checks the passwords of users. There is one in a process and it
// outlives reloads: the users in it are swapped, while who has been guessing and
// whose password is known to be good stay remembered. It starts no goroutine and
// is safe for concurrent use.
type Verifier struct {
	now      func() time.Time
	users    atomic.Pointer[Users]
	throttle *throttle
	cache    *cache
	gate     *gate
	flight   singleflight.Group // by cache key
	decoy    Record             // stands in for a secret that is not there; iterations vary
	decoyKey []byte             // what stands in for one in SCRAM is made from it
	nonce    func() string      // the server's part of a nonce of SCRAM

	// kdf is deriveKeys of SHA-256; tests count its calls.
	kdf func(password Secret, salt string, iterations int) (keys, error)
}

// NewVerifier makes a verifier for these users.
func NewVerifier(c VerifierConfig, users *Users) (*Verifier, error) {
	if c.Now == nil {
		return nil, errors.New("auth: verifier without a clock")
	}
	if c.Rand == nil {
		c.Rand = crand.Reader
	}
	if c.CacheSize == 0 {
		c.CacheSize = DefaultCacheSize
	}
	if c.CacheTTL == 0 {
		c.CacheTTL = DefaultCacheTTL
	}
	decoy, err := newDecoy(c.Rand)
	if err != nil {
		return nil, err
	}
	decoyKey, err := newDecoyKey(c.Rand)
	if err != nil {
		return nil, err
	}
	cache, err := newCache(c.CacheSize, c.CacheTTL, c.Rand)
	if err != nil {
		return nil, err
	}
	throttle, err := newThrottle(c.Now, throttleEntries)
	if err != nil {
		return nil, err
	}
	v := &Verifier{
		now: c.Now, throttle: throttle, cache: cache, gate: newGate(),
		decoy: decoy, decoyKey: decoyKey, nonce: crand.Text, kdf: SHA256.deriveKeys,
	}
	v.Swap(users)
	return v, nil
}

// newDecoy makes a record of no password at all.
func newDecoy(rand io.Reader) (Record, error) {
	r := Record{hash: SHA256, iterations: DefaultIterations}
	parts := make([]byte, newSalt+2*SHA256.size())
	if _, err := io.ReadFull(rand, parts); err != nil {
		return Record{}, fmt.Errorf("auth: reading a random decoy: %v", err)
	}
	r.salt, parts = string(parts[:newSalt]), parts[newSalt:]
	r.keys = keys{stored: string(parts[:SHA256.size()]), server: string(parts[SHA256.size():])}
	return r, nil
}

// Swap puts other users in the place of the present ones; nil is no users at
// all. Logins verified against the old ones are forgotten, and those under way
// are judged anew.
func (v *Verifier) Swap(users *Users) {
	if users == nil {
		users = &Users{}
	}
	v.users.Store(users)
	v.cache.clear()
}

// Verify reports whether password is a live secret of user, for a client at
// source, which is invalid for a unix socket. The result has no Mechanism: the
// caller knows it. Its Generation is that of the users it was verified against;
// they may be swapped again by the time it is looked at.
//
// The error matches [ErrDenied], [ErrThrottled] or [ErrBusy], or is that of a
// context that was done beforehand. Verify blocks for about a second at most. A
// context that ends meanwhile does not end the wait, as others may be waiting
// for the same answer.
func (v *Verifier) Verify(ctx context.Context, source netip.Addr, user string, password Secret) (Login, error) {
	if err := ctx.Err(); err != nil {
		return Login{}, err
	}
	if !v.throttle.allow(source, user) {
		return Login{}, ErrThrottled
	}
	j, err := v.judge(ctx, user, password)
	switch {
	case err == nil:
		v.throttle.succeed(source, user)
		return j.login(user), nil
	case errors.Is(err, ErrDenied):
		v.throttle.fail(source, user)
	}
	return Login{}, err
}

// judgement says against which users a password was judged and, if it was right,
// which of the user's secrets it is.
type judgement struct {
	users  *Users
	secret int
}

// login is the login that a right password makes.
func (j *judgement) login(user string) Login {
	s := &j.users.byName[user].Secrets[j.secret]
	return Login{User: user, Generation: j.users.generation, NotAfter: s.NotAfter, Slot: j.secret, secret: fingerprintOf(s.Record)}
}

// judge says whether the password is right.
func (v *Verifier) judge(ctx context.Context, user string, password Secret) (judgement, error) {
	if !wellFormed(user, password) {
		return judgement{}, &DeniedError{ReasonMalformed}
	}
	key := v.cache.keyOf(user, password)
	for range maxAttempts {
		users := v.users.Load()
		if secret, ok := v.cache.holds(key, users, v.now()); ok {
			return judgement{users, secret}, nil
		}
		shared, err, _ := v.flight.Do(string(key[:]), func() (any, error) {
			// The work is for all who ask the same, so it does not end
			// with the client that happened to ask first.
			return v.hash(context.WithoutCancel(ctx), key, user, password)
		})
		j := shared.(judgement)
		if errors.Is(err, ErrBusy) || j.users == v.users.Load() {
			return j, err
		}
	}
	return judgement{}, ErrBusy
}

// hash hashes the password, once it is its turn. It returns the users it was
// compared with, also if it was wrong, and remembers it if it was right.
func (v *Verifier) hash(ctx context.Context, key cacheKey, user string, password Secret) (judgement, error) {
	if err := v.gate.enter(ctx); err != nil {
		return judgement{}, err
	}
	defer v.gate.leave()
	users, now := v.users.Load(), v.now()
	if secret, ok := v.cache.holds(key, users, now); ok {
		return judgement{users, secret}, nil // became known while this one waited
	}
	usr := users.byName[user]
	index, err := v.match(users.cost(), candidates(usr, now), password)
	if err != nil {
		return judgement{users: users}, err
	}
	if index < 0 {
		return judgement{users: users}, &DeniedError{reasonOf(usr, now)}
	}
	v.cache.add(key, users, &usr.Secrets[index], index, now)
	return judgement{users, index}, nil
}

// candidates returns the secrets a login as usr may match, nil in the place of
// one that does not count. There are none for a user that is unknown or disabled.
func candidates(usr *User, now time.Time) (list [maxSecrets]*StoredSecret) {
	if usr == nil || usr.Disabled {
		return list
	}
	for i := range usr.Secrets {
		if usr.Secrets[i].live(now) {
			list[i] = &usr.Secrets[i]
		}
	}
	return list
}

// cost is what every login costs, in iterations, one entry for each secret tried.
func (u *Users) cost() []int {
	if len(u.work) == 0 {
		return []int{DefaultIterations}
	}
	return u.work
}

// match returns the index of the secret that the password matches, or -1. How
// many iterations it spends depends on cost alone: a decoy stands in where a
// secret is missing and makes up where one is cheap, and a match ends nothing.
func (v *Verifier) match(cost []int, list [maxSecrets]*StoredSecret, password Secret) (int, error) {
	index := -1
	for i, iterations := range cost {
		r := v.decoy
		r.iterations = iterations
		if list[i] != nil {
			r = list[i].Record
		}
		k, err := v.kdf(password, r.salt, r.iterations)
		if err != nil {
			return -1, &DeniedError{ReasonMalformed} // whoever the user is
		}
		if k.storedAs(r.keys) && list[i] != nil {
			index = i
		}
		if rest := iterations - r.iterations; rest > 0 {
			_, _ = v.kdf(password, v.decoy.salt, rest) // the time is the point
		}
	}
	return index, nil
}

// reasonOf says why a login as usr was denied, if not for its form.
func reasonOf(usr *User, now time.Time) Reason {
	switch {
	case usr == nil:
		return ReasonUnknownUser
	case usr.Disabled:
		return ReasonDisabled
	case candidates(usr, now) == [maxSecrets]*StoredSecret{}:
		return ReasonExpired
	}
	return ReasonPassword
}
