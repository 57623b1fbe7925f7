package policy

import (
	"slices"
	"strings"
)

// Mode says what comes of a request that is not allowed.
type Mode uint8

const (
	ModeEnforce Mode = iota // it is refused
	ModeAudit               // it is let through, and reported
	ModeLearn               // it is let through, and what it needs is learned
	ModeOff                 // it is let through
)

var modeWords = [...]string{"enforce", "audit", "learn", "off"}

// String is the word for m in a document.
func (m Mode) String() string { return wordOf(modeWords[:], int(m)) }

// verdict is what m makes of a request that is not allowed.
func (m Mode) verdict() Verdict { return [...]Verdict{Deny, WouldDeny, Learned, Allow}[m] }

// mode is the first of the modes that is written; enforce if none is, or if it is
// no mode, which is said of the place where it is written.
func (c *compiler) mode(written ...string) Mode {
	for _, word := range written {
		if word != "" {
			return Mode(max(0, slices.Index(modeWords[:], word)))
		}
	}
	return ModeEnforce
}

// checkMode checks a mode as written.
func (c *compiler) checkMode(path, mode string) { c.oneOf(path, mode, modeWords[:]...) }

// oneOf checks a setting that is one of some words, or not written.
func (c *compiler) oneOf(path, value string, words ...string) {
	if value == "" || slices.Contains(words, value) {
		return
	}
	last := len(words) - 1
	list := func(or string) string { return strings.Join(words[:last], ", ") + or + words[last] }
	if last == 1 {
		c.out.Errorf(codeWord, path, "write "+list(" or "), "%q is neither %s", clip(value), list(" nor "))
		return
	}
	c.out.Errorf(codeWord, path, "write "+list(" or "), "%q is none of %s", clip(value), list(" and "))
}
