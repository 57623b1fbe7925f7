package proxy

import (
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
)

// only waits until one client has made so many requests, and returns it.
func (r *rig) only(t *testing.T, requests int64) ClientInfo {
	t.Helper()
	var list []ClientInfo
	testkit.Eventually(t, "the client's figures", func() bool {
		list = r.server.Clients()
		return len(list) == 1 && list[0].Requests == requests
	})
	return list[0]
}

func TestClientsAreWhoIsHere(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["everything"](), tls: w.server, clients: w.app(t), tcp: true})
	before := time.Now().Add(-time.Second)
	c := r.client(t)
	c.asks("set a 0 0 5\r\nabcde\r\n", "STORED\r\n")
	c.asks("get a\r\n", "VALUE a 0 5\r\nabcde\r\nEND\r\n")
	got := r.only(t, 2)
	if got.Since.Before(before) || got.LastRequest.Before(before.Truncate(time.Second)) || got.Peer != c.LocalAddr().String() {
		t.Errorf("got %+v of a client at %s since %s", got, c.LocalAddr(), before)
	}
	got.Since, got.LastRequest, got.Peer = time.Time{}, time.Time{}, ""
	want := ClientInfo{
		ID: "c1", Identity: "app", Listener: "main", Transport: "tls", TLSVersion: "1.3", Dialect: "ascii", Source: "certificate",
		Requests: 2, BytesIn: int64(len("set a 0 0 5\r\nabcde\r\nget a\r\n")), BytesOut: int64(len("STORED\r\nVALUE a 0 5\r\nabcde\r\nEND\r\n")),
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestClientsAreCountedByWhatBecameOfTheirRequests(t *testing.T) {
	doc := everything("main")
	id := doc.Identities["anyone"]
	id.Rules = []policy.Rule{{Allow: []string{"@read"}, Keys: []string{"prefix:a"}}}
	id.Limits = policy.LimitsDoc{MultigetMax: ref(1)}
	doc.Identities["anyone"] = id
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: doc})
	c := r.client(t)
	c.asks("get b\r\nget a\r\nget a1 a2\r\n", "CLIENT_ERROR access denied\r\nEND\r\nCLIENT_ERROR too many keys in one request\r\n")
	if got := r.only(t, 3); got.Denied != 1 || got.Limited != 1 || got.WouldDeny != 0 || got.Transport != "unix" || got.Peer != "unix" || got.TLSVersion != "" {
		t.Errorf("got %+v", got)
	}
}

// A client is shown before it is known, and by its login once it is.
func TestClientsAreShownBeforeTheirLogin(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	doc := &policy.Document{Version: 1, Categories: 1, Identities: map[string]policy.IdentityDoc{
		"bob": {Match: []policy.Match{{SASL: ref("bob")}}},
	}}
	r := startRig(t, fake.Addr(), rigOptions{doc: doc, users: usersOf(t, 1, "bob:open"), listen: takesSASL(auth.Plain)})
	c := r.client(t)
	if got := r.only(t, 0); got.Identity != "" || got.Dialect != "" || !got.LastRequest.IsZero() {
		t.Errorf("before: got %+v", got)
	}
	c.wantsStatus(plainPacket("bob", "open"), packetOK)
	c.wantsStatus(testkit.Packet{Op: testkit.OpNoop}, packetOK)
	if got := r.only(t, 1); got.Identity != "bob" || got.Dialect != "binary" || got.Mechanism != "PLAIN" || got.Source != "login" {
		t.Errorf("after: got %+v", got)
	}
}

// Large values, which are written from where they are, count as well.
func TestTrafficCountsEveryByteAndOutlivesClients(t *testing.T) {
	value := strings.Repeat("v", 2*directValue)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	set, get := "set a 0 0 32768\r\n"+value+"\r\n", "VALUE a 0 32768\r\n"+value+"\r\nEND\r\n"
	c := r.client(t)
	c.asks(set, "STORED\r\n")
	c.asks("get a\r\n", get)
	want := Traffic{2, int64(len(set + "get a\r\n")), int64(len("STORED\r\n" + get))}
	testkit.Eventually(t, "the traffic", func() bool { return r.server.Traffic() == want })
	c.Close()
	r.ends(t, EndClient)
	if got := r.server.Traffic(); got != want || len(r.server.Clients()) != 0 {
		t.Errorf("after the client: got %+v, want %+v", got, want)
	}
}

func TestKillEndsOneClient(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	one := r.client(t)
	one.asks("mn\r\n", "MN\r\n")
	two := r.client(t)
	two.asks("mn\r\n", "MN\r\n")
	id := r.server.Clients()[0].ID
	if r.server.Kill("c99") || !r.server.Kill(id) {
		t.Errorf("killed c99, or not %s", id)
	}
	one.wantsEnd()
	r.ends(t, EndKilled)
	two.asks("mn\r\n", "MN\r\n")
	if n := r.server.Metrics.Killed.Load(); n != 1 || r.server.Kill(id) {
		t.Errorf("%d were killed, or one twice; want 1", n)
	}
}

// One that is not known yet, or waits for memcached, is ended as well.
func TestKillEndsWhoeverWaits(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["everything"](), tls: w.server, clients: w.app(t)})
	c, err := r.connect(nil) // says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	testkit.Eventually(t, "the client", func() bool { return len(r.server.Clients()) == 1 })
	r.server.Kill(r.server.Clients()[0].ID)
	r.ends(t, EndKilled)
	asking := r.client(t)
	g := holdRequests(fake)
	asking.send("get a\r\n")
	<-g.asked
	r.server.Kill(r.server.Clients()[0].ID)
	close(g.open)
	r.ends(t, EndKilled, EndKilled)
}

func TestTallyAllocatesNothing(t *testing.T) {
	s := &session{x: newExchange(new(Limits), nil)}
	if n := testing.AllocsPerRun(100, func() {
		s.counts.requests++
		s.x.asked.Now++
		s.show(10, 20)
	}); n != 0 {
		t.Errorf("got %v allocations", n)
	}
}
