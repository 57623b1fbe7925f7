package protocol

import (
	"encoding/binary"
	"testing"
)

// FuzzPacket checks for every header, and whatever follows it, what FuzzParser
// does, and that a connection that goes on does so where the packet ends.
func FuzzPacket(f *testing.F) {
	for op, s := range shapes() {
		p := s.parts()
		body := p.extras + p.key + p.value
		f.Add(op, uint16(len(p.key)), uint8(len(p.extras)), uint32(len(body)), uint64(op), []byte(body+string(noop)), uint64(op))
	}
	f.Add(byte(0x55), uint16(16), uint8(8), uint32(24), uint64(0), append(noop[:24:24], noop...), uint64(1))
	f.Add(byte(0x01), uint16(1), uint8(8), uint32(0xffffffff), uint64(0), []byte("12345678k"), uint64(2))
	f.Add(byte(0x10), uint16(5), uint8(0), uint32(5), uint64(0), []byte("items"), uint64(3))
	f.Fuzz(func(t *testing.T, op byte, key uint16, extras uint8, body uint32, cas uint64, rest []byte, seed uint64) {
		in := pack(op, packetParts{cas: cas, opaque: 7})
		binary.BigEndian.PutUint16(in[2:], key)
		in[4] = extras
		binary.BigEndian.PutUint32(in[8:], body)
		in = append(in, rest...)
		checkStream(t, parserRow{in: string(in), maxItem: 512}, seed)
		checkFirst(t, in, int64(body))
	})
}

// checkFirst: whether the first packet is served or refused, the next begins where
// its header says, or there is no next.
func checkFirst(t *testing.T, in []byte, body int64) {
	t.Helper()
	p := Parser{Dialect: Binary, MaxItem: 512}
	_, n, err := p.Next(in)
	if err == ErrShort || p.closed {
		return
	}
	if got := int64(n) + int64(p.skip); got != headerSize+body {
		t.Errorf("%q: the next packet is looked for at %d, want %d", in, got, headerSize+body)
	}
}
