package proxy

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

func TestAccountsHoldTheLimitOfConnections(t *testing.T) {
	as := newAccounts()
	shop, blog := payer{"shop", "t/shop/"}, payer{"blog", "t/blog/"}
	a, ok := as.enter(shop, 2)
	b, ok2 := as.enter(shop, 2)
	if !ok || !ok2 || a != b {
		t.Fatalf("two clients of one identity: %v, %v, the same account %v", ok, ok2, a == b)
	}
	if _, ok := as.enter(shop, 2); ok {
		t.Error("a third enters")
	}
	if other, ok := as.enter(blog, 2); !ok || other == a {
		t.Errorf("another identity: enters %v, shares the account %v", ok, other == a)
	}
	if _, ok := as.enter(shop, 0); !ok {
		t.Error("without a limit nobody enters")
	}
	as.leave(shop, a)
	as.leave(shop, a)
	if _, ok := as.enter(shop, 2); !ok {
		t.Error("after two have left nobody enters")
	}
}

// TestAccountOutlivesItsClients: who connects anew has used what it has used.
func TestAccountOutlivesItsClients(t *testing.T) {
	for name, use := range map[string]func(a *account, now int64){
		"requests": func(a *account, now int64) { a.requests.charge(now, 1000, 1) },
		"bytes in": func(a *account, now int64) { a.in.charge(now, 1000, 1) },
		"and out":  func(a *account, now int64) { a.out.charge(now, 1000, 1) },
	} {
		as, p := newAccounts(), payer{"shop", ""}
		a, _ := as.enter(p, 0)
		use(a, as.now())
		as.leave(p, a)
		if again, _ := as.enter(p, 0); again != a {
			t.Errorf("%s: who comes back has another account", name)
		}
		as.leave(p, a)
		as.started = as.started.Add(-2000 * time.Second)
		as.forget()
		if len(as.of) != 0 {
			t.Errorf("%s: it is not forgotten when all is made up for", name)
		}
	}
	as, p := newAccounts(), payer{"shop", ""}
	a, _ := as.enter(p, 0)
	as.leave(p, a)
	if len(as.of) != 0 {
		t.Error("an account that has used nothing is kept")
	}
}

// TestAccountsOfNobodyAreSwept: those that are rested, and they alone.
func TestAccountsOfNobodyAreSwept(t *testing.T) {
	as := newAccounts()
	here, _ := as.enter(payer{"here", ""}, 0)
	for i := range leastSweep - 1 {
		p := payer{"gone", itoa(i)}
		a, _ := as.enter(p, 0)
		seconds := 10
		if i%2 == 0 {
			seconds = 1_000_000
		}
		a.in.charge(as.now(), seconds, 1)
		as.leave(p, a)
	}
	if len(as.of) != leastSweep {
		t.Fatalf("%d accounts, want %d", len(as.of), leastSweep)
	}
	as.started = as.started.Add(-20 * time.Second)
	as.enter(payer{"new", ""}, 0)
	if want := leastSweep/2 + 2; len(as.of) != want {
		t.Errorf("%d accounts are left, want %d", len(as.of), want)
	}
	if as.of[payer{"here", ""}] != here {
		t.Error("the account of a client that is here is gone")
	}
}

// TestAccountsForManyGoroutines: there are never more clients than the limit says,
// and none is counted after all have left.
func TestAccountsForManyGoroutines(t *testing.T) {
	as, most := newAccounts(), 5
	var here [3]atomic.Int64
	var all sync.WaitGroup
	held := make([]*account, most) // all places of one, while the others come and go
	full := payer{"identity", "full"}
	for i := range held {
		held[i], _ = as.enter(full, most)
	}
	for g := range 24 {
		which := g % len(here)
		p := payer{"identity", itoa(which)}
		all.Go(func() {
			for range 300 {
				a, ok := as.enter(p, most)
				if _, more := as.enter(full, most); more {
					t.Error("one more than there are places")
				}
				if !ok {
					continue
				}
				if n := here[which].Add(1); n > int64(most) {
					t.Errorf("%d clients at once", n)
				}
				time.Sleep(time.Microsecond)
				here[which].Add(-1)
				as.leave(p, a)
			}
		})
	}
	all.Wait()
	for _, a := range held {
		as.leave(full, a)
	}
	if len(as.of) != 0 {
		t.Errorf("%d accounts are left", len(as.of))
	}
}

// TestMeterCountsWhatIsInFlight: all clients of an account together, until the turn
// of each is over.
func TestMeterCountsWhatIsInFlight(t *testing.T) {
	limits, a := &policy.Limits{InFlight: 3}, new(account)
	one, two := meter{account: a, limits: limits}, meter{account: a, limits: limits}
	for i, c := range []struct {
		m    *meter
		want protocol.Status
	}{
		{&one, protocol.StatusNone}, {&two, protocol.StatusNone}, {&one, protocol.StatusNone},
		{&two, protocol.StatusLimitInFlight}, {&one, protocol.StatusLimitInFlight},
	} {
		if got := c.m.take(); got != c.want {
			t.Errorf("request %d: %v, want %v", i+1, got, c.want)
		}
	}
	one.end(0)
	one.end(0) // twice is once
	if got := a.inFlight.Load(); got != 1 {
		t.Errorf("%d are in flight after a turn with 2 of 3, want 1", got)
	}
	two.end(0)
	if got := a.inFlight.Load(); got != 0 {
		t.Errorf("%d are in flight after every turn", got)
	}
}

// TestRequestOverTheRateIsNotInFlight: it is answered, and that is all of it.
func TestRequestOverTheRateIsNotInFlight(t *testing.T) {
	m := meter{account: new(account), limits: &policy.Limits{InFlight: 2, RPS: 1}}
	for i, want := range []protocol.Status{protocol.StatusNone, protocol.StatusLimitRate, protocol.StatusLimitRate, protocol.StatusLimitRate} {
		if got := m.take(); got != want {
			t.Errorf("request %d: %v, want %v", i+1, got, want)
		}
	}
	if got := m.account.inFlight.Load(); got != 1 {
		t.Errorf("%d are in flight, want 1", got)
	}
}

// TestRequestInFlightTakesNoRate: one that has no room is none of those a second may
// have.
func TestRequestInFlightTakesNoRate(t *testing.T) {
	m := meter{account: new(account), limits: &policy.Limits{InFlight: 1, RPS: 2}}
	for range 10 {
		m.take()
	}
	m.end(0)
	if got := m.take(); got != protocol.StatusNone {
		t.Errorf("the second request of two a second: %v", got)
	}
}

func TestMeterOfManyGoroutines(t *testing.T) {
	limits, a := &policy.Limits{InFlight: 7, BytesOut: 1 << 20}, new(account)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			m := meter{account: a, limits: limits}
			for range 500 {
				for range 3 {
					m.take()
				}
				if n := a.inFlight.Load(); n > 7+16 { // each may look at one too many
					t.Errorf("%d are in flight", n)
				}
				m.end(1)
			}
		})
	}
	all.Wait()
	if n := a.inFlight.Load(); n != 0 {
		t.Errorf("%d are in flight after every turn", n)
	}
	if a.out.last.Load() == 0 {
		t.Error("no bytes were charged")
	}
}
