package protocol

import (
	"encoding/binary"
	"strings"
)

// Command is one command about one key, as it goes to memcached. Its slices are
// the caller's and are only read while it is composed and answered.
type Command struct {
	Verb    *Verb
	Key     []byte // ValidKey
	Value   []byte
	Flags   uint32
	Exptime int32
	Delta   uint64
	CAS     uint64
}

// Command returns the request's command about its i-th key.
func (r *Request) Command(i int) Command {
	return Command{
		Verb: r.Verb, Key: r.Keys[i], Value: r.Value,
		Flags: r.Flags, Exptime: r.Exptime, Delta: r.Delta, CAS: r.CAS,
	}
}

// Request returns the request about one key that would make this command, for a
// decision to be made anew.
func (c *Command) Request() *Request {
	return &Request{Verb: c.Verb, Keys: [][]byte{c.Key}, Value: c.Value, Flags: c.Flags, Exptime: c.Exptime, Delta: c.Delta, CAS: c.CAS}
}

// canon is a command's canonical form upstream, in both dialects.
type canon struct {
	word    string // meta command
	flags   string // meta flags that are always there, each with a space before it
	classic string // classic command
	fields  fields
}

// fields say which parts of a Command its canonical form carries.
type fields uint8

const (
	hasValue fields = 1 << iota // client flags, expiry, length and a data block; all that a refused command's row says
	hasExptime
	hasCAS
	hasDelta
)

// Meta flags that ask for something to be returned, as canon.flags has them.
const (
	askFlags = " f"
	askCAS   = " c"
	askValue = " v"
)

// asks reports whether the command's meta form has one of those flags.
func (v *Verb) asks(flag string) bool { return strings.Contains(v.canon.flags, flag) }

// Idempotent reports whether the command may be sent again if its reply was
// thrown away: it reads, or sets an expiry to a given point.
func (c *Command) Idempotent() bool { return c.Verb.canon.word == "mg" }

// AppendMeta appends c as one meta command (doc/protocol.txt, "Meta Commands"):
// loud, with opaque as its only token for matching the reply, and with nothing
// in it that a client chose but key, value and range-checked numbers.
func AppendMeta(dst []byte, c *Command, opaque uint64) []byte {
	f := &c.Verb.canon
	dst = append(append(dst, f.word...), ' ')
	dst = append(dst, c.Key...)
	if f.fields&hasValue != 0 {
		dst = appendUint(append(dst, ' '), uint64(len(c.Value)))
	}
	dst = append(dst, f.flags...)
	if f.fields&hasValue != 0 && c.Flags != 0 {
		dst = appendUint(append(dst, " F"...), uint64(c.Flags))
	}
	if c.carriesExptime() {
		dst = appendInt(append(dst, " T"...), int64(c.Exptime))
	}
	if f.fields&hasCAS != 0 {
		dst = appendUint(append(dst, " C"...), c.CAS)
	}
	if f.fields&hasDelta != 0 {
		dst = appendUint(append(dst, " D"...), c.Delta)
	}
	dst = appendOpaque(append(dst, " O"...), opaque)
	dst = append(dst, crlf...)
	return c.appendValue(dst)
}

// carriesExptime reports whether the meta form needs a T flag. A store that
// never expires needs none; a touch with 0 does.
func (c *Command) carriesExptime() bool {
	f := c.Verb.canon.fields
	return f&hasExptime != 0 || f&hasValue != 0 && c.Exptime != 0
}

// AppendClassic appends c as canonical classic text, for memcached older than
// the meta dialect.
func AppendClassic(dst []byte, c *Command) []byte {
	f := &c.Verb.canon
	dst = append(append(dst, f.classic...), ' ')
	if f.fields&hasExptime != 0 && c.Verb.asks(askValue) { // gat names the expiry before the key
		dst = append(appendInt(dst, int64(c.Exptime)), ' ')
	}
	dst = append(dst, c.Key...)
	if f.fields&hasExptime != 0 && !c.Verb.asks(askValue) {
		dst = appendInt(append(dst, ' '), int64(c.Exptime))
	}
	if f.fields&hasValue != 0 {
		dst = appendUint(append(dst, ' '), uint64(c.Flags))
		dst = appendInt(append(dst, ' '), int64(c.Exptime))
		dst = appendUint(append(dst, ' '), uint64(len(c.Value)))
	}
	if f.fields&hasCAS != 0 {
		dst = appendUint(append(dst, ' '), c.CAS)
	}
	if f.fields&hasDelta != 0 {
		dst = appendUint(append(dst, ' '), c.Delta)
	}
	dst = append(dst, crlf...)
	return c.appendValue(dst)
}

func (c *Command) appendValue(dst []byte) []byte {
	if c.Verb.canon.fields&hasValue == 0 {
		return dst
	}
	return append(append(dst, c.Value...), crlf...)
}

// AppendKeyless appends a command about no key, canonically.
func AppendKeyless(dst []byte, r *Request) []byte {
	dst = append(dst, r.Verb.word...)
	if len(r.Args) > 0 {
		dst = append(append(dst, ' '), r.Args...)
	}
	return append(dst, crlf...)
}

const hexDigits = "0123456789abcdef"

// opaqueLen is the length of an opaque on the wire: always the same, so that a
// cut or lengthened one never matches. memcached allows 31 bytes.
const opaqueLen = 16

func appendOpaque(dst []byte, v uint64) []byte {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], v)
	for _, b := range raw {
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return dst
}

func parseOpaque(tok []byte) (v uint64, ok bool) {
	if len(tok) != opaqueLen {
		return 0, false
	}
	for _, c := range tok {
		var d byte
		switch {
		case c >= '0' && c <= '9':
			d = c - '0'
		case c >= 'a' && c <= 'f':
			d = c - 'a' + 10
		default:
			return 0, false
		}
		v = v<<4 | uint64(d)
	}
	return v, true
}
