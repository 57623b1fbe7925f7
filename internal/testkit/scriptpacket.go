package testkit

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// hexPrefix begins a text that a script writes in hexadecimal digits.
const hexPrefix = "hex:"

// packetNote is the part of a line after "bin", as it was written.
type packetNote struct {
	packet Packet
	extras map[string]uint64 // named parts of the extras
	raw    bool              // the extras were written as they are
	lies   []lie             // what the header says instead of the truth
	any    []string          // fields that may hold anything
	seen   []string
}

// lie is a field of a header that is overwritten, so that it can be malformed.
type lie struct {
	at, size int
	n        uint64
}

// lieFields are the fields of a header that only a script that lies names.
var lieFields = map[string]lie{
	"magic": {at: 0, size: 1}, "keylen": {at: 2, size: 2}, "extlen": {at: 4, size: 1}, "bodylen": {at: 8, size: 4},
}

// extra is a named part of the extras of a request.
type extra struct {
	name      string
	size      int // bytes
	otherwise uint64
}

// The extras of requests that have some.
var (
	storeExtras = []extra{{"flags", 4, 0}, {"exp", 4, 0}}
	deltaExtras = []extra{{"delta", 8, 1}, {"initial", 8, 0}, {"exp", 4, 0}}
	expExtras   = []extra{{"exp", 4, 0}}
)

// extrasOf says what extras an opcode's request has. Who has no row has none.
var extrasOf = map[Op][]extra{
	OpSet: storeExtras, OpSetQ: storeExtras,
	OpAdd: storeExtras, OpAddQ: storeExtras,
	OpReplace: storeExtras, OpReplaceQ: storeExtras,
	OpIncrement: deltaExtras, OpIncrementQ: deltaExtras,
	OpDecrement: deltaExtras, OpDecrementQ: deltaExtras,
	OpTouch: expExtras, OpGAT: expExtras, OpGATQ: expExtras, OpGATK: expExtras, OpGATKQ: expExtras,
	OpFlush: expExtras, OpFlushQ: expExtras,
}

// replyExtras is what extras a reply may have.
var replyExtras = []extra{{"flags", 4, 0}}

// optionalExtras are those that a request without them does not have.
var optionalExtras = []Op{OpFlush, OpFlushQ}

// sendPacket reads what follows "> bin".
func sendPacket(rest string) (Step, error) {
	n, err := readNote(rest, false)
	if err != nil {
		return Step{}, err
	}
	b := n.packet.Bytes()
	for _, l := range n.lies {
		var wide [8]byte
		binary.BigEndian.PutUint64(wide[:], l.n)
		copy(b[l.at:l.at+l.size], wide[8-l.size:])
	}
	return Step{Kind: Send, Data: string(b)}, nil
}

// expectPacket reads what follows "< bin".
func expectPacket(rest string) (Step, error) {
	n, err := readNote(rest, true)
	return Step{Kind: ExpectPacket, Packet: n.packet, Any: n.any}, err
}

// readNote reads a whole packet.
func readNote(rest string, reply bool) (*packetNote, error) {
	n := &packetNote{packet: Packet{Reply: reply}, extras: map[string]uint64{}}
	word, rest, _ := strings.Cut(rest, " ")
	if err := n.takeOp(word); err != nil {
		return n, err
	}
	for rest != "" {
		name, after, ok := strings.Cut(rest, "=")
		if !ok || slices.Contains(n.seen, name) {
			return n, fmt.Errorf("want fields as name=text, each once, at %.64q", rest)
		}
		text, bare, after, err := fieldText(after)
		if err == nil {
			err = n.take(name, text, bare)
		}
		if err != nil {
			return n, fmt.Errorf("%s: %w", name, err)
		}
		n.seen, rest = append(n.seen, name), after
	}
	if slices.Contains(n.seen, "value") && slices.Contains(n.seen, "number") {
		return n, errors.New("value stands both as text and as number")
	}
	return n, n.fillExtras()
}

func (n *packetNote) takeOp(word string) error {
	for _, o := range opNames {
		if o.name == word {
			n.packet.Op = o.op
			return nil
		}
	}
	digits, ok := strings.CutPrefix(word, "op=")
	code, err := parseNumber(digits, 8)
	if !ok || err != nil {
		return fmt.Errorf("no opcode is called %.64q", word)
	}
	n.packet.Op = Op(code)
	return nil
}

// fieldText takes the text in front of rest and the space after it. bare is
// false if it stood in quotes.
func fieldText(rest string) (text string, bare bool, after string, err error) {
	if !strings.HasPrefix(rest, `"`) {
		text, after, _ = strings.Cut(rest, " ")
		if digits, ok := strings.CutPrefix(text, hexPrefix); ok {
			raw, err := hex.DecodeString(digits)
			return string(raw), false, after, err
		}
		return text, true, after, nil
	}
	quote, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return "", false, "", err
	}
	after = rest[len(quote):]
	if after != "" && after[0] != ' ' {
		return "", false, "", errors.New("something stands after the quote")
	}
	text, err = strconv.Unquote(quote)
	return text, false, strings.TrimPrefix(after, " "), err
}

