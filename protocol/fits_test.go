package protocol

import (
	"math/rand/v2"
	"testing"
)

// TestFitsClassic lists what can be asked of a memcached that is older than the
// meta dialect, and how.
func TestFitsClassic(t *testing.T) {
	const no = ""
	for _, row := range []struct{ in, want string }{
		{"get a", "get a"}, {"gats 5 a", "gats 5 a"}, {"touch a 5", "touch a 5"}, {"cas a 1 2 0 9", "cas a 1 2 0 9\r\n"},
		{"mg a v", "gets a"}, {"mg a v f c k Oabc q u", "gets a"}, {"mg a v T30", "gats 30 a"}, {"mg a v T0 c", "gats 0 a"},
		{"mg a", no}, {"mg a f c", no}, {"mg a v s", no}, {"mg a v t", no}, {"mg a v h", no}, {"mg a v l", no}, {"mg a T30", no},
		{"mg a v N30", no}, {"mg a v R30", no}, {"mg a v E5", no}, {"mg a v C5", no},
		{"ms a 0", "set a 0 0 0\r\n"}, {"ms a 0 T60 F5 k q", "set a 5 60 0\r\n"}, {"ms a 0 ME", "add a 0 0 0\r\n"}, {"ms a 0 MR T1", "replace a 0 1 0\r\n"},
		{"ms a 0 MA", "append a 0 0 0\r\n"}, {"ms a 0 MP", "prepend a 0 0 0\r\n"}, {"ms a 0 C5", "cas a 0 0 0 5\r\n"}, {"ms a 0 MR C5", "cas a 0 0 0 5\r\n"},
		{"ms a 0 ME C5", no}, {"ms a 0 MA C5", no}, {"ms a 0 C5 I", no}, {"ms a 0 I", no}, {"ms a 0 MA N0", no}, {"ms a 0 E5", no}, {"ms a 0 c", no}, {"ms a 0 s", no},
		{"md a", "delete a"}, {"md a q k", "delete a"}, {"md a I", no}, {"md a C5", no}, {"md a x", no}, {"md a T5", no}, {"md a E5", no},
		{"ma a", "incr a 1"}, {"ma a v D7", "incr a 7"}, {"ma a MD D0 J5", "decr a 0"}, {"ma a v k O q", "incr a 1"},
		{"ma a N0", no}, {"ma a T5", no}, {"ma a t", no}, {"ma a c", no}, {"ma a C5", no}, {"ma a E5", no},
	} {
		c := askedFor(t, row.in)
		if got := classicLine(c); got != row.want {
			t.Errorf("%s: got %q, want %q", row.in, got, row.want)
		}
	}
}

// TestPacketsFitClassic is the same of packets.
func TestPacketsFitClassic(t *testing.T) {
	const never = 0xffffffff
	for _, row := range []struct {
		op   byte
		p    packetParts
		want string
	}{
		{0x00, packetParts{}, "gets k"}, {0x0d, packetParts{cas: 5}, "gets k"}, {0x1d, packetParts{extras: bytesOf(60)}, "gats 60 k"},
		{0x24, packetParts{extras: bytesOf(0xffffffff)}, "gats 2147483647 k"}, {0x1c, packetParts{extras: bytesOf(60)}, ""},
		{0x01, packetParts{extras: storing(5, 60), value: "v"}, "set k 5 60 1\r\nv"}, {0x12, packetParts{extras: storing(0, 0), value: "v"}, "add k 0 0 1\r\nv"},
		{0x03, packetParts{extras: storing(0, 0), value: "v"}, "replace k 0 0 1\r\nv"}, {0x03, packetParts{extras: storing(0, 0), cas: 5}, "cas k 0 0 0 5\r\n"},
		{0x02, packetParts{extras: storing(0, 0), cas: 5}, "cas k 0 0 0 5\r\n"}, {0x0e, packetParts{value: "v"}, "append k 0 0 1\r\nv"},
		{0x1a, packetParts{value: "v"}, "prepend k 0 0 1\r\nv"}, {0x0e, packetParts{value: "v", cas: 5}, ""}, {0x04, packetParts{}, "delete k"},
		{0x04, packetParts{cas: 5}, ""}, {0x05, packetParts{extras: counting(7, 9, never)}, "incr k 7"}, {0x16, packetParts{extras: counting(7, 9, never)}, "decr k 7"},
		{0x05, packetParts{extras: counting(7, 9, 0)}, ""}, {0x05, packetParts{extras: counting(7, 9, never), cas: 5}, ""},
	} {
		row.p.key = "k"
		c := requestOf(t, string(pack(row.op, row.p))).Command(0)
		if got := classicLine(&c); got != row.want {
			t.Errorf("opcode %#02x with %+v: got %q, want %q", row.op, row.p, got, row.want)
		}
	}
}

// classicLine is c as classic text without its last line end; empty if it does
// not fit.
func classicLine(c *Command) string {
	if !c.FitsClassic() {
		return ""
	}
	wire := AppendClassic(nil, c)
	return string(wire[:len(wire)-len(crlf)])
}

// TestRandomCommandsAreCanonical: whatever a command says, it is one canonical
// line and its value in each dialect that can say it, and reads as it was meant.
func TestRandomCommandsAreCanonical(t *testing.T) {
	src := rand.New(rand.NewPCG(11, 12))
	verbs, keys := servedVerbs(), randomKeys()
	fits := 0
	for range commandCount {
		c, opaque := randomCommand(src, verbs, keys, allFeatures), src.Uint64()
		wire := AppendMeta(nil, c, opaque)
		if fault := checkCanonical(wire, c, opaque, 0); fault != "" {
			t.Fatalf("%s: %s", c.Verb.Name, fault)
		}
		if checkMetaAgain(t, c, wire); t.Failed() {
			return
		}
		if !c.FitsClassic() {
			continue
		}
		fits++
		if fault := checkCanonical(AppendClassic(nil, c), c, 0, 1); fault != "" {
			t.Fatalf("%s: %s", c.Verb.Name, fault)
		}
	}
	if fits < commandCount/3 {
		t.Errorf("only %d of %d commands fit the classic dialect", fits, commandCount)
	}
}
