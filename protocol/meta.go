package protocol

import (
	"bytes"
	"encoding/base64"
	"errors"
)

// maxMetaFlags bounds the flags of one meta command.
const maxMetaFlags = 17

// maxOpaque bounds the opaque of a meta command, in bytes without its letter.
const maxOpaque = 31

// Features are parts of the meta dialect that came after 1.6.18, which a
// memcached may have or not.
type Features uint8

const (
	FeatureNewCAS Features = 1 << iota // E
	FeatureDrop                        // x
)

// featureVersions say since when memcached knows a feature (doc/protocol.txt and
// memcached's release notes).
var featureVersions = []struct {
	since   [3]uint64
	feature Features
}{
	{[3]uint64{1, 6, 27}, FeatureNewCAS},
	{[3]uint64{1, 6, 27}, FeatureDrop},
}

// metaFlag says what a flag of a meta command means. One that means nothing to
// a command is accepted and dropped, as memcached does.
type metaFlag struct {
	take    func(p *Parser, token []byte) bool // reads the token; nil if there is none to read
	on      string                             // the commands it means something to
	has     Part
	ask     Ask
	returns bool     // the reply repeats it
	feature Features // needed
}

// metaFlags are all flags there are. A letter that is not in it is refused.
var metaFlags = [128]*metaFlag{
	'b': {on: "mg ms md ma", take: takeBase64},
	'c': {on: "mg ms ma", ask: AskCAS, returns: true},
	'f': {on: "mg", ask: AskFlags, returns: true},
	'h': {on: "mg", ask: AskHit, returns: true},
	'k': {on: "mg ms md ma", returns: true},
	'l': {on: "mg", ask: AskAccess, returns: true},
	'q': {on: "mg ms md ma", take: takeQuiet},
	's': {on: "mg ms", ask: AskSize, returns: true},
	't': {on: "mg ma", ask: AskTTL, returns: true},
	'u': {on: "mg", has: KeepsPlace},
	'v': {on: "mg ma", ask: AskValue, returns: true},
	'x': {on: "md", has: DropsValue, feature: FeatureDrop},
	'C': {on: "mg ms md ma", has: HasCAS, take: takeNumber(func(p *Params) *uint64 { return &p.CAS })},
	'D': {on: "ma", has: HasDelta, take: takeNumber(func(p *Params) *uint64 { return &p.Delta })},
	'E': {on: "mg ms md ma", has: HasNewCAS, feature: FeatureNewCAS, take: takeNumber(func(p *Params) *uint64 { return &p.NewCAS })},
	'F': {on: "ms md", take: takeClientFlags},
	'I': {on: "ms md", has: Invalidates},
	'J': {on: "ma", has: HasInitial, take: takeNumber(func(p *Params) *uint64 { return &p.Initial })},
	'L': {},
	'M': {on: "ms ma", take: takeMode},
	'N': {on: "mg ms ma", has: HasVivify, take: takeSeconds(func(p *Params) *int32 { return &p.Vivify })},
	'O': {on: "mg ms md ma", returns: true, take: takeOpaque},
	'P': {},
	'R': {on: "mg", has: HasRecache, take: takeSeconds(func(p *Params) *int32 { return &p.Recache })},
	'T': {on: "mg ms md ma", has: HasExptime, take: takeSeconds(func(p *Params) *int32 { return &p.Exptime })},
}

// mg, md, ma: <key> <flags>*
func parseMeta(p *Parser) error {
	if len(p.tok) < 2 {
		return p.reject(lineError)
	}
	if line := p.metaLine(2); line != "" {
		return p.reject(line)
	}
	return nil
}

// ms: <key> <datalen> <flags>*
//
// The length is read first: without it the data block can't be told from the
// next command, and the connection must end.
func parseMetaStore(p *Parser) error {
	if len(p.tok) < 3 {
		return p.refuse(lineBadFormat, closing)
	}
	size, ok := parseUint(p.tok[2], maxU31-2)
	if !ok {
		return p.refuse(lineBadFormat, closing)
	}
	p.req.size = int(size)
	line := lineBadFormat
	if !p.dirty {
		line = p.metaLine(3)
	}
	if line == "" && p.tooLarge() {
		line = lineTooLarge
	}
	if line != "" {
		return p.refuseBody(line, p.req.size)
	}
	return nil
}

// me: <key> [b]
func parseMetaDebug(p *Parser) error {
	if len(p.tok) < 2 || len(p.tok) > 3 || len(p.tok) == 3 && string(p.tok[2]) != "b" {
		return p.reject(lineBadFormat)
	}
	if line := p.metaLine(2); line != "" {
		return p.reject(line)
	}
	p.req.Args = p.req.Keys[0]
	return nil
}

