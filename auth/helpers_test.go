package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

// fakeClock is a clock that moves when told to.
type fakeClock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *fakeClock {
	return &fakeClock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func (c *fakeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *fakeClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// seeded is a reproducible source of bytes.
func seeded(seed byte) io.Reader {
	return rand.NewChaCha8([32]byte{seed})
}

// record makes a record that is as cheap as allowed.
func record(t testing.TB, password Secret) Record {
	t.Helper()
	return recordOf(t, password, MinIterations)
}

func recordOf(t testing.TB, password Secret, iterations int) Record {
	t.Helper()
	r, err := NewRecord(password, iterations, seeded(1))
	if err != nil {
		t.Fatalf("NewRecord: %v", err)
	}
	return r
}

// user makes a user whose secrets never expire.
func user(t testing.TB, name string, passwords ...Secret) User {
	t.Helper()
	u := User{Name: name}
	for _, p := range passwords {
		u.Secrets = append(u.Secrets, StoredSecret{Record: record(t, p)})
	}
	return u
}

func usersOf(t testing.TB, generation uint64, list ...User) *Users {
	t.Helper()
	u, faults := NewUsers(list, generation)
	if u == nil {
		t.Fatalf("NewUsers: %v", faults)
	}
	return u
}

// kdfCalls records the iterations of every derivation.
type kdfCalls struct {
	mu    sync.Mutex
	calls []int
}

func (k *kdfCalls) add(iterations int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls = append(k.calls, iterations)
}

// take returns the calls since the last take.
func (k *kdfCalls) take() []int {
	k.mu.Lock()
	defer k.mu.Unlock()
	calls := k.calls
	k.calls = nil
	return calls
}

// testVerifier is a verifier with a fake clock and a counted derivation.
type testVerifier struct {
	*Verifier
	clock *fakeClock
	kdfs  *kdfCalls
}

func newTestVerifier(t testing.TB, users *Users) *testVerifier {
	t.Helper()
	clock, kdfs := newClock(), &kdfCalls{}
	v, err := NewVerifier(VerifierConfig{Now: clock.now, Rand: seeded(2)}, users)
	if err != nil {
		t.Fatalf("NewVerifier: %v", err)
	}
	v.kdf = func(password Secret, salt string, iterations int) (keys, error) {
		kdfs.add(iterations)
		return SHA256.deriveKeys(password, salt, iterations)
	}
	return &testVerifier{v, clock, kdfs}
}

// login verifies for a client at addr, "" being a unix socket.
func (v *testVerifier) login(addr, user string, password Secret) (Login, error) {
	var source netip.Addr
	if addr != "" {
		source = netip.MustParseAddr(addr)
	}
	return v.Verify(context.Background(), source, user, password)
}

// verdict is an error of Verify as a word.
func verdict(err error) string {
	var denied *DeniedError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &denied):
		return string(denied.Reason)
	case errors.Is(err, ErrThrottled):
		return "throttled"
	case errors.Is(err, ErrBusy):
		return "busy"
	}
	return err.Error()
}

// sameInts compares without regard to nil.
func sameInts(a, b []int) bool {
	return fmt.Sprint(a) == fmt.Sprint(b) || slices.Equal(a, b)
}
