package auth

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

func newTestThrottle(t testing.TB, size int) (*throttle, *fakeClock) {
	t.Helper()
	clock := newClock()
	th, err := newThrottle(clock.now, size)
	if err != nil {
		t.Fatal(err)
	}
	return th, clock
}

// failN is n wrong logins at once.
func failN(th *throttle, n int, source, user string) {
	for range n {
		th.fail(addr(source), user)
	}
}

func addr(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

func TestThrottlePenalties(t *testing.T) {
	th, clock := newTestThrottle(t, 16)
	want := []time.Duration{1, 2, 4, 8, 10, 10, 10} // minutes
	for i, w := range want {
		w *= time.Minute
		failN(th, 9, "192.0.2.1", "web")
		if !th.allow(addr("192.0.2.1"), "web") {
			t.Fatalf("penalty %d: refused after 9 wrong logins", i)
		}
		failN(th, 1, "192.0.2.1", "web")
		if th.allow(addr("192.0.2.1"), "web") {
			t.Errorf("penalty %d: allowed after 10 wrong logins", i)
		}
		clock.add(w - 1)
		if th.allow(addr("192.0.2.1"), "web") {
			t.Errorf("penalty %d is over before %v", i, w)
		}
		clock.add(1)
		if !th.allow(addr("192.0.2.1"), "web") {
			t.Errorf("penalty %d is not over after %v", i, w)
		}
	}
	// Penalties are forgotten after good conduct.
	clock.add(forgetAfter + 1)
	failN(th, 10, "192.0.2.1", "web")
	clock.add(time.Minute)
	if !th.allow(addr("192.0.2.1"), "web") {
		t.Error("the penalty after good conduct is longer than a first one")
	}
}

func TestThrottleWindow(t *testing.T) {
	tests := []struct {
		name  string
		every time.Duration
		count int
		want  bool // allowed after the last
	}{
		{"nine at once", 0, 9, true},
		{"ten at once", 0, 10, false},
		{"ten within the minute", 6 * time.Second, 10, false},
		{"ten in just a minute", time.Minute/9 + 1, 10, true},
		{"slow for long", 7 * time.Second, 100, true},
	}
	for _, tt := range tests {
		th, clock := newTestThrottle(t, 16)
		for i := range tt.count {
			if i > 0 {
				clock.add(tt.every)
			}
			failN(th, 1, "192.0.2.1", "web")
		}
		if got := th.allow(addr("192.0.2.1"), "web"); got != tt.want {
			t.Errorf("%s: allowed %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestThrottleWindowEdge(t *testing.T) {
	for wait, want := range map[time.Duration]bool{time.Minute - 1: false, time.Minute: true} {
		th, clock := newTestThrottle(t, 16)
		failN(th, 9, "192.0.2.1", "web")
		clock.add(wait)
		failN(th, 1, "192.0.2.1", "web")
		if got := th.allow(addr("192.0.2.1"), "web"); got != want {
			t.Errorf("the tenth after %v: allowed %t, want %t", wait, got, want)
		}
	}
}

// TestThrottleSlidingWindow compares with a plain list of times: no minute holds
// more than ten wrong logins that were let through.
func TestThrottleSlidingWindow(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	th, clock := newTestThrottle(t, 16)
	var judged []time.Time
	for range 20000 {
		clock.add(time.Duration(rnd.ExpFloat64() * float64(5*time.Second)))
		if !th.allow(addr("192.0.2.1"), "web") {
			continue
		}
		failN(th, 1, "192.0.2.1", "web")
		judged = append(judged, clock.now())
	}
	if len(judged) < 1000 {
		t.Fatalf("only %d logins were judged", len(judged))
	}
	for i := 10; i < len(judged); i++ {
		if d := judged[i].Sub(judged[i-10]); d < time.Minute {
			t.Errorf("11 wrong logins within %v", d)
		}
	}
}

func TestThrottleSources(t *testing.T) {
	tests := []struct {
		name        string
		wrong, then string
		shared      bool
	}{
		{"same IPv4", "192.0.2.1", "192.0.2.1", true},
		{"other IPv4", "192.0.2.1", "192.0.2.2", false},
		{"IPv4 mapped", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"other IPv4 mapped", "192.0.2.1", "::ffff:192.0.2.2", false},
		{"same /64", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"other /64", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"zone", "fe80::1%eth0", "fe80::2", true},
		{"unix socket", "", "", true},
		{"unix socket and IPv6 zero", "", "::", false},
		{"unix socket and IPv4 zero", "", "0.0.0.0", false},
		{"IPv4 zero and IPv6 zero", "0.0.0.0", "::", false},
		{"loopbacks", "127.0.0.1", "::1", false},
	}
	for _, tt := range tests {
		th, _ := newTestThrottle(t, 16)
		failN(th, 10, tt.wrong, "web")
		if got := !th.allow(addr(tt.then), "other"); got != tt.shared {
			t.Errorf("%s: %q throttled after %q: %t, want %t", tt.name, tt.then, tt.wrong, got, tt.shared)
		}
	}
}

func TestThrottleSuccessClearsThePairOnly(t *testing.T) {
	th, _ := newTestThrottle(t, 16)
	source := addr("192.0.2.1")
	failN(th, 9, "192.0.2.1", "victim")
	th.succeed(source, "mine")
	th.succeed(source, "victim")
	keys := th.keys(source, "victim")
	if c, ok := th.entries.Peek(keys[1]); !ok || c.count != 0 {
		t.Error("a success left what was wrong about this user")
	}
	failN(th, 1, "192.0.2.1", "victim")
	if th.allow(source, "third") {
		t.Error("a success cleared the source: guesses can be bought with one good password")
	}
}

func TestThrottlePairOutlivesItsSource(t *testing.T) {
	th, _ := newTestThrottle(t, 16)
	failN(th, 10, "192.0.2.1", "web")
	keys := th.keys(addr("192.0.2.1"), "web")
	th.entries.Remove(keys[0])
	if th.allow(addr("192.0.2.1"), "web") {
		t.Error("the pair is allowed")
	}
	if !th.allow(addr("192.0.2.1"), "app") {
		t.Error("another user of the source is refused")
	}
}

func TestThrottleFailuresUnderWayDoNotCount(t *testing.T) {
	th, clock := newTestThrottle(t, 16)
	failN(th, 500, "192.0.2.1", "web") // as if all had been allowed before the first was judged
	clock.add(time.Minute)
	if !th.allow(addr("192.0.2.1"), "web") {
		t.Error("failures during a penalty prolong it")
	}
}

func TestThrottleIsBounded(t *testing.T) {
	th, _ := newTestThrottle(t, throttleEntries)
	for i := range 2 * throttleEntries {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		th.fail(a, fmt.Sprint("user", i))
	}
	if n := th.entries.Len(); n != 65536 {
		t.Errorf("%d entries, want 65536", n)
	}
}

func TestThrottleKeepsWhoAsks(t *testing.T) {
	th, _ := newTestThrottle(t, 8)
	failN(th, 10, "192.0.2.1", "web")
	for i := range 100 {
		th.fail(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), "x")
		if th.allow(addr("192.0.2.1"), "web") {
			t.Fatalf("forgotten after %d other sources, though it keeps asking", i)
		}
	}
}

// TestNobodyIsLockedOut: whoever fails in somebody's name, from wherever and
// however often, does not keep that user out from another source.
func TestNobodyIsLockedOut(t *testing.T) {
	v := newTestVerifier(t, usersOf(t, 1, user(t, "app1", "pw")))
	for i := range 30 {
		for range 12 {
			_, err := v.login(fmt.Sprintf("198.51.100.%d", i), "app1", "guess")
			if err == nil {
				t.Fatal("a guess was right")
			}
		}
		if _, err := v.login("192.0.2.1", "app1", "pw"); err != nil {
			t.Fatalf("after %d attackers the user is refused: %v", i+1, err)
		}
		v.Swap(usersOf(t, uint64(i+2), user(t, "app1", "pw"))) // not thanks to the cache
	}
}

func TestVerifyAsksAndTellsTheThrottle(t *testing.T) {
	v := newTestVerifier(t, usersOf(t, 1, user(t, "web", "pw"), user(t, "app", "pw")))
	steps := []struct {
		name     string
		wait     time.Duration
		user     string
		password Secret
		times    int
		want     string // the last time
		kdfs     int
	}{
		{"wrong", 0, "web", "no", 5, "wrong password", 5},
		{"right", 0, "web", "pw", 20, "ok", 1},
		{"unknown", 0, "nobody", "no", 4, "unknown user", 4},
		{"malformed", 0, "", "no", 1, "malformed", 0},
		{"another is throttled", 0, "app", "pw", 1, "throttled", 0},
		{"right, and was before", 0, "web", "pw", 1, "ok", 0},
		{"trust buys no guesses", 0, "web", "no", 50, "throttled", 10},
		{"nor a login, then", 0, "web", "pw", 1, "throttled", 0},
		{"a reload does not help", -1, "web", "pw", 1, "throttled", 0},
		{"after the penalty", time.Minute, "web", "pw", 1, "ok", 1},
		{"wrong about others", 0, "nobody", "no", 11, "throttled", 10},
		{"trusted all the same", 0, "web", "pw", 1, "ok", 0},
		{"wrong about others, later", trustFor, "nobody", "no", 11, "throttled", 10},
		{"trusted no more", 0, "web", "pw", 1, "throttled", 0},
	}
	for _, s := range steps {
		if s.wait < 0 {
			v.Swap(usersOf(t, 2, user(t, "web", "pw")))
		} else {
			v.clock.add(s.wait)
		}
		var err error
		for range s.times {
			_, err = v.login("192.0.2.1", s.user, s.password)
		}
		if got := len(v.kdfs.take()); verdict(err) != s.want || got != s.kdfs {
			t.Errorf("%s: %s with %d derivations; want %s with %d", s.name, verdict(err), got, s.want, s.kdfs)
		}
	}
}

// TestTrustForgivesOnce: who shares the address of a client that logs in often
// gets no more guesses for that.
func TestTrustForgivesOnce(t *testing.T) {
	th, _ := newTestThrottle(t, 16)
	source, judged := addr("192.0.2.1"), 0
	for range 100 {
		if th.allow(source, "web") {
			th.succeed(source, "web")
		}
		for range 9 {
			if th.allow(source, "web") {
				judged++
				th.fail(source, "web")
			}
		}
	}
	if judged > maxWrong+9 {
		t.Errorf("%d wrong logins were judged at once, want %d at most", judged, maxWrong+9)
	}
}
