package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// TestGroupsHaveTheNamesOfThePolicy: each command is counted in the group that a
// policy names it by.
func TestGroupsHaveTheNamesOfThePolicy(t *testing.T) {
	for _, v := range protocol.Verbs() {
		if bits.OnesCount32(uint32(v.Category)) != 1 {
			t.Errorf("%s is of %d groups, want 1", v.Name, bits.OnesCount32(uint32(v.Category)))
		}
		if got, want := "@"+metrics.GroupNames[groupOf(v)], policy.GroupName(v.Category); got != want {
			t.Errorf("%s is counted in %s, want %s", v.Name, got, want)
		}
	}
	if got := metrics.GroupNames[groupOf(protocol.Unknown)]; got != "unknown" {
		t.Errorf("a command that is in no table is counted in %s", got)
	}
}

func TestEffectsBeginWithTheVerdicts(t *testing.T) {
	for v := policy.Deny; v <= policy.Learned; v++ {
		if effectNames[v] != v.String() {
			t.Errorf("verdict %d: %q, want %q", v, effectNames[v], v)
		}
	}
}

// requests are what was counted of one identity, as "group result".
func (r *rig) requests(identity string) map[string]int64 {
	got := map[string]int64{}
	id := r.server.Metrics.Identities.Of(identity)
	for g := range id.Requests {
		for res := range id.Requests[g] {
			if n := id.Requests[g][res].Load(); n != 0 {
				got[metrics.GroupNames[g]+" "+metrics.Result(res).String()] = n
			}
		}
	}
	return got
}

// counted are the counters of a set that are not 0, by what they are of.
func counted[K comparable](s *metrics.Set[K, atomic.Int64]) map[K]int64 {
	got := map[K]int64{}
	s.Each(func(k K, n *atomic.Int64) {
		if n.Load() != 0 {
			got[k] = n.Load()
		}
	})
	return got
}

// countedDoc lets whoever comes do some things, by rules that have names.
func countedDoc(mode string) *policy.Document {
	doc := everything("main")
	id := doc.Identities["anyone"]
	id.Mode = mode
	id.Rules = []policy.Rule{
		{ID: "own", Allow: []string{"@rw"}, Keys: []string{"app:*"}},
		{ID: "keep", Deny: []string{"delete"}, Keys: []string{"app:keep:*"}},
	}
	id.Limits = policy.LimitsDoc{MultigetMax: ref(2)}
	doc.Identities["anyone"] = id
	return doc
}

func decisions(list ...any) map[metrics.Decision]int64 {
	m := map[metrics.Decision]int64{}
	for i := 0; i < len(list); i += 3 {
		m[metrics.Decision{Rule: list[i].(string), Effect: list[i+1].(string)}] = int64(list[i+2].(int))
	}
	return m
}

func TestEveryRequestIsCountedByWhatBecameOfIt(t *testing.T) {
	for mode, want := range map[string]struct {
		requests  map[string]int64
		decisions map[metrics.Decision]int64
	}{
		"enforce": {
			map[string]int64{"read ok": 3, "read denied": 1, "read limited": 1, "store ok": 1, "delete ok": 1, "delete denied": 1, "conn ok": 1, "malformed error": 1},
			decisions("own", "allow", 6, "keep", "deny", 1, "", "default_deny", 1),
		},
		"audit": {
			map[string]int64{"read ok": 3, "read would_deny": 1, "read limited": 1, "store ok": 1, "delete ok": 1, "delete would_deny": 1, "conn ok": 1, "malformed error": 1},
			decisions("own", "allow", 6, "keep", "would_deny", 1, "", "would_deny", 1),
		},
	} {
		fake := testkit.StartFake(t, testkit.FakeOptions{})
		r := startRig(t, fake.Addr(), rigOptions{doc: countedDoc(mode)})
		c := newClient(t, r.dial(t))
		in := "get app:1\r\nset app:1 0 0 1 noreply\r\nx\r\nget app:1 app:2\r\ndelete app:1 noreply\r\ndelete app:keep:1 noreply\r\n" +
			"mg app:1 q\r\nmg other:1 q\r\nget app:1 app:2 app:3\r\nnonsense\r\nmn\r\n"
		c.send(in)
		if _, err := c.in.ReadString('M'); err != nil {
			t.Fatal(err)
		}
		c.Close()
		r.ends(t, EndClient)
		if got := r.requests("anyone"); !maps.Equal(got, want.requests) {
			t.Errorf("%s: counted %v, want %v", mode, got, want.requests)
		}
		if got := counted(&r.server.Metrics.Decisions); !maps.Equal(got, want.decisions) {
			t.Errorf("%s: decided %v, want %v", mode, got, want.decisions)
		}
		id := r.server.Metrics.Identities.Of("anyone")
		if n := id.In.Load(); n != int64(len(in)) {
			t.Errorf("%s: %d bytes in, want %d", mode, n, len(in))
		}
		if n := id.Limits[metrics.LimitKeys].Load(); n != 1 {
			t.Errorf("%s: %d requests had too many keys, want 1", mode, n)
		}
	}
}

