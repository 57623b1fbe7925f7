package protocol

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
)

// fitsClassic reports whether everything in a client's stream can be asked of a
// memcached that is only spoken to in classic text.
func fitsClassic(in string) bool {
	fits := true
	tr := run(parserRow{in: in})
	tr.visit = func(r *Request) {
		for i := range r.Keys {
			c := r.Command(i)
			fits = fits && c.FitsClassic()
		}
	}
	tr.arrive(in)
	return fits
}

// TestMetaThroughClassic: what a meta command can be told by an old memcached is
// what it is told by a new one.
func TestMetaThroughClassic(t *testing.T) {
	one, other := markedLink(t), markedLink(t)
	src := rand.New(rand.NewPCG(13, 14))
	cas, fit := "1", 0
	for range randomRounds {
		in := strings.ReplaceAll(randomMeta(src, 0), "$CAS", cas)
		if !fitsClassic(in) {
			continue
		}
		fit++
		want, got := direct(one, in), through(other, in, false)
		if m := lastMetaCAS.FindStringSubmatch(want); m != nil {
			cas = m[1]
		}
		if got != want {
			t.Fatalf("%q:\n got  %.300q\n want %.300q", in, got, want)
		}
	}
	if fit < randomRounds/10 {
		t.Errorf("only %d of %d commands fit", fit, randomRounds)
	}
}

// TestPacketsThroughClassic is the same of packets. The CAS id of what was changed
// is not told.
func TestPacketsThroughClassic(t *testing.T) {
	one, other := newLink(t, startCalm(t)), newLink(t, startCalm(t))
	src := rand.New(rand.NewPCG(15, 16))
	var cas uint64
	fit := 0
	for i := range randomRounds {
		op, p := randomPacket(src, cas)
		p.opaque = uint32(i)
		in := string(pack(op, p))
		if !fitsClassic(in) {
			continue
		}
		fit++
		want, got := directPackets(one, in), through(other, in, false)
		if reply := packetOf([]byte(want)); reply.status == 0 && reply.cas != 0 {
			cas = reply.cas
		}
		if s := shapes()[op]; s.value != "" || strings.HasSuffix(strings.TrimSuffix(s.name, " quiet"), "CREMENT") {
			want = withoutCAS(want)
		}
		if got != want {
			t.Fatalf("packet %d, opcode %#02x for %q, extras %q, CAS id %d:\n got  %s\n want %s", i, op, p.key, p.extras, p.cas, show([]byte(got)), show([]byte(want)))
		}
	}
	if fit < randomRounds/3 {
		t.Errorf("only %d of %d packets fit", fit, randomRounds)
	}
}

// withoutCAS is a reply without its CAS id.
func withoutCAS(reply string) string {
	if len(reply) < headerSize {
		return reply
	}
	b := []byte(reply)
	binary.BigEndian.PutUint64(b[16:], 0)
	return string(b)
}

// TestStatisticsAreMemcacheds: a client of the binary dialect is told the same
// statistics, by name, as memcached tells, and a flush does what it does there.
func TestStatisticsAreMemcacheds(t *testing.T) {
	one, other := newLink(t, startCalm(t)), newLink(t, startCalm(t))
	set := string(pack(0x01, packetParts{extras: storing(0, 0), key: "k", value: "v"}))
	for _, in := range []string{
		string(pack(0x10, packetParts{opaque: 1})), string(pack(0x10, packetParts{key: "items", opaque: 2})), set,
		string(pack(0x10, packetParts{key: "items", opaque: 3})), string(pack(0x10, packetParts{key: "slabs"})), string(pack(0x10, packetParts{key: "settings"})),
		string(pack(0x10, packetParts{key: "sizes"})), string(pack(0x10, packetParts{key: "reset", opaque: 4})), string(pack(0x10, packetParts{key: "no"})),
		string(pack(0x08, packetParts{opaque: 5})), string(pack(0x00, packetParts{key: "k"})), set, string(pack(0x18, packetParts{extras: bytesOf(0)})),
		string(pack(0x00, packetParts{key: "k"})), string(pack(0x0b, packetParts{opaque: 6})),
	} {
		if got, want := namesIn(through(other, in, true)), namesIn(directPackets(one, in)); got != want {
			t.Errorf("%q:\n got  %s\n want %s", in, got, want)
		}
	}
}

// namesIn is what packets say but for the values of statistics, which differ.
func namesIn(packets string) string {
	var out []string
	for _, p := range packetsOf([]byte(packets)) {
		if p.key != "" {
			p.value = ""
		}
		out = append(out, show(answerOfParts(p)))
	}
	return strings.Join(out, "; ")
}

// answerOfParts puts a reply together again, as far as show tells of it.
func answerOfParts(p answerPacket) []byte {
	b := pack(p.opcode, packetParts{extras: p.extras, key: p.key, value: p.value, opaque: p.opaque, cas: p.cas})
	b[0] = 0x81
	binary.BigEndian.PutUint16(b[6:], p.status)
	return b
}
