package proxy

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// talker makes conversations that are mostly right, and wrong in the ways that
// matter, which a fuzzer finds only after a long time.
type talker struct{ *rand.Rand }

func (t talker) one(of ...string) string { return of[t.IntN(len(of))] }

func (t talker) key() string {
	return t.one("a", "a", "a1", "a1", "ab", "b", "b1", "A", "noreply", strings.Repeat("a", 250), strings.Repeat("a", 251), "a\x00", "a\t", "\xff")
}

func (t talker) noreply() string {
	return t.one("", "", "", " noreply", " noreply ", " x", " noreply x")
}

func (t talker) number() string {
	return t.one("0", "0", "1", "1", "7", "007", "100", "-1", "-0", "+1", "x", "", "2592000", "2592001",
		"2147483647", "2147483648", "4294967295", "4294967296", "18446744073709551615", "18446744073709551616")
}

func (t talker) keys() (s string) {
	for range 1 + t.IntN(4) {
		s += t.one(" ", " ", " ", "  ") + t.key()
	}
	return s
}

// value is a data block, and the length that is said of it.
func (t talker) value() (length, block string) {
	v := t.one("", "1", "41", "mn", "mn\r\nmn", "END\r\n", "get b1\r\n", strings.Repeat("v", 150), strings.Repeat("mn\r\n", 60))
	length = itoa(len(v))
	switch t.IntN(30) {
	case 0:
		length = t.number()
	case 1:
		length = itoa(len(v) + 1)
	}
	return length, v + t.one("\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "")
}

func (t talker) store() string {
	length, block := t.value()
	verb := t.one("set", "set", "set", "add", "replace", "append", "prepend", "cas", "ms")
	cas := ""
	if verb == "cas" {
		cas = t.one("", " 1", " 2", " 3", " x")
	}
	if verb == "ms" {
		return "ms " + t.metaKey() + " " + length + t.flags() + "\r\n" + block
	}
	exptime := t.one("0", "0", "0", t.number())
	return verb + " " + t.key() + " " + t.one("0", "5", t.number()) + " " + exptime + " " + length + cas + t.noreply() + "\r\n" + block
}

// request is one request, more or less.
func (t talker) request() string {
	end := t.one("\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r\r\n")
	switch t.IntN(16) {
	case 12, 13, 14:
		return t.one("mg", "mg", "md", "ma", "ma") + " " + t.metaKey() + t.flags() + end
	case 15:
		return "me " + t.metaKey() + t.one("", " b", " v") + end
	case 0, 1, 2:
		return t.store()
	case 3, 4:
		return t.one("get", "gets") + t.keys() + end
	case 5:
		return t.one("gat ", "gats ") + t.one("0", "100", t.number()) + t.keys() + end
	case 6:
		return t.one("incr ", "decr ") + t.key() + " " + t.one("1", t.number()) + t.noreply() + end
	case 7:
		return "touch " + t.key() + " " + t.one("0", "100", t.number()) + t.noreply() + end
	case 8:
		return "delete " + t.key() + t.one("", " 0", " 5") + t.noreply() + end
	case 9:
		return t.one("mn", "version", "version 1", "foo", "", " mn", "mn ", "foo noreply", "MN", "mg", "watch", "shutdown"+t.noreply()) + end
	case 10:
		return t.one("flush_all", "flush_all 0", "flush_all "+t.number()) + t.noreply() + end
	}
	return t.one("stats", "stats items", "stats item", "stats conns noreply", "stats detail on", "stats cachedump 1 x",
		"verbosity 1", "verbosity x", "verbosity"+t.noreply(), "set a", "get", "quit now", "x HTTP/1.0") + end
}

// metaKey is a key, perhaps in base64: rightly or not.
func (t talker) metaKey() string {
	return t.one(t.key(), "a", "a1", "YQ==", "YTE=", "YjE=", "YR==", "YQ=", "YTE", "YSBi", "YWE", "=", "b")
}

// flags are those of a meta command. Many are right by themselves.
func (t talker) flags() (s string) {
	for range t.IntN(5) {
		letter := t.one(strings.Split("bbcfhklqqstuvvCDEFIJLMNOPRTxzS!", "")...)
		switch {
		case strings.Contains("CDEFJNRT", letter):
			letter += t.one("0", "1", "2", "100", t.number())
		case letter == "M":
			letter += t.one("E", "A", "P", "R", "S", "I", "D", "+", "-", "X", "SET", "")
		case letter == "O":
			letter += t.one("", "1", "q", strings.Repeat("o", 31), strings.Repeat("o", 32))
		case t.IntN(20) == 0:
			letter += "tail"
		}
		s += t.one(" ", " ", " ", "  ") + letter
	}
	return s
}

// packet is one request of the binary dialect, more or less.
func (t talker) packet() string {
	op := testkit.Op(t.IntN(0x25))
	if t.IntN(20) == 0 {
		op = testkit.Op(t.IntN(256))
	}
	shape := packetShapes[op]
	p := testkit.Packet{Op: op, Opaque: t.Uint32(), Extras: t.extras(shape.extras)}
	if shape.key != "" {
		p.Key = t.one(t.key(), "a", "a1", "b", "", "items")
	}
	if shape.value {
		p.Value = t.one("", "1", "41", "mn\r\n", strings.Repeat("\x80", 24), strings.Repeat("v", 150))
	}
	if t.IntN(4) == 0 {
		p.CAS = uint64(t.IntN(4))
	}
	b := p.Bytes()
	if t.IntN(15) == 0 { // one byte of the header is wrong
		b[t.IntN(24)] = t.one("\x00", "\x01", "\x04", "\x18", "\x80", "\xff")[0]
	}
	return string(b)
}

// extras are so many bytes, each number of which is small, or as large as can be.
func (t talker) extras(n int) (s string) {
	for len(s) < n {
		s += t.one("\x00\x00\x00\x00", "\x00\x00\x00\x00", "\x00\x00\x00\x07", "\x00\x00\x00\x64", "\x00\x27\x8d\x01", "\xff\xff\xff\xff")
	}
	if t.IntN(30) == 0 {
		s += "x"
	}
	return s
}

// TestExchangeAgreesWithTheReference is FuzzExchange over conversations that
// look like some.
func TestExchangeAgreesWithTheReference(t *testing.T) {
	policies := fuzzPolicies(t)
	rounds, checked := 3000, 0
	if testing.Short() {
		rounds = 600
	}
	if long() {
		rounds = 100_000
	}
	for seed := range rounds {
		talk := talker{rand.New(rand.NewPCG(uint64(seed), 7))}
		request := talk.request
		if seed%3 == 0 {
			request = talk.packet
		}
		var in strings.Builder
		for range 1 + talk.IntN(25) {
			in.WriteString(request())
		}
		if checkExchange(t, []byte(in.String()), policies[seed%len(policies)], 1+talk.IntN(20), 1+talk.IntN(9)) {
			checked++
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if checked < rounds/2 {
		t.Errorf("only %d of %d conversations could be checked", checked, rounds)
	}
}
