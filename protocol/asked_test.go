package protocol

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// asked is a request as a person would ask about it.
func asked(r *Request) string { return string(r.AppendAsked(nil, len(r.Keys)-1)) }

func TestAppendAsked(t *testing.T) {
	for in, want := range map[string]string{
		"get a b\r\n":                             "get b",
		"gets a\r\n":                              "gets a",
		"gat 60 a\r\n":                            "gat 60 a",
		"touch a -1 noreply\r\n":                  "touch a -1",
		"set a 5 60 2 noreply\r\nmn\r\n":          "set a 5 60 2",
		"cas a 0 0 2 7\r\nmn\r\n":                 "cas a 0 0 2 7",
		"append a 0 0 2\r\nmn\r\n":                "append a 0 0 2",
		"decr a 7\r\n":                            "decr a 7",
		"delete a 0\r\n":                          "delete a",
		"mg Zm9v b v t N30 T60\r\n":               "mg foo N30 T60",
		"ms a 2 ME\r\nmn\r\n":                     "ms a 2 ME",
		"ma a D5 MD q\r\n":                        "ma a MD D5",
		"me a\r\n":                                "me a",
		"flush_all 10 noreply\r\n":                "flush_all 10",
		"stats conns\r\n":                         "stats conns",
		"slabs automove 1\r\n":                    "slabs automove 1",
		string(pack(0x0d, packetParts{key: "a"})): "get a",
		string(pack(0x1d, packetParts{key: "a", extras: bytesOf(60)})):                               "gat 60 a",
		string(pack(0x1c, packetParts{key: "a", extras: bytesOf(60)})):                               "touch a 60",
		string(pack(0x11, packetParts{key: "a", extras: bytesOf(5, 60), value: "mn", cas: 9})):       "set a 5 60 2",
		string(pack(0x05, packetParts{key: "a", extras: bytesOf(uint64(7), uint64(1), 0xffffffff)})): "incr a 7",
		string(pack(0x06, packetParts{key: "a", extras: bytesOf(uint64(7), uint64(1), 30)})):         "ma a MD D7 J1 N30",
		string(pack(0x08, packetParts{})):                                                            "flush_all",
		string(pack(0x10, packetParts{key: "items"})):                                                "stats items",
	} {
		if got := asked(requestOf(t, in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestAskedIsDecidedOnAlike makes every command there is, and asks about it: what
// it needs, what it does to its key and how a policy names it stay the same.
func TestAskedIsDecidedOnAlike(t *testing.T) {
	src := rand.New(rand.NewPCG(1, 2))
	var verbs []*Verb
	for _, v := range Verbs() {
		if v.Route == RouteKeys {
			verbs = append(verbs, v)
		}
	}
	keys := randomKeys()
	for range 20000 {
		c := randomCommand(src, verbs, keys, allFeatures)
		r := c.Request()
		r.size = len(r.Value)
		line := asked(r)
		got, err := ParseLine([]byte(line))
		if err != nil {
			t.Fatalf("%s: %q: %v", describe(r), line, err)
		}
		grant := r.Verb.Grant
		if strings.HasPrefix(line, "ma ") {
			grant = "ma"
		}
		if got.Needs(testNow) != r.Needs(testNow) || got.Access() != r.Access() || string(got.Keys[0]) != string(r.Keys[0]) || got.Verb.Grant != grant {
			t.Fatalf("%s: %q is about %s, which needs %s, want %s", describe(r), line, describe(got), needWords(got.Needs(testNow)), needWords(r.Needs(testNow)))
		}
	}
}
