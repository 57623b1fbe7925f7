package proxy

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
)

// TestAWholeHostMayReconnectAtOnce: more connections than a source has turns wait
// in line, and none is turned away.
func TestAWholeHostMayReconnectAtOnce(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["everything"](), tls: w.server, clients: w.app(t), tcp: true,
		limits: func(l *Limits) { l.LoginTimeout, l.HandshakeTimeout = 20*time.Second, 20*time.Second }})
	const clients = 100
	var wg sync.WaitGroup
	for range clients {
		c := r.dial(t)
		wg.Go(func() {
			if _, err := io.WriteString(c, "mn\r\n"); err != nil {
				t.Error(err)
				return
			}
			got := make([]byte, 4)
			if _, err := io.ReadFull(c, got); err != nil || string(got) != "MN\r\n" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	wg.Wait()
	if n := r.server.Metrics.Refused.Load(); n != 0 {
		t.Errorf("%d of %d were turned away", n, clients)
	}
}

// TestFloodOfOneListenerLeavesTheOther: unknown clients of one listener take no
// places of another.
func TestFloodOfOneListenerLeavesTheOther(t *testing.T) {
	var one, other Listener
	l := &Limits{MaxUnauthenticated: 2, MaxPerSource: 2}
	for i, want := range []bool{true, true, false} {
		if _, ok := one.admission.enter(addrOf(&fakeAddrConn{}), l); ok != want {
			t.Errorf("client %d: %v, want %v", i, ok, want)
		}
	}
	if _, ok := other.admission.enter(addrOf(&fakeAddrConn{}), l); !ok {
		t.Error("the other listener is full as well")
	}
}

// fakeAddrConn is a connection of a unix socket, as far as its address goes.
type fakeAddrConn struct{ net.Conn }

func (*fakeAddrConn) RemoteAddr() net.Addr { return &net.UnixAddr{} }

// TestSharesOfOneIdentity: an identity has a quarter of the leases, and waits for
// its own streams only.
func TestSharesOfOneIdentity(t *testing.T) {
	s := newShares(8, 10*time.Millisecond)
	first, ok1 := s.enter("app", true)
	_, ok2 := s.enter("app", true)
	if _, ok3 := s.enter("app", true); !ok1 || !ok2 || ok3 {
		t.Fatalf("got %v, %v, %v, want two of eight", ok1, ok2, ok3)
	}
	if leave, ok := s.enter("other", true); !ok {
		t.Error("another identity has to wait")
	} else {
		leave()
	}
	s.wait = 10 * time.Second
	if _, ok := s.enter("app", false); ok {
		t.Error("one that does not wait was given a place that is taken")
	}
	go first()
	if _, ok := s.enter("app", true); !ok {
		t.Error("a place that was given back is not taken")
	}
	if s := newShares(1, 0); s.each != 1 {
		t.Errorf("of one lease an identity has %d", s.each)
	}
}

// TestSlowReadersLeaveLeasesToOthers: as many as there are leases ask for a large
// value and read nothing; another identity stores one, and asks for a figure.
func TestSlowReadersLeaveLeasesToOthers(t *testing.T) {
	mc := testkit.StartMemcached(t)
	doc := everything("main")
	doc.Identities["other"] = policy.IdentityDoc{
		Match: []policy.Match{{ASCII: ref("other")}}, Rules: []policy.Rule{{Allow: []string{"@all"}, Keys: []string{"*"}}},
	}
	doc.Identities["greedy"] = policy.IdentityDoc{
		Match: []policy.Match{{ASCII: ref("greedy")}}, Rules: []policy.Rule{{Allow: []string{"@all"}, Keys: []string{"*"}}},
	}
	delete(doc.Identities, "anyone")
	r := startRig(t, mc.Addr(), rigOptions{doc: doc, users: usersOf(t, 1, "other:b", "greedy:a"), login: true})
	other := r.client(t)
	other.asks(login("other", "b"), "STORED\r\n")
	value := strings.Repeat("v", 1<<20-500)
	other.asks(fmt.Sprintf("set big 0 0 %d\r\n%s\r\n", len(value), value), "STORED\r\n")
	for range r.pool.Leases() + 4 {
		c := r.client(t)
		c.asks(login("greedy", "a"), "STORED\r\n")
		c.send(strings.Repeat("get big big big\r\n", 4))
	}
	for range 5 {
		other.asks(fmt.Sprintf("set large 0 0 %d\r\n%s\r\n", 100_000, value[:100_000]), "STORED\r\n")
		other.asks("verbosity 0\r\n", "OK\r\n")
		other.asks("get big\r\n", fmt.Sprintf("VALUE big 0 %d\r\n%s\r\nEND\r\n", len(value), value))
	}
	for _, s := range r.server.all() {
		s.cutOff()
	}
}

// TestRightThatWasTakenAwayEndsAReply: what has not been carried out when a
// reload takes the right to it away is denied.
func TestRightThatWasTakenAwayEndsAReply(t *testing.T) {
	mc := testkit.StartMemcached(t)
	o := rigOptions{}
	r := startRig(t, mc.Addr(), o)
	c := r.client(t)
	value := strings.Repeat("v", 1<<20-500)
	c.asks(fmt.Sprintf("set big 0 0 %d\r\n%s\r\n", len(value), value), "STORED\r\n")
	c.send("get" + strings.Repeat(" big", 24) + " secret\r\n")
	item := fmt.Sprintf("VALUE big 0 %d\r\n%s\r\n", len(value), value)
	c.wants(item) // the rest is more than the sockets between us hold
	doc := everything("main")
	id := doc.Identities["anyone"]
	id.Rules = []policy.Rule{{Allow: []string{"set"}, Keys: []string{"*"}}}
	doc.Identities["anyone"] = id
	r.server.Swap(o.snapshot(t, doc))
	r.client(t).asks("set secret 0 0 5\r\nafter\r\n", "STORED\r\n")
	rest := readUntil(t, c, "CLIENT_ERROR access denied\r\n")
	if strings.Contains(rest, "VALUE secret") {
		t.Error("a value that was stored after the right was gone was sent")
	}
	if n := strings.Count(rest, "VALUE big"); n >= 23 {
		t.Errorf("all %d values were sent: the reload came too late to show anything", n)
	}
	c.asks("mn\r\n", "MN\r\n")
}

// readUntil reads up to and with the given end.
func readUntil(t *testing.T, c *client, end string) string {
	t.Helper()
	var all strings.Builder
	for !strings.HasSuffix(all.String(), end) {
		line, err := c.in.ReadString('\n')
		if err != nil {
			t.Fatalf("after %d bytes: %v", all.Len(), err)
		}
		all.WriteString(line)
	}
	return all.String()
}

// TestRepliesLeaveBetweenTurns: a client that pipelines without end is written to
// all the same, and what it is owed is bounded.
func TestRepliesLeaveBetweenTurns(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{Extra: map[string]string{"stats slabs": "STAT " + strings.Repeat("x", 900) + " 1\r\nEND\r\n"}})
	r := startRig(t, fake.Addr(), rigOptions{})
	c := r.dial(t)
	const asked = 3000
	go io.WriteString(c, strings.Repeat("stats slabs\r\n", asked))
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	got, err := io.ReadAll(io.LimitReader(c, asked*912))
	if n := strings.Count(string(got), "END\r\n"); err != nil || n < asked-asked/10 {
		t.Errorf("got %d replies, %v", n, err)
	}
	for _, s := range r.server.all() {
		s.onLoop(func() {
			if n := cap(s.x.out); n > 4*flushSize {
				t.Errorf("%d bytes are held for one client", n)
			}
		})
		s.cutOff()
	}
}

// TestLoginEndsWithItsSecret: a secret with an end ends sessions, idle or busy.
func TestLoginEndsWithItsSecret(t *testing.T) {
	users := usersOf(t, 1, "alice:sesame")
	usr, _ := users.Find("alice")
	usr.Secrets[0].NotAfter = time.Now().Add(1500 * time.Millisecond)
	short, found := auth.NewUsers([]auth.User{usr}, 1)
	if short == nil {
		t.Fatal(found)
	}
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: logins(), users: short, login: true})
	idle, busy := r.client(t), r.client(t)
	idle.asks(login("alice", "sesame"), "STORED\r\n")
	busy.asks(login("alice", "sesame"), "STORED\r\n")
	go func() {
		for {
			if _, err := io.WriteString(busy, "mn\r\n"); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	idle.wantsEnd()
	if _, err := io.Copy(io.Discard, busy.in); err != nil {
		t.Logf("the busy client saw %v", err)
	}
	r.ends(t, EndExpired, EndExpired)
}

// TestHandshakeOfYesterday: a certificate whose authority is removed while its
// handshake is under way is not served afterwards.
func TestHandshakeOfYesterday(t *testing.T) {
	old, young := newWorld(t), newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	o := rigOptions{doc: policies["everything"](), tls: old.server, clients: old.app(t)}
	r := startRig(t, fake.Addr(), o)
	held := r.dial(t)
	sessions := func() int { return len(r.server.all()) }
	testkit.Eventually(t, "the client to be here", func() bool { return sessions() == 1 })
	testkit.Eventually(t, "its handshake to have begun", func() bool {
		for _, s := range r.server.all() {
			s.mu.Lock()
			defer s.mu.Unlock()
		}
		return r.server.Metrics.Accepted.Load() == 1
	})
	time.Sleep(50 * time.Millisecond) // until it waits for the client's first byte
	o.tls = young.server
	r.server.Swap(o.snapshot(t, o.doc))
	c := newClient(t, held)
	c.send("mn\r\n") // shakes hands first
	c.wantsEnd()
	r.ends(t, EndRevoked)
}

// TestRefusedLoginsAreBoundedInTheAudit: so many a second, and a count.
func TestRefusedLoginsAreBoundedInTheAudit(t *testing.T) {
	var r rateLimit
	at := time.Unix(1000, 0)
	written := 0
	for range 100 {
		if _, ok := r.pass(at, 20); ok {
			written++
		}
	}
	others, ok := r.pass(at.Add(time.Second), 20)
	if written != 20 || !ok || others != 80 {
		t.Errorf("%d of 100 were written, then one for %d others (%v); want 20 and 80", written, others, ok)
	}
	if others, ok = r.pass(at.Add(time.Second), 20); !ok || others != 0 {
		t.Errorf("the next stands for %d (%v), want none", others, ok)
	}

	fake := testkit.StartFake(t, testkit.FakeOptions{})
	rig := startRig(t, fake.Addr(), rigOptions{doc: logins(), users: usersOf(t, 1, "alice:sesame"), login: true,
		clock: func() time.Time { return time.Unix(2_000_000_000, 0) }})
	for range maxGuesses {
		c := rig.client(t)
		for range maxAttempts {
			c.asks(login("alice", "no"), "CLIENT_ERROR authentication failure\r\n")
		}
		c.wantsEnd()
	}
	n := 0
	for _, e := range rig.audit.all() {
		if e.Kind == audit.AuthFail {
			n++
		}
	}
	if n != maxGuesses {
		t.Errorf("%d refused logins are in the audit, want %d", n, maxGuesses)
	}
}

// TestCommonNameIsAskedAnew: a reload that no longer takes common names ends who
// is known by one.
func TestCommonNameIsAskedAnew(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	doc := everything("main")
	doc.Identities["anyone"] = policy.IdentityDoc{
		Match: []policy.Match{{TLS: &policy.TLSMatch{CN: ref("old-app")}}},
		Rules: []policy.Rule{{Allow: []string{"@all"}, Keys: []string{"*"}}},
	}
	o := rigOptions{doc: doc, tls: w.server, cn: true, clients: w.client(t, testkit.ClientSpec{CN: "old-app"})}
	r := startRig(t, fake.Addr(), o)
	c := r.client(t)
	c.asks("mn\r\n", "MN\r\n")
	o.cn = false
	r.server.Swap(o.snapshot(t, doc))
	c.wantsEnd()
	r.ends(t, EndRevoked)
}

// TestReloadInTheMiddleOfATurn: of what a client pipelined, everything that is
// only carried out after a reload is decided by it, keyless commands too.
func TestReloadInTheMiddleOfATurn(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	o := rigOptions{doc: policies["everything"]()}
	r := startRig(t, fake.Addr(), o)
	c := r.client(t)
	value := strings.Repeat("v", 300_000)
	c.asks("set big 0 0 300000\r\n"+value+"\r\n", "STORED\r\n")
	c.asks("set b:x 0 0 1\r\nB\r\n", "STORED\r\n")
	c.asks("get big\r\n", "VALUE big 0 300000\r\n"+value+"\r\nEND\r\n") // from now on one call at a time
	held := holdRequests(fake)
	c.send("get a:x\r\nget b:x\r\nget b:x\r\ndelete b:x\r\nflush_all\r\nmn\r\n")
	<-held.asked
	r.server.Swap(o.snapshot(t, app(rule("@read", "a:*"))))
	close(held.open)
	c.wants("END\r\n" + strings.Repeat("CLIENT_ERROR access denied\r\n", 4) + "MN\r\n")
	if n := r.server.Metrics.Denied.Load(); n != 4 {
		t.Errorf("%d denials were counted, want 4", n)
	}
	for _, req := range fake.Requests() {
		if strings.HasPrefix(string(req), "md ") || strings.HasPrefix(string(req), "flush_all") || strings.HasPrefix(string(req), "mg b:x") {
			t.Errorf("memcached was sent %q after the reload", req)
		}
	}
}
