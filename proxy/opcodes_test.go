package proxy

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// packetsOf are packets of an opcode, in every shape that could be mistaken for
// a good one. The first has the shape that the opcode must have.
func packetsOf(op testkit.Op) []testkit.Packet {
	shape := packetShapes[op]
	good := testkit.Packet{Op: op, Opaque: 0xdeadbeef, Extras: strings.Repeat("\x00", shape.extras)}
	if shape.key == "key" || shape.key == "name" {
		good.Key = canary
	}
	if shape.value {
		good.Value = canary
	}
	other := good
	other.Extras, other.Key, other.Value = "\x00\x00\x00\x00\x00\x00\x00\x01", canary+":with:16", canary
	return []testkit.Packet{good, {Op: op, Opaque: 0xdeadbeef}, other}
}

// longPackets are packets of an opcode whose parts are as long as they may be for
// some, or one byte longer.
func longPackets(op testkit.Op) (list []testkit.Packet) {
	extras := strings.Repeat("\x00", packetShapes[op].extras)
	for _, n := range []int{32, 33, 250, 251} {
		list = append(list, testkit.Packet{Op: op, Extras: extras, Key: strings.Repeat("a", n)})
	}
	lengths := []int{140, 141}
	if packetShapes[op].key == "name" {
		lengths = append(lengths, protocol.MaxSASL, protocol.MaxSASL+1)
	}
	for _, n := range lengths {
		list = append(list, testkit.Packet{Op: op, Extras: extras, Key: "a", Value: strings.Repeat("v", n)})
	}
	return list
}

// talkTo sends in on a connection of its own, and returns all that it reads.
func talkTo(t *testing.T, r *rig, in []byte) []byte {
	t.Helper()
	c := r.client(t)
	defer c.Close()
	c.send(string(in))
	out, err := io.ReadAll(c.in)
	if err != nil {
		t.Fatalf("%q: read %q, then %v", in, out, err)
	}
	return out
}

// replies reads packets until the last.
func replies(t *testing.T, out []byte) (list []testkit.Packet) {
	t.Helper()
	for r := bytes.NewReader(out); r.Len() > 0; {
		p, err := testkit.ReadPacket(r)
		if err != nil || !p.Reply {
			t.Fatalf("%q is no list of replies: %v", out, err)
		}
		list = append(list, p)
	}
	return list
}

// saslReplies are the statuses that messages of a login are answered with: a
// list of mechanisms, another message, a name that is too long, no login.
var saslReplies = map[uint16]bool{packetOK: true, packetContinue: true, 4: true, packetAuth: true}

// TestEveryOpcodeBeforeALogin holds that a client that has not logged in reaches
// nobody. Whatever it asks for is answered with an error of authentication, as
// memcached answers it, and ends the connection; the messages of a login are the
// only ones that may be followed by others, and those only where there are logins.
func TestEveryOpcodeBeforeALogin(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	logins, none := saslRig(t, fake.Addr(), nil), startRig(t, fake.Addr(), rigOptions{doc: nobody()})
	before := fake.Received()
	set := testkit.Packet{Op: testkit.OpSet, Extras: strings.Repeat("\x00", 8), Key: canary, Value: canary}
	for i := range 256 {
		for _, p := range packetsOf(testkit.Op(i)) {
			in := append(p.Bytes(), set.Bytes()...)
			checkStranger(t, p, false, replies(t, talkTo(t, none, in)))
			checkStranger(t, p, strings.HasPrefix(p.Op.String(), "SASL"), replies(t, talkTo(t, logins, in)))
		}
	}
	if after := fake.Received(); !bytes.Equal(before, after) {
		t.Errorf("memcached was sent %q", after[len(before):])
	}
}

// checkStranger looks at what a client that has not logged in reads after p and
// another request.
func checkStranger(t *testing.T, p testkit.Packet, login bool, got []testkit.Packet) {
	t.Helper()
	want := refusal(p, packetAuth)
	switch {
	case !login && (len(got) != 1 || got[0] != want):
		t.Errorf("%v: got %v, want %v and the end", p, got, want)
	case login && (len(got) == 0 || got[len(got)-1].Status != packetAuth || !saslReplies[got[0].Status] || got[0].Op != p.Op):
		t.Errorf("%v: got %v, want an answer to it, and then the end", p, got)
	}
}

