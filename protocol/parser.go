package protocol

import (
	"bytes"
	"errors"
)

// ErrShort says that the buffer ends before the request does.
var ErrShort = errors.New("protocol: request is not complete yet")

// DefaultMaxItem is memcached's default item size limit (-I) in bytes.
const DefaultMaxItem = 1 << 20

// swallowFactor bounds the refused data block a client is allowed to send, as a
// multiple of the item size limit; a longer one ends the connection.
const swallowFactor = 2

// Parser frames and parses the requests of one client. It is fed from a buffer
// it does not own and keeps no bytes. The zero Parser is ready to use.
type Parser struct {
	Dialect Dialect
	MaxItem int      // item size limit of the memcached behind, in bytes; 0 is DefaultMaxItem
	Knows   Features // of the memcached behind
	Prefix  int      // bytes that are put before every key upstream; they count for the item size
	MaxKey  int      // longest key a client may send, in bytes; 0, or anything above it, is [MaxKey]

	// Forwards says that a line whose first word is in no row is a request too:
	// see [Unknown]. It holds for the ASCII dialects alone.
	Forwards bool

	// Wanted is asked of a request with a value whether the value is worth
	// waiting for. If not, what comes of it is thrown away. It may be asked of
	// the same request more than once. nil wants everything.
	Wanted func(*Request) bool

	scanned int // bytes of the buffer known to hold no line end
	skip    int // bytes of a refused data block still to come
	closed  bool
	tok     [][]byte // tokens of the line being parsed; reused
	rows    []*Verb  // of the line's first word
	dirty   bool     // the line holds a control byte, or starts with a space
	args    []byte   // backs Request.Args; reused
	req     Request
	refusal Refusal
}

// Next parses the request at the start of buf, and returns how many bytes it
// took from it. The error is nil, [ErrShort] or a *[Refusal]; with ErrShort
// bytes of a data block that is thrown away may still have been taken.
//
// The request belongs to the parser and points into buf.
func (p *Parser) Next(buf []byte) (*Request, int, error) {
	skipped := min(p.skip, len(buf))
	p.skip -= skipped
	buf = buf[skipped:]
	if p.closed || len(buf) == 0 {
		return nil, skipped, ErrShort
	}
	req, n, err := p.next(buf)
	return req, skipped + n, err
}

// Release lets go of the bytes that the last request points into, so that they do
// not outlive their buffer. It must be between two requests.
func (p *Parser) Release() {
	clear(p.tok[:cap(p.tok)])
	keys := p.req.Keys[:cap(p.req.Keys)]
	clear(keys)
	p.req = Request{Keys: keys[:0]}
}

// next parses the request at the start of buf, which is not empty.
func (p *Parser) next(buf []byte) (*Request, int, error) {
	if p.Dialect == Binary {
		return p.packet(buf)
	}
	return p.command(buf)
}

// command parses the line, and the data block if it has one, at the start of buf.
func (p *Parser) command(buf []byte) (*Request, int, error) {
	end, err := p.lineEnd(buf)
	if err != nil {
		return nil, 0, err
	}
	if err := p.line(buf[:end]); err != nil {
		return nil, end, err
	}
	if !p.req.Verb.takesBody() {
		return &p.req, end, nil
	}
	return p.body(buf, end)
}

// Owes reports whether the client is in the middle of a data block that is
// being skipped.
func (p *Parser) Owes() bool { return p.skip > 0 }

// lineEnd returns the length of the line at the start of buf, terminator
// included. A line that is too long is refused before its end has come; none of
// it is taken.
func (p *Parser) lineEnd(buf []byte) (int, error) {
	limit := MaxLine
	if isGet(buf) {
		limit = MaxGetLine
	}
	end := bytes.IndexByte(buf[p.scanned:], '\n') + 1
	if end > 0 {
		end += p.scanned
	}
	p.scanned = 0
	switch {
	case end > limit || end == 0 && len(buf) >= limit:
		p.req = Request{Keys: p.req.Keys[:0]}
		return 0, p.refuse(lineTooLong, closing)
	case end == 0:
		p.scanned = len(buf)
		return 0, ErrShort
	}
	return end, nil
}

