package protocol

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// directPackets sends a client's packets as they are, and returns what memcached
// answers before it answers the one behind them.
func directPackets(l *link, in string) string {
	l.t.Helper()
	l.send([]byte(in + string(noop)))
	var out strings.Builder
	for {
		for packetSize(l.in) == 0 {
			l.more()
		}
		raw := l.take(packetSize(l.in))
		if p := packetOf(raw); p.opcode == 0x0a && p.opaque == 0xfeedface {
			return out.String()
		}
		out.Write(raw)
	}
}

// packetStep is one packet of a conversation. A CAS id of lastCAS is the last one
// that a reply had.
type packetStep struct {
	op byte
	packetParts
}

// heard stands for the last CAS id that was heard of.
const heard = 1<<64 - 2

// storing are the extras of a store.
func storing(flags, exptime int) string { return bytesOf(flags, exptime) }

// counting are the extras of arithmetic.
func counting(delta, initial uint64, exptime int) string { return bytesOf(delta, initial, exptime) }

// reads are the opcodes that read, quiet ones too, with their extras.
var reads = []packetStep{
	{0x00, packetParts{}}, {0x09, packetParts{}}, {0x0c, packetParts{}}, {0x0d, packetParts{}},
	{0x1c, packetParts{extras: bytesOf(100)}}, {0x1d, packetParts{extras: bytesOf(100)}}, {0x1e, packetParts{extras: bytesOf(0)}},
	{0x23, packetParts{extras: bytesOf(0)}}, {0x24, packetParts{extras: bytesOf(100)}},
}

// packetConversation is a sequence of packets that depend on each other: every
// opcode, loud and quiet, on a key that is there and on one that is not.
func packetConversation() []packetStep {
	var all []packetStep
	say := func(op byte, p packetParts) {
		p.opaque = uint32(len(all)) + 100
		all = append(all, packetStep{op, p})
	}
	readAll := func(key string) {
		for _, r := range reads {
			r.key = key
			say(r.op, r.packetParts)
		}
	}
	for _, quiet := range []byte{0, 0x10} {
		readAll("missing")
		storeConversation(say, quiet)
		readAll("there")
		joinConversation(say, quiet)
		readAll("there")
		countConversation(say, quiet)
		deleteConversation(say, quiet)
		readAll("there")
		expiryConversation(say, readAll)
	}
	say(0x0a, packetParts{})
	say(0x0b, packetParts{})
	return all
}

func storeConversation(say func(byte, packetParts), quiet byte) {
	for _, op := range []byte{0x02, 0x03, 0x01, 0x02, 0x03} { // add, replace and set what is not there and what is
		say(op+quiet, packetParts{extras: storing(op2int(op), 1000), key: "there", value: fmt.Sprint("value ", op)})
	}
	for _, op := range []byte{0x01, 0x02, 0x03} {
		say(op+quiet, packetParts{extras: storing(1, 0), key: "there", value: "wrong", cas: 1})
		say(op+quiet, packetParts{extras: storing(1, 0), key: "missing", value: "wrong", cas: 1})
		say(0x00, packetParts{key: "there"})
		say(op+quiet, packetParts{extras: storing(0xffffffff, 0), key: "there", value: "right\r\n\x00", cas: heard})
	}
	say(0x01+quiet, packetParts{extras: storing(0, 0), key: "empty"})
	say(0x00, packetParts{key: "empty"})
	say(0x03+quiet, packetParts{extras: storing(0, 0), key: "missing", value: "v"})
}

func op2int(op byte) int { return int(op) * 0x01010101 }

func joinConversation(say func(byte, packetParts), quiet byte) {
	ops := map[byte][]byte{0: {0x0e, 0x0f}, 0x10: {0x19, 0x1a}}[quiet]
	for _, op := range ops {
		say(op, packetParts{key: "there", value: fmt.Sprintf("<%#02x>", op)})
		say(op, packetParts{key: "missing", value: "x"})
		say(op, packetParts{key: "there", value: "x", cas: 1})
		say(op, packetParts{key: "missing", value: "x", cas: 1})
		say(0x00, packetParts{key: "there"})
		say(op, packetParts{key: "there", value: "y", cas: heard})
	}
}