// TestMoreRulesThanAreAtHand: a client that uses many rules in turn loses none of
// their counts.
func TestMoreRulesThanAreAtHand(t *testing.T) {
	doc := everything("main")
	id := doc.Identities["anyone"]
	id.Rules = nil
	in := ""
	want := map[metrics.Decision]int64{}
	for i := range 3 * tallyRules {
		name := fmt.Sprintf("r%d", i)
		id.Rules = append(id.Rules, policy.Rule{ID: name, Allow: []string{"@read"}, Keys: []string{name + ":*"}})
		in += strings.Repeat("mg "+name+":k q\r\n", i+1)
		want[metrics.Decision{Rule: name, Effect: "allow"}] = int64(2 * (i + 1))
	}
	doc.Identities["anyone"] = id
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: doc})
	newClient(t, r.dial(t)).asks(in+in+"mn\r\n", "MN\r\n")
	testkit.Eventually(t, "the turn to be counted", func() bool { return maps.Equal(counted(&r.server.Metrics.Decisions), want) })
}

// TestBytesOfLargeValuesAreCounted: also of one that is not copied into what its
// client is sent, and of one that is passed on piece by piece.
func TestBytesOfLargeValuesAreCounted(t *testing.T) {
	for _, size := range []int{10, directValue + 1, 300 << 10} {
		fake := testkit.StartFake(t, testkit.FakeOptions{})
		r := startRig(t, fake.Addr(), rigOptions{})
		c := newClient(t, r.dial(t))
		value := strings.Repeat("v", size)
		c.asks(fmt.Sprintf("set k 0 0 %d\r\n%s\r\n", size, value), "STORED\r\n")
		answer := fmt.Sprintf("VALUE k 0 %d\r\n%s\r\nEND\r\n", size, value)
		c.asks("get k\r\n", answer)
		c.Close()
		r.ends(t, EndClient)
		if got, want := r.server.Metrics.Identities.Of("anyone").Out.Load(), int64(len("STORED\r\n")+len(answer)); got != want {
			t.Errorf("value of %d bytes: %d bytes out, want %d", size, got, want)
		}
	}
}

