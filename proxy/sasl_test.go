package proxy

import (
	"bytes"
	"crypto/tls"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/testkit"
)

// Statuses of packets that tests of logins look for.
const (
	packetOK       = 0x00
	packetMissing  = 0x01
	packetExists   = 0x02
	packetDenied   = 0x03
	packetAuth     = 0x20
	packetContinue = 0x21
	packetUnknown  = 0x81
)

// asksPacket sends a packet and returns the one that answers it.
func (c *client) asksPacket(p testkit.Packet) testkit.Packet {
	c.t.Helper()
	c.send(string(p.Bytes()))
	return c.readsPacket()
}

// readsPacket returns the packet that comes next.
func (c *client) readsPacket() testkit.Packet {
	c.t.Helper()
	reply, err := testkit.ReadPacket(c.in)
	if err != nil {
		c.t.Fatalf("no packet came: %v", err)
	}
	return reply
}

// wantsStatus sends a packet and looks at the status of the answer.
func (c *client) wantsStatus(p testkit.Packet, want uint16) testkit.Packet {
	c.t.Helper()
	reply := c.asksPacket(p)
	if reply.Op != p.Op || reply.Status != want {
		c.t.Fatalf("%s: got %s, want status %#x", p, reply, want)
	}
	return reply
}

// Packets of a login, and one of a client that has logged in.
var (
	listMechs = testkit.Packet{Op: testkit.OpSASLListMechs}
	getAlices = testkit.Packet{Op: testkit.OpGetK, Key: "alice:a"}
	getBobs   = testkit.Packet{Op: testkit.OpGetK, Key: "bob:a"}
)

// authPacket begins a login.
func authPacket(mechanism, message string) testkit.Packet {
	return testkit.Packet{Op: testkit.OpSASLAuth, Key: mechanism, Value: message}
}

// stepPacket goes on with one.
func stepPacket(mechanism, message string) testkit.Packet {
	return testkit.Packet{Op: testkit.OpSASLStep, Key: mechanism, Value: message}
}

// plainPacket is a whole login by PLAIN.
func plainPacket(user, password string) testkit.Packet {
	return authPacket(auth.Plain, "\x00"+user+"\x00"+password)
}

// takesSASL lets a listener take logins by these mechanisms.
func takesSASL(mechanisms ...string) func(*ListenerConfig) {
	return func(lc *ListenerConfig) { lc.SASL = mechanisms }
}

// saslRig is a rig whose clients have to log in by SASL.
func saslRig(t *testing.T, addr string, limits func(*Limits)) *rig {
	return startRig(t, addr, rigOptions{
		doc: saslLogins(), users: usersOf(t, 1, "alice:sesame", "bob:open"), listen: takesSASL(auth.Plain, "SCRAM-SHA-256"), limits: limits,
	})
}

// sessionFields is what the log says of the rig's one session, once it has ended.
func (r *rig) sessionFields(t testing.TB) map[string]any {
	t.Helper()
	lines := r.logs.FilterMessage("session ended")
	testkit.Eventually(t, "the session to end", func() bool {
		lines = r.logs.FilterMessage("session ended")
		return lines.Len() > 0
	})
	return lines.All()[0].ContextMap()
}

// allHashes makes users that can log in by every mechanism there is.
func allHashes(t testing.TB, generation uint64, pairs ...string) *auth.Users {
	t.Helper()
	var list []auth.User
	for _, pair := range pairs {
		name, password, _ := strings.Cut(pair, ":")
		secret, err := auth.NewSecret(auth.Secret(password), auth.Recipe{Hashes: auth.Hashes(), Iterations: auth.MinIterations, Rand: testRand{}})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, auth.User{Name: name, Secrets: []auth.StoredSecret{secret}})
	}
	users, found := auth.NewUsers(list, generation)
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return users
}