func countConversation(say func(byte, packetParts), quiet byte) {
	const never = 0xffffffff
	for _, op := range []byte{0x05, 0x06} {
		op += quiet
		say(op, packetParts{extras: counting(1, 7, never), key: "missing"})
		say(op, packetParts{extras: counting(1, 7, never), key: "missing", cas: 1})
		say(op, packetParts{extras: counting(1, 7, 1000), key: fmt.Sprint("made", op)})
		say(op, packetParts{extras: counting(5, 7, 1000), key: fmt.Sprint("made", op)})
		say(op, packetParts{extras: counting(500, 7, 0), key: fmt.Sprint("made", op)})
		say(op, packetParts{extras: counting(maxU64, 7, never), key: fmt.Sprint("made", op)})
		say(0x00, packetParts{key: fmt.Sprint("made", op)})
		say(op, packetParts{extras: counting(1, 7, 0), key: fmt.Sprint("made", op), cas: heard})
		say(op, packetParts{extras: counting(1, 7, 0), key: fmt.Sprint("made", op), cas: 1})
		say(op, packetParts{extras: counting(1, 7, 0), key: "there"})
		say(op, packetParts{extras: counting(1, 7, 0), key: "empty"})
		say(op, packetParts{extras: counting(0, maxU64, 0), key: fmt.Sprint("most", op)})
		say(op, packetParts{extras: counting(2, 0, 0), key: fmt.Sprint("most", op)})
	}
}

func deleteConversation(say func(byte, packetParts), quiet byte) {
	say(0x04+quiet, packetParts{key: "missing"})
	say(0x04+quiet, packetParts{key: "missing", cas: 1})
	say(0x04+quiet, packetParts{key: "there", cas: 1})
	say(0x00, packetParts{key: "there"})
	say(0x04+quiet, packetParts{key: "there", cas: heard})
	say(0x04+quiet, packetParts{key: "there"})
	say(0x04+quiet, packetParts{key: "empty"})
}

// expiryConversation stores and touches so that the item vanishes at once, or
// lives to a point in time that only the binary dialect can say.
func expiryConversation(say func(byte, packetParts), readAll func(string)) {
	for _, exptime := range []int{2592001, 2592000, 0x7fffffff, 0x80000000, 0xffffffff} {
		say(0x01, packetParts{extras: storing(0, exptime), key: "timed", value: "v"})
		say(0x00, packetParts{key: "timed"})
		say(0x01, packetParts{extras: storing(0, 0), key: "timed", value: "v"})
		say(0x1c, packetParts{extras: bytesOf(exptime), key: "timed"})
		readAll("timed")
	}
	say(0x01, packetParts{extras: storing(0, 0), key: "large", value: strings.Repeat("v", 1048511)})
	say(0x0e, packetParts{key: "large", value: strings.Repeat("v", 100)})
	say(0x02, packetParts{extras: storing(0, 0), key: "larger", value: strings.Repeat("v", 1048600)})
	say(0x55, packetParts{})
	say(0x10, packetParts{key: "nothing"})
}

// TestPacketsAreMemcacheds: a client reads through slabgate, packet for packet,
// what it would read from memcached.
func TestPacketsAreMemcacheds(t *testing.T) {
	one, other := newLink(t, testkit.StartMemcached(t)), newLink(t, testkit.StartMemcached(t))
	var cas uint64
	seen := map[string]bool{} // opcode and status
	for i, step := range packetConversation() {
		if step.cas == heard {
			step.cas = cas
		}
		in := string(pack(step.op, step.packetParts))
		want := directPackets(one, in)
		got := through(other, in, true)
		if got != want {
			t.Errorf("step %d, opcode %#02x for %q, CAS id %d:\n got  %.300s\n want %.300s", i, step.op, step.key, step.cas,
				show([]byte(got)), show([]byte(want)))
		}
		for _, p := range packetsOf([]byte(want)) {
			seen[fmt.Sprint(p.opcode, p.status)] = true
			if p.cas != 0 {
				cas = p.cas
			}
		}
	}
	if len(seen) < 60 {
		t.Errorf("saw only %d pairs of opcode and status", len(seen))
	}
}
