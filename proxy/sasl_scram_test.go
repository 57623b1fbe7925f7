package proxy

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/testkit"
)

// scramHashes are the library's hashes by the mechanisms that use them.
var scramHashes = map[string]scram.HashGeneratorFcn{
	"SCRAM-SHA-1": scram.SHA1, "SCRAM-SHA-256": scram.SHA256, "SCRAM-SHA-512": scram.SHA512,
}

// scramClient is the library's client of a mechanism, with or without -PLUS.
func scramClient(t testing.TB, mechanism, user, password string) *scram.Client {
	t.Helper()
	c, err := scramHashes[strings.TrimSuffix(mechanism, "-PLUS")].NewClient(user, password, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// scramTalk carries a login to its end, at the latest to the first refusal, and
// returns the status of the last answer.
func (c *client) scramTalk(mechanism string, conv *scram.ClientConversation) uint16 {
	c.t.Helper()
	message, err := conv.Step("")
	reply := c.asksPacket(authPacket(mechanism, message))
	for err == nil && reply.Status == packetContinue {
		if message, err = conv.Step(reply.Value); err == nil {
			reply = c.asksPacket(stepPacket(mechanism, message))
		}
	}
	switch {
	case err != nil:
		c.t.Fatalf("the client refuses %s: %v", reply, err)
	case reply.Status == packetOK && !conv.Valid():
		c.t.Errorf("the client does not take the server for what it is")
	}
	return reply.Status
}

// clientBinding is what a client's TLS connection can be bound to, told by the
// client's end of it.
func clientBinding(t testing.TB, c *client, kind scram.ChannelBindingType) scram.ChannelBinding {
	t.Helper()
	conn := c.Conn.(*tls.Conn)
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	state := conn.ConnectionState()
	if kind == scram.ChannelBindingTLSServerEndpoint {
		return scram.ChannelBinding{Type: kind, Data: auth.EndPointBinding(state.PeerCertificates[0])}
	}
	key, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	return scram.ChannelBinding{Type: kind, Data: key}
}

// scramRig is a rig that takes SCRAM by every hash, with PLAIN beside it or not.
func scramRig(t *testing.T, o rigOptions, plain bool) *rig {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	mechanisms := []string{"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"}
	if plain {
		mechanisms = append(mechanisms, auth.Plain)
	}
	o.doc, o.users, o.listen = saslLogins(), allHashes(t, 1, "alice:sesame", "bob:open"), takesSASL(mechanisms...)
	return startRig(t, fake.Addr(), o)
}

func TestSCRAMWithoutBinding(t *testing.T) {
	w := newWorld(t)
	for _, where := range []struct {
		name string
		o    rigOptions
	}{
		{"plaintext", rigOptions{tcp: true}},
		{"a socket", rigOptions{}},
		{"TLS", rigOptions{tls: w.server, clients: w.stranger()}},
	} {
		r := scramRig(t, where.o, true)
		for mechanism := range scramHashes {
			t.Run(where.name+"/"+mechanism, func(t *testing.T) {
				c := r.client(t)
				if got := c.scramTalk(mechanism, scramClient(t, mechanism, "alice", "wrong").NewConversation()); got != packetAuth {
					t.Errorf("a wrong password: got status %#x", got)
				}
				if got := c.scramTalk(mechanism, scramClient(t, mechanism, "mallory", "sesame").NewConversation()); got != packetAuth {
					t.Errorf("no user: got status %#x", got)
				}
				if got := c.scramTalk(mechanism, scramClient(t, mechanism, "alice", "sesame").NewConversation()); got != packetOK {
					t.Fatalf("the right password: got status %#x", got)
				}
				c.wantsStatus(getAlices, packetMissing)
				c.wantsStatus(getBobs, packetDenied)
			})
		}
	}
}

// TestSCRAMWithBinding shows that a login is good on its own connection alone.
func TestSCRAMWithBinding(t *testing.T) {
	w := newWorld(t)
	r := scramRig(t, rigOptions{tls: w.server, clients: w.stranger()}, true)
	other := r.client(t) // whose binding is not that of any client below
	foreign := clientBinding(t, other, scram.ChannelBindingTLSExporter)
	for _, kind := range []scram.ChannelBindingType{scram.ChannelBindingTLSExporter, scram.ChannelBindingTLSServerEndpoint} {
		for mechanism := range scramHashes {
			t.Run(string(kind)+"/"+mechanism, func(t *testing.T) {
				plus := mechanism + "-PLUS"
				begin := scramClient(t, plus, "alice", "sesame").NewConversationWithChannelBinding
				c := r.client(t)
				binding := clientBinding(t, c, kind)
				wrong := scram.ChannelBinding{Type: kind, Data: foreign.Data}
				if got := c.scramTalk(plus, begin(wrong)); got != packetAuth {
					t.Errorf("the binding of another connection: got status %#x", got)
				}
				if got := c.scramTalk(mechanism, begin(binding)); got != packetAuth {
					t.Errorf("a binding by a mechanism without: got status %#x", got)
				}
				if got := c.scramTalk(plus, begin(binding)); got != packetOK {
					t.Fatalf("the right binding: got status %#x", got)
				}
				c.wantsStatus(getAlices, packetMissing)
			})
		}
	}
}

// TestSCRAMNoticesAListThatWasCut shows a client that could bind its login, and
// believes that the server can't: somebody has changed the list on its way.
func TestSCRAMNoticesAListThatWasCut(t *testing.T) {
	w := newWorld(t)
	const mechanism = "SCRAM-SHA-256"
	for _, c := range []struct {
		name string
		o    rigOptions
		want uint16
	}{
		{"a server that can bind", rigOptions{tls: w.server, clients: w.stranger()}, packetAuth},
		{"a server that can not", rigOptions{}, packetOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := scramRig(t, c.o, false).client(t)
			conv := scramClient(t, mechanism, "alice", "sesame").NewConversationAdvertisingChannelBinding()
			if got := cl.scramTalk(mechanism, conv); got != c.want {
				t.Errorf("got status %#x, want %#x", got, c.want)
			}
		})
	}
}

// TestSCRAMWithBindingNeedsTLS shows that -PLUS is no mechanism of a connection
// that has nothing to bind to.
func TestSCRAMWithBindingNeedsTLS(t *testing.T) {
	cl := scramRig(t, rigOptions{}, true).client(t)
	made := scram.ChannelBinding{Type: scram.ChannelBindingTLSExporter, Data: make([]byte, 32)}
	conv := scramClient(t, "SCRAM-SHA-256-PLUS", "alice", "sesame").NewConversationWithChannelBinding(made)
	if got := cl.scramTalk("SCRAM-SHA-256-PLUS", conv); got != packetAuth {
		t.Errorf("got status %#x, want %#x", got, packetAuth)
	}
}

// TestSCRAMIsNotDoneBeforeItsLastMessage shows that a client which has proven its
// password, and not taken the server's proof, is nobody yet.
func TestSCRAMIsNotDoneBeforeItsLastMessage(t *testing.T) {
	const mechanism = "SCRAM-SHA-256"
	c := scramRig(t, rigOptions{}, false).client(t)
	conv := scramClient(t, mechanism, "alice", "sesame").NewConversation()
	first, _ := conv.Step("")
	challenge := c.wantsStatus(authPacket(mechanism, first), packetContinue)
	final, err := conv.Step(challenge.Value)
	if err != nil {
		t.Fatal(err)
	}
	c.wantsStatus(stepPacket(mechanism, final), packetContinue)
	c.wantsStatus(getAlices, packetAuth)
	c.wantsEnd()
}
