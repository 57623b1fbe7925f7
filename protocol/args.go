package protocol

import (
	"bytes"
	"strings"
)

// argKinds are the kinds of arguments that a pattern asks for by one sign. Each
// appends tok, composed anew, and reports whether it is of its kind. Every other
// word of a pattern is a choice of words, which | separates.
var argKinds = map[string]func(dst, tok []byte) ([]byte, bool){
	"#": appendNumber,
	"-": appendSigned,
	"%": appendFraction,
	"@": appendClasses,
}

// matchArgs reports whether the tokens after the first match pattern, and
// leaves them, composed anew, in p.args. Abbreviated words do not match.
func (p *Parser) matchArgs(pattern string) bool {
	p.args = p.args[:0]
	tok := p.tok[1:]
	for pattern != "" {
		var want string
		want, pattern, _ = strings.Cut(pattern, " ")
		if len(tok) == 0 || !p.matchArg(want, tok[0]) {
			return false
		}
		tok = tok[1:]
	}
	return len(tok) == 0
}

func (p *Parser) matchArg(want string, tok []byte) (ok bool) {
	if len(p.args) > 0 {
		p.args = append(p.args, ' ')
	}
	kind := argKinds[want]
	if kind == nil {
		p.args = append(p.args, tok...)
		return oneOf(want, tok)
	}
	p.args, ok = kind(p.args, tok)
	return ok
}

// oneOf reports whether tok is one of the words in choice, which | separates.
func oneOf(choice string, tok []byte) bool {
	for word := range strings.SplitSeq(choice, "|") {
		if word == string(tok) {
			return true
		}
	}
	return false
}

// appendNumber takes an unsigned 32-bit number.
func appendNumber(dst, tok []byte) ([]byte, bool) {
	v, ok := parseUint(tok, maxU32)
	return appendUint(dst, v), ok
}

// appendSigned takes a number as expiries are written.
func appendSigned(dst, tok []byte) ([]byte, bool) {
	v, ok := parseExptime(tok)
	return appendInt(dst, int64(v)), ok
}

// appendFraction takes a number with up to nine decimals, or none.
func appendFraction(dst, tok []byte) ([]byte, bool) {
	whole, decimals, point := bytes.Cut(tok, []byte("."))
	dst, ok := appendNumber(dst, whole)
	if !point {
		return dst, ok
	}
	_, digits := parseUint(decimals, 1e9-1)
	return append(append(dst, '.'), decimals...), ok && digits && len(decimals) <= 9
}

// appendClasses takes all, or slab classes with a comma between each two.
func appendClasses(dst, tok []byte) ([]byte, bool) {
	if string(tok) == "all" {
		return append(dst, tok...), true
	}
	for {
		class, rest, more := bytes.Cut(tok, []byte(","))
		var ok bool
		if dst, ok = appendNumber(dst, class); !ok || !more {
			return dst, ok
		}
		dst, tok = append(dst, ','), rest
	}
}
