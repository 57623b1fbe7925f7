package probe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
)

// Outcome is what an answer means to one who must not be served, as JSON has it.
type Outcome string

// The outcomes, from the one that tells least to the one that tells most: of
// several requests the last counts.
const (
	Untested Outcome = "untested" // not asked, or no answer in time
	Refused  Outcome = "refused"  // an error, or the end of the connection
	Foreign  Outcome = "foreign"  // bytes that memcached never sends
	Answered Outcome = "answered" // anything memcached says to one whom it serves
)

var outcomes = []Outcome{Untested, Refused, Foreign, Answered}

// worse reports whether o tells more than other.
func (o Outcome) worse(other Outcome) bool {
	return slices.Index(outcomes, o) > slices.Index(outcomes, other)
}

const (
	header      = 24 // bytes of a binary packet before its body
	responseBit = 0x81

	statusOK   = 0x00
	statusMiss = 0x01
	statusAuth = 0x20
)

// Words for what is no line.
const (
	wordsAlert  = "a TLS alert"
	wordsClosed = "the connection is closed"
	wordsLate   = "no answer in time"
	wordsBroken = "the connection broke"
	notAsked    = "not asked"
	wordsOther  = "what memcached never sends"

	deniedWords = "CLIENT_ERROR access denied" // slabgate's, and no memcached's
)

// A line by which a request is refused begins with one of errorWords, one by which
// it is answered with one of servedWords.
var (
	errorWords  = []string{"ERROR", "CLIENT_ERROR", "SERVER_ERROR"}
	servedWords = []string{
		"VERSION", "STAT", "END", "EN", "OK", "ITEM", "PREFIX", "VALUE", "ME", "MN", "mg",
		"BUSY", "BADCLASS", "NOTSTARTED", "WATCHER_TOO_MANY", "WATCHER_FAILED",
	}
	shortWords = []string{"END", "EN", "OK", "MN", "BUSY", "BADCLASS", "NOTSTARTED"} // often the whole reply
)

// tellable are the refusals that are quoted. Of any other only its first word is:
// it could hold a key.
var tellable = []string{
	"CLIENT_ERROR unauthenticated", deniedWords, "CLIENT_ERROR command not supported",
	"CLIENT_ERROR bad command line format", "CLIENT_ERROR bad data chunk", "CLIENT_ERROR invalid exptime argument",
	"CLIENT_ERROR stats cachedump not allowed", "CLIENT_ERROR stats detail not allowed", "CLIENT_ERROR metadump not allowed",
	"CLIENT_ERROR watch commands not allowed", "CLIENT_ERROR flush_all not allowed", "CLIENT_ERROR lru crawler disabled",
	"CLIENT_ERROR usage: stats detail on|off|dump", "CLIENT_ERROR too many connections",
	"SERVER_ERROR upstream unavailable", "SERVER_ERROR too many logins, try again",
}

// versionLine is a version that may be quoted.
var versionLine = regexp.MustCompile(`^VERSION [0-9][0-9A-Za-z.+~_-]{0,31}$`)

