package proxy

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/slabgate/slabgate/internal/testkit"
)

// metaMeaning are the flags that mean something to a command; the others are
// accepted and dropped.
var metaMeaning = map[string]string{
	"mg": "bcCEfhklNOqRstTuv", "ms": "bcCEFIkMNOqsT", "md": "bCEIkOqTFx", "ma": "bcCDEJkMNOqtTv", "me": "b",
}

// metaLimits are the largest numbers behind the flags that have one, and what
// else a flag has to have behind it.
var metaLimits = map[byte]uint64{'C': 1<<64 - 1, 'D': 1<<64 - 1, 'E': 1<<64 - 1, 'J': 1<<64 - 1, 'F': 1<<32 - 1}

// metaCommand is a meta command that was read.
type metaCommand struct {
	key   string
	value string
	flags []string // those that mean something, with canonical numbers, in the client's order
}

// flag returns a flag with its token, or nothing.
func (c *metaCommand) flag(letter byte) (string, bool) {
	i := slices.IndexFunc(c.flags, func(f string) bool { return f[0] == letter })
	if i < 0 {
		return "", false
	}
	return c.flags[i], true
}

// readMeta reads the key and the flags, which begin at a word, or returns why
// they are no good.
func (r *reference) readMeta(first int) (c metaCommand, wrong string) {
	flags := r.words[first:]
	if len(flags) > 17 {
		return c, "CLIENT_ERROR options flags are too long"
	}
	seen := ""
	for _, f := range flags {
		switch {
		case !strings.Contains("bcfhklqstuvCDFIJLMNOPRT", f[:1]) && !(r.newer && strings.Contains("Ex", f[:1])):
			return c, "CLIENT_ERROR invalid flag"
		case strings.Contains(seen, f[:1]):
			return c, "CLIENT_ERROR duplicate flag"
		}
		seen += f[:1]
		f, wrong = r.metaFlag(f)
		if wrong != "" {
			return c, wrong
		}
		if strings.Contains(metaMeaning[r.words[0]], f[:1]) {
			c.flags = append(c.flags, f)
		}
	}
	c.key, wrong = metaKey(r.words[1], strings.Contains(seen, "b"))
	return c, wrong
}

// metaKey returns the key that a word is.
func metaKey(word string, coded bool) (key, wrong string) {
	if coded {
		b, err := base64.StdEncoding.Strict().DecodeString(word)
		if err != nil || len(word) > 250 || base64.StdEncoding.EncodeToString(b) != word {
			return "", "CLIENT_ERROR error decoding key"
		}
		word = string(b)
	}
	if !goodKey(word) {
		return "", badFormat
	}
	return word, ""
}

// metaFlag returns a flag with its number made canonical, or why it is no good.
func (r *reference) metaFlag(f string) (flag, wrong string) {
	letter, token := f[0], f[1:]
	switch {
	case letter == 'O' && len(token) > 31:
		return "", "CLIENT_ERROR opaque token too long"
	case letter == 'M':
		modes := map[string]string{"ms": "EAPRS", "ma": "ID+-"}[r.words[0]]
		if modes != "" && (len(token) != 1 || !strings.Contains(modes, token)) {
			return "", "CLIENT_ERROR invalid mode"
		}
	case strings.IndexByte("NRT", letter) >= 0:
		n, ok := expiry(token)
		if !ok {
			return "", "CLIENT_ERROR bad token in command line format"
		}
		return f[:1] + strconv.FormatInt(n, 10), ""
	case metaLimits[letter] != 0:
		n, ok := number(token, metaLimits[letter])
		if !ok {
			return "", "CLIENT_ERROR bad token in command line format"
		}
		return f[:1] + strconv.FormatUint(n, 10), ""
	}
	return f, ""
}

// meta serves mg, md and ma.
func (r *reference) meta(rest string) (string, reach) {
	if len(r.words) < 2 {
		r.say("ERROR")
		return rest, next
	}
	c, wrong := r.readMeta(2)
	if wrong != "" {
		r.say(wrong)
		return rest, next
	}
	if !r.allows(c.key) {
		r.denyMeta(&c)
		return rest, next
	}
	r.sendMeta(&c)
	r.answerMeta(&c, c.key)
	return rest, next
}

