package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestGateBoundsItsQueue(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		slots := max(1, runtime.GOMAXPROCS(0)/2)
		for range slots {
			if err := g.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		waits := make(chan time.Duration, maxQueue)
		for range maxQueue {
			go func() {
				if err := g.enter(t.Context()); !errors.Is(err, ErrBusy) {
					t.Errorf("waiting without a free slot: %v", err)
				}
				waits <- time.Since(start)
			}()
		}
		synctest.Wait()
		if err := g.enter(t.Context()); !errors.Is(err, ErrBusy) || time.Since(start) != 0 {
			t.Errorf("a full queue: %v after %v, want ErrBusy at once", err, time.Since(start))
		}
		for range maxQueue {
			if d := <-waits; d != maxWait {
				t.Errorf("gave up after %v, want %v", d, maxWait)
			}
		}
		if n := g.queued.Load(); n != 0 {
			t.Errorf("%d still counted as waiting", n)
		}
		for range slots {
			g.leave()
		}
		if err := g.enter(t.Context()); err != nil {
			t.Errorf("after all have left: %v", err)
		}
	})
}

func TestGateLetsWaitersIn(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		slots := max(1, runtime.GOMAXPROCS(0)/2)
		var inside, most, served atomic.Int64
		var all sync.WaitGroup
		for range maxQueue {
			all.Go(func() {
				if err := g.enter(context.Background()); err != nil {
					t.Errorf("waiting: %v", err)
					return
				}
				if n := inside.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(10 * time.Millisecond) // of the bubble
				inside.Add(-1)
				served.Add(1)
				g.leave()
			})
		}
		all.Wait()
		if served.Load() != maxQueue || most.Load() > int64(slots) {
			t.Errorf("%d of %d served, %d at once; want all, %d at once", served.Load(), maxQueue, most.Load(), slots)
		}
	})
}

// blockKDF makes derivations wait until the returned function is called.
func blockKDF(v *testVerifier) (release func()) {
	gate := make(chan struct{})
	counted := v.kdf
	v.kdf = func(password Secret, salt string, iterations int) (keys, error) {
		<-gate
		return counted(password, salt, iterations)
	}
	return func() { close(gate) }
}

func TestSameLoginsShareOneDerivation(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, tt := range []struct {
		user     string
		password Secret
		want     string
	}{
		{"web", "pw", "ok"},
		{"web", "no", "wrong password"},
		{"nobody", "pw", "unknown user"},
	} {
		synctest.Test(t, func(t *testing.T) {
			v := newTestVerifier(t, usersOf(t, 1, user(t, "web", "pw")))
			release := blockKDF(v)
			var all sync.WaitGroup
			for i := range 200 {
				all.Go(func() {
					if _, err := v.login(fmt.Sprintf("192.0.2.%d", i), tt.user, tt.password); verdict(err) != tt.want {
						t.Errorf("login %d as %s: %s, want %s", i, tt.user, verdict(err), tt.want)
					}
				})
			}
			synctest.Wait()
			release()
			all.Wait()
			if calls := v.kdfs.take(); len(calls) != 1 {
				t.Errorf("%s: derivations %v, want one", tt.user, calls)
			}
		})
	}
}

// TestALoginOutlivesWhoAskedFirst: the client that asks first and goes away while
// it waits for its turn does not fail the others that ask the same.
func TestALoginOutlivesWhoAskedFirst(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		v := newTestVerifier(t, usersOf(t, 1, user(t, "web", "pw")))
		slots := max(1, runtime.GOMAXPROCS(0)/2)
		for range slots {
			if err := v.gate.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		var all sync.WaitGroup
		all.Go(func() { _, _ = v.Verify(ctx, netip.Addr{}, "web", "pw") })
		synctest.Wait() // the first waits at the gate
		all.Go(func() {
			if _, err := v.login("192.0.2.1", "web", "pw"); err != nil {
				t.Errorf("second login: %v", err)
			}
		})
		synctest.Wait() // the second waits for the first
		cancel()
		synctest.Wait()
		for range slots {
			v.gate.leave()
		}
		all.Wait()
	})
}

func TestVerifyIsBusy(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		v := newTestVerifier(t, usersOf(t, 1, user(t, "web", "pw")))
		if _, err := v.login("", "web", "pw"); err != nil { // known from now on
			t.Fatal(err)
		}
		release := blockKDF(v)
		var all sync.WaitGroup
		var busy, denied atomic.Int64
		slots := max(1, runtime.GOMAXPROCS(0)/2)
		for i := range slots + maxQueue + 10 {
			all.Go(func() {
				_, err := v.login("192.0.2.1", "web", Secret(fmt.Sprint("guess", i)))
				switch {
				case errors.Is(err, ErrBusy):
					busy.Add(1)
				case errors.Is(err, ErrDenied):
					denied.Add(1)
				}
			})
		}
		synctest.Wait()
		if busy.Load() != 10 {
			t.Errorf("%d logins turned away at once, want 10", busy.Load())
		}
		if _, err := v.login("192.0.2.2", "web", "pw"); err != nil {
			t.Errorf("a known login while all is busy: %v", err)
		}
		time.Sleep(maxWait)
		synctest.Wait()
		if busy.Load() != int64(maxQueue)+10 {
			t.Errorf("%d logins turned away after the wait, want %d", busy.Load(), maxQueue+10)
		}
		release()
		all.Wait()
		if denied.Load() != int64(slots) {
			t.Errorf("%d logins denied, want %d", denied.Load(), slots)
		}
		// Who was turned away was not wrong.
		if !v.throttle.allow(netip.MustParseAddr("192.0.2.1"), "web") {
			t.Error("busy logins were counted as wrong")
		}
	})
}

