package proxy

import (
	"sync"
	"testing"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
)

// without is a policy that has one identity less.
func without(doc *policy.Document, name string) *policy.Document {
	delete(doc.Identities, name)
	return doc
}

// saslReload is a reload that comes when a client has said something.
type saslReload struct {
	name   string
	doc    *policy.Document
	said   []testkit.Packet
	after  *policy.Document // in force from then on
	users  []string         // and so are these; nil is no file at all
	cut    bool             // the session ends at once
	next   testkit.Packet   // else the client says this
	status uint16           // and is answered so
}

func saslReloads() []saslReload {
	right, half := plainPacket("alice", "sesame"), authPacket(auth.Plain, "")
	step := stepPacket(auth.Plain, "\x00alice\x00sesame")
	same, other := []string{"alice:sesame", "bob:open"}, []string{"alice:other", "bob:open"}
	return []saslReload{
		{"after a login, nothing changes", saslLogins(), []testkit.Packet{right}, saslLogins(), same, false, getAlices, packetMissing},
		{"after a login, its password changes", saslLogins(), []testkit.Packet{right}, saslLogins(), other, true, getAlices, 0},
		{"after a login, its user goes", saslLogins(), []testkit.Packet{right}, saslLogins(), []string{"bob:open"}, true, getAlices, 0},
		{"after a login, all users go", saslLogins(), []testkit.Packet{right}, saslLogins(), nil, true, getAlices, 0},
		{"after a login, its identity goes", saslLogins(), []testkit.Packet{right}, without(saslLogins(), "alice"), same, true, getAlices, 0},
		{"during a login, nothing changes", saslLogins(), []testkit.Packet{half}, saslLogins(), same, false, step, packetOK},
		{"during a login, its password changes", saslLogins(), []testkit.Packet{half}, saslLogins(), other, false, step, packetAuth},
		{"during a login, its user goes", saslLogins(), []testkit.Packet{half}, saslLogins(), []string{"bob:open"}, false, step, packetAuth},
		{"during a login, all users go", saslLogins(), []testkit.Packet{half}, saslLogins(), nil, false, step, packetAuth},
		{"during a login, its identity goes", saslLogins(), []testkit.Packet{half}, without(saslLogins(), "alice"), same, false, step, packetAuth},
		{"before a login, its password changes", saslLogins(), []testkit.Packet{listMechs}, saslLogins(), other, false, right, packetAuth},
		{"after a late login, its user goes", weakly(), []testkit.Packet{right}, weakly(), []string{"bob:open"}, true, getAlices, 0},
		{"after a late login, who it was before goes", weakly(), []testkit.Packet{right}, saslLogins(), same, false, getAlices, packetMissing},
		{"during a late login, nothing changes", weakly(), []testkit.Packet{half}, weakly(), same, false, step, packetOK},
		{"during a late login, its identity goes", weakly(), []testkit.Packet{half}, without(weakly(), "alice"), same, false, step, packetAuth},
		{"during a late login, who it was before goes", weakly(), []testkit.Packet{half}, saslLogins(), same, true, step, 0},
		{"before a late login, all users go", weakly(), []testkit.Packet{listMechs}, weakly(), nil, false, right, packetUnknown},
		{"before a late login, users come", weakly(), []testkit.Packet{listMechs}, weakly(), other, false, plainPacket("alice", "other"), packetOK},
	}
}

// TestReloadAroundALoginByPackets shows that what is in force decides, whatever
// was in force when a login began.
func TestReloadAroundALoginByPackets(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	for _, c := range saslReloads() {
		t.Run(c.name, func(t *testing.T) {
			o := rigOptions{doc: c.doc, users: usersOf(t, 1, "alice:sesame", "bob:open"), listen: takesSASL(auth.Plain)}
			r := startRig(t, fake.Addr(), o)
			cl := r.client(t)
			for _, p := range c.said {
				cl.asksPacket(p)
			}
			o.users = nil
			if c.users != nil {
				o.users = usersOf(t, 2, c.users...)
			}
			r.server.Swap(o.snapshot(t, c.after))
			if c.cut {
				cl.wantsEnd()
				r.ends(t, EndRevoked)
				return
			}
			cl.wantsStatus(c.next, c.status)
		})
	}
}

