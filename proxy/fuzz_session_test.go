package proxy

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/testkit"
)

// maxBeforeLogin is more than slabgate ever says to a client that has not logged
// in, in bytes.
const maxBeforeLogin = 2 << 10

// stranger is a client that nobody knows yet.
func (r *rig) stranger(t testing.TB) net.Conn {
	t.Helper()
	client, err := net.Dial("unix", strings.TrimPrefix(r.addr, "unix:"))
	if err != nil {
		t.Fatal(err)
	}
	client.SetDeadline(time.Now().Add(20 * time.Second))
	return client
}

// holdStranger sends in piece by piece, hangs up, and returns all that was said.
// The error is nil if the session was ended by slabgate, or in its turn.
func holdStranger(c net.Conn, in []byte, piece int) (out []byte, err error) {
	read := make(chan error, 1)
	go func() {
		var err error
		out, err = io.ReadAll(io.LimitReader(c, maxBeforeLogin+1))
		read <- err
	}()
	for p := range slices.Chunk(in, piece) {
		if _, err := c.Write(p); err != nil {
			break // it has been ended
		}
	}
	c.(*net.UnixConn).CloseWrite()
	if err = <-read; errors.Is(err, syscall.ECONNRESET) { // it was ended with something unread
		err = nil
	}
	c.Close()
	return out, err
}

// FuzzSession holds that a client without a login gets nowhere, whatever it sends
// and however that is cut: memcached is sent nothing, the client is told little,
// and its session ends, in no panic.
func FuzzSession(f *testing.F) {
	fake := testkit.StartFake(f, testkit.FakeOptions{})
	r := startRig(f, fake.Addr(), rigOptions{
		doc: saslLogins(), users: usersOf(f, 1, "alice:3vDw9zKq"), login: true,
		listen: takesSASL(auth.Plain, "SCRAM-SHA-256"),
	})
	for i, seed := range slices.Concat(fuzzSeeds, ambiguousSeeds, metaSeeds, packetSeeds(), loginSeeds()) {
		f.Add([]byte(seed), uint8(255))
		f.Add([]byte(seed), uint8(i%7))
	}
	before := len(fake.Received())
	ended := r.logs.FilterMessage("session ended").Len
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		if len(in) > 2*maxFuzz {
			return
		}
		held := ended()
		out, err := holdStranger(r.stranger(t), in, 1+int(piece))
		if err != nil || len(out) > maxBeforeLogin {
			t.Errorf("%q: read %d bytes, then %v: %q", in, len(out), err, out)
		}
		testkit.Eventually(t, "the session to end", func() bool { return r.logs.FilterMessage("session ended").Len() > held })
		if after := fake.Received(); len(after) != before {
			t.Errorf("%q: memcached was sent %q", in, after[before:])
		}
		if n := r.server.Metrics.Panics.Load(); n != 0 {
			t.Errorf("%q: %d panics", in, n)
		}
		r.logs.TakeAll()
	})
}

// loginSeeds are logins in both dialects: in vain, in pieces, out of order.
func loginSeeds() []string {
	text := func(list ...testkit.Packet) (s string) {
		for _, p := range list {
			s += string(p.Bytes())
		}
		return s
	}
	scram := authPacket("SCRAM-SHA-256", "n,,n=alice,r=rOprNGfwEbeRWgbNEkqO")
	return []string{
		login("alice", "wrong"), "set a 0 0 3\r\nabcdef\r\n", "set a 0 0 99999\r\n", "quit\r\n", "\x16\x03\x01\x00",
		text(listMechs, plainPacket("alice", "wrong"), listMechs, getAlices),
		text(plainPacket("alice", "1"), plainPacket("alice", "2"), plainPacket("alice", "3"), plainPacket("alice", "4")),
		text(authPacket("plain", ""), stepPacket("plain", "\x00alice\x00wrong")),
		text(scram, stepPacket("SCRAM-SHA-256", "c=biws,r=rOprNGfwEbeRWgbNEkqO,p=AAAA"), getAlices),
		text(scram, scram, stepPacket(auth.Plain, "\x00alice\x00wrong")),
		text(stepPacket(auth.Plain, ""), authPacket("EXTERNAL", ""), authPacket("NONE", "x")),
		text(authPacket(auth.Plain, string(make([]byte, 4097)))), text(authPacket(string(make([]byte, 33)), "x"), getAlices),
	}
}

// packetSeeds are every opcode in every shape, and headers that lie.
func packetSeeds() (list []string) {
	noop := string(testkit.Packet{Op: testkit.OpNoop, Opaque: 9}.Bytes())
	for op := testkit.Op(0); op < 0x26; op++ {
		for _, p := range packetsOf(op) {
			list = append(list, string(p.Bytes())+noop)
		}
	}
	lies := []func(b []byte){
		func(b []byte) { b[0] = 0x81 },
		func(b []byte) { b[3] = 200 },
		func(b []byte) { b[2] = 255 },
		func(b []byte) { b[4] = 21 },
		func(b []byte) { b[11]++ },
		func(b []byte) { copy(b[8:], "\xff\xff\xff\xff") },
		func(b []byte) { copy(b[8:], "\x7f\xff\xff\xff") },
		func(b []byte) { b[5], b[6] = 1, 1 },
	}
	for _, op := range []testkit.Op{testkit.OpGet, testkit.OpSet, testkit.OpGATKQ, testkit.OpStat, 0x55} {
		for _, lie := range lies {
			b := packetsOf(op)[0].Bytes()
			lie(b)
			list = append(list, string(b)+noop)
		}
	}
	return list
}
