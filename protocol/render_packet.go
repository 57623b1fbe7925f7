package protocol

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// magicReply is the first byte of every reply of the binary dialect.
const magicReply = 0x81

// code is the status of a packet (doc/protocol-binary.txt, "Response Status").
type code uint16

const (
	codeOK        code = 0x00
	codeNotFound  code = 0x01
	codeExists    code = 0x02
	codeTooLarge  code = 0x03
	codeInvalid   code = 0x04
	codeNotStored code = 0x05
	codeNonNumber code = 0x06
	codeAuth      code = 0x20
	codeContinue  code = 0x21
	codeUnknown   code = 0x81
	codeNoMemory  code = 0x82
	codeInternal  code = 0x84
	codeBusy      code = 0x85
)

// codeTexts are the values of packets with these statuses, in memcached's words
// where it has them.
var codeTexts = map[code]string{
	codeNotFound:  "Not found",
	codeExists:    "Data exists for key.",
	codeTooLarge:  "Too large.",
	codeInvalid:   "Invalid arguments",
	codeNotStored: "Not stored.",
	codeNonNumber: "Non-numeric server-side value for incr or decr",
	codeAuth:      "Auth failure.",
	codeUnknown:   "Unknown command",
	codeNoMemory:  "Out of memory",
	codeInternal:  "Upstream failed.",
	codeBusy:      "Upstream busy.",
}

// packetStatus is how a status is said in a packet.
type packetStatus struct {
	code code
	text string // if it is not that of the code
}

// packetStatuses are those of every status, unless a row knows better.
//
// A denial, by a limit too, is said with the one status that every common client takes for an
// error of its request and for no fault of the connection, docs/clients.md: some
// drop a connection, or a server, on a status that they don't know or take for
// serious, and log in anew for the next request.
var packetStatuses = [statusCount]packetStatus{
	StatusNone:            {codeInternal, ""},
	StatusMiss:            {codeNotFound, ""},
	StatusNotFound:        {codeNotFound, ""},
	StatusNotStored:       {codeNotStored, ""},
	StatusExists:          {codeExists, ""},
	StatusNonNumeric:      {codeNonNumber, ""},
	StatusTooLarge:        {codeTooLarge, ""},
	StatusNoMemory:        {codeNoMemory, ""},
	StatusRefused:         {codeInternal, ""},
	StatusLost:            {codeInternal, ""},
	StatusDown:            {codeInternal, ""},
	StatusDropped:         {codeTooLarge, ""},
	StatusBusy:            {codeBusy, ""},
	StatusUnfit:           {codeUnknown, ""},
	StatusDenied:          {codeTooLarge, "Access denied."},
	StatusInvalid:         {codeInvalid, ""},
	StatusUnauthenticated: {codeAuth, ""},
	StatusLimitRate:       {codeTooLarge, textOf(LimitRate)},
	StatusLimitBytes:      {codeTooLarge, textOf(LimitBytes)},
	StatusLimitInFlight:   {codeTooLarge, textOf(LimitInFlight)},
	StatusLimitValue:      {codeTooLarge, textOf(LimitValue)},
	StatusLimitTTL:        {codeTooLarge, textOf(LimitTTL)},
	StatusLimitKeys:       {codeTooLarge, textOf(LimitKeys)},
	StatusLimitConns:      {codeTooLarge, textOf(LimitConns)},
	StatusFrozen:          {codeTooLarge, textOf(Frozen)},
}

// textOf is what a line of the ASCII dialects says behind its first word.
func textOf(line string) string {
	_, text, _ := strings.Cut(strings.TrimSuffix(line, crlf), " ")
	return text
}

// packetRenderer writes the replies of the binary dialect.
var packetRenderer = renderer{
	head:    packetHead,
	answer:  packetAnswer,
	failure: packetFailure,
	alone:   packetAlone,
	version: func(dst []byte, f *Form, version string) []byte {
		return append(appendHeader(dst, f, codeOK, sizes{value: len(version)}, 0), version...)
	},
	noOp: appendDone,
	quit: appendDone,
}

// sizes are those of a packet's parts, in bytes.
type sizes struct{ extras, key, value int }

// appendHeader appends the header of a reply.
func appendHeader(dst []byte, f *Form, c code, n sizes, cas uint64) []byte {
	dst = append(dst, magicReply, f.opcode)
	dst = binary.BigEndian.AppendUint16(dst, uint16(n.key))
	dst = append(dst, byte(n.extras), 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(c))
	dst = binary.BigEndian.AppendUint32(dst, uint32(n.extras+n.key+n.value))
	dst = binary.BigEndian.AppendUint32(dst, f.opaque)
	return binary.BigEndian.AppendUint64(dst, cas)
}

