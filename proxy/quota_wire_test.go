package proxy

import (
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// inFlight is how many requests a payer has in flight, and how many clients.
func (r *rig) inFlight(p payer) (requests int64, conns int) {
	as := r.server.accounts
	as.mu.Lock()
	defer as.mu.Unlock()
	if a := as.of[p]; a != nil {
		return a.inFlight.Load(), a.conns
	}
	return 0, 0
}

var alicesAccount = payer{"alice", "t/alice/"}

// rests waits until nothing of alice's is under way, and so many clients are here.
func (r *rig) rests(t testing.TB, conns int) {
	t.Helper()
	testkit.Eventually(t, "the account to rest", func() bool {
		requests, n := r.inFlight(alicesAccount)
		return requests == 0 && n == conns
	})
}

// TestClientTooMany is told so, by itself: others of its identity go on, and once one
// has left there is a place.
func TestClientTooMany(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r, _ := spacedRig(t, fake.Addr(), func(o *rigOptions) { o.doc = spacedTenants(policy.LimitsDoc{Conns: ref(2)}) })
	first, _ := r.loggedIn(t, "alice", false), r.loggedIn(t, "alice", true)
	for _, c := range []struct{ in, want string }{
		{"get a\r\n", protocol.LimitConns},
		{"mn\r\n", protocol.LimitConns},
		{"quit\r\n", protocol.LimitConns},
		{"set a 0 0 1 noreply\r\nv\r\n", ""},
	} {
		third := r.loggedIn(t, "alice", false)
		third.asks(c.in, c.want)
		third.wantsEnd()
	}
	packets := r.loggedIn(t, "alice", true)
	packets.wantsStatus(noopPacket, packetDenied)
	packets.wantsEnd()
	r.ends(t, EndLimit, EndLimit, EndLimit, EndLimit, EndLimit)
	first.holdsA(false)
	bob := r.loggedIn(t, "bob", false)
	bob.holdsA(false)
	first.Close()
	r.rests(t, 1)
	r.loggedIn(t, "alice", false).holdsA(false)
}

// TestClientTooManyThatIsSilentHasToGo: it holds a place of the listener's for no
// longer than a login may take.
func TestClientTooManyThatIsSilentHasToGo(t *testing.T) {
	doc := everything("main")
	id := doc.Identities["anyone"]
	id.Limits.Conns = ref(1)
	doc.Identities["anyone"] = id
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: doc, limits: func(l *Limits) { l.LoginTimeout, l.IdleTimeout = 50*time.Millisecond, 0 }})
	first := r.client(t)
	first.asks("get a\r\n", "END\r\n")
	second := r.client(t)
	second.wantsEnd()
	r.ends(t, EndLimit)
	first.asks("get a\r\n", "END\r\n")
}

// TestClientThatLeavesInATurn: what it had in flight is not any more.
func TestClientThatLeavesInATurn(t *testing.T) {
	limits := policy.LimitsDoc{InFlight: ref(2)}
	big := "set b 0 0 100000\r\n" + strings.Repeat("v", 100_000) + "\r\n"
	for name, in := range map[string]string{"batched": "get a\r\nget a\r\n", "streamed": big, "a flush": "flush_all\r\n"} {
		fake := testkit.StartFake(t, testkit.FakeOptions{})
		r, _ := spacedRig(t, fake.Addr(), func(o *rigOptions) { o.doc = spacedTenants(limits) })
		c := r.loggedIn(t, "alice", false)
		g := holdRequests(fake)
		c.send(in)
		<-g.asked
		if requests, _ := r.inFlight(alicesAccount); requests == 0 {
			t.Errorf("%s: nothing is in flight", name)
		}
		c.Close()
		close(g.open)
		r.rests(t, 0)
		other := r.loggedIn(t, "alice", false)
		other.asks("get a\r\nget a\r\n", "END\r\nEND\r\n")
	}
}

// TestRequestsInFlightAreOfAllClients: those of one keep another's from being served,
// which is told at once; and nobody else's.
func TestRequestsInFlightAreOfAllClients(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r, _ := spacedRig(t, fake.Addr(), func(o *rigOptions) { o.doc = spacedTenants(policy.LimitsDoc{InFlight: ref(1)}) })
	one, two, bob := r.loggedIn(t, "alice", false), r.loggedIn(t, "alice", false), r.loggedIn(t, "bob", false)
	g := holdRequests(fake)
	one.send("get a\r\n")
	<-g.asked
	two.asks("get a\r\nmn\r\n", protocol.LimitInFlight+"MN\r\n")
	bob.send("get a\r\n")
	close(g.open)
	one.wants("END\r\n")
	bob.wants("END\r\n")
	r.rests(t, 2)
	two.asks("get a\r\n", "END\r\n")
}

