package protocol

import "bytes"

// MaxLogin is the longest login token in bytes: a user name of 128, a space and
// a password of 1,024.
const MaxLogin = 128 + 1 + 1024

// Login is a request of a client that has not said who it is: a login token, or
// something that may not be said yet.
type Login struct {
	Key     []byte  // of the set; points into the buffer
	Token   []byte  // the value of the set; points into the buffer; nil if the request is no login
	Quit    bool    // the client leaves
	Refusal Refusal // what to answer if the request is neither
}

// ParseLogin parses the request at the start of buf by the rules of memcached's
// ASCII login (-Y; doc/protocol.txt, "Authentication"): a set whose value is
// "user password", its key, flags and expiry ignored; or, in the other form, the
// password alone, its key being the user. Every other line is refused with
// memcached's words, its data block, if it has one, unread. It returns the bytes
// taken, or [ErrShort].
func ParseLogin(buf []byte, l *Login) (int, error) {
	*l = Login{}
	end := bytes.IndexByte(buf[:min(len(buf), MaxLine)], '\n') + 1
	switch {
	case end == 0 && len(buf) < MaxLine:
		return 0, ErrShort
	case end == 0:
		return l.refuse(MaxLine, Refusal{Reply: Unauthenticated, Close: true})
	}
	var p Parser
	line := bytes.TrimSuffix(buf[:end-1], []byte("\r"))
	p.split(line)
	switch {
	case len(p.tok) > 0 && bytes.HasPrefix(p.tok[len(p.tok)-1], []byte("HTTP/")):
		return l.refuse(end, Refusal{Close: true})
	case len(p.tok) == 0 || line[0] == ' ' || hasControl(line):
		return l.refuse(end, Refusal{Reply: Unauthenticated})
	case len(p.tok) == 1 && string(p.tok[0]) == "quit":
		l.Quit = true
		return end, nil
	case len(p.tok) < 5 || string(p.tok[0]) != "set":
		return l.refuse(end, Refusal{Reply: Unauthenticated})
	}
	l.Key = p.tok[1]
	return l.token(buf, end, p.tok[4])
}

// token takes the data block of a login, which starts at head.
func (l *Login) token(buf []byte, head int, length []byte) (int, error) {
	size, ok := parseUint(length, MaxLogin)
	if !ok { // the data block can't be told from the next request
		return l.refuse(head, Refusal{Reply: Unauthenticated, Close: true})
	}
	end := head + int(size)
	if len(buf) < end+len(crlf) {
		return 0, ErrShort
	}
	if string(buf[end:end+len(crlf)]) != crlf {
		return l.refuse(head, Refusal{Reply: AuthBadEnd, Close: true})
	}
	l.Token = buf[head:end]
	return end + len(crlf), nil
}

// refuse takes a whole request that is no login.
func (l *Login) refuse(taken int, r Refusal) (int, error) {
	l.Refusal = r
	return taken, nil
}
