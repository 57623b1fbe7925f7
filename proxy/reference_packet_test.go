package proxy

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/slabgate/slabgate/internal/testkit"
)

// packetShape is what an opcode is, and what its packets must look like.
type packetShape struct {
	loud   testkit.Op // the opcode itself, or the one that it is the quiet form of
	extras int        // bytes of extras
	key    string     // "key" or "name" must be there; "stat" may; "" may not
	value  bool       // anything may follow the key; otherwise nothing may
	sent   string     // how it goes upstream, but for key, length and numbers
}

// packetShapes are those of every opcode that is served.
var packetShapes = shapesOf(map[testkit.Op]packetShape{
	testkit.OpGet: {0, 0, "key", false, "mg f c v"}, testkit.OpGetK: {0, 0, "key", false, "mg f c v"},
	testkit.OpGAT: {0, 4, "key", false, "mg f c v"}, testkit.OpGATK: {0, 4, "key", false, "mg f c v"},
	testkit.OpTouch: {0, 4, "key", false, "mg f c"},
	testkit.OpSet:   {0, 8, "key", true, "ms c"}, testkit.OpAdd: {0, 8, "key", true, "ms c ME"},
	testkit.OpReplace: {0, 8, "key", true, "ms c MR"},
	testkit.OpAppend:  {0, 0, "key", true, "ms c MA"}, testkit.OpPrepend: {0, 0, "key", true, "ms c MP"},
	testkit.OpDelete:    {0, 0, "key", false, "md"},
	testkit.OpIncrement: {0, 20, "key", false, "ma c v"}, testkit.OpDecrement: {0, 20, "key", false, "ma c v MD"},
	testkit.OpQuit: {}, testkit.OpNoop: {}, testkit.OpVersion: {},
	testkit.OpFlush: {0, 4, "", false, "flush_all"}, testkit.OpStat: {0, 0, "stat", false, "stats"},
	testkit.OpSASLListMechs: {}, testkit.OpSASLAuth: {0, 0, "name", true, ""}, testkit.OpSASLStep: {0, 0, "name", true, ""},
}, map[testkit.Op]testkit.Op{
	testkit.OpGetQ: testkit.OpGet, testkit.OpGetKQ: testkit.OpGetK, testkit.OpGATQ: testkit.OpGAT, testkit.OpGATKQ: testkit.OpGATK,
	testkit.OpSetQ: testkit.OpSet, testkit.OpAddQ: testkit.OpAdd, testkit.OpReplaceQ: testkit.OpReplace,
	testkit.OpAppendQ: testkit.OpAppend, testkit.OpPrependQ: testkit.OpPrepend, testkit.OpDeleteQ: testkit.OpDelete,
	testkit.OpIncrementQ: testkit.OpIncrement, testkit.OpDecrementQ: testkit.OpDecrement,
	testkit.OpQuitQ: testkit.OpQuit, testkit.OpFlushQ: testkit.OpFlush,
})

// shapesOf adds the quiet opcodes to the loud ones.
func shapesOf(all map[testkit.Op]packetShape, quiet map[testkit.Op]testkit.Op) map[testkit.Op]packetShape {
	for op, s := range all {
		s.loud = op
		all[op] = s
	}
	for op, loud := range quiet {
		all[op] = all[loud]
	}
	return all
}

// packetTexts are the values of packets that say no, by status.
var packetTexts = map[uint16]string{
	1: "Not found", 2: "Data exists for key.", 3: "Too large.", 4: "Invalid arguments", 5: "Not stored.",
	0x20: "Auth failure.", 0x81: "Unknown command",
}

// refusal is a reply that says no.
func refusal(req testkit.Packet, status uint16) testkit.Packet {
	return testkit.Packet{Reply: true, Op: req.Op, Opaque: req.Opaque, Status: status, Value: packetTexts[status]}
}

// frame is a packet as its header announces it, in bytes.
type frame struct {
	req                      testkit.Packet
	extras, key, value, body int
}

