package protocol

import (
	"bytes"
	"errors"
)

// Status is what memcached said of a command.
type Status uint8

const (
	StatusNone            Status = iota // no reply yet
	StatusOK                            // HD: done, without a value
	StatusValue                         // VA: done, with a value
	StatusNumber                        // VA: done, and this is what arithmetic came to
	StatusMiss                          // EN: a read found nothing
	StatusNotFound                      // NF: the key to change is not there
	StatusNotStored                     // NS: the condition of the store failed
	StatusExists                        // EX: the CAS id differs
	StatusNonNumeric                    // the value is not a number
	StatusTooLarge                      // the item is larger than memcached takes
	StatusNoMemory                      // memcached has no memory for the item
	StatusRefused                       // any other SERVER_ERROR
	StatusLost                          // no reply: the connection did not prove it
	StatusDown                          // not sent: no connection
	StatusDropped                       // the value was too large for its buffer and is not here; ask again
	StatusBusy                          // not sent: every connection it could take is in use
	StatusUnfit                         // not sent: this memcached can't be asked for it
	StatusDenied                        // not sent: policy denies it
	StatusInvalid                       // not sent: a login names what can't be a mechanism
	StatusUnauthenticated               // not sent: the client has not said who it is
	StatusLimitRate                     // not sent: more requests a second than its identity may send
	StatusLimitBytes                    // not sent: more bytes a second than its identity may move
	StatusLimitInFlight                 // not sent: more requests at once than its identity may have
	StatusLimitValue                    // not sent: the value is larger than its identity may store
	StatusLimitTTL                      // not sent: the item would live longer than its identity may have it
	StatusLimitKeys                     // not sent: more keys in one request than its identity may name
	StatusLimitConns                    // not sent: more connections than its identity may have
	StatusFrozen                        // not sent: an operator holds up requests of its kind

	statusCount
)

// statuses is a set of them.
type statuses uint32

// Every status must have its bit in a set.
const _ = uint(32 - statusCount)

func statusesOf(list ...Status) (set statuses) {
	for _, s := range list {
		set |= 1 << s
	}
	return set
}

func (set statuses) has(s Status) bool { return set&(1<<s) != 0 }

// maxReplyLine bounds the line of a reply: memcached's own line buffer is 1,024
// bytes, and a classic VALUE line adds a key.
const maxReplyLine = 1024 + MaxKey

// Faults of a reply. Each burns the connection it came from.
var (
	errReplyLine   = errors.New("protocol: reply line is malformed")
	errReplyOwner  = errors.New("protocol: reply is another command's")
	errReplyKind   = errors.New("protocol: reply does not fit the command")
	errReplyError  = errors.New("protocol: memcached refused a canonical command")
	errReplyLength = errors.New("protocol: reply line is too long")
)

// Reply is one reply of memcached, without its value.
type Reply struct {
	Status   Status
	Hit      byte    // 1 if the item was fetched before
	Notes    letters // W, X and Z: what memcached has to say about a stale item
	Flags    uint32  // client flags
	TTL      int64   // seconds left, as 32 bits with a sign or without; -1 for ever
	Access   uint32  // seconds since the item was last touched
	ItemSize uint32  // bytes of the item's value, whether or not it follows
	CAS      uint64
	Number   uint64 // what arithmetic came to
	Size     int    // bytes of the value that follows the line; 0 without one
	Trailer  string // bytes that must follow the value
	Proven   bool   // it repeated the opaque of its command

	told Ask // which of these memcached said
}

// AskedAgain makes r, the reply to a command that had to be asked twice, tell of
// the item as it was before slabgate looked: to the first reply, whose value was
// thrown away. There may have been none.
func (r *Reply) AskedAgain(first *Reply) {
	if first == nil || first.Size == 0 || r.Status != StatusOK && r.Status != StatusValue {
		return
	}
	r.Notes, r.Hit, r.Access, r.TTL = first.Notes, first.Hit, first.Access, first.TTL
}

// replyLine cuts the first line off buf, which must end in CRLF.
func replyLine(buf []byte) (line []byte, n int, err error) {
	end := bytes.IndexByte(buf[:min(len(buf), maxReplyLine)], '\n')
	if end < 0 {
		if len(buf) >= maxReplyLine {
			return nil, 0, errReplyLength
		}
		return nil, 0, ErrShort
	}
	if end == 0 || buf[end-1] != '\r' {
		return nil, 0, errReplyLine
	}
	return buf[:end-1], end + 1, nil
}

// serverErrors are lines with which memcached says that it could not do what it
// was asked, and what they mean to which commands. It has more of them than are
// listed anywhere, so that any other is one too: a request that makes it say so
// must not cost others their connection.
var serverErrors = []struct {
	prefix, words string
	status        Status
}{
	{"object too large for cache", "ms", StatusTooLarge},
	{"out of memory", "mg ms ma", StatusNoMemory},
	{"Out of memory", "mg ms ma", StatusNoMemory},
	{"", "mg ms md ma", StatusRefused},
}

// brokenReply is said in the middle of another reply.
const brokenReply = "out of memory writing get response"

// errorLine reads a reply that is no return code. Of the errors that blame the
// client only the one that a canonical command can cause is one; any other means
// that both sides disagree.
func (r *Reply) errorLine(line []byte, c *Command) error {
	word := c.Verb.canon.word
	if word == "ma" && string(line) == lineNonNumeric[:len(lineNonNumeric)-2] {
		r.Status = StatusNonNumeric
		return nil
	}
	why, ok := bytes.CutPrefix(line, []byte("SERVER_ERROR "))
	if !ok || string(why) == brokenReply {
		return errReplyError
	}
	for _, e := range serverErrors {
		if bytes.HasPrefix(why, []byte(e.prefix)) && meansTo(e.words, word) {
			r.Status = e.status
			return nil
		}
	}
	return errReplyError
}