// metaLine reads the key and the flags, which begin at the given token. It
// returns what to answer if they are no good.
func (p *Parser) metaLine(first int) string {
	flags := p.tok[first:]
	if len(flags) > maxMetaFlags {
		return lineManyFlags
	}
	var seen [128]bool
	for _, tok := range flags {
		c := tok[0]
		switch {
		case c >= 128 || metaFlags[c] == nil || p.Knows&metaFlags[c].feature != metaFlags[c].feature:
			return lineBadFlag
		case seen[c]:
			return lineDuplicate
		}
		seen[c] = true
		if line := p.metaFlag(c, tok[1:]); line != "" {
			return line
		}
	}
	return p.metaKey(p.tok[1])
}

// metaFlag reads one flag and its token. Of one that means nothing to the
// command, nothing stays.
func (p *Parser) metaFlag(c byte, tok []byte) string {
	f, before := metaFlags[c], p.req.Params
	if f.take != nil && !f.take(p, tok) {
		return badTokens[c]
	}
	if !meansTo(f.on, p.req.Verb.canon.word) {
		p.req.Params = before
		return ""
	}
	p.req.Has |= f.has
	p.req.Ask |= f.ask
	if i := bytes.IndexByte(p.req.Order[:], 0); i >= 0 && bytes.IndexByte(anyOrder[:], c) >= 0 {
		p.req.Order[i] = c
	}
	if f.returns {
		p.req.returns.add(c)
	}
	return ""
}

// meansTo reports whether the two-letter word is in the list.
func meansTo(list, word string) bool {
	for i := 0; i+2 <= len(list); i += 3 {
		if list[i:i+2] == word {
			return true
		}
	}
	return false
}

// badTokens are the answers to a flag whose token is no good.
var badTokens = [128]string{
	'C': lineBadFlagToken, 'D': lineBadFlagToken, 'E': lineBadFlagToken, 'F': lineBadFlagToken,
	'J': lineBadFlagToken, 'N': lineBadFlagToken, 'R': lineBadFlagToken, 'T': lineBadFlagToken,
	'M': lineBadMode, 'O': lineLongOpaque,
}

// metaKey takes the key. A base64 key must be the one way of writing its bytes,
// and those are held to the same rules as every key: what is decided on is what
// the item is called.
func (p *Parser) metaKey(tok []byte) string {
	key := tok
	if p.req.base64 {
		var err error
		if key, err = decodeKey(tok, p.maxKey()); err != nil {
			return lineBadBase64
		}
	}
	if !p.validKey(key) {
		return lineBadFormat
	}
	p.req.Keys = append(p.req.Keys, key)
	return ""
}

// errBase64 is a key that is no base64, not the one way of writing its bytes, or
// too long.
var errBase64 = errors.New("protocol: key is not canonical base64")

// decodeKey returns the bytes that tok stands for, at most limit of them, in
// memory of their own: they are wanted for as long as the request, and the parser
// may meet the next one.
func decodeKey(tok []byte, limit int) ([]byte, error) {
	key := make([]byte, base64.StdEncoding.DecodedLen(len(tok)))
	n, err := base64.StdEncoding.Strict().Decode(key, tok)
	if err != nil || len(tok) > MaxKey || n > limit || base64.StdEncoding.EncodedLen(n) != len(tok) {
		return nil, errBase64
	}
	return key[:n], nil
}

func takeBase64(p *Parser, _ []byte) bool {
	p.req.base64 = true
	return true
}

func takeQuiet(p *Parser, _ []byte) bool {
	p.req.Quiet = true
	return true
}

func takeOpaque(p *Parser, tok []byte) bool {
	p.req.token = tok
	return len(tok) <= maxOpaque
}

// takeSeconds reads an expiry into a part of the request.
func takeSeconds(into func(*Params) *int32) func(*Parser, []byte) bool {
	return func(p *Parser, tok []byte) bool {
		v, ok := parseExptime(tok)
		*into(&p.req.Params) = v
		return ok
	}
}

// takeNumber reads a number of 64 bits into a part of the request.
func takeNumber(into func(*Params) *uint64) func(*Parser, []byte) bool {
	return func(p *Parser, tok []byte) bool {
		v, ok := parseUint(tok, maxU64)
		*into(&p.req.Params) = v
		return ok
	}
}

func takeClientFlags(p *Parser, tok []byte) bool {
	flags, ok := parseUint(tok, maxU32)
	p.req.Flags = uint32(flags)
	return ok
}

// metaModes are the modes of the commands that have some, as they go upstream.
var metaModes = map[string]map[byte]byte{
	"ms": {'E': 'E', 'A': 'A', 'P': 'P', 'R': 'R', 'S': 0},
	"ma": {'I': 0, '+': 0, 'D': 'D', '-': 'D'},
}

// takeMode reads a mode. To a command that has none it means nothing.
func takeMode(p *Parser, tok []byte) bool {
	modes := metaModes[p.req.Verb.canon.word]
	if modes == nil || len(tok) != 1 {
		return modes == nil
	}
	mode, ok := modes[tok[0]]
	p.req.Mode = mode
	return ok
}
