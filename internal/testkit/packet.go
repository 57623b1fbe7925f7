package testkit

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Packet is one message of the binary dialect. Two packets are equal if, and
// only if, == says so.
type Packet struct {
	Reply    bool   // from a server: magic 0x81, not 0x80
	Op       Op     // what a reply answers
	DataType byte   // 0 in all that is well formed
	Status   uint16 // of a reply; a request has its vbucket here
	Opaque   uint32
	CAS      uint64
	Extras   string
	Key      string
	Value    string
}

// Lengths of a packet, in bytes.
const (
	headerSize    = 24
	maxPacketBody = 64 << 20 // more than any test sends
)

// The first byte of a packet.
const (
	magicRequest = 0x80
	magicReply   = 0x81
)

// Bytes returns the packet as it is sent, with the lengths it really has. A
// test of a malformed header changes them in the result, which is its own.
func (p Packet) Bytes() []byte {
	b := make([]byte, headerSize, headerSize+len(p.Extras)+len(p.Key)+len(p.Value))
	b[0], b[1] = magicRequest, byte(p.Op)
	if p.Reply {
		b[0] = magicReply
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(p.Key)))
	b[4], b[5] = byte(len(p.Extras)), p.DataType
	binary.BigEndian.PutUint16(b[6:], p.Status)
	binary.BigEndian.PutUint32(b[8:], uint32(cap(b)-headerSize))
	binary.BigEndian.PutUint32(b[12:], p.Opaque)
	binary.BigEndian.PutUint64(b[16:], p.CAS)
	return append(append(append(b, p.Extras...), p.Key...), p.Value...)
}

// ReadPacket reads one packet and nothing after it. The error is io.EOF only if
// nothing came at all.
func ReadPacket(r io.Reader) (Packet, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return Packet{}, err
	}
	if h[0] != magicRequest && h[0] != magicReply {
		return Packet{}, fmt.Errorf("testkit: no packet: %q", h)
	}
	key, extras := int(binary.BigEndian.Uint16(h[2:])), int(h[4])
	size := binary.BigEndian.Uint32(h[8:])
	if uint64(size) < uint64(key+extras) || size > maxPacketBody {
		return Packet{}, fmt.Errorf("testkit: lengths of a packet are wrong: %q", h)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return Packet{}, fmt.Errorf("testkit: packet is cut: %w", io.ErrUnexpectedEOF)
	}
	return Packet{
		Reply: h[0] == magicReply, Op: Op(h[1]), DataType: h[5],
		Status: binary.BigEndian.Uint16(h[6:]),
		Opaque: binary.BigEndian.Uint32(h[12:]),
		CAS:    binary.BigEndian.Uint64(h[16:]),
		Extras: string(body[:extras]),
		Key:    string(body[extras : extras+key]),
		Value:  string(body[extras+key:]),
	}, nil
}

// String returns the packet as a script writes it, without the "bin" in front.
// What is 0 or empty is left out, but for a request's extras, since those that
// are left out are not empty.
func (p Packet) String() string {
	out := p.Op.String()
	number := func(name string, n uint64) {
		if n != 0 {
			out += fmt.Sprintf(" %s=%d", name, n)
		}
	}
	text := func(name, text string) {
		if text != "" {
			out += " " + name + "=" + written(text)
		}
	}
	if p.Reply {
		out += fmt.Sprintf(" status=%#x", p.Status)
	} else {
		number("vbucket", uint64(p.Status))
	}
	text("key", p.Key)
	switch {
	case p.Reply && len(p.Extras) == 4:
		out += fmt.Sprintf(" flags=%d", binary.BigEndian.Uint32([]byte(p.Extras)))
	case !p.Reply && p.Extras == "":
		out += " extras="
	default:
		text("extras", p.Extras)
	}
	text("value", p.Value)
	number("opaque", uint64(p.Opaque))
	number("cas", p.CAS)
	number("datatype", uint64(p.DataType))
	return out
}

// written is text as a field of a script: bare if nothing in it could be taken
// for anything else. A brace would be taken for the start of {{text*n}}.
func written(text string) string {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"*{`, r) }
	if !strings.ContainsFunc(text, odd) && !strings.HasPrefix(text, hexPrefix) {
		return text
	}
	return strings.ReplaceAll(strconv.Quote(text), "{", `\x7b`)
}
