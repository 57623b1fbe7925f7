package auth

import (
	"bytes"
	"context"
	"net/netip"
	"testing"

	"github.com/xdg-go/scram"
)

// Channel bindings of the connection in these tests.
var (
	exporter = bytes.Repeat([]byte("x"), 32)
	endPoint = bytes.Repeat([]byte("e"), 32)
)

// allMechanisms is a configuration with everything on.
func allMechanisms() []string { return Mechanisms() }

// insideTLS is a connection that a login can be bound to.
func insideTLS() Channel {
	return Channel{TLS: true, Exporter: exporter, EndPoint: endPoint, Source: netip.MustParseAddr("192.0.2.1")}
}

// inClear is one that it can't.
func inClear() Channel { return Channel{Source: netip.MustParseAddr("192.0.2.1")} }

// bindingOf is a binding of the connection in these tests.
func bindingOf(kind scram.ChannelBindingType) scram.ChannelBinding {
	return scram.ChannelBinding{Type: kind, Data: exporter}
}

// secretOf stores a password by every hash, as cheaply as allowed and with the
// salt that every other secret of these tests has.
func secretOf(t testing.TB, password Secret) StoredSecret {
	t.Helper()
	s, err := NewSecret(password, Recipe{Hashes: Hashes(), Iterations: MinIterations, Rand: seeded(1)})
	if err != nil {
		t.Fatalf("NewSecret: %v", err)
	}
	return s
}

// scramUser makes a user that can log in by every hash.
func scramUser(t testing.TB, name string, passwords ...Secret) User {
	t.Helper()
	u := User{Name: name}
	for _, p := range passwords {
		u.Secrets = append(u.Secrets, secretOf(t, p))
	}
	return u
}

// begin starts a login on a connection where everything is on.
func (v *testVerifier) begin(t testing.TB, ch Channel, mechanism string) *Exchange {
	t.Helper()
	x, err := v.Begin(context.Background(), NewOffer(allMechanisms(), v.users.Load(), ch), mechanism, nil)
	if err != nil {
		t.Fatalf("%s: Begin: %v", mechanism, err)
	}
	return x
}

// client is the library's client of SCRAM.
type client struct {
	hash           Hash
	user, identity string
	password       Secret
}

// conversation begins one without channel binding.
func (c client) conversation(t testing.TB) *scram.ClientConversation {
	return c.prepared(t).NewConversation()
}

// bound begins one that is bound to a channel.
func (c client) bound(t testing.TB, kind scram.ChannelBindingType, data []byte) *scram.ClientConversation {
	return c.prepared(t).NewConversationWithChannelBinding(scram.ChannelBinding{Type: kind, Data: data})
}

func (c client) prepared(t testing.TB) *scram.Client {
	t.Helper()
	p, err := hashFunctions[c.hash].NewClient(c.user, string(c.password), c.identity)
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	return p
}

// talk carries a login to its end. It returns the challenges beside the error,
// and fails the test if the server's answers do not convince the client of a
// login that succeeds.
func talk(t testing.TB, x *Exchange, c *scram.ClientConversation) (challenges []string, err error) {
	t.Helper()
	message, done := "", false
	for challenge := ""; !done; {
		if message, err = c.Step(challenge); err != nil {
			t.Fatalf("the client refuses %q: %v", challenge, err)
		}
		var answer []byte
		if answer, done, err = x.Next([]byte(message)); err != nil {
			return challenges, err
		}
		if challenge = string(answer); !done {
			challenges = append(challenges, challenge)
		}
	}
	if !c.Valid() {
		t.Errorf("the client does not take the server for what it is")
	}
	return challenges, nil
}