// TestConnectingAnewHelpsNobody: what an identity has used of a rate it has used.
func TestConnectingAnewHelpsNobody(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r, _ := spacedRig(t, fake.Addr(), func(o *rigOptions) {
		o.doc = spacedTenants(policy.LimitsDoc{BytesIn: ref(policy.Rate(10))})
	})
	c := r.loggedIn(t, "alice", false)
	c.asks("set a 0 0 10000\r\n"+strings.Repeat("v", 10_000)+"\r\n", "STORED\r\n")
	c.Close()
	r.rests(t, 0)
	r.loggedIn(t, "alice", false).asks("get a\r\n", protocol.LimitBytes)
	r.loggedIn(t, "bob", false).asks("get a\r\n", "END\r\n")
}

// TestReloadChangesLimits: the next turn is held to those in force; who becomes
// somebody else counts as that, and leaves the place it had.
func TestReloadChangesLimits(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	with := func(name string, limits policy.LimitsDoc) *policy.Document {
		doc := everything("main")
		id := doc.Identities["anyone"]
		id.Limits = limits
		doc.Identities = map[string]policy.IdentityDoc{name: id}
		return doc
	}
	o := rigOptions{doc: with("one", policy.LimitsDoc{})}
	r := startRig(t, fake.Addr(), o)
	c := r.client(t)
	c.asks("get a b c\r\n", "END\r\n")
	r.server.Swap(o.snapshot(t, with("one", policy.LimitsDoc{MultigetMax: ref(2), InFlight: ref(5)})))
	c.asks("get a b c\r\nget a b\r\n", protocol.LimitKeys+"END\r\n")
	r.server.Swap(o.snapshot(t, with("two", policy.LimitsDoc{Conns: ref(1), InFlight: ref(5)})))
	c.asks("get a b c\r\n", "END\r\n")
	if _, n := r.inFlight(payer{identity: "one"}); n != 0 {
		t.Errorf("%d clients count as one, want none", n)
	}
	if _, n := r.inFlight(payer{identity: "two"}); n != 1 {
		t.Errorf("%d clients count as two, want 1", n)
	}
	late := r.client(t)
	late.asks("get a\r\n", protocol.LimitConns)
	late.wantsEnd()
}

// TestReloadInATurnKeepsCount: a client that has requests in flight and becomes
// somebody else leaves none of them behind.
func TestReloadInATurnKeepsCount(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	with := func(name string) *policy.Document {
		doc := everything("main")
		id := doc.Identities["anyone"]
		id.Limits = policy.LimitsDoc{InFlight: ref(3), BytesOut: ref(policy.Rate(1 << 30))}
		doc.Identities = map[string]policy.IdentityDoc{name: id}
		return doc
	}
	o := rigOptions{doc: with("one")}
	r := startRig(t, fake.Addr(), o)
	c := r.client(t)
	g := holdRequests(fake)
	big := "set a 0 0 100000\r\n" + strings.Repeat("v", 100_000) + "\r\n"
	c.send("get a\r\n" + big)
	<-g.asked
	r.server.Swap(o.snapshot(t, with("two")))
	close(g.open)
	c.wants("END\r\nSTORED\r\n")
	c.asks("mn\r\n", "MN\r\n")
	for _, name := range []string{"one", "two"} {
		want := 0
		if name == "two" {
			want = 1
		}
		testkit.Eventually(t, "nothing of "+name+" to be in flight", func() bool {
			requests, conns := r.inFlight(payer{identity: name})
			return requests == 0 && conns == want
		})
	}
}

// TestLimitedRequestsAreCounted in the log and the metrics, and in neither as denied.
func TestLimitedRequestsAreCounted(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r, _ := spacedRig(t, fake.Addr(), func(o *rigOptions) { o.doc = spacedTenants(policy.LimitsDoc{MultigetMax: ref(1)}) })
	c := r.loggedIn(t, "alice", false)
	c.asks("get a b\r\nget a b\r\nget a\r\n", protocol.LimitKeys+protocol.LimitKeys+"END\r\n")
	c.Close()
	got := r.sessionFields(t)
	if got["limited"] != int64(2) || got["denied"] != int64(0) || r.server.Metrics.Limited.Load() != 2 || r.server.Metrics.Denied.Load() != 0 {
		t.Errorf("logged %v limited and %v denied, counted %d and %d; want 2 and 0", got["limited"], got["denied"],
			r.server.Metrics.Limited.Load(), r.server.Metrics.Denied.Load())
	}
}

// TestSomebodyElsesLimitsHoldNobodyUp mixes what is limited of one with what another
// asks: the other is answered each time.
func TestSomebodyElsesLimitsHoldNobodyUp(t *testing.T) {
	mc := testkit.StartMemcached(t)
	r, _ := spacedRig(t, mc.Addr(), func(o *rigOptions) {
		o.doc = spacedTenants(policy.LimitsDoc{ValueMax: ref(policy.Bytes(1000))})
	})
	alice, bob := r.loggedIn(t, "alice", false), r.loggedIn(t, "bob", false)
	alice.send("set a 0 0 1000000\r\n")
	alice.wants(protocol.LimitValue)
	for range 20 {
		alice.send(strings.Repeat("v", 50_000))
		bob.asks(setA, "STORED\r\n")
		bob.holdsA(true)
	}
	alice.asks("\r\nset a 0 0 1 noreply\r\nv\r\nflush_all\r\nget a\r\n", "OK\r\nEND\r\n")
	bob.holdsA(true)
}
