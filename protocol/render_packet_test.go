package protocol

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// answerOf is a reply with a status and a text, written by hand.
func answerOf(op byte, status uint16, text string) []byte {
	b := []byte{0x81, op, 0, 0, 0, 0}
	b = binary.BigEndian.AppendUint16(b, status)
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(append(b, make([]byte, 12)...), text...)
}

// codeWords are the status and the text of a packet for each status of a reply
// that has no value.
func codeWords() map[Status]string {
	return map[Status]string{
		StatusMiss: "0x01 Not found", StatusNotFound: "0x01 Not found", StatusNotStored: "0x05 Not stored.", StatusExists: "0x02 Data exists for key.",
		StatusNonNumeric: "0x06 Non-numeric server-side value for incr or decr", StatusTooLarge: "0x03 Too large.", StatusNoMemory: "0x82 Out of memory",
		StatusNone: "0x84 Upstream failed.", StatusRefused: "0x84 Upstream failed.", StatusLost: "0x84 Upstream failed.", StatusDown: "0x84 Upstream failed.",
		StatusDropped: "0x03 Too large.", StatusBusy: "0x85 Upstream busy.", StatusUnfit: "0x81 Unknown command",
		StatusDenied: "0x03 Access denied.", StatusUnauthenticated: "0x20 Auth failure.",
		StatusLimitRate: "0x03 request rate limit exceeded", StatusLimitBytes: "0x03 byte rate limit exceeded",
		StatusLimitInFlight: "0x03 too many requests in flight", StatusLimitValue: "0x03 value exceeds the limit",
		StatusLimitTTL: "0x03 expiry exceeds the limit", StatusLimitKeys: "0x03 too many keys in one request",
		StatusLimitConns: "0x03 too many connections", StatusFrozen: "0x03 frozen",
	}
}

// notStoredAs is how a store whose condition failed is told.
func notStoredAs(name string) string {
	switch name {
	case "ADD":
		return "0x02 Data exists for key."
	case "REPLACE":
		return "0x01 Not found"
	}
	return "0x05 Not stored."
}

// TestPacketStatuses: every status of every opcode, loud and quiet, is a packet
// with the status's code and text, and with the opcode and the opaque of the
// request.
func TestPacketStatuses(t *testing.T) {
	for op, s := range shapes() {
		r := requestOf(t, string(pack(op, s.parts())))
		if r.Verb.Route != RouteKeys {
			continue
		}
		for status, want := range codeWords() {
			if status == StatusNotStored {
				want = notStoredAs(r.Verb.Name)
			}
			got := packetOf(r.AppendAnswer(nil, r.Keys[0], &Reply{Status: status}))
			found := want
			if echo := strings.HasPrefix(r.Verb.Name, "GETK") || r.Verb.Name == "GATK"; echo && (status == StatusMiss || status == StatusNotFound) {
				found = "0x01 " // with the key instead of a text
				if got.key != "k" {
					t.Errorf("opcode %#02x, status %s: the key is %q", op, statusNames()[status], got.key)
				}
			}
			if text := fmt.Sprintf("%#02x %s", got.status, got.value); text != found || got.opcode != op || got.opaque != 7 || got.cas != 0 || got.extras != "" {
				t.Errorf("opcode %#02x, status %s: got %+v, want %s", op, statusNames()[status], got, found)
			}
		}
	}
}

// TestPacketsWithItems has what a client reads of an item.
func TestPacketsWithItems(t *testing.T) {
	flags := bytesOf(0x01020304)
	for op, want := range map[byte]answerPacket{
		0x00: {extras: flags}, 0x09: {extras: flags}, 0x0c: {extras: flags, key: "k"}, 0x0d: {extras: flags, key: "k"},
		0x1d: {extras: flags}, 0x1e: {extras: flags}, 0x23: {extras: flags, key: "k"}, 0x24: {extras: flags, key: "k"},
	} {
		want.opcode, want.opaque, want.cas, want.value = op, 7, maxU64, "hello"
		r := requestOf(t, string(pack(op, shapes()[op].parts())))
		got := r.AppendHead(nil, r.Keys[0], &Reply{Status: StatusValue, Flags: 0x01020304, CAS: maxU64, Size: 5})
		got = r.AppendItemsEnd(r.AppendValueEnd(append(got, "hello"...)))
		if packetOf(got) != want || packetSize(got) != len(got) {
			t.Errorf("opcode %#02x: got %s, want %+v", op, show(got), want)
		}
	}
}

