package protocol

import "encoding/binary"

// packet is an opcode and the shape that its packets must have, to the byte: one
// with more or less is refused.
type packet struct {
	code      byte
	twin      byte    // its quiet form; 0 if it has none, as the loud GET is no twin
	extras    int     // bytes of extras
	optional  bool    // the extras may be left out
	key       keyRule // whether there is a key
	echo      bool    // its replies repeat the key
	notStored code    // what StatusNotStored is to it; codeNotStored if 0
	read      readFunc
}

// readFunc reads the extras of a packet, and what else its shape does not say,
// into the parser's request. It returns codeOK or what to answer.
type readFunc func(p *Parser, extras []byte) code

// keyRule says whether a packet has a key.
type keyRule uint8

const (
	keyNone keyRule = iota
	keyNeeded
	keyOptional
)

// headerSize is the size of the header of a packet, in bytes.
const headerSize = 24

// header is the header of a request (doc/protocol-binary.txt). Data type and
// vbucket mean nothing to memcached and are not read.
type header struct {
	opcode byte
	key    int64 // bytes of the key
	extras int64 // bytes of the extras
	body   int64 // bytes of extras, key and value
	opaque uint32
	cas    uint64
}

func readHeader(b []byte) header {
	return header{
		opcode: b[1],
		key:    int64(binary.BigEndian.Uint16(b[2:])),
		extras: int64(b[4]),
		body:   int64(binary.BigEndian.Uint32(b[8:])),
		opaque: binary.BigEndian.Uint32(b[12:]),
		cas:    binary.BigEndian.Uint64(b[16:]),
	}
}

// value is how many bytes of the body are neither extras nor key.
func (h *header) value() int64 { return h.body - h.extras - h.key }

// byOpcode finds the row of every opcode.
var byOpcode = indexOpcodes(verbs)

func indexOpcodes(rows []*Verb) (m [256]*Verb) {
	for _, v := range rows {
		if v.packet.read == nil {
			continue
		}
		m[v.packet.code] = v
		if v.packet.twin != 0 {
			m[v.packet.twin] = v
		}
	}
	return m
}

// packet parses the packet at the start of buf, as [Parser.Next] does.
func (p *Parser) packet(buf []byte) (*Request, int, error) {
	if buf[0] != magicRequest {
		p.req = Request{Form: Form{Dialect: Binary}}
		return nil, 0, p.refuse("", closing)
	}
	if len(buf) < headerSize {
		return nil, 0, ErrShort
	}
	h := readHeader(buf)
	v := byOpcode[h.opcode]
	p.req = Request{
		Form: Form{Verb: v, Dialect: Binary, opcode: h.opcode, opaque: h.opaque},
		Keys: p.req.Keys[:0],
	}
	if err := p.shape(v, &h); err != nil {
		return nil, headerSize, err
	}
	p.req.Quiet = h.opcode != v.packet.code
	p.req.Params = v.canon.params
	head := headerSize + int(h.extras+h.key)
	if len(buf) < head {
		return nil, 0, ErrShort
	}
	if err := p.fields(v, &h, buf[headerSize:head]); err != nil {
		return nil, head, err
	}
	if !v.takesBody() {
		return &p.req, head, nil
	}
	return p.body(buf, head)
}

// shape refuses a packet whose header is no good. What can be told of its body
// is skipped.
func (p *Parser) shape(v *Verb, h *header) error {
	switch {
	case h.extras+h.key > h.body:
		return p.refusePacket(codeUnknown, closing)
	case h.body > maxU31:
		return p.refusePacket(codeTooLarge, closing)
	case h.key > MaxKey:
		return p.refusePacket(codeInvalid, closing)
	case v == nil:
		return p.refusePacket(codeUnknown, h.body)
	case !v.packet.fits(h) || h.value() != 0 && !v.takesBody():
		return p.refusePacket(codeInvalid, closing)
	case v.Category == CatAuth && h.value() > MaxSASL:
		return p.refusePacket(codeAuth, closing)
	}
	return nil
}

