package proxy

import (
	"math/rand/v2"
	"strings"
	"testing"
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
		return "ms " + t.key() + " " + length + t.one("", " q", " T0") + "\r\n" + block
	}
	exptime := t.one("0", "0", "0", t.number())
	return verb + " " + t.key() + " " + t.one("0", "5", t.number()) + " " + exptime + " " + length + cas + t.noreply() + "\r\n" + block
}

// request is one request, more or less.
func (t talker) request() string {
	end := t.one("\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r\r\n")
	switch t.IntN(12) {
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
		return t.one("mn", "version", "version 1", "foo", "", " mn", "mn ", "foo noreply", "MN", "mg a v", "watch", "shutdown"+t.noreply()) + end
	case 10:
		return t.one("flush_all", "flush_all 0", "flush_all "+t.number()) + t.noreply() + end
	}
	return t.one("stats", "stats items", "stats item", "stats conns noreply", "stats detail on", "stats cachedump 1 x",
		"verbosity 1", "verbosity x", "verbosity"+t.noreply(), "set a", "get", "quit now", "x HTTP/1.0") + end
}

// TestExchangeAgreesWithTheReference is FuzzExchange over conversations that
// look like some.
func TestExchangeAgreesWithTheReference(t *testing.T) {
	policies := fuzzPolicies(t)
	rounds, checked := 3000, 0
	if testing.Short() {
		rounds = 600
	}
	for seed := range rounds {
		talk := talker{rand.New(rand.NewPCG(uint64(seed), 7))}
		var in strings.Builder
		for range 1 + talk.IntN(25) {
			in.WriteString(talk.request())
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
