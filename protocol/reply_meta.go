package protocol

import "bytes"

// ParseMeta reads the line of a meta reply at the start of buf into r and
// returns its length. It is the reply to c with opaque, or there is an error
// and the connection can't be trusted any more; only with [ErrShort] is the
// line merely not complete. A reply that is not Proven is the command's only if
// the next reply is that of the next command.
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
	switch {
	case r.Status == StatusNone:
		return n, r.errorLine(line, c)
	case r.Status == StatusMiss && len(line) == 2: // what was found could not be read from disk
		return n, r.fits(c)
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
	if r.Status == StatusValue && c.Verb.canon.word == "ma" {
		return r.takeNumber(buf, n, c)
	}
	return n, r.fits(c)
}

// takeNumber reads the number that arithmetic came to, which stands where other
// commands have a value. The reply's line ends at head.
func (r *Reply) takeNumber(buf []byte, head int, c *Command) (int, error) {
	end := head + r.Size
	if r.Size > maxDigits {
		return head, errReplyLine
	}
	if len(buf) < end+len(crlf) {
		return 0, ErrShort
	}
	number, ok := parseUint(buf[head:end], maxU64)
	if !ok || string(buf[end:end+len(crlf)]) != crlf {
		return head, errReplyLine
	}
	r.Status, r.Number, r.Size, r.Trailer = StatusNumber, number, 0, ""
	return end + len(crlf), r.fits(c)
}

// maxDigits is the length of the largest number.
const maxDigits = 20

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

// takeFlags reads the flags of a meta reply. It must repeat the opaque, once,
// and tell what was asked and nothing else; W, X and Z are memcached's notes on
// a stale item.
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
	if !r.Proven {
		return errReplyOwner
	}
	return r.tells(c)
}

// replyFlags are the flags of a meta reply that tell what was asked for.
var replyFlags = [128]struct {
	ask  Ask
	take func(r *Reply, tok []byte) bool
}{
	'f': {AskFlags, func(r *Reply, tok []byte) bool {
		v, ok := parseUint(tok, maxU32)
		r.Flags = uint32(v)
		return ok
	}},
	'c': {AskCAS, func(r *Reply, tok []byte) (ok bool) {
		r.CAS, ok = parseUint(tok, maxU64)
		return ok
	}},
	't': {AskTTL, func(r *Reply, tok []byte) (ok bool) {
		r.TTL, ok = parseTTL(tok)
		return ok
	}},
	's': {AskSize, func(r *Reply, tok []byte) bool {
		v, ok := parseUint(tok, maxU32)
		r.ItemSize = uint32(v)
		return ok
	}},
	'h': {AskHit, func(r *Reply, tok []byte) bool {
		v, ok := parseUint(tok, 1)
		r.Hit = byte(v)
		return ok
	}},
	'l': {AskAccess, func(r *Reply, tok []byte) bool {
		v, ok := parseUint(tok, maxU32)
		r.Access = uint32(v)
		return ok
	}},
}

// parseTTL reads how long an item has left: one that is over comes with a sign,
// or as 32 bits without.
func parseTTL(tok []byte) (int64, bool) {
	if v, ok := parseUint(tok, maxU32); ok {
		return int64(v), true
	}
	v, ok := parseExptime(tok)
	return int64(v), ok
}

func (r *Reply) takeFlag(flag byte, tok []byte, c *Command, opaque uint64) error {
	ok := false
	switch known := &replyFlags[flag]; {
	case flag == 'O':
		var got uint64
		if got, ok = parseOpaque(tok); ok && got != opaque {
			return errReplyOwner
		}
		r.Proven = ok
	case flag == 'W' || flag == 'X' || flag == 'Z':
		ok = len(tok) == 0 && c.Verb.canon.word == "mg"
		r.Notes.add(flag)
	case known.take != nil && c.Ask&known.ask != 0:
		ok = known.take(r, tok)
		r.told |= known.ask
	}
	if !ok {
		return errReplyLine
	}
	return nil
}

// mayKeep are what a memcached may leave unsaid though it was asked: the size of
// what was stored, before 1.6.20.
var mayKeep = map[string]Ask{"ms": AskSize}

// mayTell are what a reply about no item tells all the same: of a store that
// failed, a CAS id of 0 and what it would have stored.
var mayTell = map[string]Ask{"ms": AskCAS | AskSize}

// tells reports an error if a reply about an item does not tell what was asked,
// or one about none tells of it.
func (r *Reply) tells(c *Command) error {
	word := c.Verb.canon.word
	asked := c.Ask &^ (AskValue | mayKeep[word])
	item := r.Status == StatusOK || r.Status == StatusValue
	if item && r.told&asked != asked || !item && r.told&^mayTell[word] != 0 {
		return errReplyKind
	}
	return nil
}

// fitting are the statuses that the replies to a command may have.
var fitting = map[string]statuses{
	"mg": statusesOf(StatusOK, StatusValue, StatusMiss),
	"ms": statusesOf(StatusOK, StatusNotStored, StatusExists, StatusNotFound),
	"md": statusesOf(StatusOK, StatusNotFound, StatusExists),
	"ma": statusesOf(StatusOK, StatusNumber, StatusNotFound, StatusNotStored, StatusExists),
}

// fits refuses a status that the command can't have.
func (r *Reply) fits(c *Command) error {
	ok := fitting[c.Verb.canon.word].has(r.Status)
	asks := c.Ask&AskValue != 0
	switch r.Status {
	case StatusOK: // a read may say that the client has that value already
		ok = ok && (!asks || c.Verb.canon.word == "mg" && c.Has&HasCAS != 0)
	case StatusValue, StatusNumber:
		ok = ok && asks
	case StatusExists:
		ok = ok && c.Has&HasCAS != 0
	case StatusNotFound:
		ok = ok && (!c.Verb.canon.value || c.Has&HasCAS != 0)
	case StatusNotStored:
		ok = ok && (c.Verb.canon.value || c.Has&HasVivify != 0)
	}
	if !ok {
		return errReplyKind
	}
	return nil
}