// appendDone appends a reply that says no more than that it is done.
func appendDone(dst []byte, f *Form) []byte { return appendHeader(dst, f, codeOK, sizes{}, 0) }

// appendCode appends a reply with a status and its text. One that repeats the
// key, where nothing was found, has the key and no text.
func appendCode(dst []byte, f *Form, key []byte, c code) []byte {
	if c == codeNotFound && key != nil && f.Verb.packet.echo {
		return append(appendHeader(dst, f, c, sizes{key: len(key)}, 0), key...)
	}
	return appendText(dst, f, c, codeTexts[c])
}

func appendText(dst []byte, f *Form, c code, text string) []byte {
	return append(appendHeader(dst, f, c, sizes{value: len(text)}, 0), text...)
}

func packetFailure(dst []byte, f *Form, s Status) []byte {
	p := packetStatuses[s]
	if p.text == "" {
		p.text = codeTexts[p.code]
	}
	return appendText(dst, f, p.code, p.text)
}

// flagsSize is the size of the extras that carry client flags, in bytes.
const flagsSize = 4

// packetHead appends header, extras and, if it is repeated, key.
func packetHead(dst []byte, f *Form, key []byte, r *Reply) []byte {
	if !f.Verb.packet.echo {
		key = nil
	}
	dst = appendHeader(dst, f, codeOK, sizes{flagsSize, len(key), r.Size}, r.CAS)
	dst = binary.BigEndian.AppendUint32(dst, r.Flags)
	return append(dst, key...)
}

func packetAnswer(dst []byte, f *Form, key []byte, r *Reply) []byte {
	switch {
	case r.Status == StatusNumber:
		dst = appendHeader(dst, f, codeOK, sizes{value: 8}, r.CAS)
		return binary.BigEndian.AppendUint64(dst, r.Number)
	case r.Status == StatusOK && f.Verb.canon.params.Ask&AskFlags != 0:
		return packetHead(dst, f, key, r)
	case r.Status == StatusOK:
		return appendHeader(dst, f, codeOK, sizes{}, r.CAS)
	case r.Status == StatusNotStored && f.Verb.packet.notStored != codeOK:
		return appendCode(dst, f, key, f.Verb.packet.notStored)
	}
	return appendCode(dst, f, key, packetStatuses[r.Status].code)
}

// packetAlone turns lines into packets: each statistic is one, and so is their
// end. A line that refuses becomes a status.
func packetAlone(dst []byte, r *Request, lines []byte) []byte {
	f := &r.Form
	for line := range bytes.Lines(lines) {
		if name, value, ok := ParseStat(line); ok {
			dst = appendHeader(dst, f, codeOK, sizes{key: len(name), value: len(value)}, 0)
			dst = append(append(dst, name...), value...)
			continue
		}
		if c := lineCode(line); c != codeOK {
			return appendCode(dst, f, nil, c)
		}
	}
	if f.Silent(StatusOK) {
		return dst
	}
	return appendDone(dst, f)
}

// lineCodes are the codes of lines that refuse a command about no key.
var lineCodes = map[string]code{
	"ERROR": codeNotFound, "CLIENT_ERROR": codeAuth, "SERVER_ERROR": codeInternal,
}

// lineCode returns what a line is as a status: memcached that is told not to
// flush says so to one dialect in words and to the other with a status.
func lineCode(line []byte) code {
	word, _, _ := bytes.Cut(bytes.TrimRight(line, crlf), []byte(" "))
	return lineCodes[string(word)]
}

// AppendMechs appends the answer to a client that asks for mechanisms, which
// are separated by spaces.
func (f *Form) AppendMechs(dst []byte, mechs string) []byte {
	return append(appendHeader(dst, f, codeOK, sizes{value: len(mechs)}, 0), mechs...)
}

// authenticated is what memcached says to a client that has logged in.
const authenticated = "Authenticated"

// AppendAuthenticated appends the answer to the last message of a login.
func (f *Form) AppendAuthenticated(dst []byte) []byte {
	return append(appendHeader(dst, f, codeOK, sizes{value: len(authenticated)}, 0), authenticated...)
}

// AppendChallenge appends the answer to a message of a login that another must
// follow.
func (f *Form) AppendChallenge(dst, challenge []byte) []byte {
	return append(appendHeader(dst, f, codeContinue, sizes{value: len(challenge)}, 0), challenge...)
}
