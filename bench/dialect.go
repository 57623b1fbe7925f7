package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// batch is what a client sends in one write and, byte for byte, what it must get
// for it. Batches are composed before the measurement and shared by all clients.
type batch struct {
	out, want []byte
	cas       []int // places in want where the server puts eight bytes of its own choice
	requests  int
}

// dialect is one of memcached's three, by what it appends to a batch.
type dialect struct {
	set, get func(b *batch, key int, value []byte)
	many     func(b *batch, keys []int, value func(int) []byte)
}

var (
	classic = dialect{set: classicSet, get: classicGet, many: classicMany}
	meta    = dialect{set: metaSet, get: metaGet, many: metaMany}
	packets = dialect{set: packetSet, get: packetGet, many: packetMany}
)

// send and hope append to what is sent and to what must come.
func (b *batch) send(format string, args ...any) { b.out = fmt.Appendf(b.out, format, args...) }
func (b *batch) hope(format string, args ...any) { b.want = fmt.Appendf(b.want, format, args...) }

func classicSet(b *batch, key int, value []byte) {
	b.send("set app:%d 0 0 %d\r\n%s\r\n", key, len(value), value)
	b.hope("STORED\r\n")
}

func classicGet(b *batch, key int, value []byte) {
	b.send("get app:%d\r\n", key)
	b.hope("VALUE app:%d 0 %d\r\n%s\r\nEND\r\n", key, len(value), value)
}

func classicMany(b *batch, keys []int, value func(int) []byte) {
	b.send("get")
	for _, k := range keys {
		v := value(k)
		b.send(" app:%d", k)
		b.hope("VALUE app:%d 0 %d\r\n%s\r\n", k, len(v), v)
	}
	b.send("\r\n")
	b.hope("END\r\n")
}

func metaSet(b *batch, key int, value []byte) {
	b.send("ms app:%d %d\r\n%s\r\n", key, len(value), value)
	b.hope("HD\r\n")
}

func metaGet(b *batch, key int, value []byte) {
	b.send("mg app:%d k f v\r\n", key)
	b.hope("VA %d kapp:%d f0\r\n%s\r\n", len(value), key, value)
}

func metaMany(b *batch, keys []int, value func(int) []byte) {
	for _, k := range keys {
		v := value(k)
		b.send("mg app:%d k f v q\r\n", k)
		b.hope("VA %d kapp:%d f0\r\n%s\r\n", len(v), k, v)
	}
	b.send("mn\r\n")
	b.hope("MN\r\n")
}

// Opcodes and sizes of the binary dialect.
const (
	opGet, opSet, opNoop, opGetKQ, opSASLAuth = 0x00, 0x01, 0x0a, 0x0d, 0x21

	packetHeader = 24
	casOffset    = 16
	storeExtras  = 8 // flags and expiry
	valueExtras  = 4 // flags
)

// packet is one request or response. CAS is zero.
type packet struct {
	magic, op  byte
	extras     int // bytes, all zero
	key, value []byte
	opaque     uint32
	status     uint16
}

// appendTo appends the packet as it is on the wire.
func (p packet) appendTo(to []byte) []byte {
	body := p.extras + len(p.key) + len(p.value)
	to = append(to, p.magic, p.op)
	to = binary.BigEndian.AppendUint16(to, uint16(len(p.key)))
	to = append(to, byte(p.extras), 0)
	to = binary.BigEndian.AppendUint16(to, p.status)
	to = binary.BigEndian.AppendUint32(to, uint32(body))
	to = binary.BigEndian.AppendUint32(to, p.opaque)
	to = append(to, make([]byte, packetHeader-casOffset+p.extras)...)
	return append(append(to, p.key...), p.value...)
}

const magicRequest, magicResponse = 0x80, 0x81

// exchange appends a request and its response; the opaque tells responses apart.
func (b *batch) exchange(request, response packet) {
	request.magic, response.magic = magicRequest, magicResponse
	request.opaque = uint32(len(b.out))
	response.op, response.opaque = request.op, request.opaque
	b.out = request.appendTo(b.out)
	b.cas = append(b.cas, len(b.want)+casOffset)
	b.want = response.appendTo(b.want)
}

func packetKey(key int) []byte { return fmt.Appendf(nil, "app:%d", key) }

func packetSet(b *batch, key int, value []byte) {
	b.exchange(packet{op: opSet, extras: storeExtras, key: packetKey(key), value: value}, packet{})
}

func packetGet(b *batch, key int, value []byte) {
	b.exchange(packet{op: opGet, key: packetKey(key)}, packet{extras: valueExtras, value: value})
}

func packetMany(b *batch, keys []int, value func(int) []byte) {
	for _, k := range keys {
		b.exchange(packet{op: opGetKQ, key: packetKey(k)}, packet{extras: valueExtras, key: packetKey(k), value: value(k)})
	}
	b.exchange(packet{op: opNoop}, packet{})
}

// check compares what came with what was wanted. It overwrites the CAS values in
// got.
func (b *batch) check(got []byte) error {
	for _, at := range b.cas {
		clear(got[at : at+8])
	}
	if bytes.Equal(got, b.want) {
		return nil
	}
	at := 0
	for at < len(got) && got[at] == b.want[at] {
		at++
	}
	from := max(0, at-20)
	return fmt.Errorf("bench: got %.60q, want %.60q, at byte %d of a reply", got[from:], b.want[from:], from)
}
