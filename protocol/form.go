package protocol

import "bytes"

// Dialect is the language a client speaks. The first byte of its connection
// tells: see [DialectOf].
type Dialect uint8

const (
	ASCII  Dialect = iota // classic and meta commands, line by line
	Binary                // packets

	dialectCount
)

// String is the word for d in logs and metrics.
func (d Dialect) String() string { return [dialectCount]string{"ascii", "binary"}[d] }

// magicRequest is the first byte of every request of the binary dialect.
const magicRequest = 0x80

// DialectOf returns the dialect of a client whose first byte this is, and false
// if it is of none: no line of the ASCII dialects begins with a control byte or
// one beyond ASCII.
func DialectOf(first byte) (Dialect, bool) {
	if first == magicRequest {
		return Binary, true
	}
	return ASCII, first >= ' ' && first <= '~' || first == '\r' || first == '\n'
}

// Form is how a client put its request: what the answer must repeat, and what it
// leaves out. Its slice points into the buffer the request was parsed from.
type Form struct {
	Verb    *Verb
	Dialect Dialect
	NoReply bool // noreply: no answer, not even to an error
	Quiet   bool // no answer to what the client expects: see Verb.quiet

	opcode  byte    // of a packet
	opaque  uint32  // of a packet
	base64  bool    // the key was given as base64
	returns letters // flags of a meta command that its reply repeats, in the client's order
	token   []byte  // opaque of a meta command
}

// Silent reports whether a reply with this status is one the client does not
// want to see.
func (f *Form) Silent(s Status) bool {
	return f.NoReply || f.Quiet && f.Verb.quiet.has(s)
}

// letters are flags of a meta line, each of them once.
type letters struct {
	list [10]byte // no command has more flags that its reply repeats
	n    uint8
}

func (l *letters) add(flag byte) {
	l.list[l.n] = flag
	l.n++
}

// all returns the flags in the order in which they were added.
func (l *letters) all() []byte { return l.list[:l.n] }

func (l *letters) has(flag byte) bool { return bytes.IndexByte(l.all(), flag) >= 0 }
