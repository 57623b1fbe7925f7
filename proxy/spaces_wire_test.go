package proxy

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
	"github.com/slabgate/slabgate/upstream"
)

// spacedTenants is a policy of users with a namespace each, and of one who sees all
// of them. Limits hold for each.
func spacedTenants(limits policy.LimitsDoc) *policy.Document {
	d := &policy.Document{Version: 1, Categories: 1, Identities: map[string]policy.IdentityDoc{}}
	for _, name := range []string{"alice", "bob"} {
		d.Identities[name] = policy.IdentityDoc{
			Match: []policy.Match{{SASL: ref(name)}}, Rules: []policy.Rule{rule("@rw", "*")},
			Namespace: ref("t/{identity}/"), Flush: "scoped", Limits: limits,
		}
	}
	return d
}

// spacedRig is a rig whose clients log in as alice or bob.
func spacedRig(t *testing.T, addr string, change func(*rigOptions)) (*rig, rigOptions) {
	o := rigOptions{
		doc: spacedTenants(policy.LimitsDoc{}), users: usersOf(t, 1, "alice:sesame", "bob:open"),
		login: true, listen: takesSASL("PLAIN"),
	}
	if change != nil {
		change(&o)
	}
	return startRig(t, addr, o), o
}

// passwords of the tests' users.
var passwords = map[string]string{"alice": "sesame", "bob": "open"}

// loggedIn is a client that has logged in, in the ASCII dialect or by packets.
func (r *rig) loggedIn(t testing.TB, name string, packets bool) *client {
	t.Helper()
	c := r.client(t)
	if packets {
		c.wantsStatus(plainPacket(name, passwords[name]), packetOK)
	} else {
		c.asks(login(name, passwords[name]), "STORED\r\n")
	}
	return c
}

// holdsA reads whether a client has the item a, which is 1 if it has.
func (c *client) holdsA(want bool) {
	c.t.Helper()
	answer := "END\r\n"
	if want {
		answer = "VALUE a 0 1\r\n1\r\nEND\r\n"
	}
	c.asks("get a\r\n", answer)
}

const setA = "set a 0 0 1\r\n1\r\n"

// TestScopedFlushInEveryDialect: it is in force once it is answered, for every client
// of the namespace and for no other.
func TestScopedFlushInEveryDialect(t *testing.T) {
	flush := func(op testkit.Op, extras string) string {
		return string(testkit.Packet{Op: op, Opaque: 4, Extras: extras}.Bytes()) + string(noopPacket.Bytes())
	}
	flushed := string(testkit.Packet{Reply: true, Op: testkit.OpFlush, Opaque: 4}.Bytes())
	mc := testkit.StartMemcached(t)
	r, _ := spacedRig(t, mc.Addr(), nil)
	alice, bob := r.loggedIn(t, "alice", false), r.loggedIn(t, "bob", false)
	for _, c := range []struct {
		name, in, want string
		gone           bool
	}{
		{"loud", "flush_all\r\nmn\r\n", "OK\r\nMN\r\n", true},
		{"noreply", "flush_all noreply\r\nmn\r\n", "MN\r\n", true},
		{"at once", "flush_all 0\r\nmn\r\n", "OK\r\nMN\r\n", true},
		{"delayed", "flush_all 1000\r\nmn\r\n", "OK\r\nMN\r\n", false},
		{"delayed, noreply", "flush_all 1000 noreply\r\nmn\r\n", "MN\r\n", false},
		{"a packet", flush(testkit.OpFlush, ""), flushed + noopped, true},
		{"a quiet packet", flush(testkit.OpFlushQ, ""), noopped, true},
		{"a packet with an expiry", flush(testkit.OpFlush, "\x00\x00\x10\x00"), flushed + noopped, false},
	} {
		alice.asks(setA, "STORED\r\n")
		bob.asks(setA, "STORED\r\n")
		other := r.loggedIn(t, "alice", c.in[0] == 0x80)
		other.asks(c.in, c.want)
		alice.holdsA(!c.gone)
		bob.holdsA(true)
		if t.Failed() {
			t.Fatal(c.name)
		}
	}
	n := 0
	for _, e := range r.audit.all() {
		if e.Kind != audit.Flush {
			continue
		}
		if n++; e.Namespace != "t/alice/" || e.Identity != "alice" || !strings.Contains(e.Flushed, " → ") && !strings.HasPrefix(e.Flushed, "at ") {
			t.Errorf("got event %+v", e)
		}
	}
	if n != 8 {
		t.Errorf("%d flushes were written down, want 8", n)
	}
}

// TestDelayedFlushComes: a second later the namespace is empty.
func TestDelayedFlushComes(t *testing.T) {
	mc := testkit.StartMemcached(t)
	r, _ := spacedRig(t, mc.Addr(), nil)
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() { r.server.Generations.Run(ctx) })
	defer following.Wait()
	defer cancel()
	c := r.loggedIn(t, "alice", false)
	c.asks(setA+"flush_all 1\r\n", "STORED\r\nOK\r\n")
	before := string(r.server.Generations.Use(ctx, "t/alice/").Prefix())
	testkit.Eventually(t, "the flush to come", func() bool {
		return string(r.server.Generations.Use(ctx, "t/alice/").Prefix()) != before
	})
	c.holdsA(false)
}