// TestReloadBetweenTheMessagesOfSCRAM shows that the record a login began with is
// not good any more once it has gone.
func TestReloadBetweenTheMessagesOfSCRAM(t *testing.T) {
	const mechanism = "SCRAM-SHA-256"
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	for _, c := range []struct {
		name  string
		steps int // messages before the reload
		users []string
		want  uint16
	}{
		{"the same user, before the proof", 1, []string{"alice:sesame"}, packetOK},
		{"no such user, before the proof", 1, []string{"bob:open"}, packetAuth},
		{"the same user, after the proof", 2, []string{"alice:sesame"}, packetOK},
		{"no such user, after the proof", 2, []string{"bob:open"}, packetAuth},
		{"another password, after the proof", 2, []string{"alice:other"}, packetAuth},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := rigOptions{doc: saslLogins(), users: usersOf(t, 1, "alice:sesame"), listen: takesSASL(mechanism)}
			r := startRig(t, fake.Addr(), o)
			cl := r.client(t)
			conv := scramClient(t, mechanism, "alice", "sesame").NewConversation()
			message, err := conv.Step("")
			reply := cl.asksPacket(authPacket(mechanism, message))
			for sent := 1; err == nil && reply.Status == packetContinue; sent++ {
				if sent == c.steps {
					o.users = usersOf(t, 2, c.users...)
					r.server.Swap(o.snapshot(t, o.doc))
				}
				message, err = conv.Step(reply.Value)
				reply = cl.asksPacket(stepPacket(mechanism, message))
			}
			if err != nil || reply.Status != c.want {
				t.Errorf("got %s and %v, want status %#x", reply, err, c.want)
			}
		})
	}
}

// TestLoginNeedsACertificateThatIsStillTrusted shows that a password does not make
// up for a certificate whose authority was dropped while the client logged in.
func TestLoginNeedsACertificateThatIsStillTrusted(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	for name, want := range map[string]uint16{"kept": packetOK, "dropped": packetAuth} {
		t.Run(name, func(t *testing.T) {
			o := rigOptions{doc: saslLogins(), users: usersOf(t, 1, "alice:sesame"), listen: takesSASL(auth.Plain), tls: w.server, clients: w.app(t)}
			r := startRig(t, fake.Addr(), o)
			c := r.client(t)
			c.wantsStatus(authPacket(auth.Plain, ""), packetContinue)
			o.tls = w.newServer(t)
			if name == "dropped" {
				o.tls.ClientCAs = newWorld(t).pki.Pool()
			}
			r.server.Swap(o.snapshot(t, o.doc))
			c.wantsStatus(stepPacket(auth.Plain, "\x00alice\x00sesame"), want)
		})
	}
}

// TestLoginsByPacketsWhilePolicyChanges lets clients log in, early and late, while
// alice comes and goes: each is served as who it is, or not at all.
func TestLoginsByPacketsWhilePolicyChanges(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	for _, doc := range []func() *policy.Document{saslLogins, weakly} {
		o := rigOptions{doc: doc(), users: usersOf(t, 1, "alice:sesame", "bob:open"), listen: takesSASL(auth.Plain),
			limits: func(l *Limits) { l.MaxUnauthenticated = 1000 }}
		r := startRig(t, fake.Addr(), o)
		with := o.snapshot(t, o.doc)
		o.users = usersOf(t, 2, "bob:open")
		gone := o.snapshot(t, without(doc(), "alice"))
		var coming sync.WaitGroup
		for range 20 {
			c := r.client(t)
			coming.Go(func() { c.loginAsAlice() })
		}
		for range 50 {
			r.server.Swap(with)
			r.server.Swap(gone)
		}
		coming.Wait()
	}
}

// loginAsAlice logs in and asks for a key of hers and for one that she may not
// read. The session may end at any time.
func (c *client) loginAsAlice() {
	for _, p := range []testkit.Packet{plainPacket("alice", "sesame"), getAlices, getBobs} {
		c.send(string(p.Bytes()))
		reply, err := testkit.ReadPacket(c.in)
		if err != nil {
			return
		}
		if p == getBobs && reply.Status == packetMissing {
			c.t.Errorf("%s was served to alice", p)
		}
	}
}
