package protocol

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// noop is a packet that does nothing, and is in no other packet.
var noop = pack(0x0a, packetParts{opaque: 0xfeedface})

// packetParts are what a packet of a client is made of.
type packetParts struct {
	extras, key, value string
	opaque             uint32
	cas                uint64
	marks              bool // data type and vbucket are set, which mean nothing
}

// pack makes a packet of a client, as doc/protocol-binary.txt has it.
func pack(opcode byte, p packetParts) []byte {
	b := []byte{0x80, opcode}
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.key)))
	if p.marks {
		b = append(b, byte(len(p.extras)), 1, 0xab, 0xcd)
	} else {
		b = append(b, byte(len(p.extras)), 0, 0, 0)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(p.extras)+len(p.key)+len(p.value)))
	b = binary.BigEndian.AppendUint32(b, p.opaque)
	b = binary.BigEndian.AppendUint64(b, p.cas)
	return append(b, p.extras+p.key+p.value...)
}

// bytesOf is numbers as extras: each is 32 bits, or 64 if it is a uint64.
func bytesOf(numbers ...any) string {
	var b []byte
	for _, n := range numbers {
		switch n := n.(type) {
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(n))
		case uint64:
			b = binary.BigEndian.AppendUint64(b, n)
		}
	}
	return string(b)
}

// answerPacket is a reply taken apart.
type answerPacket struct {
	opcode             byte
	status             uint16
	opaque             uint32
	cas                uint64
	extras, key, value string
}

// packetSize is the size of the first packet in b, or 0 if that is not all there.
func packetSize(b []byte) int {
	if len(b) < 24 {
		return 0
	}
	n := 24 + int(binary.BigEndian.Uint32(b[8:]))
	if len(b) < n {
		return 0
	}
	return n
}

// packetOf takes the first packet in b apart. A packet that is none shows as one
// with the status 0xffff.
func packetOf(b []byte) answerPacket {
	n := packetSize(b)
	if n == 0 || b[0] != 0x81 || b[5] != 0 {
		return answerPacket{status: 0xffff, value: fmt.Sprintf("%q", b)}
	}
	key, extras := int(binary.BigEndian.Uint16(b[2:])), int(b[4])
	if 24+extras+key > n {
		return answerPacket{status: 0xffff, value: fmt.Sprintf("%q", b)}
	}
	return answerPacket{
		opcode: b[1], status: binary.BigEndian.Uint16(b[6:]),
		opaque: binary.BigEndian.Uint32(b[12:]), cas: binary.BigEndian.Uint64(b[16:]),
		extras: string(b[24 : 24+extras]), key: string(b[24+extras : 24+extras+key]), value: string(b[24+extras+key : n]),
	}
}

// packetsOf takes every packet in b apart.
func packetsOf(b []byte) []answerPacket {
	var all []answerPacket
	for len(b) > 0 {
		all = append(all, packetOf(b))
		n := packetSize(b)
		if n == 0 {
			return all
		}
		b = b[n:]
	}
	return all
}

// show is packets in words.
func show(b []byte) string {
	var out []string
	for _, p := range packetsOf(b) {
		out = append(out, fmt.Sprintf("%#02x: status %#02x, opaque %d, CAS id %d, %.20q %.20q %.60q", p.opcode, p.status, p.opaque, p.cas, p.extras, p.key, p.value))
	}
	return strings.Join(out, "; ")
}
