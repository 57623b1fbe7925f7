package protocol

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// randomRounds is how many random requests of a client are compared.
const randomRounds = 3_000

// startCalm starts a memcached without the threads that hold items for a while,
// during which arithmetic makes a new item and does not pad the old.
func startCalm(t *testing.T) *testkit.Memcached {
	t.Helper()
	return testkit.StartMemcached(t, "-o", "no_lru_maintainer,no_lru_crawler")
}

// TestRandomMetaAnswersAreMemcacheds sends random meta commands, flags in any
// order, to a memcached and through the parser to another: the answers are the
// same.
func TestRandomMetaAnswersAreMemcacheds(t *testing.T) {
	pair := newMetaPair(t)
	src := rand.New(rand.NewPCG(7, 8))
	codes := map[string]bool{} // command and return code
	for range randomRounds {
		in := randomMeta(src, pair.one.knows)
		answer := pair.compare(in)
		codes[in[:2]+" "+answer[:min(2, len(answer))]] = true
		if t.Failed() {
			return
		}
	}
	if len(codes) < 19 {
		t.Errorf("saw only %d pairs of command and return code: %v", len(codes), codes)
	}
}

// randomMeta is a meta command with random flags.
func randomMeta(src *rand.Rand, knows Features) string {
	word := []string{"mg", "mg", "ms", "ms", "md", "ma"}[src.IntN(6)]
	line := fmt.Sprintf("%s %c", word, "abcdefgh"[src.IntN(8)])
	value := ""
	if word == "ms" {
		value = []string{"", "7", "42", "text", "END\r\n"}[src.IntN(5)]
		line += fmt.Sprint(" ", len(value))
		value += "\r\n"
	}
	flags := randomFlags(src, word, knows)
	return line + strings.Join(append([]string{""}, flags...), " ") + "\r\n" + value
}

// randomFlags are flags that a command may have, in any order. A recache is far
// from every expiry, so that no second that passes makes a difference; arithmetic
// that may make its item is loud.
func randomFlags(src *rand.Rand, word string, knows Features) []string {
	all := []string{"c", "f", "h", "k", "l", "q", "s", "t", "u", "v", "I", "Oopaque", "P", "L" + word}
	for _, flag := range []string{"C", "T", "N", "R", "D", "J", "F", "M", "E"} {
		if flag == "E" && knows&FeatureNewCAS == 0 {
			continue
		}
		all = append(all, flag+randomToken(src, word, flag))
	}
	src.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	flags := all[:src.IntN(9)]
	if made := slices.ContainsFunc(flags, func(f string) bool { return f[0] == 'N' }); word == "ma" && made {
		flags = slices.DeleteFunc(flags, func(f string) bool { return f == "q" })
	}
	return flags
}

// randomToken is what stands behind a flag.
func randomToken(src *rand.Rand, word, flag string) string {
	tokens := map[string][]string{
		"C": {"1", "$CAS", "$CAS", "$CAS"}, "T": {"0", "1000", "100000", "2592000", "-1", "-60"}, "N": {"0", "1000", "-1"}, "R": {"500", "50000", "0"},
		"D": {"0", "1", "5", "18446744073709551615"}, "J": {"0", "13"}, "F": {"0", "5"}, "E": {"77"},
		"Mms": {"E", "A", "P", "R", "S"}, "Mma": {"I", "+", "D", "-"}, "Mmg": {"x"}, "Mmd": {"x"},
	}
	if flag == "M" {
		flag += word
	}
	list := tokens[flag]
	return list[src.IntN(len(list))]
}

// TestRandomPacketsAreMemcacheds does the same with packets.
func TestRandomPacketsAreMemcacheds(t *testing.T) {
	one, other := newLink(t, startCalm(t)), newLink(t, startCalm(t))
	src := rand.New(rand.NewPCG(9, 10))
	var cas uint64
	seen := map[string]bool{} // opcode and status
	for i := range randomRounds {
		op, p := randomPacket(src, cas)
		p.opaque = uint32(i)
		in := string(pack(op, p))
		want := directPackets(one, in)
		if got := through(other, in, true); got != want {
			t.Fatalf("packet %d, opcode %#02x for %q, extras %q, CAS id %d:\n got  %s\n want %s", i, op, p.key, p.extras, p.cas, show([]byte(got)), show([]byte(want)))
		}
		for _, reply := range packetsOf([]byte(want)) {
			seen[fmt.Sprint(reply.opcode, reply.status)] = true
			if reply.cas != 0 {
				cas = reply.cas
			}
		}
	}
	if len(seen) < 60 {
		t.Errorf("saw only %d pairs of opcode and status", len(seen))
	}
}

// randomPacket is a packet about a key that is often the last one's.
func randomPacket(src *rand.Rand, cas uint64) (byte, packetParts) {
	ops := []byte{
		0x00, 0x09, 0x0c, 0x0d, 0x1d, 0x1e, 0x23, 0x24, 0x1c, 0x01, 0x11, 0x02, 0x12, 0x03, 0x13, 0x0e, 0x19, 0x0f, 0x1a,
		0x04, 0x14, 0x05, 0x15, 0x06, 0x16, 0x0a, 0x0b,
	}
	op := ops[src.IntN(len(ops))]
	s := shapes()[op]
	var p packetParts
	if s.key != "" {
		p.key = "abcd"[src.IntN(4):][:1]
		p.cas = []uint64{0, 0, 0, 0, 1, cas}[src.IntN(6)]
	}
	if s.value != "" {
		p.value = []string{"", "7", "42", "text", "END\r\n"}[src.IntN(5)]
	}
	exptime := []int{0, 1000, 100000, 2592001, 0x7fffffff, 0x80000000, 0xffffffff}[src.IntN(7)]
	switch s.extras {
	case 4:
		p.extras = bytesOf(exptime)
	case 8:
		p.extras = storing(src.IntN(3), exptime)
	case 20:
		p.extras = counting([]uint64{0, 1, 5, maxU64}[src.IntN(4)], src.Uint64()>>src.IntN(64), exptime)
	}
	return op, p
}