// TestListOfMechanismsFitsTheConnection shows what is offered where: no password
// where others could read it, and nothing that a client could not use.
func TestListOfMechanismsFitsTheConnection(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	everyHash, oneHash := allHashes(t, 1, "alice:sesame"), usersOf(t, 1, "alice:sesame")
	inClear := func(lc *ListenerConfig) { lc.PlainInClear = true }
	for _, c := range []struct {
		name       string
		mechanisms string
		users      *auth.Users
		o          rigOptions
		and        func(*ListenerConfig)
		want       string
	}{
		{"plaintext", "PLAIN SCRAM-SHA-256 SCRAM-SHA-512", everyHash, rigOptions{tcp: true}, nil, "SCRAM-SHA-512 SCRAM-SHA-256"},
		{"plaintext and PLAIN alone", "PLAIN", everyHash, rigOptions{tcp: true}, nil, ""},
		{"plaintext, unsafe", "PLAIN SCRAM-SHA-256", everyHash, rigOptions{tcp: true}, inClear, "SCRAM-SHA-256 PLAIN"},
		{"a socket", "PLAIN SCRAM-SHA-1 EXTERNAL", everyHash, rigOptions{}, nil, "SCRAM-SHA-1 PLAIN"},
		{"a user without the hash", "PLAIN SCRAM-SHA-512 SCRAM-SHA-256", oneHash, rigOptions{}, nil, "SCRAM-SHA-256 PLAIN"},
		{"TLS", "PLAIN SCRAM-SHA-256 SCRAM-SHA-512", everyHash, rigOptions{tls: w.server, clients: w.stranger()}, nil, "SCRAM-SHA-512-PLUS SCRAM-SHA-256-PLUS PLAIN"},
		{"TLS without PLAIN", "SCRAM-SHA-256", everyHash, rigOptions{tls: w.server, clients: w.stranger()}, nil, "SCRAM-SHA-256-PLUS SCRAM-SHA-256"},
		{"TLS and a certificate", "PLAIN EXTERNAL", everyHash, rigOptions{tls: w.server, clients: w.app(t)}, nil, "PLAIN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.doc, c.o.users = saslLogins(), c.users
			c.o.listen = func(lc *ListenerConfig) {
				lc.SASL = fields(c.mechanisms)
				if c.and != nil {
					c.and(lc)
				}
			}
			cl := startRig(t, fake.Addr(), c.o).client(t)
			if got := cl.wantsStatus(listMechs, packetOK).Value; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			plain := uint16(packetAuth)
			if slices.Contains(fields(c.want), auth.Plain) {
				plain = packetOK
			}
			cl.wantsStatus(plainPacket("alice", "sesame"), plain)
		})
	}
}

func TestLoginByPacketsHasToComeInTime(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	short := func(l *Limits) { l.LoginTimeout, l.HandshakeTimeout = 100*time.Millisecond, 100*time.Millisecond }
	for _, c := range []struct {
		name string
		talk func(c *client)
	}{
		{"nothing but the first byte", func(c *client) { c.send("\x80") }},
		{"a packet that is cut", func(c *client) { c.send(string(plainPacket("alice", "sesame").Bytes()[:30])) }},
		{"a list", func(c *client) { c.wantsStatus(listMechs, packetOK) }},
		{"half a login", func(c *client) { c.wantsStatus(authPacket(auth.Plain, ""), packetContinue) }},
		{"a wrong login", func(c *client) { c.wantsStatus(plainPacket("alice", "wrong"), packetAuth) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := saslRig(t, fake.Addr(), short)
			cl := r.client(t)
			c.talk(cl)
			cl.wantsEnd()
			r.ends(t, EndLogin)
		})
	}
}

// TestPacketsBeforeALoginAreBounded shows that a client can't go on asking for
// mechanisms.
func TestPacketsBeforeALoginAreBounded(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := saslRig(t, fake.Addr(), nil)
	c := r.client(t)
	for range maxLoginPackets {
		c.wantsStatus(listMechs, packetOK)
	}
	c.send(string(listMechs.Bytes()))
	c.wantsEnd()
	r.ends(t, EndLogin)
}

