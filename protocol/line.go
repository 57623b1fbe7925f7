package protocol

// parseFunc reads the tokens of a line into the parser's request. The error, if
// any, is a *Refusal.
type parseFunc func(p *Parser) error

// noReply takes the last token off if it is noreply and the command has that
// many tokens with it. Anywhere else the word is an ordinary token: a key may
// be called noreply.
func (p *Parser) noReply(tokens ...int) {
	last := len(p.tok) - 1
	for _, n := range tokens {
		if len(p.tok) == n && string(p.tok[last]) == "noreply" {
			p.req.NoReply = true
			p.tok = p.tok[:last]
			return
		}
	}
}

// reject refuses a line that no data block follows. A client that wants no
// reply gets none.
func (p *Parser) reject(reply string) error {
	if p.req.NoReply {
		reply = ""
	}
	return p.refuse(reply, 0)
}

// takeKeys takes every token from the first on as a key.
func (p *Parser) takeKeys(first int) error {
	if len(p.tok) <= first || len(p.tok)-first > MaxGetKeys {
		return p.reject(lineBadFormat)
	}
	for _, key := range p.tok[first:] {
		if !p.validKey(key) {
			return p.reject(lineBadFormat)
		}
		p.req.Keys = append(p.req.Keys, key)
	}
	return nil
}

// get, gets: <key>+
func parseGet(p *Parser) error { return p.takeKeys(1) }

// gat, gats: <exptime> <key>+
func parseGat(p *Parser) error {
	if len(p.tok) < 3 {
		return p.reject(lineBadFormat)
	}
	if !p.exptime(1) {
		return p.reject(lineBadExptime)
	}
	return p.takeKeys(2)
}

// touch: <key> <exptime> [noreply]
func parseTouch(p *Parser) error {
	p.noReply(4)
	if len(p.tok) != 3 || !p.validKey(p.tok[1]) {
		return p.reject(lineBadFormat)
	}
	if !p.exptime(2) {
		return p.reject(lineBadExptime)
	}
	p.req.Keys = append(p.req.Keys, p.tok[1])
	return nil
}

// delete: <key> [0] [noreply]
func parseDelete(p *Parser) error {
	p.noReply(3, 4)
	if len(p.tok) == 3 && string(p.tok[2]) == "0" {
		p.tok = p.tok[:2]
	}
	if len(p.tok) != 2 || !p.validKey(p.tok[1]) {
		return p.reject(lineBadFormat)
	}
	p.req.Keys = append(p.req.Keys, p.tok[1])
	return nil
}

// incr, decr: <key> <delta> [noreply]
func parseArith(p *Parser) error {
	p.noReply(4)
	if len(p.tok) != 3 || !p.validKey(p.tok[1]) {
		return p.reject(lineBadFormat)
	}
	var ok bool
	if p.req.Delta, ok = parseUint(p.tok[2], maxU64); !ok {
		return p.reject(lineBadDelta)
	}
	p.req.Keys = append(p.req.Keys, p.tok[1])
	return nil
}

func (p *Parser) exptime(i int) (ok bool) {
	p.req.Exptime, ok = parseExptime(p.tok[i])
	return ok
}

// set, add, replace, append, prepend: <key> <flags> <exptime> <bytes> [noreply]
// cas: <key> <flags> <exptime> <bytes> <cas unique> [noreply]
//
// The length is read first: without it the data block can't be told from the
// next command, and the connection must end.
func parseStore(p *Parser) error {
	want := 5
	if p.req.Has&HasCAS != 0 {
		want = 6
	}
	if len(p.tok) < 5 {
		return p.refuse(lineBadFormat, closing)
	}
	size, ok := parseUint(p.tok[4], maxU31-2)
	if !ok {
		return p.refuse(lineBadFormat, closing)
	}
	p.noReply(want + 1)
	p.req.size = int(size)
	if len(p.tok) != want || p.dirty || !p.storeFields() {
		return p.refuseBody(lineBadFormat, p.req.size)
	}
	p.req.Keys = append(p.req.Keys, p.tok[1])
	if p.tooLarge() {
		return p.refuseBody(lineTooLarge, p.req.size)
	}
	return nil
}

// storeFields reads everything of a storage command but its length.
func (p *Parser) storeFields() bool {
	flags, ok := parseUint(p.tok[2], maxU32)
	p.req.Flags = uint32(flags)
	if !ok || !p.validKey(p.tok[1]) || !p.exptime(3) {
		return false
	}
	if len(p.tok) == 6 {
		p.req.CAS, ok = parseUint(p.tok[5], maxU64)
	}
	return ok
}

// Sizes of what memcached keeps beside a value (struct _stritem in its
// memcached.h): header, CAS id, the key's and the value's ends, client flags.
const (
	itemOverhead  = 48 + 8 + 1 + 2
	itemFlagsSize = 4
)

// itemSize is the memory an item takes in memcached, which its -I limits.
func itemSize(key int, flags uint32, value int) int64 {
	n := itemOverhead + int64(key) + int64(value)
	if flags != 0 {
		n += itemFlagsSize
	}
	return n
}

// version, quit, mn: whatever follows is ignored, as memcached ignores it.
func parseBare(*Parser) error { return nil }

// flush_all: [exptime] [noreply]
func parseFlush(p *Parser) error {
	p.noReply(2, 3)
	if len(p.tok) > 2 {
		return p.reject(lineBadFormat)
	}
	if len(p.tok) == 2 && !p.exptime(1) {
		return p.reject(lineBadExptime)
	}
	p.args = p.args[:0]
	if p.req.Exptime != 0 {
		p.args = appendInt(p.args, int64(p.req.Exptime))
	}
	p.req.Args = p.args
	return nil
}

// parseKeyless finds the row whose arguments match exactly, so that a policy
// decides on the very words that go upstream.
func parseKeyless(p *Parser) error {
	if p.req.Verb.word != "stats" {
		p.noReply(len(p.tok))
	}
	for _, v := range p.rows {
		if !p.matchArgs(v.args) {
			continue
		}
		p.req.Verb, p.req.Args = v, p.args
		if v.Route == RouteLocal {
			return p.reject(lineNotServed)
		}
		return nil
	}
	return p.reject(lineError)
}

// parseRefused answers a command that is never served.
func parseRefused(p *Parser) error {
	p.noReply(len(p.tok))
	return p.reject(lineNotServed)
}

// parseLoud answers a retrieval that is never served: for it the word is a key.
func parseLoud(p *Parser) error { return p.reject(lineNotServed) }
