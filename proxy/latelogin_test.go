package proxy

import (
	"testing"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
)

// weaklyBy is weakly for clients that are somebody by something else than their
// listener.
func weaklyBy(match policy.Match) *policy.Document {
	doc := weakly()
	app := doc.Identities["app"]
	app.Match, app.WeakOK = []policy.Match{match}, match.From != nil
	doc.Identities["app"] = app
	return doc
}

// byDefault is weakly for whoever comes, from wherever.
func byDefault() *policy.Document {
	doc := weaklyBy(policy.Match{Listener: ref("elsewhere")})
	doc.Defaults.Unauthenticated = "app"
	return doc
}

// lateRig is a rig whose clients are somebody, and may log in as somebody else.
func lateRig(t *testing.T, o rigOptions) *rig {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	if o.doc == nil {
		o.doc = weakly()
	}
	o.users, o.listen = usersOf(t, 1, "alice:sesame", "bob:open"), takesSASL(auth.Plain, "SCRAM-SHA-256")
	return startRig(t, fake.Addr(), o)
}

// wantsIdentity hangs up and looks who the client was.
func (r *rig) wantsIdentity(t testing.TB, c *client, name, source string) {
	t.Helper()
	c.Close()
	if got := r.sessionFields(t); got["identity"] != name || got["source"] != source {
		t.Errorf("the client was %q by its %s, want %q by its %s", got["identity"], got["source"], name, source)
	}
}

// TestLateLoginDecides shows that whoever logs in is who it says, whatever made
// it somebody before.
func TestLateLoginDecides(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name   string
		o      rigOptions
		source string // without a login
	}{
		{"a listener", rigOptions{}, "listener"},
		{"a listener inside TLS", rigOptions{tls: w.server, clients: w.stranger()}, "listener"},
		{"an address", rigOptions{doc: weaklyBy(from("127.0.0.0/8")), tcp: true, tls: w.server, clients: w.stranger()}, "address"},
		{"nothing", rigOptions{doc: byDefault()}, "unauthenticated"},
	} {
		t.Run(c.name+", logged in", func(t *testing.T) {
			r := lateRig(t, c.o)
			cl := r.client(t)
			cl.wantsStatus(listMechs, packetOK)
			cl.wantsStatus(plainPacket("alice", "sesame"), packetOK)
			cl.wantsStatus(getAlices, packetMissing)
			cl.wantsStatus(getBobs, packetDenied)
			r.wantsIdentity(t, cl, "alice", "login")
		})
		t.Run(c.name+", not logged in", func(t *testing.T) {
			r := lateRig(t, c.o)
			cl := r.client(t)
			cl.wantsStatus(listMechs, packetOK)
			cl.wantsStatus(getBobs, packetMissing)
			r.wantsIdentity(t, cl, "app", c.source)
		})
	}
}

// TestLateLoginMustAgreeWithTheCertificate shows that a login does not make a
// client somebody whom its certificate contradicts.
func TestLateLoginMustAgreeWithTheCertificate(t *testing.T) {
	w := newWorld(t)
	apart := weaklyBy(byURI(appURI))
	same := weaklyBy(byURI(appURI))
	app := same.Identities["app"]
	app.Match = append(app.Match, policy.Match{SASL: ref("alice")})
	same.Identities["app"] = app
	delete(same.Identities, "alice")
	for _, c := range []struct {
		name   string
		doc    *policy.Document
		want   uint16
		source string
	}{
		{"the certificate of another identity", apart, packetAuth, "certificate"},
		{"the certificate of the same identity", same, packetOK, "login"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := lateRig(t, rigOptions{doc: c.doc, tls: w.server, clients: w.app(t)})
			cl := r.client(t)
			cl.wantsStatus(plainPacket("alice", "sesame"), c.want)
			r.wantsIdentity(t, cl, "app", c.source)
		})
	}
}

// TestLateLoginComesBeforeAnythingElse shows what a client may have asked before.
func TestLateLoginComesBeforeAnythingElse(t *testing.T) {
	doc := weakly()
	app := doc.Identities["app"]
	app.Rules = []policy.Rule{rule("@rw", "app:*")}
	doc.Identities["app"] = app
	for _, c := range []struct {
		name   string
		before testkit.Packet
		quiet  bool // it has no answer
		want   uint16
	}{
		{"noop", testkit.Packet{Op: testkit.OpNoop}, false, packetOK},
		{"version", testkit.Packet{Op: testkit.OpVersion}, false, packetOK},
		{"an unknown command", testkit.Packet{Op: 0x55}, false, packetOK},
		{"what was denied", getBobs, false, packetAuth},
		{"what was served", testkit.Packet{Op: testkit.OpGetK, Key: "app:a"}, false, packetAuth},
		{"what was served in silence", testkit.Packet{Op: testkit.OpGetKQ, Key: "app:a"}, true, packetAuth},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := lateRig(t, rigOptions{doc: doc})
			cl := r.client(t)
			cl.send(string(c.before.Bytes()) + string(plainPacket("alice", "sesame").Bytes()))
			if !c.quiet {
				cl.readsPacket()
			}
			if got := cl.readsPacket().Status; got != c.want {
				t.Fatalf("got status %#x, want %#x", got, c.want)
			}
			want := map[uint16]string{packetOK: "alice", packetAuth: "app"}[c.want]
			if c.want == packetAuth {
				cl.wantsStatus(testkit.Packet{Op: testkit.OpGetK, Key: "app:a"}, packetMissing)
			}
			cl.Close()
			if got := r.sessionFields(t)["identity"]; got != want {
				t.Errorf("the client was %q, want %q", got, want)
			}
		})
	}
}

