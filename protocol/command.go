package protocol

import "encoding/binary"

// Command is one command about one key, as it goes to memcached. Its slices are
// the caller's and are only read while it is composed and answered.
//
// The item is called Prefix and then Key, which together must be a [ValidKey].
// The client knows it by Key alone.
type Command struct {
	Verb *Verb
	Params
	Prefix []byte // what memcached has before the key, or nothing
	Hashed bool   // the key is not written: Prefix ends in what stands for it
	Key    []byte // the client's own
	Value  []byte
}

// Command returns the verb's plainest command about a key: its caller adds what
// else it is to say. The verb must be one of [RouteKeys].
func (v *Verb) Command(key []byte) Command {
	return Command{Verb: v, Params: v.canon.params, Key: key}
}

// Command returns the request's command about its i-th key.
func (r *Request) Command(i int) Command {
	return Command{Verb: r.Verb, Params: r.Params, Prefix: r.Prefix, Hashed: r.Hashed, Key: r.Keys[i], Value: r.Value}
}

// Request returns the request about one key that would make this command, for a
// decision to be made anew.
func (c *Command) Request() *Request {
	return &Request{
		Form: Form{Verb: c.Verb}, Params: c.Params, Prefix: c.Prefix, Hashed: c.Hashed, Keys: [][]byte{c.Key}, Value: c.Value,
	}
}

// appendItem appends what memcached calls the item that its client calls key.
func appendItem(dst, prefix, key []byte, hashed bool) []byte {
	dst = append(dst, prefix...)
	if hashed {
		return dst
	}
	return append(dst, key...)
}

// canon is a command's canonical form upstream, in both dialects.
type canon struct {
	word    string // meta command
	classic string // classic command; empty if there is more than one: see Command.classic
	value   bool   // a data block follows, also if the command is refused
	params  Params // what every request has; its own are added
}

// Idempotent reports whether the command may be sent again if its reply was
// thrown away: it reads, or sets an expiry to a given point.
func (c *Command) Idempotent() bool {
	return c.Verb.canon.word == "mg" && c.Has&(HasVivify|HasRecache|HasNewCAS) == 0
}

// GoesFirst reports whether the command has to be the first of what is sent at
// once, so that what it sets holds whatever else is asked about its key.
func (c *Command) GoesFirst() bool { return c.Verb.canon.word == "ma" && c.Has&HasExptime != 0 }

// FetchesValue reports whether the reply carries the item's value if there is
// one.
func (c *Command) FetchesValue() bool { return c.Verb.canon.word == "mg" && c.Ask&AskValue != 0 }

// askLetters are the meta flags that ask for something, in canonical order.
var askLetters = []struct {
	ask  Ask
	flag string
}{
	{AskFlags, " f"}, {AskCAS, " c"}, {AskHit, " h"}, {AskAccess, " l"}, {AskSize, " s"}, {AskValue, " v"},
}

// partLetters are the other meta flags, in canonical order, with the number that
// stands behind each.
var partLetters = []struct {
	has    Part
	flag   string
	number func(dst []byte, p *Params) []byte // nil if there is none
}{
	{HasCAS, " C", func(dst []byte, p *Params) []byte { return appendUint(dst, p.CAS) }},
	{HasDelta, " D", func(dst []byte, p *Params) []byte { return appendUint(dst, p.Delta) }},
	{HasNewCAS, " E", func(dst []byte, p *Params) []byte { return appendUint(dst, p.NewCAS) }},
	{HasInitial, " J", func(dst []byte, p *Params) []byte { return appendUint(dst, p.Initial) }},
	{Invalidates, " I", nil},
	{KeepsPlace, " u", nil},
	{DropsValue, " x", nil},
}

// AppendMeta appends c as one meta command (doc/protocol.txt, "Meta Commands"):
// loud, with opaque as its only token for matching the reply, and with nothing
// in it that a client chose but key, value and range-checked numbers.
func AppendMeta(dst []byte, c *Command, opaque uint64) []byte {
	dst = append(append(dst, c.Verb.canon.word...), ' ')
	dst = appendItem(dst, c.Prefix, c.Key, c.Hashed)
	if c.Verb.canon.value {
		dst = appendUint(append(dst, ' '), uint64(len(c.Value)))
	}
	for i := range askLetters {
		if c.Ask&askLetters[i].ask != 0 {
			dst = append(dst, askLetters[i].flag...)
		}
	}
	if c.Mode != 0 {
		dst = append(dst, ' ', 'M', c.Mode)
	}
	if c.Flags != 0 {
		dst = appendUint(append(dst, " F"...), uint64(c.Flags))
	}
	if c.Has&^HasExptime != 0 {
		dst = appendParts(dst, &c.Params)
	}
	dst = c.appendOrdered(dst)
	dst = appendOpaque(append(dst, " O"...), opaque)
	dst = append(dst, crlf...)
	return c.appendValue(dst)
}

func appendParts(dst []byte, p *Params) []byte {
	for i := range partLetters {
		l := &partLetters[i]
		if p.Has&l.has == 0 {
			continue
		}
		dst = append(dst, l.flag...)
		if l.number != nil {
			dst = l.number(dst, p)
		}
	}
	return dst
}

// anyOrder is the order of the flags that memcached obeys one after the other,
// for a command that says each of them once and does not care.
var anyOrder = [...]byte{'N', 'T', 'R', 't'}

// appendOrdered appends the flags of which each sees what those before it did:
// the time that is left is told as it is when its turn comes.
func (c *Command) appendOrdered(dst []byte) []byte {
	order := c.Order
	if order == [4]byte{} {
		order = anyOrder
	}
	for _, flag := range order {
		switch {
		case flag == 'T' && c.carriesExptime():
			dst = appendInt(append(dst, " T"...), int64(c.Exptime))
		case flag == 'N' && c.Has&HasVivify != 0:
			dst = appendInt(append(dst, " N"...), int64(c.Vivify))
		case flag == 'R' && c.Has&HasRecache != 0:
			dst = appendInt(append(dst, " R"...), int64(c.Recache))
		case flag == 't' && c.Ask&AskTTL != 0:
			dst = append(dst, " t"...)
		}
	}
	return dst
}

// carriesExptime reports whether the meta form needs a T flag. A store that
// never expires needs none; a touch with 0 does.
func (c *Command) carriesExptime() bool {
	return c.Has&HasExptime != 0 && (c.Exptime != 0 || !c.Verb.canon.value)
}

func (c *Command) appendValue(dst []byte) []byte {
	if !c.Verb.canon.value {
		return dst
	}
	return append(append(dst, c.Value...), crlf...)
}

// AppendAlone appends a command that goes upstream alone, canonically. An unknown
// one has mn behind it.
func AppendAlone(dst []byte, r *Request) []byte {
	if r.Verb == Unknown {
		return append(append(append(dst, r.Args...), crlf...), askMN...)
	}
	dst = append(dst, r.Verb.upstreamWord()...)
	switch {
	case r.Verb.Access != 0: // its argument is a key
		dst = appendItem(append(dst, ' '), r.Prefix, r.Args, r.Hashed)
	case len(r.Args) > 0:
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
