package protocol

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
)

// shape is the shape of an opcode's packets, written down a second time from
// doc/protocol-binary.txt.
type shape struct {
	name   string
	extras int
	key    string // a good one; empty if there is none
	value  string // a good one; empty if there must be none
}

// shapes has every opcode that is served, quiet ones too.
func shapes() map[byte]shape {
	all := map[byte]shape{
		0x07: {name: "QUIT"}, 0x0a: {name: "NOOP"}, 0x0b: {name: "VERSION"}, 0x17: {name: "QUIT quiet"},
		0x08: {name: "FLUSH", extras: 4}, 0x18: {name: "FLUSH quiet", extras: 4}, 0x10: {name: "STAT", key: "items"},
		0x1c: {name: "TOUCH", extras: 4, key: "k"}, 0x20: {name: "SASL_LIST_MECHS"},
		0x21: {name: "SASL_AUTH", key: "PLAIN", value: "\x00u\x00p"}, 0x22: {name: "SASL_STEP", key: "PLAIN", value: "v"},
	}
	for _, row := range []struct {
		loud, quiet byte
		shape
	}{
		{0x00, 0x09, shape{name: "GET", key: "k"}}, {0x0c, 0x0d, shape{name: "GETK", key: "k"}},
		{0x1d, 0x1e, shape{name: "GAT", extras: 4, key: "k"}}, {0x23, 0x24, shape{name: "GATK", extras: 4, key: "k"}},
		{0x01, 0x11, shape{name: "SET", extras: 8, key: "k", value: "v"}}, {0x02, 0x12, shape{name: "ADD", extras: 8, key: "k", value: "v"}},
		{0x03, 0x13, shape{name: "REPLACE", extras: 8, key: "k", value: "v"}}, {0x04, 0x14, shape{name: "DELETE", key: "k"}},
		{0x0e, 0x19, shape{name: "APPEND", key: "k", value: "v"}}, {0x0f, 0x1a, shape{name: "PREPEND", key: "k", value: "v"}},
		{0x05, 0x15, shape{name: "INCREMENT", extras: 20, key: "k"}}, {0x06, 0x16, shape{name: "DECREMENT", extras: 20, key: "k"}},
	} {
		quiet := row.shape
		quiet.name += " quiet"
		all[row.loud], all[row.quiet] = row.shape, quiet
	}
	return all
}

// parts are a packet of the shape.
func (s shape) parts() packetParts {
	return packetParts{extras: strings.Repeat("\x00", s.extras), key: s.key, value: s.value, opaque: 7}
}

// Outcomes of a packet.
const (
	served    = ""
	invalid   = "! 0x04"
	notKnown  = "! 0x81"
	largeBody = "! 0x03"
	noAuth    = "! 0x20"
)

// distortion is a way of sending a packet of a good shape wrong, or not, and what
// comes of it. A packet that is in sync is followed by the next.
type distortion struct {
	name    string
	change  func(p *packetParts)
	body    uint32 // declared, if not 0
	want    string // of a known opcode
	unknown string // of an unknown one
	good    func(op byte, s shape) (want string, ok bool)
}

func distortions() []distortion {
	return []distortion{
		{name: "none", change: func(*packetParts) {}, want: served, unknown: notKnown},
		{name: "a CAS id, data type and vbucket", change: func(p *packetParts) { p.cas, p.marks = 5, true }, want: served, unknown: notKnown},
		{name: "the key missing", change: func(p *packetParts) { p.key = "" }, want: invalid + closes, unknown: notKnown, good: goodWithoutKey},
		{name: "a key too many", change: func(p *packetParts) { p.key += "items" }, want: invalid + closes, unknown: notKnown, good: goodWithKey},
		{name: "a key too long", change: func(p *packetParts) { p.key = key(251) }, want: invalid + closes, unknown: invalid + closes},
		{name: "a key of 65,535", change: func(p *packetParts) { p.key = key(65535) }, want: invalid + closes, unknown: invalid + closes},
		{name: "extras too many", change: func(p *packetParts) { p.extras += "\x00" }, want: invalid + closes, unknown: notKnown},
		{name: "extras of 255", change: func(p *packetParts) { p.extras = strings.Repeat("\x00", 255) }, want: invalid + closes, unknown: notKnown},
		{name: "extras missing", change: func(p *packetParts) { p.extras = "" }, want: invalid + closes, unknown: notKnown, good: goodWithoutExtras},
		{name: "a surplus value", change: func(p *packetParts) { p.value += string(noop) }, want: invalid + closes, unknown: notKnown, good: goodWithValue},
		{name: "a body without the key", change: func(p *packetParts) { p.key += "kk" }, body: 1, want: notKnown + closes, unknown: notKnown + closes},
		{name: "a body of 2^32-1", body: 0xffffffff, want: largeBody + closes, unknown: largeBody + closes},
		{name: "a body of 2^31", body: 0x80000000, want: largeBody + closes, unknown: largeBody + closes},
		{name: "a body of 2^31-1", body: 0x7fffffff, want: invalid + closes, unknown: notKnown + closes, good: goodWhenLarge},
	}
}

