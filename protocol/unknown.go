package protocol

import "bytes"

// Unknown is the command of a line whose first word is in no row, if a parser
// forwards such lines: see [Parser]. It is in no table, so that a policy can grant
// it by @all alone. Its Args are the whole line.
var Unknown = &Verb{Name: "unknown", Grant: "unknown", Category: CatDanger, Apart: true, Route: RouteKeyless, grammar: anyLine}

// maxUnknown is the most words of an unknown command.
const maxUnknown = 64

// askMN asks for the line that ends the reply to an unknown command, of which
// nobody knows where it ends. What memcached takes mn for is not known either, so
// the connection must not be used again.
const askMN = "mn\r\n"

// anyLine: whatever memcached says, up to the answer to mn, which is no part of it.
func anyLine(line []byte, _ *Request) (last, ok bool) {
	return string(line) == lineMN[:len(lineMN)-len(crlf)], true
}

// unknown takes a line whose first word is in no row. One that ends like an HTTP
// request comes from a web client that was lured here: it gets no answer.
func (p *Parser) unknown() error {
	switch {
	case bytes.HasPrefix(p.tok[len(p.tok)-1], []byte("HTTP/")):
		return p.refuse("", closing)
	case !p.Forwards || p.dirty || len(p.tok) > maxUnknown:
		return p.refuse(lineError, 0)
	}
	p.args = p.args[:0]
	for i, tok := range p.tok {
		if i > 0 {
			p.args = append(p.args, ' ')
		}
		p.args = append(p.args, tok...)
	}
	if len(p.args)+len(crlf) > MaxLine { // it came with a shorter end than it would leave with
		return p.refuse(lineError, 0)
	}
	p.req.Verb, p.req.Args = Unknown, p.args
	return nil
}