func frameOf(h string) frame {
	f := frame{extras: int(h[4]), key: int(binary.BigEndian.Uint16([]byte(h[2:]))), body: int(binary.BigEndian.Uint32([]byte(h[8:])))}
	f.value = f.body - f.extras - f.key
	f.req = testkit.Packet{
		Op: testkit.Op(h[1]), Opaque: binary.BigEndian.Uint32([]byte(h[12:])), CAS: binary.BigEndian.Uint64([]byte(h[16:])),
	}
	return f
}

// packet reads one packet and returns what follows it.
func (r *reference) packet(in string) (rest string, how reach) {
	switch {
	case in == "":
		return "", stop
	case in[0] != 0x80:
		return r.hangUp("")
	case len(in) < 24:
		return "", stop
	}
	f := frameOf(in)
	shape, known := packetShapes[f.req.Op]
	if status, skip := r.malformed(&f, &shape, known); status != 0 {
		return r.refusePacket(&f, status, in[24:], skip)
	}
	rest = in[24:]
	if len(rest) < f.extras+f.key {
		return "", stop
	}
	f.req.Extras, f.req.Key = rest[:f.extras], rest[f.extras:f.extras+f.key]
	return r.servePacket(&f, &shape, rest[f.extras+f.key:])
}

// forever is the length of what can't be skipped.
const forever = 1 << 40

// malformed returns the status of a packet whose header is no good, and how
// much of it there is to skip.
func (r *reference) malformed(f *frame, s *packetShape, known bool) (status uint16, skip int) {
	login := s.key == "name" || f.req.Op == testkit.OpSASLListMechs
	switch {
	case f.value < 0:
		return 0x81, forever
	case f.body >= 1<<31:
		return 3, forever
	case f.key > 250:
		return 4, forever
	case !known:
		return 0x81, f.body
	case f.extras != s.extras && !(f.extras == 0 && s.loud == testkit.OpFlush),
		f.key == 0 && (s.key == "key" || s.key == "name"), f.key > 0 && s.key == "", f.value > 0 && !s.value:
		return 4, forever
	case login && f.value > 4096:
		return 0x20, forever
	}
	return 0, 0
}

// refusePacket says no, and skips what is left of the packet if it can.
func (r *reference) refusePacket(f *frame, status uint16, rest string, skip int) (string, reach) {
	r.write(string(refusal(f.req, status).Bytes()))
	if skip > 2*r.maxItem {
		return r.hangUp("")
	}
	return rest[min(skip, len(rest)):], next
}

// number reads a number of so many bytes out of the extras.
func (f *frame) number(at, size int) (n uint64) {
	for _, b := range []byte(f.req.Extras[at : at+size]) {
		n = n<<8 | uint64(b)
	}
	return n
}

// servePacket serves a packet of good shape; its value begins rest.
func (r *reference) servePacket(f *frame, s *packetShape, rest string) (string, reach) {
	flags := uint64(0)
	if s.extras == 8 {
		flags = f.number(0, 4)
	}
	switch {
	case s.key == "key" && !goodKey(f.req.Key):
		return r.refusePacket(f, 4, rest, f.value)
	case s.key == "key" && s.value && r.tooLarge(f.req.Key, flags, uint64(f.value)):
		return r.refusePacket(f, 3, rest, f.value)
	case s.key == "stat" && !statNames[f.req.Key]:
		return r.refusePacket(f, 1, rest, 0)
	case s.key == "key" && !r.allows(f.req.Key), s.sent != "" && s.key != "key" && !r.allows():
		r.denyPacket(f, s)
		return rest[min(f.value, len(rest)):], next
	case len(rest) < f.value:
		return "", stop
	}
	f.req.Value = rest[:f.value]
	r.carryPacket(f, s)
	if s.loud == testkit.OpQuit {
		return r.hangUp("")
	}
	return rest[f.value:], next
}

// statNames are the statistics that are served, and none of their own is said of
// a policy that tells them apart.
var statNames = map[string]bool{
	"": true, "items": true, "slabs": true, "sizes": true, "settings": true, "extstore": true, "conns": true, "reset": true,
}