func (r *reference) metaStore(rest string) (string, reach) {
	if len(r.words) < 3 {
		return r.hangUp(badFormat)
	}
	size, ok := number(r.words[2], 1<<31-3)
	if !ok {
		return r.hangUp(badFormat)
	}
	c, wrong := metaCommand{}, badFormat
	if !r.dirty {
		c, wrong = r.readMeta(3)
	}
	flags, _ := c.flag('F')
	n, _ := strconv.Atoi(strings.TrimPrefix(flags, "F"))
	if wrong == "" && r.tooLarge(c.key, uint64(n), size) {
		wrong = "SERVER_ERROR object too large for cache"
	}
	if wrong != "" {
		return r.refuseBody(rest, size, wrong)
	}
	if !r.allows(c.key) {
		r.denyMeta(&c)
		return rest[min(int(size)+2, len(rest)):], next
	}
	value, rest, how := r.value(rest, size)
	if how == next {
		c.value = value
		r.sendMeta(&c)
		r.answerMeta(&c, c.key, strconv.FormatUint(size, 10))
	}
	return rest, how
}

func (r *reference) metaDebug(rest string) (string, reach) {
	if len(r.words) < 2 || len(r.words) > 3 || len(r.words) == 3 && r.words[2] != "b" {
		r.say(badFormat)
		return rest, next
	}
	c, wrong := r.readMeta(2)
	switch {
	case wrong != "":
		r.say(wrong)
	case r.permits(): // it tells of more than the key
		r.send("me %s", c.key)
		r.answerMeta(&c, c.key)
	}
	return rest, next
}

// answerMeta owes the client what memcached's model says.
func (r *reference) answerMeta(c *metaCommand, args ...string) {
	r.write(string(r.memcached.Answer(testkit.Request{Verb: r.words[0], Args: args, Flags: c.flags, Value: c.value})))
}

// metaMisses are how denials look that look like misses.
var metaMisses = map[string]string{"mg": "EN", "ms": "NS", "md": "NF", "ma": "NF"}

func (r *reference) denyMeta(c *metaCommand) {
	if !r.quiet {
		r.say("CLIENT_ERROR access denied")
		return
	}
	if _, q := c.flag('q'); q && r.words[0] == "mg" {
		return
	}
	line := metaMisses[r.words[0]]
	if _, cas := c.flag('C'); cas && line == "NS" {
		if mode, ok := c.flag('M'); !ok || mode == "MS" || mode == "MR" {
			line = "NF" // a store that wants an item finds none
		}
	}
	for _, f := range c.flags {
		switch f[0] {
		case 'O':
			line += " " + f
		case 'k':
			line += " k" + r.words[1]
			if _, coded := c.flag('b'); coded {
				line += " b"
			}
		case 'c':
			if r.words[0] == "ms" { // what was not stored has no CAS id
				line += " c0"
			}
		}
	}
	r.say(line)
}

// sendMeta says how a command goes upstream: what it asks, then how it stores,
// then the numbers, then the flags whose order matters in the client's.
func (r *reference) sendMeta(c *metaCommand) {
	line := r.words[0] + " " + c.key
	if r.words[0] == "ms" {
		line += " " + strconv.Itoa(len(c.value))
	}
	for _, letter := range []byte("fchlsvMFCDEJIux") {
		f, _ := c.flag(letter)
		switch f {
		case "", "MS", "MI", "M+", "F0":
			continue
		case "M-":
			f = "MD"
		}
		if strings.IndexByte("bfchlsvkqIux", letter) >= 0 {
			f = f[:1] // what is behind it means nothing
		}
		line += " " + f
	}
	for _, f := range c.flags {
		if f == "T0" && r.words[0] == "ms" || strings.IndexByte("NTRt", f[0]) < 0 {
			continue
		}
		if f[0] == 't' {
			f = "t"
		}
		line += " " + f
	}
	line += "\r\n"
	if r.words[0] == "ms" {
		line += c.value + "\r\n"
	}
	r.sent = append(r.sent, line)
}