// TestFlushWithoutMemcached: its client is told that others may not know, and what is
// flushed is gone all the same.
func TestFlushWithoutMemcached(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r, _ := spacedRig(t, fake.Addr(), nil)
	c, quiet := r.loggedIn(t, "alice", false), r.loggedIn(t, "alice", true)
	c.asks(setA, "STORED\r\n")
	fake.OnRequest(func(int, []byte) testkit.Fault { return testkit.CloseBefore() })
	c.asks("flush_all\r\nmn\r\n", protocol.UpstreamDown+"MN\r\n")
	fake.OnRequest(nil)
	c.holdsA(false)
	c.asks(setA, "STORED\r\n")
	fake.OnRequest(func(int, []byte) testkit.Fault { return testkit.CloseBefore() })
	if got := quiet.asksPacket(testkit.Packet{Op: testkit.OpFlushQ}); got.Op != testkit.OpFlushQ || got.Status != 0x84 {
		t.Errorf("a quiet packet is answered with %v", got)
	}
	fake.OnRequest(nil)
	c.holdsA(false)
	c.asks(setA+"flush_all noreply\r\nget a\r\n", "STORED\r\nEND\r\n")
}

// TestReplyWithoutTheNamespaceIsNobodys: what a memcached of the classic dialect
// answers with another name than it was asked for is passed on to nobody, and its
// connection is not used again.
func TestReplyWithoutTheNamespaceIsNobodys(t *testing.T) {
	for name, lie := range map[string]func(reply []byte) []byte{
		"the client's key": func(reply []byte) []byte {
			at := bytes.Index(reply, []byte("t/alice/"))
			return append([]byte("VALUE a"), reply[at+len("t/alice/1795667413129/a"):]...)
		},
		"another namespace": func(reply []byte) []byte { return bytes.Replace(reply, []byte("t/alice/"), []byte("t/clare/"), 1) },
		"another generation": func(reply []byte) []byte {
			at := bytes.Index(reply, []byte("t/alice/")) + len("t/alice/")
			reply[at]++
			return reply
		},
		"another key": func(reply []byte) []byte { return bytes.Replace(reply, []byte("/a "), []byte("/b "), 1) },
	} {
		fake := testkit.StartFake(t, testkit.FakeOptions{})
		r, _ := spacedRig(t, fake.Addr(), func(o *rigOptions) {
			o.upstream = func(c *upstream.Config) { c.Dialect = "classic" }
		})
		c := r.loggedIn(t, "alice", false)
		c.asks(setA, "STORED\r\n")
		c.holdsA(true)
		dials := r.server.Metrics.Dials.Load()
		fake.Inject(testkit.Rewrite(lie))
		c.asks("get a\r\n", protocol.UpstreamLost)
		c.holdsA(true)
		burnt := int64(0)
		for i := range r.server.Metrics.Burns {
			burnt += r.server.Metrics.Burns[i].Load()
		}
		if burnt != 1 || r.server.Metrics.Dials.Load() != dials+1 {
			t.Errorf("%s: %d connections were burnt and %d made anew, want 1 and 1", name, burnt, r.server.Metrics.Dials.Load()-dials)
		}
	}
}

// TestReloadThatMovesAClientEndsIt: one whose keys have another namespace is cut off
// with its next request, which is not carried out; one that may do more or less goes
// on.
func TestReloadThatMovesAClientEndsIt(t *testing.T) {
	moved := spacedTenants(policy.LimitsDoc{})
	id := moved.Identities["alice"]
	id.Namespace = ref("u/{identity}/")
	moved.Identities["alice"] = id
	bare := spacedTenants(policy.LimitsDoc{})
	id.Namespace, id.Flush = nil, ""
	bare.Identities["alice"] = id
	reading := spacedTenants(policy.LimitsDoc{RPS: ref(1000)})
	id = reading.Identities["alice"]
	id.Rules = []policy.Rule{rule("@read", "*")}
	reading.Identities["alice"] = id

	fake := testkit.StartFake(t, testkit.FakeOptions{})
	for name, doc := range map[string]*policy.Document{"another": moved, "none": bare} {
		r, o := spacedRig(t, fake.Addr(), nil)
		c, other := r.loggedIn(t, "alice", false), r.loggedIn(t, "bob", false)
		c.asks(setA, "STORED\r\n")
		r.server.Swap(o.snapshot(t, reading))
		c.asks("get a\r\n"+setA, "VALUE a 0 1\r\n1\r\nEND\r\n"+protocol.AccessDenied)
		before := len(fake.Requests())
		r.server.Swap(o.snapshot(t, doc))
		c.send("get a\r\nflush_all\r\n")
		c.wantsEnd()
		r.ends(t, EndRevoked)
		if sent := fake.Requests()[before:]; len(sent) > 0 {
			t.Errorf("%s: sent %q", name, sent)
		}
		other.holdsA(false)
	}
}

