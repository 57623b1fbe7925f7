package protocol

import (
	"bytes"
	"slices"
)

// ParseClassic is [ParseMeta] for memcached older than the meta dialect. Its
// replies carry no opaque: a value proves itself by its key, and everything
// else only by being the sole reply that is owed, so nothing may be pipelined.
func ParseClassic(buf []byte, c *Command, _ uint64, r *Reply) (int, error) {
	line, n, err := replyLine(buf)
	if err != nil {
		return 0, err
	}
	*r = Reply{}
	word, _ := c.classic()
	switch {
	case c.Ask&AskValue != 0 && c.Verb.canon.word == "mg":
		return n, r.classicItem(line, c)
	case c.Verb.canon.word == "ma":
		var ok bool
		if r.Number, ok = parseUint(line, maxU64); ok {
			r.Status = StatusNumber
			return n, nil
		}
	}
	for status, answer := range byWord[word][0].answers {
		if answer != "" && answer[:len(answer)-2] == string(line) {
			r.Status = Status(status)
			return n, nil
		}
	}
	return n, r.errorLine(line, c)
}

// classicItem reads VALUE <key> <flags> <bytes> [<cas unique>], or END.
func (r *Reply) classicItem(line []byte, c *Command) error {
	if string(line) == "END" {
		r.Status = StatusMiss
		return nil
	}
	rest, ok := bytes.CutPrefix(line, []byte("VALUE "))
	if !ok {
		return r.errorLine(line, c)
	}
	if rest, ok = c.cutItem(rest); !ok || len(rest) == 0 || rest[0] != ' ' {
		return errReplyOwner
	}
	tok := bytes.Split(rest[1:], []byte(" "))
	fields := 2
	if word, _ := c.classic(); word == "gets" || word == "gats" {
		fields = 3
	}
	if len(tok) != fields {
		return errReplyLine
	}
	flags, okFlags := parseUint(tok[0], maxU32)
	size, okSize := parseUint(tok[1], maxU31-2)
	if ok = okFlags && okSize; ok && fields == 3 {
		r.CAS, ok = parseUint(tok[2], maxU64)
	}
	if !ok {
		return errReplyLine
	}
	r.Status, r.Flags, r.Size, r.Trailer = StatusValue, uint32(flags), int(size), crlf+lineEnd
	r.told = AskFlags | AskCAS
	return nil
}

// cutItem cuts what memcached calls the item off the start of line.
func (c *Command) cutItem(line []byte) (rest []byte, ok bool) {
	rest, ok = bytes.CutPrefix(line, c.Prefix)
	if ok && !c.Hashed {
		rest, ok = bytes.CutPrefix(rest, c.Key)
	}
	return rest, ok
}

// lineGrammar judges one line of a reply to a command about no key: whether it
// may be passed on, and whether it is the last.
type lineGrammar func(line []byte, r *Request) (last bool, ok bool)

// statLines: STAT <name> <value> lines, then END; or one error line.
func statLines(line []byte, _ *Request) (last, ok bool) {
	if string(line) == "END" || string(line) == "ERROR" {
		return true, true
	}
	word, rest, _ := bytes.Cut(line, []byte(" "))
	switch string(word) {
	case "STAT":
		return false, len(rest) > 0
	case "CLIENT_ERROR", "SERVER_ERROR":
		return true, true
	}
	return false, false
}

// settled are the first words of one-line replies to administrative commands.
var settled = map[string]bool{
	"OK": true, "RESET": true, "ERROR": true, "CLIENT_ERROR": true, "SERVER_ERROR": true,
	"BUSY": true, "BADCLASS": true, "NOSPARE": true, "NOTFULL": true, "UNSAFE": true, "SAME": true,
	"NOTSTARTED": true, "MEMLIMIT_TOO_SMALL": true, "MEMLIMIT_ADJUST_FAILED": true,
}

// oneLine: a single line.
func oneLine(line []byte, _ *Request) (last, ok bool) {
	word, _, _ := bytes.Cut(line, []byte(" "))
	return true, settled[string(word)]
}

// ParseAlone reads one line of memcached's reply to a command that went there
// alone. It returns the line with its terminator, which may be passed on as it
// is, and whether it is the last; that of an unknown command is no part of the
// reply, see [Unknown]. An error means the connection can't be trusted any more;
// [ErrShort] that the line is not complete.
func ParseAlone(buf []byte, r *Request) (line []byte, last bool, err error) {
	line, n, err := replyLine(buf)
	if err != nil {
		return nil, false, err
	}
	last, ok := r.Verb.grammar(line, r)
	if !ok || hasControl(line) {
		return nil, false, errReplyKind
	}
	return buf[:n], last, nil
}

// ParseVersion reads the answer to version.
func ParseVersion(buf []byte) (version string, n int, err error) {
	line, n, err := replyLine(buf)
	if err != nil {
		return "", 0, err
	}
	rest, ok := bytes.CutPrefix(line, []byte("VERSION "))
	if !ok || len(rest) == 0 || len(rest) > 64 || hasControl(rest) {
		return "", 0, errReplyKind
	}
	return string(rest), n, nil
}

// firstMeta is the first memcached whose meta dialect has everything that a
// canonical command and its proof need: 1.6.18 (doc/protocol.txt).
var firstMeta = [3]uint64{1, 6, 18}

// SpeaksMeta reports whether a memcached of that version speaks the meta dialect
// that [AppendMeta] writes.
func SpeaksMeta(version string) bool {
	v, ok := parseVersion(version)
	return ok && slices.Compare(v[:], firstMeta[:]) >= 0
}

// allFeatures are those of the newest memcached there is.
const allFeatures = FeatureNewCAS | FeatureDrop

// FeaturesOf returns what a memcached of that version knows.
func FeaturesOf(version string) (f Features) {
	v, ok := parseVersion(version)
	if !ok {
		return 0
	}
	for _, r := range featureVersions {
		if slices.Compare(v[:], r.since[:]) >= 0 {
			f |= r.feature
		}
	}
	return f
}

// parseVersion reads the three numbers of a version. What follows the third is a
// build's own.
func parseVersion(version string) (v [3]uint64, ok bool) {
	parts := bytes.SplitN([]byte(version), []byte("."), 3)
	if len(parts) != 3 {
		return v, false
	}
	end := 0
	for end < len(parts[2]) && parts[2][end] >= '0' && parts[2][end] <= '9' {
		end++
	}
	parts[2] = parts[2][:end]
	for i := range v {
		if v[i], ok = parseUint(parts[i], maxU32); !ok {
			return v, false
		}
	}
	return v, true
}

// ParseStat reads "STAT <name> <value>".
func ParseStat(line []byte) (name, value []byte, ok bool) {
	rest, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte("STAT "))
	if !ok {
		return nil, nil, false
	}
	name, value, ok = bytes.Cut(rest, []byte(" "))
	return name, value, ok
}