// TestEveryUnknownOpcodeAfterALogin holds that an opcode which is not served is
// answered here, its body skipped as long as it says it is, and goes nowhere.
func TestEveryUnknownOpcodeAfterALogin(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := saslRig(t, fake.Addr(), nil)
	c := r.client(t)
	c.wantsStatus(plainPacket("alice", "sesame"), packetOK)
	before := fake.Received()
	for i := range 256 {
		op := testkit.Op(i)
		if _, served := packetShapes[op]; served {
			continue
		}
		for _, p := range packetsOf(op) {
			noop := testkit.Packet{Op: testkit.OpNoop, Opaque: uint32(i)}
			done := testkit.Packet{Reply: true, Op: noop.Op, Opaque: noop.Opaque}
			c.asks(string(p.Bytes())+string(noop.Bytes()), string(refusal(p, packetUnknown).Bytes())+string(done.Bytes()))
		}
	}
	if after := fake.Received(); !bytes.Equal(before, after) {
		t.Errorf("memcached was sent %q", after[len(before):])
	}
}

// TestEveryOpcodeAgreesWithTheReference compares every opcode in every shape, at
// the start of a connection and behind an item, allowed and denied.
func TestEveryOpcodeAgreesWithTheReference(t *testing.T) {
	set := testkit.Packet{Op: testkit.OpSet, Extras: strings.Repeat("\x00", 8), Key: canary, Value: "41"}
	noop := testkit.Packet{Op: testkit.OpNoop, Opaque: 7}
	for i := range 256 {
		for _, p := range append(packetsOf(testkit.Op(i)), longPackets(testkit.Op(i))...) {
			in := bytes.Join([][]byte{set.Bytes(), p.Bytes(), noop.Bytes(), p.Bytes(), noop.Bytes()}, nil)
			for _, policy := range fuzzPolicies(t) {
				checkExchange(t, in, policy, 5, 3)
			}
		}
	}
}

// metaFlagsOf are flags of every letter there could be; where a token means
// something, with every kind of it.
func metaFlagsOf() (list []string) {
	for letter := '!'; letter <= '~'; letter++ {
		tokens := []string{"", "x"}
		if strings.ContainsRune("CDEFJMNORT", letter) {
			tokens = append(tokens, "0", "5", "E", "I", "-1", "18446744073709551616")
		}
		for _, token := range tokens {
			list = append(list, string(letter)+token)
		}
	}
	return list
}

// TestEveryMetaFlagAgreesWithTheReference compares every flag of every command,
// in front of a memcached that knows the newer ones and of one that does not.
// A flag that is accepted and means nothing goes nowhere.
func TestEveryMetaFlagAgreesWithTheReference(t *testing.T) {
	for _, p := range fuzzPolicies(t) {
		for _, verb := range []string{"mg YQ==", "ms YQ== 2", "md YQ==", "ma YQ==", "mg a", "md a", "me a"} {
			for _, flag := range metaFlagsOf() {
				line := verb + " " + flag + "\r\n"
				if verb[:2] == "ms" {
					line += "41\r\n"
				}
				in := "ms a 1\r\n7\r\nms YQ== 1\r\n7\r\n" + line + "mn\r\n" + line + "mg a v c t f\r\n"
				checkExchange(t, []byte(in), p, 9, 3)
			}
		}
	}
}

// TestEveryMetaCommandBeforeALogin holds that a client that has not logged in
// reaches nobody by the meta dialect, whatever flags it knows.
func TestEveryMetaCommandBeforeALogin(t *testing.T) {
	for _, version := range []string{"1.6.18", "1.6.45"} {
		fake := testkit.StartFake(t, testkit.FakeOptions{Version: version})
		r := loginRig(t, fake.Addr(), nil)
		before := fake.Received()
		for _, verb := range []string{"mg", "ms", "md", "ma", "me", "mn"} {
			for letter := 'A'; letter <= 'z'; letter++ {
				line := verb + " " + canary + " " + string(letter) + "5\r\n"
				got := string(talkTo(t, r, []byte(strings.Repeat(line, maxAttempts))))
				if want := strings.Repeat(protocol.Unauthenticated, maxAttempts); got != want {
					t.Errorf("%q: got %q, want %q", line, got, want)
				}
			}
		}
		if after := fake.Received(); !bytes.Equal(before, after) {
			t.Errorf("memcached %s was sent %q", version, after[len(before):])
		}
	}
}
