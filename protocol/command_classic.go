package protocol

// classicWords are the commands of the classic dialect that say what a meta
// command says whose row names none: with this word and mode, and with these
// parts and no others.
var classicWords = []struct {
	word string
	mode byte
	has  Part
	says string
}{
	{"mg", 0, 0, "gets"},
	{"mg", 0, HasExptime, "gats"},
	{"ms", 0, 0, "set"},
	{"ms", 'E', 0, "add"},
	{"ms", 'R', 0, "replace"},
	{"ms", 'A', 0, "append"},
	{"ms", 'P', 0, "prepend"},
	{"ms", 0, HasCAS, "cas"},
	{"ms", 'R', HasCAS, "cas"},
	{"md", 0, 0, "delete"},
	{"ma", 0, 0, "incr"},
	{"ma", 'D', 0, "decr"},
}

// implied are the parts that a classic command says anyhow, or that say nothing.
const implied = HasDelta | HasInitial | KeepsPlace

// classic returns the classic command that does what c does, for memcached older
// than the meta dialect, and false if there is none.
func (c *Command) classic() (string, bool) {
	if says := c.Verb.canon.classic; says != "" {
		return says, true
	}
	has := c.Has &^ implied
	if c.Verb.canon.value {
		has &^= HasExptime
	}
	for i := range classicWords {
		if w := &classicWords[i]; w.word == c.Verb.canon.word && w.mode == c.Mode && w.has == has {
			return w.says, c.classicTells()
		}
	}
	return "", false
}

// classicTells reports whether the classic reply tells all that the command
// asks for. It has no CAS id for what it changed, which the binary dialect
// always asks for, and for which 0 means that there is none.
func (c *Command) classicTells() bool {
	switch {
	case c.Verb.canon.word == "mg":
		return c.Ask&AskValue != 0 && c.Ask&^(AskValue|AskFlags|AskCAS) == 0
	case c.Verb.packet.read != nil:
		return true
	}
	return c.Ask&^AskValue == 0
}

// FitsClassic reports whether memcached older than the meta dialect can be asked
// for what c asks.
func (c *Command) FitsClassic() bool {
	_, ok := c.classic()
	return ok
}

// AppendClassic appends c as canonical classic text, for memcached older than
// the meta dialect. It must fit that dialect: see FitsClassic.
func AppendClassic(dst []byte, c *Command) []byte {
	word, _ := c.classic()
	read := c.Ask&AskValue != 0
	dst = append(append(dst, word...), ' ')
	if c.Verb.canon.word == "mg" && c.Has&HasExptime != 0 && read { // gat names the expiry before the key
		dst = append(appendInt(dst, int64(c.Exptime)), ' ')
	}
	dst = appendItem(dst, c.Prefix, c.Key, c.Hashed)
	switch {
	case c.Verb.canon.value:
		dst = c.appendStore(dst)
	case c.Verb.canon.word == "ma":
		dst = appendUint(append(dst, ' '), c.delta())
	case c.Has&HasExptime != 0 && !read:
		dst = appendInt(append(dst, ' '), int64(c.Exptime))
	}
	dst = append(dst, crlf...)
	return c.appendValue(dst)
}

// appendStore appends what a store says behind its key.
func (c *Command) appendStore(dst []byte) []byte {
	dst = appendUint(append(dst, ' '), uint64(c.Flags))
	dst = appendInt(append(dst, ' '), int64(c.Exptime))
	dst = appendUint(append(dst, ' '), uint64(len(c.Value)))
	if c.Has&HasCAS != 0 {
		dst = appendUint(append(dst, ' '), c.CAS)
	}
	return dst
}

// delta is what arithmetic adds or takes away: 1 if it does not say.
func (c *Command) delta() uint64 {
	if c.Has&HasDelta == 0 {
		return 1
	}
	return c.Delta
}
