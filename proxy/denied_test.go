package proxy

import (
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// deniable is a request, and how it looks when it is denied.
type deniable struct {
	grant string // what a policy calls it
	in    string // about the key taboo
	plain string // what its client reads in the style error
	miss  string // and in the style quiet
}

// classicRequests are the classic commands about a key, and the rest of each.
var classicRequests = map[string]string{
	"get": " taboo", "gets": " taboo", "gat": " 0 taboo", "gats": " 0 taboo", "touch": " taboo 0", "delete": " taboo",
	"incr": " taboo 1", "decr": " taboo 1", "set": " taboo 0 0 2", "add": " taboo 0 0 2", "replace": " taboo 0 0 2",
	"append": " taboo 0 0 2", "prepend": " taboo 0 0 2", "cas": " taboo 0 0 2 1",
}

// deniedLines are the requests of the ASCII dialects, loud and quiet.
func deniedLines() (list []deniable) {
	for verb, args := range classicRequests {
		block := ""
		if bodied[verb] {
			block = "mn\r\n"
		}
		list = append(list, deniable{verb, verb + args + "\r\n" + block, protocol.AccessDenied, misses[verb] + "\r\n"})
		if verb != "get" && verb != "gets" && verb[:2] != "ga" {
			list = append(list, deniable{verb, verb + args + " noreply\r\n" + block, "", ""})
		}
	}
	for verb, miss := range metaMisses {
		for _, flags := range []string{"", " O7 k", " k q O7", " b O7 k", " v c q"} {
			list = append(list, deniedMeta(verb, miss, flags))
		}
	}
	return append(list, deniable{"me", "me taboo\r\n", protocol.AccessDenied, protocol.AccessDenied})
}

func deniedMeta(verb, miss, flags string) deniable {
	key, block := "taboo", ""
	if strings.Contains(flags, "b") {
		key = "dGFib28="
	}
	line := verb + " " + key
	if verb == "ms" {
		line, block = line+" 2", "mn\r\n"
	}
	for _, f := range fields(flags) {
		switch f {
		case "O7":
			miss += " O7"
		case "k":
			miss += " k" + key
			if key != "taboo" {
				miss += " b"
			}
		case "c":
			if verb == "ms" {
				miss += " c0"
			}
		}
	}
	miss += "\r\n"
	if verb == "mg" && strings.Contains(flags, "q") {
		miss = ""
	}
	return deniable{verb, line + flags + "\r\n" + block, protocol.AccessDenied, miss}
}

// grants are what a policy calls the opcodes about a key.
var grants = map[testkit.Op]string{
	testkit.OpGet: "get", testkit.OpGetK: "get", testkit.OpGAT: "gat", testkit.OpGATK: "gat", testkit.OpTouch: "touch",
	testkit.OpSet: "set", testkit.OpAdd: "add", testkit.OpReplace: "replace", testkit.OpAppend: "append", testkit.OpPrepend: "prepend",
	testkit.OpDelete: "delete", testkit.OpIncrement: "incr", testkit.OpDecrement: "decr",
}

// deniedPackets are the requests of the binary dialect, loud and quiet.
func deniedPackets() (list []deniable) {
	for op, shape := range packetShapes {
		if shape.key != "key" {
			continue
		}
		p := testkit.Packet{Op: op, Opaque: 0xfeed, Key: "taboo", Extras: strings.Repeat("\x00", shape.extras)}
		if shape.value {
			p.Value = "\x80\x0a"
		}
		d := deniable{grant: grants[shape.loud], in: string(p.Bytes())}
		if op == shape.loud {
			no := refusal(p, packetDenied)
			no.Value = "Access denied."
			d.plain, d.miss = string(no.Bytes()), string(missed(p).Bytes())
		}
		list = append(list, d)
	}
	return list
}

// missed is the reply to a packet that found nothing.
func missed(p testkit.Packet) testkit.Packet {
	reply := refusal(p, max(packetMissing, deniedAs[p.Op]))
	if p.Op == testkit.OpGetK || p.Op == testkit.OpGATK {
		reply.Key, reply.Value = p.Key, ""
	}
	return reply
}

// probe is a request that stays allowed whatever else is denied, and its answer.
func probe(d *deniable, binary bool) (in, out string) {
	p := testkit.Packet{Op: testkit.OpGetK, Opaque: 1, Key: "open"}
	switch {
	case binary && d.grant == "get":
		p = testkit.Packet{Op: testkit.OpDelete, Opaque: 1, Key: "open"}
		return string(p.Bytes()), string(refusal(p, packetMissing).Bytes())
	case binary:
		return string(p.Bytes()), string(missed(p).Bytes())
	case d.grant == "mg":
		return "get open\r\n", "END\r\n"
	}
	return "mg open O8 k\r\n", "EN O8 kopen\r\n"
}

// TestDeniedRequestSendsNothing denies every request of every dialect, loud and
// quiet, by its key and by its command, in both styles. Its client reads the
// denial or nothing, memcached nothing at all, and what follows is served and
// answered in its place, even if the bytes come one by one.
func TestDeniedRequestSendsNothing(t *testing.T) {
	byKey := func(string) *policy.Document {
		return app(rule("@rw me", "*"), policy.Rule{Deny: []string{"@rw", "me"}, Keys: []string{"tab*"}})
	}
	byCommand := func(grant string) *policy.Document {
		return app(rule("@rw me", "*"), policy.Rule{Deny: []string{grant}, Keys: []string{"*"}})
	}
	check := func(dialect string, requests []deniable) {
		for _, d := range requests {
			for way, doc := range map[string]*policy.Document{"key": byKey(d.grant), "command": byCommand(d.grant)} {
				for _, style := range []string{"error", "quiet"} {
					doc.Defaults.DenyReply = style
					checkDenial(t, dialect+" by its "+way+", "+style, &d, doc)
				}
			}
		}
	}
	check("ascii", deniedLines())
	check("binary", deniedPackets())
}

func checkDenial(t *testing.T, how string, d *deniable, doc *policy.Document) {
	t.Helper()
	in, out := probe(d, how[0] == 'b')
	denial := d.plain
	if doc.Defaults.DenyReply == "quiet" {
		denial = d.miss
	}
	whole := d.in + in + d.in + d.in + in
	want := denial + out + denial + denial + out
	for _, pieces := range [][]string{{whole}, strings.Split(whole, "")} {
		r := held(t, doc, pieces...)
		if got := string(r.out); got != want || r.x.end != "" {
			t.Errorf("%s, %q: got %q, end %q, want %q", how, whole, got, r.x.end, want)
		}
		if len(r.sent) != 2 || slices.ContainsFunc(r.sent, func(s string) bool { return strings.Contains(s, "taboo") }) {
			t.Errorf("%s, %q: %q was carried out, want the two that are allowed", how, whole, r.sent)
		}
		if n := r.seen.events[evDenied]; n != 3 {
			t.Errorf("%s, %q: %d denials were told, want 3", how, whole, n)
		}
	}
}