// parseNumber reads a number in decimal digits, or in hexadecimal ones after 0x.
func parseNumber(text string, bits int) (uint64, error) {
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		return strconv.ParseUint(digits, 16, bits)
	}
	return strconv.ParseUint(text, 10, bits)
}

// take reads one field.
func (n *packetNote) take(name, text string, bare bool) error {
	if bare && text == "*" {
		return n.takeAny(name)
	}
	if field := n.textField(name); field != nil {
		*field, n.raw = text, n.raw || name == "extras"
		return nil
	}
	set := n.numberField(name)
	if set.bits == 0 || !bare {
		return errors.New("no field is called so, or it is no text")
	}
	number, err := parseNumber(text, set.bits)
	set.keep(number)
	return err
}

// takeAny lets a field of a reply hold anything.
func (n *packetNote) takeAny(name string) error {
	if !n.packet.Reply || !slices.Contains([]string{"cas", "value", "extras", "opaque"}, name) {
		return errors.New("it can't be anything")
	}
	n.any, n.raw = append(n.any, name), n.raw || name == "extras"
	return nil
}

func (n *packetNote) textField(name string) *string {
	return map[string]*string{"key": &n.packet.Key, "extras": &n.packet.Extras, "value": &n.packet.Value}[name]
}

// numberField is where a number of so many bits belongs.
type numberField struct {
	bits int // 0 if there is no such field
	keep func(uint64)
}

func (n *packetNote) numberField(name string) numberField {
	p := &n.packet
	fields := map[string]numberField{
		"opaque":   {32, func(v uint64) { p.Opaque = uint32(v) }},
		"cas":      {64, func(v uint64) { p.CAS = v }},
		"datatype": {8, func(v uint64) { p.DataType = byte(v) }},
		"status":   {16, func(v uint64) { p.Status = uint16(v) }},
		"number":   {64, func(v uint64) { p.Value = string(binary.BigEndian.AppendUint64(nil, v)) }},
	}
	if !p.Reply {
		fields["vbucket"] = fields["status"]
		delete(fields, "status")
		delete(fields, "number")
	}
	if l, ok := lieFields[name]; ok && !p.Reply {
		return numberField{8 * l.size, func(v uint64) { n.lies = append(n.lies, lie{l.at, l.size, v}) }}
	}
	for _, e := range n.layout() {
		fields[e.name] = numberField{8 * e.size, func(v uint64) { n.extras[e.name] = v }}
	}
	return fields[name]
}

func (n *packetNote) layout() []extra {
	if n.packet.Reply {
		return replyExtras
	}
	return extrasOf[n.packet.Op]
}

// fillExtras makes the extras of their named parts. Those of a request are
// there unless something else was written.
func (n *packetNote) fillExtras() error {
	if n.raw && len(n.extras) > 0 {
		return errors.New("extras stand both whole and in parts")
	}
	optional := n.packet.Reply || slices.Contains(optionalExtras, n.packet.Op)
	if n.raw || optional && len(n.extras) == 0 {
		return nil
	}
	var b []byte
	for _, e := range n.layout() {
		v, ok := n.extras[e.name]
		if !ok {
			v = e.otherwise
		}
		wide := binary.BigEndian.AppendUint64(nil, v)
		b = append(b, wide[8-e.size:]...)
	}
	n.packet.Extras = string(b)
	return nil
}

// checkPacket reads a packet and compares it with the one the step expects.
func (s Step) checkPacket(in *bufio.Reader) error {
	want := s.notation()
	first, err := in.Peek(1)
	if len(first) == 1 && first[0] != magicReply {
		first, err = in.Peek(in.Buffered())
	}
	if err != nil || len(first) > 1 || first[0] != magicReply {
		return mismatch(first, want, err)
	}
	got, err := ReadPacket(in)
	if err != nil {
		return mismatch(nil, want, err)
	}
	if got != s.expected(got) {
		return fmt.Errorf("\n\tgot  %.400s\n\twant %.400s", got, want)
	}
	return nil
}

// notation is the packet the step expects, as it could have been written.
func (s Step) notation() string {
	out := s.Packet.String()
	for _, name := range s.Any {
		out += " " + name + "=*"
	}
	return out
}

// expected is the packet the step expects, with the fields that may hold
// anything as they are in got.
func (s Step) expected(got Packet) Packet {
	want := s.Packet
	copies := map[string]func(){
		"cas": func() { want.CAS = got.CAS }, "value": func() { want.Value = got.Value },
		"extras": func() { want.Extras = got.Extras }, "opaque": func() { want.Opaque = got.Opaque },
	}
	for _, name := range s.Any {
		copies[name]()
	}
	return want
}