// TestMemcachedThatIsDownIsAnError: of each request, whatever it is about.
func TestMemcachedThatIsDownIsAnError(t *testing.T) {
	r := startRig(t, "unix:/nowhere/s", rigOptions{})
	c := newClient(t, r.dial(t))
	c.send("get a\r\nget a b\r\nset a 0 0 1\r\nx\r\nstats\r\nmn\r\n")
	if _, err := c.in.ReadString('M'); err != nil {
		t.Fatal(err)
	}
	c.Close()
	r.ends(t, EndClient)
	want := map[string]int64{"read error": 2, "store error": 1, "stats error": 1, "conn ok": 1}
	if got := r.requests("anyone"); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// TestReloadForgetsWhoIsGone: the counters of identities and rules that a policy
// has no more are no more, those of the others go on.
func TestReloadForgetsWhoIsGone(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	o := rigOptions{doc: countedDoc("enforce")}
	r := startRig(t, fake.Addr(), o)
	c := newClient(t, r.dial(t))
	c.asks("get app:1\r\nmg other:1\r\n", "END\r\n"+protocol.AccessDenied)
	testkit.Eventually(t, "the turn to be counted", func() bool { return r.requests("anyone")["read ok"] == 1 })

	m := r.server.Metrics
	m.Identities.Of("gone").In.Add(1)
	m.Decisions.Of(metrics.Decision{Rule: "gone", Effect: "allow"}).Add(1)
	r.server.Swap(o.snapshot(t, countedDoc("enforce")))
	var names []string
	m.Identities.Each(func(name string, _ *metrics.Identity) { names = append(names, name) })
	if want := []string{"anyone"}; !slices.Equal(names, want) {
		t.Errorf("identities %q, want %q", names, want)
	}
	if got, want := counted(&m.Decisions), decisions("own", "allow", 1, "", "default_deny", 1); !maps.Equal(got, want) {
		t.Errorf("decisions %v, want %v", got, want)
	}
	c.asks("get app:1\r\n", "END\r\n")
	testkit.Eventually(t, "the count to go on", func() bool { return r.requests("anyone")["read ok"] == 2 })
}

func TestConnectionsAreCountedByListener(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{tcp: true})
	l := r.server.Metrics.Listeners.Of(metrics.ListenerName{Name: "main", Transport: "plaintext"})
	open := newClient(t, r.dial(t))
	open.asks("foo\r\nversion\r\nmn\r\n", "ERROR\r\nVERSION 1.6.18\r\nMN\r\n")
	packets := newClient(t, r.dial(t))
	packets.send(string(testkit.Packet{Op: testkit.OpQuit}.Bytes()))
	io.ReadAll(packets.in)
	silent := r.dial(t)
	testkit.Eventually(t, "three clients to be counted", func() bool { return l.Open.Load() >= 2 && r.server.Metrics.Accepted.Load() == 3 })
	here := metrics.Source{Listener: "main", Identity: "anyone"}
	if n := r.server.Metrics.Plaintext.Count(r.server.now()); n[here] != 1 {
		t.Errorf("clients without TLS: %v, want one address", n)
	}
	silent.Close()
	r.ends(t, EndQuit, EndClient)
	if n := l.Open.Load(); n != 1 {
		t.Errorf("%d are open, want 1", n)
	}
	if got, want := counted(&l.Opened), (map[string]int64{"ascii": 1, "binary": 1, "unknown": 1}); !maps.Equal(got, want) {
		t.Errorf("opened %v, want %v", got, want)
	}
	if got, want := counted(&l.Closed), (map[string]int64{"quit": 1, "client": 1}); !maps.Equal(got, want) {
		t.Errorf("closed %v, want %v", got, want)
	}
	if n := l.Most.Load(); n != 1000 {
		t.Errorf("at most %d, want 1000", n)
	}
}

// The first request tells the ASCII dialects apart, in every view alike.
func TestDialectIsThatOfTheFirstRequest(t *testing.T) {
	for _, tc := range []struct{ ask, answer, want string }{
		{"get a\r\nmn\r\n", "END\r\nMN\r\n", "ascii"},
		{"mn\r\nget a\r\n", "MN\r\nEND\r\n", "meta"},
		{"mg a\r\n", "EN\r\n", "meta"},
	} {
		fake := testkit.StartFake(t, testkit.FakeOptions{})
		r := startRig(t, fake.Addr(), rigOptions{})
		r.client(t).asks(tc.ask, tc.answer)
		if got := r.only(t, int64(strings.Count(tc.ask, "\n"))).Dialect; got != tc.want {
			t.Errorf("%q: the list of clients has %q, want %q", tc.ask, got, tc.want)
		}
		l := r.server.Metrics.Listeners.Of(metrics.ListenerName{Name: "main", Transport: "unix"})
		if got, want := counted(&l.Opened), (map[string]int64{tc.want: 1}); !maps.Equal(got, want) {
			t.Errorf("%q: counted %v, want %v", tc.ask, got, want)
		}
	}
}

