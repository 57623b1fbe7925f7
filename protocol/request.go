package protocol

// Limits of a request, in bytes unless they say otherwise. They are memcached's
// own (doc/protocol.txt) where it has one, else slabgate's.
const (
	MaxKey     = 250       // a key, or its base64 form
	MaxLine    = 2048      // a command line with its terminator
	MaxGetLine = 64 << 10  // the same for get, gets, gat and gats
	MaxGetKeys = 1024      // keys of one get, gets, gat or gats
	MaxSASL    = 4096      // a message of a SASL login
	MaxMech    = 32        // the name of a mechanism
	maxU31     = 1<<31 - 1 // the largest value length and expiry
	maxU32     = 1<<32 - 1 // the largest client flags
	maxU64     = 1<<64 - 1 // the largest delta and CAS id
)

// relativeExpiry is the largest expiry memcached counts from now; a larger one
// is a point in time, in seconds since 1970 (doc/protocol.txt, "Expiration times").
const relativeExpiry = 60 * 60 * 24 * 30

// Request is one parsed and valid request. Its slices point into the buffer it
// was parsed from, or into the parser, and stay valid until that buffer changes
// or the parser that made it is called again; those of its Form, until the
// buffer changes.
type Request struct {
	Form
	Params
	Prefix   []byte   // what memcached has before each key; its sender's, who sets it before its commands are made
	Hashed   bool     // the key is not written: Prefix ends in what stands for it; only if there is one key
	Keys     [][]byte // one, or several for get, gets, gat and gats; none for commands about no key
	Value    []byte   // of a storage command, without its terminator; the message of a login
	Args     []byte   // canonical arguments of a command that goes upstream alone
	Unwanted bool     // the value is being thrown away, as the parser was told not to wait for it

	size int // declared bytes of the value
}

// Params are what a request or a command says beside its key and its value.
type Params struct {
	Flags   uint32 // client flags of a store
	Exptime int32  // 0 never, negative or past at once; only if Has says so
	Delta   uint64 // of arithmetic
	CAS     uint64 // the item must have it
	Initial uint64 // what arithmetic stores where it finds nothing
	NewCAS  uint64 // the item gets it
	Vivify  int32  // expiry of an item that is made because none is there
	Recache int32  // an item with less than this left asks one client to renew it
	Ask     Ask
	Has     Part
	Order   [4]byte // of the flags N, R, T and t, which memcached obeys one after the other; zero if it does not matter
	Mode    byte    // of ms: E add, A append, P prepend, R replace; of ma: D decrement; 0 is set, and increment
}

// Ask says what a command wants to be told of its item.
type Ask uint8

const (
	AskValue  Ask = 1 << iota // v: the value; of arithmetic, the number
	AskFlags                  // f: client flags
	AskCAS                    // c: CAS id
	AskTTL                    // t: seconds left, -1 for ever
	AskSize                   // s: bytes of the value
	AskHit                    // h: whether it was fetched before
	AskAccess                 // l: seconds since it was last touched
)

// Part says which of the optional parts a command has.
type Part uint16

const (
	HasExptime  Part = 1 << iota // T
	HasCAS                       // C
	HasDelta                     // D
	HasInitial                   // J
	HasVivify                    // N
	HasRecache                   // R
	HasNewCAS                    // E
	Invalidates                  // I: a delete marks the item stale; a store may bring an older CAS id
	DropsValue                   // x: a delete leaves the item there, empty
	KeepsPlace                   // u: reading does not count as use
)

// Size is the declared length of the value in bytes, whether or not it has
// arrived.
func (r *Request) Size() int { return r.size }

// ExpiresAtOnce reports whether the request makes its key vanish: its expiry is
// negative, or a point in time that is not after now (Unix seconds).
func (r *Request) ExpiresAtOnce(now int64) bool {
	if r.Has&HasExptime == 0 {
		return false
	}
	return r.Exptime < 0 || (r.Exptime > relativeExpiry && int64(r.Exptime) <= now)
}

// FlushTime is when a flush takes effect, in Unix seconds: at once, which is now,
// unless its expiry lies ahead.
func (r *Request) FlushTime(now int64) int64 {
	at := int64(r.Exptime)
	if at <= relativeExpiry {
		at += now
	}
	return max(at, now)
}

// partNeeds say what a request must be granted because of a part that it has.
// A read that does more is no read any more.
var partNeeds = []struct {
	word string
	has  Part
	need Category
}{
	{"mg", HasExptime, CatTouch},
	{"mg", HasVivify | HasRecache | HasNewCAS, CatVivify},
	{"ma", HasVivify, CatVivify},
	{"ma", HasExptime, CatTouch},
}

// Needs returns every category the request must be granted, at now (Unix seconds).
func (r *Request) Needs(now int64) Category {
	var more Category
	for i := range partNeeds {
		if p := &partNeeds[i]; r.Has&p.has != 0 && p.word == r.Verb.canon.word {
			more |= p.need
		}
	}
	need := r.Verb.Category | more
	if r.Verb.Category == CatRead && more != 0 {
		need = more
	}
	if r.ExpiresAtOnce(now) {
		need |= CatDelete
	}
	return need
}

// Access returns what the request does to its keys.
func (r *Request) Access() Access {
	if r.Verb.canon.word == "mg" && r.Has&(HasExptime|HasVivify|HasRecache|HasNewCAS) != 0 {
		return r.Verb.Access | Writes
	}
	return r.Verb.Access
}

// Changes reports whether the request may change what is stored, or how memcached
// works.
func (r *Request) Changes() bool {
	return r.Access()&Writes != 0 || r.Verb.Category&(CatFlush|CatSettings|CatDanger) != 0
}

// Refusal is a request that is answered without being served: it was not
// understood, or is never served. It is an error so that a parser can return it.
type Refusal struct {
	Form         // as far as it was understood
	Reply string // all of it; empty if the client wants silence
	Close bool   // what follows can't be framed, so the connection must end
}

// Error tells that a request was refused, for logs.
func (r *Refusal) Error() string {
	switch {
	case r.Reply == "":
		return "protocol: refused in silence"
	case r.Dialect == Binary:
		return "protocol: refused with a status"
	}
	return "protocol: refused with " + r.Reply[:len(r.Reply)-2]
}
