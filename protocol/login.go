package protocol

import "bytes"

// MaxLogin is the longest login token in bytes: a user name of 128, a space and
// a password of 1,024.
const MaxLogin = 128 + 1 + 1024

// Login is a request of a client that has not said who it is: a login token, or
// something that may not be said yet.
type Login struct {
	Token   []byte // user, a space, password; points into the buffer; nil if the request is no login
	Quit    bool   // the client leaves
	Refusal Refusal
}

// ParseLogin parses the request at the start of buf by the rules of memcached's
// ASCII login (-Y; doc/protocol.txt, "Authentication"): a set whose value is
// "user password", its key, flags and expiry ignored. Every other line is
// refused with memcached's words, its data block, if it has one, unread. It
// returns the bytes taken, or [ErrShort].
func ParseLogin(buf []byte, l *Login) (int, error) {
	*l = Login{}
	end := bytes.IndexByte(buf, '\n') + 1
	if end == 0 {
		if len(buf) < MaxLine {
			return 0, ErrShort
		}
		l.Refusal = Refusal{Reply: Unauthenticated, Close: true}
		return len(buf), nil
	}
	tok := bytes.Fields(buf[:min(end, MaxLine)])
	if len(tok) > 0 && bytes.HasPrefix(tok[len(tok)-1], []byte("HTTP/")) {
		l.Refusal.Close = true
		return end, nil
	}
	if len(tok) == 1 && string(tok[0]) == "quit" {
		l.Quit = true
		return end, nil
	}
	l.Refusal.Reply = Unauthenticated
	if len(tok) < 5 || string(tok[0]) != "set" || buf[0] == ' ' || end > MaxLine {
		return end, nil
	}
	return l.token(buf, end, tok[4])
}

// token takes the data block of a login, which starts at head.
func (l *Login) token(buf []byte, head int, length []byte) (int, error) {
	size, ok := parseUint(length, MaxLogin)
	if !ok {
		l.Refusal.Close = true // the data block can't be told from the next request
		return head, nil
	}
	end := head + int(size)
	if len(buf) < end+len(crlf) {
		return 0, ErrShort
	}
	if string(buf[end:end+len(crlf)]) != crlf {
		l.Refusal = Refusal{Reply: AuthBadEnd, Close: true}
		return end, nil
	}
	l.Token = buf[head:end]
	return end + len(crlf), nil
}