// deniedAs are the statuses of denials that look like misses.
var deniedAs = map[testkit.Op]uint16{testkit.OpSet: 5, testkit.OpAdd: 2, testkit.OpAppend: 5, testkit.OpPrepend: 5}

func (r *reference) denyPacket(f *frame, s *packetShape) {
	if f.req.Op != s.loud {
		return
	}
	no := refusal(f.req, 3)
	no.Value = "Access denied."
	if r.quiet && s.key == "key" {
		status := max(1, deniedAs[s.loud])
		if f.req.CAS != 0 && (s.loud == testkit.OpSet || s.loud == testkit.OpAdd) {
			status = 1 // a store that wants an item finds none
		}
		no = refusal(f.req, status)
		if s.loud == testkit.OpGetK || s.loud == testkit.OpGATK {
			no.Key, no.Value = f.req.Key, ""
		}
	}
	r.write(string(no.Bytes()))
}

// carryPacket carries out a packet that is whole, good and allowed.
func (r *reference) carryPacket(f *frame, s *packetShape) {
	done := testkit.Packet{Reply: true, Op: f.req.Op, Opaque: f.req.Opaque}
	switch {
	case s.key == "key":
		r.sendPacket(f, s)
		r.write(string(r.memcached.Answer(testkit.Request{Packet: f.req})))
		return
	case strings.HasPrefix(f.req.Op.String(), "SASL"):
		done = refusal(f.req, 0x81) // no listener of a driver has logins
	case s.loud == testkit.OpVersion:
		done.Value = "1.6.18"
	case s.loud == testkit.OpStat:
		r.send("%s", strings.TrimSpace("stats "+f.req.Key))
	case s.loud == testkit.OpFlush:
		text := "flush_all"
		if f.extras > 0 && f.number(0, 4) > 0 {
			text = fmt.Sprintf("flush_all %d", f.exptime(0))
		}
		r.send("%s", text)
		r.memcached.Answer(testkit.Request{Verb: "flush_all"})
	}
	if f.req.Op == s.loud {
		r.write(string(done.Bytes()))
	}
}

// exptime reads an expiry out of the extras. None is later than 2038.
func (f *frame) exptime(at int) uint64 { return min(f.number(at, 4), 1<<31-1) }

// sendPacket says how a packet about a key goes upstream.
func (r *reference) sendPacket(f *frame, s *packetShape) {
	words := strings.Fields(s.sent)
	line := words[0] + " " + f.req.Key
	if s.value {
		line += " " + itoa(f.value)
	}
	mode := ""
	for _, w := range words[1:] {
		if w[0] == 'M' && !(s.extras == 8 && f.req.CAS != 0) { // a store with a CAS id has no mode but that
			mode = " " + w
		} else if w[0] != 'M' {
			line += " " + w
		}
	}
	line += mode
	if s.extras == 8 && f.number(0, 4) != 0 {
		line += fmt.Sprintf(" F%d", f.number(0, 4))
	}
	if f.req.CAS != 0 && words[0] != "mg" { // to a read it means nothing
		line += fmt.Sprintf(" C%d", f.req.CAS)
	}
	line += f.numbers(s) + "\r\n"
	if s.value {
		line += f.req.Value + "\r\n"
	}
	r.sent = append(r.sent, line)
}

// numbers are the numbers in the extras as they go upstream.
func (f *frame) numbers(s *packetShape) string {
	switch {
	case s.extras == 4:
		return fmt.Sprintf(" T%d", f.exptime(0))
	case s.extras == 8 && f.exptime(4) != 0:
		return fmt.Sprintf(" T%d", f.exptime(4))
	case s.extras != 20:
		return ""
	case f.number(16, 4) == 1<<32-1:
		return fmt.Sprintf(" D%d", f.number(0, 8))
	}
	return fmt.Sprintf(" D%d J%d N%d", f.number(0, 8), f.number(8, 8), f.exptime(16))
}