// firstLine is the first line of data without its end, and the rest.
func firstLine(data []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(data, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// wordOf is the first word of a line. It points into it.
func wordOf(line []byte) []byte {
	word, _, _ := bytes.Cut(line, []byte(" "))
	return word
}

func isWord(list []string, line []byte) bool { return slices.Contains(list, string(wordOf(line))) }

// lineWhole reports whether a line has come: the reply to a request that has one.
func lineWhole(data []byte) bool { return bytes.IndexByte(data, '\n') >= 0 }

// listWhole reports whether a list has come: it ends with END or EN, or is one
// line that says there is none.
func listWhole(data []byte) bool {
	if !bytes.HasSuffix(data, []byte("\n")) {
		return false
	}
	line, _ := firstLine(data)
	if isWord(errorWords, line) || isWord([]string{"BUSY", "BADCLASS", "NOTSTARTED"}, line) || !isWord(servedWords, line) && !isListed(line) {
		return true
	}
	trimmed := bytes.TrimRight(data, "\r\n")
	last := trimmed[bytes.LastIndexByte(trimmed, '\n')+1:]
	return string(last) == "END" || string(last) == "EN"
}

// isListed reports whether a line is one of metadump or watch.
func isListed(line []byte) bool {
	return bytes.HasPrefix(line, []byte("key=")) || bytes.HasPrefix(line, []byte("ts="))
}

// watchWhole reports whether enough of a log has come to know that it shows keys:
// it has no end.
func watchWhole(data []byte) bool {
	line, rest := firstLine(data)
	if lineWhole(data) && string(line) != "OK" && !isListed(line) {
		return true
	}
	_, after, found := bytes.Cut(rest, []byte(" key="))
	return found && lineWhole(after)
}

// judgeText says what a reply in the text protocol means, in words that hold no
// key.
func judgeText(r reply) (Outcome, string) {
	line, rest := firstLine(r.data)
	switch {
	case len(r.data) == 0:
		return judgeNothing(r)
	case isAlert(r.data):
		return Refused, wordsAlert
	case isWord(errorWords, line):
		return Refused, refusal(line)
	case len(rest) == 0 && (versionLine.Match(line) || slices.Contains(shortWords, string(line))):
		return Answered, string(line)
	case isWord(servedWords, line), isListed(line):
		return Answered, amount(r)
	}
	return Foreign, wordsOther
}

// refusal is a line by which a request was refused, or how it begins.
func refusal(line []byte) string {
	text := string(bytes.TrimRight(line, ". "))
	if slices.Contains(tellable, text) || slices.Contains(errorWords, text) {
		return text
	}
	return string(wordOf(line)) + " and more"
}

// judgeNothing is the outcome of a reply without a byte.
func judgeNothing(r reply) (Outcome, string) {
	switch {
	case r.alert() != "":
		return Refused, "TLS alert: " + r.alert()
	case r.end == endClosed:
		return Refused, wordsClosed
	case r.end == endLate:
		return Untested, wordsLate
	}
	return Untested, wordsBroken
}

// isAlert reports whether data is a TLS alert in the clear: what a TLS port says to
// one who does not speak TLS.
func isAlert(data []byte) bool { return len(data) >= 7 && data[0] == 0x15 && data[1] == 3 }

// amount tells how long a reply is, which is all that is told of some.
func amount(r reply) string {
	if r.end == endFull {
		return plural(len(r.data), "byte") + " and more"
	}
	return plural(len(r.data), "byte")
}

// packet is one response of the binary protocol. Its slices point into the reply.
type packet struct {
	opcode     byte
	status     uint16
	key, value []byte
}

// nextPacket takes the first packet off data. ok is false if there is no whole one.
func nextPacket(data []byte) (p packet, rest []byte, ok bool) {
	if len(data) < header || data[0] != responseBit {
		return p, data, false
	}
	keys, extras := int(binary.BigEndian.Uint16(data[2:])), int(data[4])
	body := uint64(binary.BigEndian.Uint32(data[8:]))
	if body > uint64(len(data)-header) || uint64(keys+extras) > body {
		return p, data, false
	}
	b := data[header : header+int(body)]
	p = packet{data[1], binary.BigEndian.Uint16(data[6:]), b[extras : extras+keys], b[extras+keys:]}
	return p, data[header+int(body):], true
}

// packetWhole reports whether one packet has come, or bytes that are none.
func packetWhole(data []byte) bool {
	if len(data) > 0 && data[0] != responseBit {
		return isAlert(data) || lineWhole(data)
	}
	_, _, ok := nextPacket(data)
	return ok
}

// statWhole reports whether a list of statistics has come: it ends with a packet
// without a key, or with an error.
func statWhole(data []byte) bool {
	if len(data) > 0 && data[0] != responseBit {
		return packetWhole(data)
	}
	for {
		p, rest, ok := nextPacket(data)
		if !ok || p.status != statusOK || len(p.key) == 0 {
			return ok
		}
		data = rest
	}
}

// statusWords are the refusals of the binary protocol that have a name.
var statusWords = map[uint16]string{
	statusMiss: "not found", 0x04: "invalid arguments", 0x08: "access denied", statusAuth: "authentication required",
	0x21: "authentication goes on", 0x24: "access denied", 0x81: "unknown command", 0x82: "out of memory", 0x83: "not supported",
}

// judgePacket says what a reply in the binary protocol means.
func judgePacket(r reply) (Outcome, string) {
	switch {
	case len(r.data) == 0:
		return judgeNothing(r)
	case r.data[0] != responseBit:
		return judgeText(r)
	case len(r.data) < header:
		return Foreign, wordsOther
	}
	op, status := r.data[1], binary.BigEndian.Uint16(r.data[6:])
	if status == statusOK || status == statusMiss && op == opGet {
		return Answered, amount(r)
	}
	words := statusWords[status]
	if words == "" {
		words = "an error"
	}
	return Refused, fmt.Sprintf("status 0x%02x, %s", status, words)
}

// mechanisms are those that SASL has a name for and memcached or slabgate may
// offer; others are told as one.
var mechanisms = []string{
	"ANONYMOUS", "CRAM-MD5", "DIGEST-MD5", "EXTERNAL", "GSSAPI", "LOGIN", "NTLM", "OAUTHBEARER", "PLAIN",
	"SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512", "SCRAM-SHA-512-PLUS",
}

// mechsOf are the mechanisms that a reply to LIST MECHS offers.
func mechsOf(data []byte) (list []string) {
	p, _, ok := nextPacket(data)
	if !ok || p.opcode != opMechs || p.status != statusOK {
		return nil
	}
	for word := range bytes.FieldsSeq(p.value) {
		name := string(word)
		if !slices.Contains(mechanisms, name) {
			name = "another"
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}