// line parses one whole line, terminator included, into p.req.
func (p *Parser) line(raw []byte) error {
	line := bytes.TrimSuffix(raw[:len(raw)-1], []byte("\r"))
	p.req = Request{Keys: p.req.Keys[:0]}
	p.split(line)
	if len(p.tok) == 0 {
		return p.refuse(lineError, 0)
	}
	spaced := line[0] == ' '
	p.dirty = spaced || hasControl(line)
	p.rows = byWord[string(p.tok[0])]
	if p.rows == nil {
		return p.unknown()
	}
	p.req.Verb = p.rows[0]
	p.req.Params = p.req.Verb.canon.params
	switch {
	case !p.dirty, p.req.Verb.takesBody():
		return p.req.Verb.parse(p)
	case spaced:
		return p.refuse(lineError, 0)
	}
	return p.refuse(lineBadFormat, 0)
}

// maxTokens is more than the most a good line has: gat, an expiry and its keys.
// What a bad line has beyond it stays uncut, so that it costs no memory.
const maxTokens = 2 + MaxGetKeys + 1

// split cuts line into tokens at runs of spaces.
func (p *Parser) split(line []byte) {
	p.tok = p.tok[:0]
	for len(line) > 0 && len(p.tok) < maxTokens {
		end := bytes.IndexByte(line, ' ')
		if end < 0 {
			end = len(line)
		}
		if end > 0 {
			p.tok = append(p.tok, line[:end])
		}
		line = line[min(end+1, len(line)):]
	}
}

// body takes the value of a request that is otherwise complete; it starts at
// head. One that is not wanted is thrown away, whole or not: whether it ends as
// it should is nobody's concern then.
func (p *Parser) body(buf []byte, head int) (*Request, int, error) {
	end := head + p.req.size
	last := end + len(p.req.terminator())
	whole := len(buf) >= last
	good := whole && string(buf[end:last]) == p.req.terminator()
	switch {
	case good:
		p.req.Value = buf[head:end]
		return &p.req, last, nil
	case p.Wanted != nil && !p.Wanted(&p.req):
		p.req.Unwanted = true
		taken := min(last, len(buf))
		p.skip = last - taken
		return &p.req, taken, nil
	case whole:
		return nil, head, p.refuse(lineBadChunk, closing)
	}
	return nil, 0, ErrShort
}

// terminator is what must follow the value.
func (r *Request) terminator() string {
	if r.Dialect == Binary {
		return ""
	}
	return crlf
}

// closing as the skip of a refusal ends the connection instead.
const closing = -1

// refuse makes the parser's one refusal. The next skip bytes are taken from the
// client unread; closing means they can't be known.
func (p *Parser) refuse(reply string, skip int) error {
	p.closed = p.closed || skip == closing
	p.skip = max(skip, 0)
	p.refusal = Refusal{Form: p.req.Form, Reply: reply, Close: p.closed}
	return &p.refusal
}

// refuseBody refuses a storage command whose data block is size bytes long. In
// silence, if the client asked for no reply and can go on without one.
func (p *Parser) refuseBody(reply string, size int) error {
	skip := size + len(crlf)
	if int64(skip) > p.maxSwallow() {
		skip = closing
	} else if p.req.NoReply {
		reply = ""
	}
	return p.refuse(reply, skip)
}

// maxSwallow is the longest data block that is skipped.
func (p *Parser) maxSwallow() int64 { return swallowFactor * int64(p.maxItem()) }

func (p *Parser) maxItem() int {
	if p.MaxItem == 0 {
		return DefaultMaxItem
	}
	return p.MaxItem
}

func (p *Parser) maxKey() int {
	if p.MaxKey == 0 {
		return MaxKey
	}
	return min(p.MaxKey, MaxKey)
}

// validKey reports whether a client may name an item by key.
func (p *Parser) validKey(key []byte) bool { return len(key) <= p.maxKey() && ValidKey(key) }

// tooLarge reports whether the item of the store being parsed is larger than
// memcached takes.
func (p *Parser) tooLarge() bool {
	return itemSize(p.Prefix+len(p.req.Keys[0]), p.req.Flags, p.req.size) > int64(p.maxItem())
}

// isGet reports whether a line, or the start of one, is a retrieval, which may
// be longer than other lines.
func isGet(line []byte) bool {
	for _, word := range [...]string{"get ", "gets ", "gat ", "gats "} {
		if len(line) >= len(word) && string(line[:len(word)]) == word {
			return true
		}
	}
	return false
}
