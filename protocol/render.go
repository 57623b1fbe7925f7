package protocol

import "bytes"

// IsRead reports whether the command answers with items and END, rather than
// with one line.
func (v *Verb) IsRead() bool { return v.canon.word == "mg" && v.canon.flags != "" }

// AppendItemLine appends VALUE <key> <flags> <bytes> [<cas unique>], which the
// value and [ValueEnd] follow. The key is the client's own, not the one sent
// upstream.
func AppendItemLine(dst []byte, v *Verb, key []byte, r *Reply) []byte {
	dst = append(dst, "VALUE "...)
	dst = append(dst, key...)
	dst = appendUint(append(dst, ' '), uint64(r.Flags))
	dst = appendUint(append(dst, ' '), uint64(r.Size))
	if v.asks(askCAS) {
		dst = appendUint(append(dst, ' '), r.CAS)
	}
	return append(dst, crlf...)
}

// End ends the items of a read, and a value.
const (
	ItemsEnd = lineEnd
	ValueEnd = crlf
)

// AppendAnswer appends the one-line answer to a command that is no read, or the
// line that replaces the items of a read that failed. A number that incr or decr
// returns is no answer but a value.
func AppendAnswer(dst []byte, v *Verb, r *Reply) []byte {
	if line := v.answers[r.Status]; line != "" {
		return append(dst, line...)
	}
	return append(dst, failures[r.Status]...)
}

// Failed reports whether the command was not served.
func (s Status) Failed() bool { return failures[s] != "" }

// failures are what a client is told when memcached did not serve a command.
var failures = answers{
	StatusNone:    UpstreamLost,
	StatusRefused: UpstreamRefused,
	StatusLost:    UpstreamLost,
	StatusDown:    UpstreamDown,
	StatusDropped: ReplyTooLarge,
	StatusBusy:    UpstreamBusy,
	StatusDenied:  AccessDenied,
}

// LooksLikeMiss returns the answer that makes a denied request look like one
// that found nothing, and whether the command has one.
func (r *Request) LooksLikeMiss() (string, bool) {
	return r.Verb.Denied, r.Verb.Denied != ""
}

// ParseLine parses one command line without its terminator, as a person writes
// it in a policy's test. A storage command has no value yet. The request points
// into a copy of line. The error is a *[Refusal].
func ParseLine(line []byte) (*Request, error) {
	if bytes.IndexByte(line, '\n') >= 0 {
		return nil, &Refusal{Reply: lineBadFormat}
	}
	p := Parser{MaxItem: maxU31}
	req, _, err := p.Next(append(bytes.Clone(line), crlf...))
	if err != nil && err != ErrBody {
		return nil, err
	}
	return req, nil
}