// Whoever goes in the middle of a first line has said what it speaks.
func TestAHalfRequestIsOfADialect(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	c := r.client(t)
	c.send("get a")
	c.Close()
	r.ends(t, EndClient)
	l := r.server.Metrics.Listeners.Of(metrics.ListenerName{Name: "main", Transport: "unix"})
	if got, want := counted(&l.Opened), (map[string]int64{"ascii": 1}); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

func TestHandshakesAreCountedByHowTheyEnd(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["everything"](), tls: w.server, clients: w.app(t)})
	newClient(t, r.dial(t)).asks("mn\r\n", "MN\r\n")
	plain := newClient(t, r.dialWith(t, nil))
	plain.send("get a\r\n")
	stranger, other := w.stranger(), newWorld(t).app(t).Certificates[0]
	stranger.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &other, nil }
	c := r.dialWith(t, stranger)
	c.Read(make([]byte, 1)) // the client learns of it by reading
	gone := r.dialWith(t, nil)
	gone.Close()
	l := r.server.Metrics.Listeners.Of(metrics.ListenerName{Name: "main", Transport: "tls"})
	want := map[string]int64{"ok": 1, "not_tls": 1, "unknown_ca": 1, "client_gone": 1}
	testkit.Eventually(t, fmt.Sprintf("handshakes that end as %v", want), func() bool { return maps.Equal(counted(&l.Shaken), want) })
	if _, n, _ := r.server.Metrics.Handshake.Load(); n != 1 {
		t.Errorf("the time of %d handshakes was taken, want 1", n)
	}
}

func TestLoginsAreCountedByHowTheyWent(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := loginRig(t, fake.Addr(), nil)
	c := newClient(t, r.dial(t))
	c.send(login("alice", "wrong"))
	c.in.ReadString('\n')
	c.asks(login("alice", "sesame"), "STORED\r\n")
	want := map[metrics.Attempt]int64{
		{Mechanism: "ascii", Result: "ok", Secret: "0"}: 1,
		{Mechanism: "ascii", Result: "wrong password"}:  1,
	}
	if got := counted(&r.server.Metrics.Attempts); !maps.Equal(got, want) {
		t.Errorf("logins %v, want %v", got, want)
	}
}

// TestTimesAreSampled: of one turn in so many, that of each of its requests, and
// what of it was memcached's is not slabgate's.
func TestTimesAreSampled(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{upstream: oneLane})
	c := newClient(t, r.dial(t))
	for range 2 * sampledTurns {
		c.asks("get a\r\n", "END\r\n")
	}
	m := r.server.Metrics
	testkit.Eventually(t, "two turns' time", func() bool { _, n, _ := m.Overhead.Load(); return n == 2 })
	read := slices.Index(metrics.GroupNames[:], "read")
	_, n, took := m.Duration[read].Load()
	_, _, own := m.Overhead.Load()
	if _, n, of := m.Identities.Of("anyone").Duration.Load(); n != 2 || of != took {
		t.Errorf("%d requests of the identity took %v, want 2 and %v", n, of, took)
	}
	if n != 2 || own <= 0 || own >= took {
		t.Errorf("%d requests took %v, of which slabgate %v; want 2 and less", n, took, own)
	}
	if _, n, took := m.Upstream.Load(); n != 2*sampledTurns || took <= 0 {
		t.Errorf("%d commands took memcached %v, want %d", n, took, 2*sampledTurns)
	}
}

// TestSourceIsWhoComesWithoutTLS: a client of TLS, or of a unix socket, is none.
func TestSourceIsWhoComesWithoutTLS(t *testing.T) {
	m := new(metrics.Metrics)
	s := &session{server: &Server{Metrics: m}, listener: &Listener{ListenerConfig: ListenerConfig{Name: "main"}}}
	count := func() int { return len(m.Plaintext.Count(s.server.now())) }
	s.showPlain("app")
	s.hidePlain()
	if n := count(); n != 0 {
		t.Errorf("a unix socket counts %d times", n)
	}
	s.facts.Addr, s.facts.TLS = netip.MustParseAddr("192.0.2.1"), true
	s.showPlain("app")
	if n := count(); n != 0 {
		t.Errorf("TLS counts %d times", n)
	}
	s.facts.TLS = false
	s.showPlain("app")
	if n := count(); n != 1 {
		t.Errorf("an address without TLS counts %d times, want once", n)
	}
}