// TestSwapDuringALogin: what was judged against users that are gone by the end
// is judged anew, both ways.
func TestSwapDuringALogin(t *testing.T) {
	tests := []struct {
		name        string
		old, now    Secret
		password    Secret
		want        string
		derivations int
	}{
		{"revoked meanwhile", "pw", "other", "pw", "wrong password", 2},
		{"allowed meanwhile", "other", "pw", "pw", "ok", 2},
		{"wrong before and after", "a", "b", "pw", "wrong password", 2},
	}
	for _, tt := range tests {
		v := newTestVerifier(t, usersOf(t, 1, user(t, "web", tt.old)))
		counted := v.kdf
		var once sync.Once
		v.kdf = func(password Secret, salt string, iterations int) (keys, error) {
			once.Do(func() { v.Swap(usersOf(t, 2, user(t, "web", tt.now))) })
			return counted(password, salt, iterations)
		}
		login, err := v.login("", "web", tt.password)
		if got := len(v.kdfs.take()); verdict(err) != tt.want || got != tt.derivations {
			t.Errorf("%s: %s with %d derivations; want %s with %d", tt.name, verdict(err), got, tt.want, tt.derivations)
		}
		if err == nil && login.Generation != 2 {
			t.Errorf("%s: generation %d, want 2", tt.name, login.Generation)
		}
	}
}

func TestEndlessSwapsEnd(t *testing.T) {
	v := newTestVerifier(t, usersOf(t, 1, user(t, "web", "pw")))
	counted, generation := v.kdf, uint64(1)
	v.kdf = func(password Secret, salt string, iterations int) (keys, error) {
		generation++
		v.Swap(usersOf(t, generation, user(t, "web", "pw")))
		return counted(password, salt, iterations)
	}
	if _, err := v.login("", "web", "pw"); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	if calls := v.kdfs.take(); len(calls) != maxAttempts {
		t.Errorf("derivations %v, want %d", calls, maxAttempts)
	}
}

func TestAPanicGivesTheSlotBack(t *testing.T) {
	v := newTestVerifier(t, usersOf(t, 1, user(t, "web", "pw")))
	counted := v.kdf
	v.kdf = func(Secret, string, int) (keys, error) { panic("boom") }
	for range maxQueue {
		x := NewPlain(func(user string, password Secret) error {
			_, err := v.login("", user, password)
			return err
		})
		if _, done, err := x.Next([]byte("\x00web\x00pw")); !errors.Is(err, ErrPanic) || done {
			t.Fatalf("got done %t, %v; want ErrPanic", done, err)
		}
	}
	v.kdf = counted
	if _, err := v.login("", "web", "pw"); err != nil {
		t.Errorf("after the panics: %v", err)
	}
}

// TestConcurrentUse is for the race detector: logins, right and wrong, known and
// unknown, while users are swapped. One user is in every version and is never
// refused; one has never been in any and never gets in.
func TestConcurrentUse(t *testing.T) {
	defer goleak.VerifyNone(t)
	steady := user(t, "steady", "pw")
	versions := []*Users{
		usersOf(t, 1, steady),
		usersOf(t, 2, steady, user(t, "coming", "pw", "pw2")),
		usersOf(t, 3, steady, User{Name: "coming", Disabled: true}),
	}
	v := newTestVerifier(t, versions[0])
	cheap, err := SHA256.deriveKeys("pw", steady.Secrets[0].Record.salt, MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	v.kdf = func(password Secret, _ string, _ int) (keys, error) {
		if password == "pw" {
			return cheap, nil
		}
		return keys{}, nil
	}
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 200 {
				from := fmt.Sprintf("10.0.%d.%d", w, i)
				_, err := v.login(from, "steady", "pw")
				if err != nil && !errors.Is(err, ErrBusy) {
					t.Errorf("steady: %v", err)
				}
				if _, err := v.login(from, "never", "pw"); err == nil {
					t.Error("never got in")
				}
				if _, err := v.login(from, "steady", "no"); err == nil {
					t.Error("a wrong password got in")
				}
				_, _ = v.login(from, "coming", "pw")
				if w == 0 {
					v.Swap(versions[i%len(versions)])
				}
			}
		})
	}
	all.Wait()
}
