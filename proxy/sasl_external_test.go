package proxy

import (
	"testing"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/testkit"
)

// TestExternalIsWhatTheCertificateSays shows a login that points to the client's
// certificate: it changes nothing, and it can ask for nobody else.
func TestExternalIsWhatTheCertificateSays(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	users := usersOf(t, 1, "alice:sesame")
	inTLS := rigOptions{doc: policies["everything"](), tls: w.server, clients: w.app(t)}
	withUsers := inTLS
	withUsers.users = users
	for _, c := range []struct {
		name     string
		o        rigOptions
		identity string // the client asks for
		want     uint16
	}{
		{"nobody by name", inTLS, "", packetOK},
		{"itself", inTLS, "app", packetOK},
		{"itself, among users", withUsers, "app", packetOK},
		{"itself in another case", inTLS, "App", packetAuth},
		{"a user", withUsers, "alice", packetAuth},
		{"a name with NUL", inTLS, "app\x00", packetAuth},
		{"no certificate", rigOptions{doc: weakly(), users: users, tls: w.server, clients: w.stranger()}, "", packetAuth},
		{"plaintext", rigOptions{doc: weakly(), users: users}, "", packetAuth},
		{"plaintext, with a name", rigOptions{doc: weakly(), users: users}, "app", packetAuth},
		{"plaintext, without users", rigOptions{doc: weakly()}, "", packetUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.listen = takesSASL(auth.Plain, auth.External)
			r := startRig(t, fake.Addr(), c.o)
			cl := r.client(t)
			cl.wantsStatus(authPacket("external", c.identity), c.want)
			after := map[uint16]uint16{packetOK: packetMissing, packetAuth: packetAuth, packetUnknown: packetMissing}
			cl.wantsStatus(getAlices, after[c.want])
			cl.Close()
			got := r.sessionFields(t)
			if got["identity"] != "app" || got["source"] == "login" {
				t.Errorf("the client was %q by its %s", got["identity"], got["source"])
			}
		})
	}
}

// TestExternalOfACertificateOfNobody shows that a certificate which is none of
// the policy's lets nobody in, and that a password still may.
func TestExternalOfACertificateOfNobody(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{
		doc: saslLogins(), users: usersOf(t, 1, "alice:sesame"), tls: w.server, clients: w.app(t), listen: takesSASL(auth.Plain, auth.External),
	})
	c := r.client(t)
	c.wantsStatus(authPacket(auth.External, ""), packetAuth)
	c.wantsStatus(authPacket(auth.External, "alice"), packetAuth)
	c.wantsStatus(plainPacket("alice", "sesame"), packetOK)
	c.wantsStatus(getAlices, packetMissing)
}

// TestExternalIsTheOnlyLogin shows that no other can follow it.
func TestExternalIsTheOnlyLogin(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{
		doc: policies["everything"](), users: usersOf(t, 1, "alice:sesame"), tls: w.server, clients: w.app(t), listen: takesSASL(auth.Plain, auth.External),
	})
	c := r.client(t)
	c.wantsStatus(authPacket(auth.External, ""), packetOK)
	c.wantsStatus(plainPacket("alice", "sesame"), packetAuth)
	c.wantsStatus(getBobs, packetMissing)
	c.Close()
	if got := r.sessionFields(t); got["identity"] != "app" || got["source"] != "certificate" {
		t.Errorf("the client was %q by its %s", got["identity"], got["source"])
	}
}