// TestReloadThatMovesAClientInATurn: what it has asked before is answered from where
// it was asked, or not at all.
func TestReloadThatMovesAClientInATurn(t *testing.T) {
	moved := spacedTenants(policy.LimitsDoc{})
	id := moved.Identities["alice"]
	id.Namespace = ref("u/{identity}/")
	moved.Identities["alice"] = id
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r, o := spacedRig(t, fake.Addr(), nil)
	c := r.loggedIn(t, "alice", false)
	c.asks(setA, "STORED\r\n")
	g := holdRequests(fake)
	c.send("get a\r\n")
	<-g.asked
	r.server.Swap(o.snapshot(t, moved))
	close(g.open)
	c.wants("VALUE a 0 1\r\n1\r\nEND\r\n")
	c.send(setA)
	c.wantsEnd()
	r.ends(t, EndRevoked)
	for _, req := range fake.Requests() {
		if bytes.Contains(req, []byte("u/alice/")) {
			t.Errorf("sent %q", req)
		}
	}
}

// TestClientWithoutARootIsNobody: what a namespace is made of must be proven.
func TestClientWithoutARootIsNobody(t *testing.T) {
	w := newWorld(t)
	doc := app(rule("@rw", "*"))
	id := doc.Identities["app"]
	id.Match, id.Namespace = []policy.Match{{TLS: &policy.TLSMatch{URI: ref("spiffe://corp/ns/**")}}}, ref("t/{tls.uri[4]}/")
	doc.Identities["app"] = id
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: doc, tls: w.server, clients: w.app(t)})
	c := r.client(t)
	c.asks("get a\r\n", "CLIENT_ERROR unauthenticated\r\n")
	c.wantsEnd()
	r.ends(t, EndUnknown)
	long := w.client(t, testkit.ClientSpec{URI: []string{"spiffe://corp/ns/shop/sa/app/v2"}})
	d := newClient(t, r.dialWith(t, long))
	d.asks("get a\r\n", "END\r\n")
	if n := len(fake.Requests()); n == 0 || !bytes.Contains(fake.Requests()[n-1], []byte(" t/v2/")) {
		t.Errorf("sent %q", fake.Requests())
	}
}

// TestNobodyReachesANamespaceByNamingIt: neither a client of another, nor one that
// has none, whatever the mode.
func TestNobodyReachesANamespaceByNamingIt(t *testing.T) {
	mc := testkit.StartMemcached(t)
	for _, mode := range []string{"enforce", "audit", "learn", "off"} {
		doc := spacedTenants(policy.LimitsDoc{})
		doc.Identities["plain"] = policy.IdentityDoc{Match: []policy.Match{{Listener: ref("main")}}, Mode: mode, Rules: []policy.Rule{rule("@rw", "*")}}
		r, _ := spacedRig(t, mc.Addr(), func(o *rigOptions) { o.doc, o.login = doc, false })
		alice, bob, plain := r.loggedIn(t, "alice", true), r.loggedIn(t, "bob", true), r.client(t)
		alice.wantsStatus(testkit.Packet{Op: testkit.OpSet, Key: "a", Extras: strings.Repeat("\x00", 8), Value: "1"}, packetOK)
		name := string(r.server.Generations.Use(context.Background(), "t/alice/").Prefix()) + "a"
		bob.wantsStatus(testkit.Packet{Op: testkit.OpGet, Key: name}, packetMissing)
		plain.asks("get "+name+"\r\nget x "+name+"\r\nms "+name+" 1\r\nv\r\nget slabgate/x\r\n", strings.Repeat(protocol.AccessDenied, 4))
		plain.asks("get a\r\n", "END\r\n")
		alice.wantsStatus(testkit.Packet{Op: testkit.OpGet, Key: "a"}, packetOK)
	}
}

// TestLoginMovesAClient: one that has a namespace by its listener and logs in has the
// other from its next request on.
func TestLoginMovesAClient(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	doc := spacedTenants(policy.LimitsDoc{Conns: ref(1), InFlight: ref(10)})
	guest := doc.Identities["alice"]
	guest.Match = []policy.Match{{Listener: ref("main")}}
	doc.Identities["guest"] = guest
	r, _ := spacedRig(t, fake.Addr(), func(o *rigOptions) { o.doc, o.login = doc, false })
	c := r.client(t)
	c.wantsStatus(listMechs, packetOK)
	c.send(string(plainPacket("alice", "sesame").Bytes()) + string(testkit.Packet{Op: testkit.OpGet, Key: "a"}.Bytes()))
	if got := c.readsPacket(); got.Status != packetOK {
		t.Fatalf("login: got %v", got)
	}
	if got := c.readsPacket(); got.Status != packetMissing {
		t.Fatalf("get: got %v", got)
	}
	for _, req := range fake.Requests() {
		if bytes.HasPrefix(req, []byte("mg t/guest/")) {
			t.Errorf("sent %q", req)
		}
	}
	r.client(t).wantsStatus(noopPacket, packetOK) // the guest's one place is free again
	testkit.Eventually(t, "both to be counted", func() bool {
		r.server.accounts.mu.Lock()
		defer r.server.accounts.mu.Unlock()
		return len(r.server.accounts.of) == 2
	})
}
