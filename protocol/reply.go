package protocol

import (
	"bytes"
	"errors"
)

// Status is what memcached said of a command.
type Status uint8

const (
	StatusNone       Status = iota // no reply yet
	StatusOK                       // HD: done, without a value
	StatusValue                    // VA: done, with a value
	StatusMiss                     // EN: a read found nothing
	StatusNotFound                 // NF: the key to change is not there
	StatusNotStored                // NS: the condition of the store failed
	StatusExists                   // EX: the CAS id differs
	StatusNonNumeric               // the value is not a number
	StatusTooLarge                 // the item is larger than memcached takes
	StatusNoMemory                 // memcached has no memory for the item
	StatusRefused                  // any other SERVER_ERROR
	StatusLost                     // no reply: the connection did not prove it
	StatusDown                     // not sent: no connection
	StatusDropped                  // the value was too large for its buffer and is not here; ask again
	StatusBusy                     // not sent: every connection it could take is in use
	StatusDenied                   // not sent: policy has changed and denies it now

	statusCount
)

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
	Status  Status
	Flags   uint32 // client flags of a value
	CAS     uint64 // of a value, if the command asked for it
	Size    int    // bytes of the value that follows the line; 0 without one
	Trailer string // bytes that must follow the value
}

// ParseMeta reads the line of a meta reply at the start of buf into r and
// returns its length. It is the reply to c with opaque, or there is an error
// and the connection can't be trusted any more; only with [ErrShort] is the
// line merely not complete.
func ParseMeta(buf []byte, c *Command, opaque uint64, r *Reply) (int, error) {
	line, n, err := replyLine(buf)
	if err != nil {
		return 0, err
	}
	*r = Reply{}
	if len(line) < 2 || len(line) > 2 && line[2] != ' ' {
		return n, r.errorLine(line, c)
	}
	r.Status = metaStatus(line[:2])
	if r.Status == StatusNone {
		return n, r.errorLine(line, c)
	}
	rest := line[2:]
	if r.Status == StatusValue {
		if rest, err = r.takeSize(rest); err != nil {
			return n, err
		}
	}
	if err := r.takeFlags(rest, c, opaque); err != nil {
		return n, err
	}
	return n, r.fits(c)
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

// metaStatuses are the return codes of the meta dialect.
var metaStatuses = map[string]Status{
	"HD": StatusOK, "VA": StatusValue, "EN": StatusMiss,
	"NF": StatusNotFound, "NS": StatusNotStored, "EX": StatusExists,
}

func metaStatus(code []byte) Status { return metaStatuses[string(code)] }

// takeSize reads the value length that follows VA.
func (r *Reply) takeSize(rest []byte) ([]byte, error) {
	if len(rest) == 0 {
		return nil, errReplyLine
	}
	rest = rest[1:]
	end := bytes.IndexByte(rest, ' ')
	if end < 0 {
		end = len(rest)
	}
	size, ok := parseUint(rest[:end], maxU31-2)
	if !ok {
		return nil, errReplyLine
	}
	r.Size, r.Trailer = int(size), crlf
	return rest[end:], nil
}

// takeFlags reads the flags of a meta reply. It must repeat the opaque, once;
// W, X and Z are memcached's notes on a stale item and say nothing to a classic
// client.
func (r *Reply) takeFlags(rest []byte, c *Command, opaque uint64) error {
	var seen [128]bool
	for len(rest) > 0 {
		if len(rest) < 2 || rest[0] != ' ' || rest[1] >= 128 || seen[rest[1]] {
			return errReplyLine
		}
		flag := rest[1]
		seen[flag] = true
		rest = rest[2:]
		end := bytes.IndexByte(rest, ' ')
		if end < 0 {
			end = len(rest)
		}
		if err := r.takeFlag(flag, rest[:end], c, opaque); err != nil {
			return err
		}
		rest = rest[end:]
	}
	if !seen['O'] {
		return errReplyOwner
	}
	hit := r.Status == StatusValue
	if seen['f'] != (hit && c.Verb.asks(askFlags)) || seen['c'] != (hit && c.Verb.asks(askCAS)) {
		return errReplyKind
	}
	return nil
}

func (r *Reply) takeFlag(flag byte, tok []byte, c *Command, opaque uint64) error {
	ok := true
	switch flag {
	case 'O':
		var got uint64
		if got, ok = parseOpaque(tok); ok && got != opaque {
			return errReplyOwner
		}
	case 'f':
		var v uint64
		v, ok = parseUint(tok, maxU32)
		r.Flags = uint32(v)
	case 'c':
		r.CAS, ok = parseUint(tok, maxU64)
	case 'W', 'X', 'Z':
		ok = len(tok) == 0 && c.Verb.canon.word == "mg"
	default:
		ok = false
	}
	if !ok {
		return errReplyLine
	}
	return nil
}

// fits refuses a status that the command can't have.
func (r *Reply) fits(c *Command) error {
	if c.Verb.answers[r.Status] != "" || r.Status == StatusValue && c.Verb.asks(askValue) {
		return nil
	}
	return errReplyKind
}

// errorLines are the error replies memcached may give to a command that was
// composed here, and what they mean. They carry no opaque.
var errorLines = []struct {
	word, line string
	status     Status
}{
	{"ma", lineNonNumeric, StatusNonNumeric},
	{"ms", lineTooLarge, StatusTooLarge},
	{"ms", lineNoMemory, StatusNoMemory},
	{"ms", "SERVER_ERROR Out of memory during read\r\n", StatusNoMemory},
	{"ms", "SERVER_ERROR out of memory\r\n", StatusNoMemory},
	{"ma", "SERVER_ERROR out of memory\r\n", StatusNoMemory},
	{"mg", "SERVER_ERROR refcount overflow during fetch\r\n", StatusRefused},
	{"ms", "SERVER_ERROR Unhandled storage type.\r\n", StatusRefused},
}

// errorLine reads a reply that is no return code. Only an error this command
// can cause is one; anything else means that both sides disagree.
func (r *Reply) errorLine(line []byte, c *Command) error {
	for _, e := range errorLines {
		if e.word == c.Verb.canon.word && e.line[:len(e.line)-2] == string(line) {
			r.Status = e.status
			return nil
		}
	}
	return errReplyError
}
