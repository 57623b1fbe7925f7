package protocol

// Limits of a request, in bytes unless they say otherwise. They are memcached's
// own (doc/protocol.txt) where it has one, else slabgate's.
const (
	MaxKey     = 250       // a key
	MaxLine    = 2048      // a command line with its terminator
	MaxGetLine = 64 << 10  // the same for get, gets, gat and gats
	MaxGetKeys = 1024      // keys of one get, gets, gat or gats
	maxU31     = 1<<31 - 1 // the largest value length and expiry
	maxU32     = 1<<32 - 1 // the largest client flags
	maxU64     = 1<<64 - 1 // the largest delta and CAS id
)

// relativeExpiry is the largest expiry memcached counts from now; a larger one
// is a point in time, in seconds since 1970 (doc/protocol.txt, "Expiration times").
const relativeExpiry = 60 * 60 * 24 * 30

// Request is one parsed and valid request. Its slices point into the buffer it
// was parsed from and stay valid until that buffer changes or the parser that
// made it is called again.
type Request struct {
	Verb    *Verb
	Keys    [][]byte // one, or several for get, gets, gat and gats; none for commands about no key
	Value   []byte   // of a storage command, without its terminator; nil until it has arrived
	Flags   uint32   // client flags of a storage command
	Exptime int32    // as given: 0 never, negative or past at once
	Delta   uint64   // of incr and decr
	CAS     uint64   // of cas
	Args    []byte   // canonical arguments of a command about no key, without the word itself
	NoReply bool     // the client wants no answer, not even to an error

	size int // declared bytes of the value
}

// Size is the declared length of the value in bytes, whether or not it has
// arrived.
func (r *Request) Size() int { return r.size }

// ExpiresAtOnce reports whether the request makes its key vanish: its expiry is
// negative, or a point in time that is not after now (Unix seconds).
func (r *Request) ExpiresAtOnce(now int64) bool {
	if !r.Verb.expires {
		return false
	}
	return r.Exptime < 0 || (r.Exptime > relativeExpiry && int64(r.Exptime) <= now)
}

// Needs returns every category the request must be granted, at now (Unix seconds).
func (r *Request) Needs(now int64) Category {
	need := r.Verb.Category
	if r.ExpiresAtOnce(now) {
		need |= CatDelete
	}
	return need
}

// Refusal is a request that is answered without being served: it was not
// understood, or is never served. It is an error so that a parser can return it.
type Refusal struct {
	Reply string // the whole line with its terminator; empty if the client wants silence
	Close bool   // what follows can't be framed, so the connection must end
}

// Error is the reply without its terminator, for logs.
func (r *Refusal) Error() string {
	if r.Reply == "" {
		return "protocol: refused in silence"
	}
	return "protocol: refused with " + r.Reply[:len(r.Reply)-2]
}