// TestLateLoginThatFailedLeavesNothingToAsk shows that a client which meant to be
// somebody else is not served as who it was.
func TestLateLoginThatFailedLeavesNothingToAsk(t *testing.T) {
	wrong, right := plainPacket("alice", "wrong"), plainPacket("alice", "sesame")
	noop := testkit.Packet{Op: testkit.OpNoop}
	for _, c := range []struct {
		name  string
		sends []testkit.Packet
		want  []uint16
		end   End
	}{
		{"a read", []testkit.Packet{wrong, getBobs, right}, []uint16{packetAuth, packetAuth}, EndLogin},
		{"a write", []testkit.Packet{wrong, {Op: testkit.OpSet, Key: "bob:a", Extras: "\x00\x00\x00\x00\x00\x00\x00\x00", Value: "1"}}, []uint16{packetAuth, packetAuth}, EndLogin},
		{"noop", []testkit.Packet{wrong, noop}, []uint16{packetAuth, packetAuth}, EndLogin},
		{"half a login", []testkit.Packet{authPacket(auth.Plain, ""), getBobs}, []uint16{packetContinue, packetAuth}, EndLogin},
		{"three wrong ones", []testkit.Packet{wrong, wrong, wrong, right}, []uint16{packetAuth, packetAuth, packetAuth}, EndLogin},
		{"a right one", []testkit.Packet{wrong, listMechs, right, {Op: testkit.OpQuit}}, []uint16{packetAuth, packetOK, packetOK, packetOK}, EndQuit},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := lateRig(t, rigOptions{})
			cl := r.client(t)
			all := ""
			for _, p := range c.sends {
				all += string(p.Bytes())
			}
			cl.send(all)
			for i, want := range c.want {
				if got := cl.readsPacket(); got.Status != want {
					t.Fatalf("answer %d is %s, want status %#x", i, got, want)
				}
			}
			cl.wantsEnd()
			r.ends(t, c.end)
			if n := r.server.Metrics.Denied.Load(); n != 0 {
				t.Errorf("%d requests were denied by policy, which was not to be asked", n)
			}
		})
	}
}

// TestLateLoginOfSCRAM takes several messages, as any login may.
func TestLateLoginOfSCRAM(t *testing.T) {
	r := lateRig(t, rigOptions{})
	c := r.client(t)
	if got := c.scramTalk("SCRAM-SHA-256", scramClient(t, "SCRAM-SHA-256", "alice", "sesame").NewConversation()); got != packetOK {
		t.Fatalf("got status %#x", got)
	}
	c.wantsStatus(getBobs, packetDenied)
	r.wantsIdentity(t, c, "alice", "login")
}

// TestLinesOfAKnownClientAreNoLogin shows that there is no late login but by
// packets: a set of a known client is a set.
func TestLinesOfAKnownClientAreNoLogin(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: weakly(), users: usersOf(t, 1, "alice:sesame"), login: true, listen: takesSASL(auth.Plain)})
	c := r.client(t)
	c.asks(login("alice", "sesame"), "STORED\r\n")
	c.asks("get auth\r\n", "VALUE auth 0 12\r\nalice sesame\r\nEND\r\n")
	r.wantsIdentity(t, c, "app", "listener")
}

// TestLoginsThatComeTooLateAreWrittenDownOnce shows that a client can't fill the
// log with them.
func TestLoginsThatComeTooLateAreWrittenDownOnce(t *testing.T) {
	r := lateRig(t, rigOptions{})
	c := r.client(t)
	c.wantsStatus(getBobs, packetMissing)
	for range 10 {
		c.wantsStatus(plainPacket("alice", "sesame"), packetAuth)
	}
	c.wantsStatus(getBobs, packetMissing)
	if n := r.logs.FilterMessage("login refused").Len(); n != 1 {
		t.Errorf("%d lines were logged, want 1", n)
	}
	if n := len(r.audit.all()); n != 1 {
		t.Errorf("%d events were written, want 1", n)
	}
}
