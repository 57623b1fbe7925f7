package testkit

import (
	"encoding/binary"
	"strconv"
)

// Statuses of the binary dialect.
const (
	statusOK          = 0x00
	statusNotFound    = 0x01
	statusExists      = 0x02
	statusTooLarge    = 0x03
	statusNotStored   = 0x05
	statusNonNumeric  = 0x06
	neverCreate       = 0xffffffff // expiry of an increment that creates nothing
	incrementExpiryAt = 16
)

// failures are the values of the replies that say no.
var failures = map[uint16]string{
	statusNotFound:   "Not found",
	statusExists:     "Data exists for key.",
	statusTooLarge:   "Too large.",
	statusNotStored:  "Not stored.",
	statusNonNumeric: "Non-numeric server-side value for incr or decr",
}

func failure(status uint16) Packet { return Packet{Status: status, Value: failures[status]} }

// packetStatuses is how the binary dialect calls each outcome. What REPLACE and
// ADD call the outcome that nothing was stored is in notStoredAs.
var packetStatuses = map[outcome]uint16{
	stored: statusOK, exists: statusExists, notFound: statusNotFound,
	notStored: statusNotStored, tooLarge: statusTooLarge, notNumber: statusNonNumeric,
}

var notStoredAs = map[Op]uint16{OpAdd: statusExists, OpReplace: statusNotFound}

// loudForms gives each quiet opcode the one that is always answered.
var loudForms = map[Op]Op{
	OpGetQ: OpGet, OpGetKQ: OpGetK, OpGATQ: OpGAT, OpGATKQ: OpGATK,
	OpSetQ: OpSet, OpAddQ: OpAdd, OpReplaceQ: OpReplace, OpAppendQ: OpAppend, OpPrependQ: OpPrepend,
	OpDeleteQ: OpDelete, OpIncrementQ: OpIncrement, OpDecrementQ: OpDecrement,
}

// packetRuns carry out the opcodes; the reply lacks opcode and opaque.
var packetRuns = map[Op]func(*Model, Packet) Packet{
	OpGet: packetRead, OpGetK: packetRead, OpGAT: packetRead, OpGATK: packetRead, OpTouch: packetRead,
	OpSet: packetStore, OpAdd: packetStore, OpReplace: packetStore, OpAppend: packetStore, OpPrepend: packetStore,
	OpDelete: packetDelete, OpIncrement: packetDelta, OpDecrement: packetDelta,
	OpNoop:    func(*Model, Packet) Packet { return Packet{} },
	OpVersion: func(m *Model, _ Packet) Packet { return Packet{Value: m.store.version} },
}

// answerPacket is Answer in the binary dialect. A quiet read is silent about a
// miss, another quiet request about success.
func (m *Model) answerPacket(req Packet) []byte {
	p, silent := req, uint16(statusOK)
	loud, quiet := loudForms[req.Op]
	if quiet {
		p.Op = loud
	}
	if p.reads() {
		silent = statusNotFound
	}
	reply := packetRuns[p.Op](m, p)
	if quiet && reply.Status == silent {
		return nil
	}
	reply.Reply, reply.Op, reply.Opaque = true, req.Op, req.Opaque
	return reply.Bytes()
}

// reads reports whether a loud request returns an item's value.
func (p Packet) reads() bool {
	return p.Op == OpGet || p.Op == OpGetK || p.Op == OpGAT || p.Op == OpGATK
}

// echoes reports whether the reply to a loud request holds the key.
func (p Packet) echoes() bool { return p.Op == OpGetK || p.Op == OpGATK }

// number reads the big-endian number of size bytes at an offset of the extras.
func (p Packet) number(at, size int) uint64 {
	var wide [8]byte
	copy(wide[8-size:], p.Extras[at:at+size])
	return binary.BigEndian.Uint64(wide[:])
}

// packetRead is GET and its kin, and TOUCH, which returns no value.
func packetRead(m *Model, p Packet) Packet {
	it := m.store.fetch(p.Key)
	if it == nil && p.echoes() {
		return Packet{Status: statusNotFound, Key: p.Key}
	}
	if it == nil {
		return failure(statusNotFound)
	}
	if p.Extras != "" {
		it.expires = m.store.expiry(int64(p.number(0, 4)))
	}
	if m.MetaReads {
		it.promise(false)
	}
	reply := Packet{CAS: it.cas, Extras: string(binary.BigEndian.AppendUint32(nil, it.flags))}
	if p.reads() {
		reply.Value = string(it.value)
	}
	if p.echoes() {
		reply.Key = p.Key
	}
	return reply
}

// packetModes translates the opcodes of stores.
var packetModes = map[Op]string{OpSet: "S", OpAdd: "E", OpReplace: "R", OpAppend: "A", OpPrepend: "P"}

// packetStore is SET and its kin. With a CAS id all but APPEND and PREPEND are
// the same command, which replaces just that item.
func packetStore(m *Model, p Packet) Packet {
	put := put{key: p.Key, value: []byte(p.Value), mode: packetModes[p.Op], cas: p.CAS, compare: p.CAS != 0}
	if p.Extras != "" {
		put.flags, put.exp = uint32(p.number(0, 4)), int64(p.number(4, 4))
		if put.compare {
			put.mode = "S"
		}
	}
	it, how := m.store.put(put)
	if how == stored {
		return Packet{CAS: it.cas}
	}
	if how == tooLarge && p.Op == OpSet {
		delete(m.store.items, p.Key)
	}
	if status, ok := notStoredAs[p.Op]; ok && how == notStored {
		return failure(status)
	}
	return failure(packetStatuses[how])
}

func packetDelete(m *Model, p Packet) Packet {
	it := m.store.find(p.Key)
	if it == nil {
		return failure(statusNotFound)
	}
	if p.CAS != 0 && p.CAS != it.cas {
		return failure(statusExists)
	}
	delete(m.store.items, p.Key)
	return Packet{}
}

func packetDelta(m *Model, p Packet) Packet {
	it, how := m.store.find(p.Key), stored
	expiry := p.number(incrementExpiryAt, 4)
	if it == nil && expiry == neverCreate {
		return failure(statusNotFound)
	}
	if it == nil {
		it = m.store.newNumber(p.Key, p.number(8, 8))
		it.expires = m.store.expiry(int64(expiry))
	} else {
		how = m.store.add(it, p.number(0, 8), p.Op == OpDecrement, p.CAS)
	}
	if how != stored {
		return failure(packetStatuses[how])
	}
	n, _ := strconv.ParseUint(string(it.value), 10, 64)
	return Packet{CAS: it.cas, Value: string(binary.BigEndian.AppendUint64(nil, n))}
}
