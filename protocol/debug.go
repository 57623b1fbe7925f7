package protocol

import (
	"bytes"
	"encoding/base64"
)

// debugWord begins what memcached tells of an item to me.
const debugWord = "ME "

// debugLine: what memcached knows of the item that was asked for, or that there
// is none.
func debugLine(line []byte, r *Request) (last, ok bool) {
	if string(line) == "EN" {
		return true, true
	}
	if rest, ok := bytes.CutPrefix(line, []byte(debugWord)); ok {
		return true, r.isItem(rest[:debugKey(rest)])
	}
	word, _, _ := bytes.Cut(line, []byte(" "))
	switch string(word) {
	case "ERROR", "CLIENT_ERROR", "SERVER_ERROR":
		return true, true
	}
	return false, false
}

// debugKey is the length of the key that rest, which follows the word, begins
// with.
func debugKey(rest []byte) int {
	if end := bytes.IndexAny(rest, " \r"); end >= 0 {
		return end
	}
	return len(rest)
}

// isItem reports whether key is what memcached calls the item that was asked for,
// which it may write as base64.
func (r *Request) isItem(key []byte) bool {
	item := appendItem(make([]byte, 0, MaxKey), r.Prefix, r.Args, r.Hashed)
	return bytes.Equal(key, item) || string(key) == base64.StdEncoding.EncodeToString(item)
}

// appendLines passes on what memcached answered to a command that went there
// alone. An item whose name the client does not know has the name that it gave.
func appendLines(dst []byte, r *Request, lines []byte) []byte {
	rest, ok := bytes.CutPrefix(lines, []byte(debugWord))
	if !ok || r.Verb.Access == 0 || len(r.Prefix) == 0 {
		return append(dst, lines...)
	}
	dst = append(dst, debugWord...)
	if r.base64 {
		dst = base64.StdEncoding.AppendEncode(dst, r.Args)
	} else {
		dst = append(dst, r.Args...)
	}
	return append(dst, rest[debugKey(rest):]...)
}