// fits reports whether a header has the extras and the key it must have.
func (k *packet) fits(h *header) bool {
	if h.extras != int64(k.extras) && !(k.optional && h.extras == 0) {
		return false
	}
	return k.key == keyOptional || (h.key > 0) == (k.key == keyNeeded)
}

// fields reads extras and key of a packet of good shape.
func (p *Parser) fields(v *Verb, h *header, b []byte) error {
	p.req.size = int(h.value())
	key := b[h.extras:]
	if v.Access != 0 && !p.validKey(key) {
		return p.refusePacket(codeInvalid, h.value())
	}
	if h.key > 0 {
		p.req.Keys = append(p.req.Keys, key)
	}
	if h.cas != 0 && v.canon.word != "mg" { // to a read it means nothing
		p.req.CAS = h.cas
		p.req.Has |= HasCAS
	}
	p.rows = byWord["stats"]
	if c := v.packet.read(p, b[:h.extras]); c != codeOK {
		return p.refusePacket(c, h.value())
	}
	if v.Route == RouteKeys && v.takesBody() && p.tooLarge() {
		return p.refusePacket(codeTooLarge, h.value())
	}
	return nil
}

// refusePacket makes a refusal with a status. The next skip bytes are taken from
// the client unread; closing means they can't be known.
func (p *Parser) refusePacket(c code, skip int64) error {
	if skip > p.maxSwallow() {
		skip = closing
	}
	return p.refuse(string(appendCode(nil, &p.req.Form, nil, c)), int(skip))
}

func readNothing(*Parser, []byte) code { return codeOK }

func readExptime(p *Parser, extras []byte) code {
	p.req.Exptime = exptimeOf(extras)
	return codeOK
}

// exptimeOf reads an expiry. The binary dialect counts beyond what memcached's
// others can say: such a time, after 2038, becomes the last one that they can.
func exptimeOf(b []byte) int32 { return int32(min(binary.BigEndian.Uint32(b), maxU31)) }

// A store with a CAS id is a store if the item has it, whatever its opcode.
func readStore(p *Parser, extras []byte) code {
	p.req.Flags = binary.BigEndian.Uint32(extras)
	p.req.Exptime = exptimeOf(extras[4:])
	if p.req.Has&HasCAS != 0 {
		p.req.Mode = 0
	}
	return codeOK
}

// noVivify as the expiry of arithmetic means that a missing item is not made.
const noVivify = maxU32

func readArith(p *Parser, extras []byte) code {
	p.req.Delta = binary.BigEndian.Uint64(extras)
	if binary.BigEndian.Uint32(extras[16:]) == noVivify {
		return codeOK
	}
	p.req.Initial = binary.BigEndian.Uint64(extras[8:])
	p.req.Vivify = exptimeOf(extras[16:])
	p.req.Has |= HasInitial | HasVivify
	return codeOK
}

func readFlush(p *Parser, extras []byte) code {
	p.args = p.args[:0]
	if len(extras) > 0 && exptimeOf(extras) != 0 {
		p.req.Exptime = exptimeOf(extras)
		p.args = appendInt(p.args, int64(p.req.Exptime))
	}
	p.req.Args = p.args
	return codeOK
}

// readStat finds the row of the statistics that are asked for, so that a policy
// decides on the very words that go upstream. Of those that are never served
// memcached says that there are none.
func readStat(p *Parser, _ []byte) code {
	p.tok = append(p.tok[:0], nil)
	if len(p.req.Keys) > 0 {
		p.tok = append(p.tok, p.req.Keys[0])
		p.req.Keys = p.req.Keys[:0] // it is no key
	}
	for _, v := range p.rows {
		if v.Route == RouteKeyless && p.matchArgs(v.args) {
			p.req.Verb, p.req.Args = v, p.args
			return codeOK
		}
	}
	return codeNotFound
}

func readLogin(*Parser, []byte) code { return codeOK }