// TestLoginsByPacketsAreWrittenDown looks at counters, log and audit.
func TestLoginsByPacketsAreWrittenDown(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	before := fake.Received()
	r := saslRig(t, fake.Addr(), nil)
	c := r.client(t)
	c.wantsStatus(authPacket("plain", "\x00alice\x00wrong"), packetAuth)
	c.wantsStatus(authPacket("NONESUCH", "secret"), packetAuth)
	c.wantsStatus(plainPacket("alice", "sesame"), packetOK)
	c.Close()
	got := r.sessionFields(t)
	if got["identity"] != "alice" || got["source"] != "login" || got["requests"] != int64(0) {
		t.Errorf("got session %v", got)
	}
	if m := r.server.Metrics; m.Logins.Load() != 1 || m.LoginFails.Load() != 2 {
		t.Errorf("%d logins and %d failures, want 1 and 2", m.Logins.Load(), m.LoginFails.Load())
	}
	var mechanisms, reasons []string
	for _, line := range r.logs.FilterMessage("login refused").All() {
		mechanisms = append(mechanisms, line.ContextMap()["mechanism"].(string))
	}
	for _, e := range r.audit.all() {
		if e.Kind == audit.AuthFail {
			reasons = append(reasons, e.Reason)
		}
	}
	if want := []string{"PLAIN", "other"}; !slices.Equal(mechanisms, want) {
		t.Errorf("the log names the mechanisms %q, want %q", mechanisms, want)
	}
	if want := []string{"wrong password", "refused"}; !slices.Equal(reasons, want) {
		t.Errorf("the audit names the reasons %q, want %q", reasons, want)
	}
	if sent := fake.Received()[len(before):]; bytes.Contains(sent, []byte("alice")) || bytes.Contains(sent, []byte("sesame")) {
		t.Errorf("memcached was sent %q", sent)
	}
}

// TestPlacesOfUnknownClientsAreGivenBackByPackets shows that a login by packets
// makes room for the next client, as every other does.
func TestPlacesOfUnknownClientsAreGivenBackByPackets(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := saslRig(t, fake.Addr(), func(l *Limits) { l.MaxUnauthenticated, l.MaxPerSource = 1, 1 })
	first := r.client(t)
	first.wantsStatus(listMechs, packetOK)
	r.client(t).wantsEnd()
	first.wantsStatus(plainPacket("alice", "sesame"), packetOK)
	second := r.client(t)
	second.wantsStatus(plainPacket("bob", "open"), packetOK)
	second.wantsStatus(getBobs, packetMissing)
	first.wantsStatus(getAlices, packetMissing)
}

// TestLoginByPacketsAndCertificateBoth shows an identity that asks for both.
func TestLoginByPacketsAndCertificateBoth(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	doc := saslLogins()
	both := doc.Identities["alice"]
	both.Match[0].TLS = byURI(appURI).TLS
	doc.Identities["alice"] = both
	users := usersOf(t, 1, "alice:sesame", "bob:open")
	for _, c := range []struct {
		name    string
		clients *tls.Config
		login   testkit.Packet
		want    uint16
	}{
		{"the right two", w.app(t), plainPacket("alice", "sesame"), packetOK},
		{"a user who needs no certificate", w.app(t), plainPacket("bob", "open"), packetOK},
		{"no certificate", w.stranger(), plainPacket("alice", "sesame"), packetAuth},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := startRig(t, fake.Addr(), rigOptions{doc: doc, users: users, listen: takesSASL(auth.Plain), tls: w.server, clients: c.clients})
			r.client(t).wantsStatus(c.login, c.want)
		})
	}
}

// TestNobodyWhoSpeaksPacketsIsUnknown shows that one whom no login would help is
// told so, whatever it sends, and that the log says why.
func TestNobodyWhoSpeaksPacketsIsUnknown(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	for _, p := range []testkit.Packet{
		listMechs, plainPacket("alice", "sesame"), getAlices, {Op: testkit.OpQuitQ}, {Op: 0x55, Value: "x"}, {Op: testkit.OpNoop, Key: "k"},
		{Op: testkit.OpSetQ, Key: "a", Extras: "\x00\x00\x00\x00\x00\x00\x00\x00", Value: "1"},
	} {
		t.Run(p.Op.String(), func(t *testing.T) {
			r := startRig(t, fake.Addr(), rigOptions{doc: nobody(), users: usersOf(t, 1, "alice:sesame"), listen: takesSASL(auth.Plain)})
			c := r.client(t)
			c.wantsStatus(p, packetAuth)
			c.wantsEnd()
			r.ends(t, EndUnknown)
			if cause, _ := r.sessionFields(t)["cause"].(string); !strings.Contains(cause, "no identity matches") {
				t.Errorf("the log gives %q as the cause", cause)
			}
		})
	}
}