// TestPacketsThatAreDone has what a client reads of a change.
func TestPacketsThatAreDone(t *testing.T) {
	for op, s := range shapes() {
		r := requestOf(t, string(pack(op, s.parts())))
		reply, want := &Reply{Status: StatusOK, CAS: 9, Flags: 5}, answerPacket{opcode: op, opaque: 7, cas: 9}
		switch r.Verb.Name {
		case "TOUCH":
			want.extras = bytesOf(5)
		case "INCREMENT", "DECREMENT":
			reply, want.value = &Reply{Status: StatusNumber, CAS: 9, Number: 1 << 40}, bytesOf(uint64(1<<40))
		}
		if r.Verb.Route != RouteKeys || r.IsMulti() || strings.HasPrefix(r.Verb.Name, "G") {
			continue
		}
		if got := packetOf(r.AppendAnswer(nil, r.Keys[0], reply)); got != want {
			t.Errorf("opcode %#02x: got %+v, want %+v", op, got, want)
		}
	}
}

// TestPacketsAboutNoKey has the answers that slabgate gives by itself, and those
// that it makes out of lines.
func TestPacketsAboutNoKey(t *testing.T) {
	for _, row := range []struct {
		name   string
		op     byte
		p      packetParts
		render func(r *Request) []byte
		want   string
	}{
		{"noop", 0x0a, packetParts{}, func(r *Request) []byte { return r.AppendNoOp(nil) }, `0x00 ""=""`},
		{"version", 0x0b, packetParts{}, func(r *Request) []byte { return r.AppendVersion(nil, "1.6.18") }, `0x00 ""="1.6.18"`},
		{"quit", 0x07, packetParts{}, func(r *Request) []byte { return r.AppendQuit(nil) }, `0x00 ""=""`},
		{"quiet quit", 0x17, packetParts{}, func(r *Request) []byte { return r.AppendQuit(nil) }, ""},
		{"mechanisms", 0x20, packetParts{}, func(r *Request) []byte { return r.AppendMechs(nil, "PLAIN SCRAM-SHA-256") }, `0x00 ""="PLAIN SCRAM-SHA-256"`},
		{"logged in", 0x21, packetParts{key: "P"}, func(r *Request) []byte { return r.AppendAuthenticated(nil) }, `0x00 ""="Authenticated"`},
		{"challenge", 0x21, packetParts{key: "P"}, func(r *Request) []byte { return r.AppendChallenge(nil, []byte("a\x00b")) }, `0x21 ""="a\x00b"`},
		{"login refused", 0x22, packetParts{key: "P"}, func(r *Request) []byte { return r.AppendAnswer(nil, nil, &Reply{Status: StatusUnauthenticated}) }, `0x20 ""="Auth failure."`},
		{"statistics", 0x10, packetParts{}, lines("STAT pid 1\r\nSTAT a b c\r\nEND\r\n"), `0x00 "pid"="1"; 0x00 "a"="b c"; 0x00 ""=""`},
		{"no statistics", 0x10, packetParts{key: "items"}, lines("END\r\n"), `0x00 ""=""`},
		{"statistics reset", 0x10, packetParts{key: "reset"}, lines("RESET\r\n"), `0x00 ""=""`},
		{"unknown statistics", 0x10, packetParts{key: "items"}, lines("ERROR\r\n"), `0x01 ""="Not found"`},
		{"failing statistics", 0x10, packetParts{}, lines("STAT a b\r\nSERVER_ERROR out of memory\r\n"), `0x00 "a"="b"; 0x84 ""="Upstream failed."`},
		{"flushed", 0x08, packetParts{}, lines("OK\r\n"), `0x00 ""=""`},
		{"flushed quietly", 0x18, packetParts{}, lines("OK\r\n"), ""},
		{"may not flush", 0x08, packetParts{}, lines("CLIENT_ERROR flush_all not allowed\r\n"), `0x20 ""="Auth failure."`},
		{"may not flush quietly", 0x18, packetParts{}, lines("CLIENT_ERROR flush_all not allowed\r\n"), `0x20 ""="Auth failure."`},
		{"statistics denied", 0x10, packetParts{}, func(r *Request) []byte { return r.AppendAnswer(nil, nil, &Reply{Status: StatusDenied}) }, `0x03 ""="Access denied."`},
	} {
		row.p.opaque = 77
		r := requestOf(t, string(pack(row.op, row.p)))
		var got []string
		for _, p := range packetsOf(row.render(r)) {
			got = append(got, fmt.Sprintf("%#02x %q=%q", p.status, p.key, p.value))
			if p.opcode != row.op || p.opaque != 77 || p.cas != 0 || p.extras != "" {
				t.Errorf("%s: got %+v", row.name, p)
			}
		}
		if s := strings.Join(got, "; "); s != row.want {
			t.Errorf("%s: got %s, want %s", row.name, s, row.want)
		}
	}
}

// lines renders lines of memcached.
func lines(text string) func(r *Request) []byte {
	return func(r *Request) []byte { return r.AppendAlone(nil, []byte(text)) }
}