func goodWithoutKey(_ byte, s shape) (string, bool) { return served, s.key == "" || s.name == "STAT" }

func goodWithKey(op byte, s shape) (string, bool) {
	if s.name == "STAT" {
		return "! 0x01", true
	}
	return served, s.key != ""
}

func goodWithoutExtras(op byte, s shape) (string, bool) {
	return served, s.extras == 0 || op == 0x08 || op == 0x18
}

func goodWithValue(_ byte, s shape) (string, bool) { return served, s.value != "" }

func goodWhenLarge(op byte, s shape) (string, bool) {
	if op == 0x21 || op == 0x22 {
		return noAuth + closes, true
	}
	return largeBody + closes, s.value != ""
}

// outcome is what comes of a distorted packet.
func (d distortion) outcome(op byte, s shape, known bool) string {
	if !known {
		return d.unknown
	}
	if d.good != nil {
		if want, ok := d.good(op, s); ok {
			return want
		}
	}
	return d.want
}

// TestEveryOpcode sends every opcode in every distorted form: it is served, or
// refused with the right status, and the next packet is found or the connection
// ends.
func TestEveryOpcode(t *testing.T) {
	known := shapes()
	for op := range 256 {
		s, ok := known[byte(op)]
		for _, d := range distortions() {
			in := d.packet(byte(op), s)
			want := d.outcome(byte(op), s, ok)
			tr := run(parserRow{in: in}, in+string(noop))
			events := strings.Split(tr.end(), "; ")
			got := events[0]
			if want == served && strings.HasPrefix(got, "! ") || want != served && got != want {
				t.Errorf("opcode %#02x with %s: got %s, want %q", op, d.name, got, want)
			}
			if synced := len(events) == 2 && events[1] == "NOOP" && len(tr.buf) == 0; synced == strings.HasSuffix(want, closes) {
				t.Errorf("opcode %#02x with %s: got %s, and %d bytes are left", op, d.name, tr.end(), len(tr.buf))
			}
		}
	}
}

// packet is a distorted packet.
func (d distortion) packet(op byte, s shape) string {
	p := s.parts()
	if d.change != nil {
		d.change(&p)
	}
	in := pack(op, p)
	if d.body != 0 {
		binary.BigEndian.PutUint32(in[8:], d.body)
	}
	return string(in)
}

// TestOpcodesAreKnown: every opcode of the shapes is served under its name, and no
// other is.
func TestOpcodesAreKnown(t *testing.T) {
	known := shapes()
	for op := range 256 {
		s := known[byte(op)]
		got, quiet := "", ""
		if v := byOpcode[op]; v != nil {
			if byte(op) != v.packet.code {
				quiet = " quiet"
			}
			got = v.Name + quiet
		}
		if got != s.name {
			t.Errorf("opcode %#02x is %q, want %q", op, got, s.name)
		}
	}
}

// TestDeclaredLengthCostsNothing: what a packet says of its length takes no memory,
// whether or not it is believed.
func TestDeclaredLengthCostsNothing(t *testing.T) {
	const rounds, most = 20, 1024 // bytes a packet: the text of a refusal
	for op, s := range shapes() {
		for _, body := range []uint32{1 << 19, 0x7fffffff, 0xffffffff} {
			in := []byte(distortion{body: body}.packet(op, s))
			p := Parser{Dialect: Binary, MaxItem: maxU31}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range rounds {
				p.skip, p.closed = 0, false
				p.Next(in)
			}
			runtime.ReadMemStats(&after)
			if got := (after.TotalAlloc - before.TotalAlloc) / rounds; got > most {
				t.Errorf("opcode %#02x that says %d bytes follow takes %d bytes of memory", op, body, got)
			}
		}
	}
}
