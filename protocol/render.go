package protocol

import "bytes"

// renderer writes the replies of one dialect. Every function appends to dst.
type renderer struct {
	// head appends what comes before a value of r.Size bytes, and end what comes
	// after it.
	head func(dst []byte, f *Form, key []byte, r *Reply) []byte
	end  string

	// answer appends a reply without a value to a command about a key.
	answer func(dst []byte, f *Form, key []byte, r *Reply) []byte

	// failure appends that a command was not served, and why.
	failure func(dst []byte, f *Form, s Status) []byte

	// alone turns memcached's lines to a command that went there alone into the
	// client's reply.
	alone func(dst []byte, r *Request, lines []byte) []byte

	version func(dst []byte, f *Form, version string) []byte
	noOp    func(dst []byte, f *Form) []byte
	quit    func(dst []byte, f *Form) []byte
}

// renderers are those of commands in lines, by dialect. Those of the classic
// commands and of the meta commands differ in how they answer about a key.
var renderers = [...]*renderer{ASCII: &classicRenderer, Binary: &packetRenderer}

func (f *Form) renderer() *renderer {
	if f.Dialect == ASCII && f.isMeta() {
		return &metaRenderer
	}
	return renderers[f.Dialect]
}

// isMeta reports whether the command is one of the meta dialect.
func (f *Form) isMeta() bool {
	return f.Verb != nil && f.Verb.word != "" && f.Verb.word == f.Verb.canon.word
}

// IsMulti reports whether the command answers with any number of items and a
// line that ends them, which [Form.AppendItemsEnd] writes.
func (f *Form) IsMulti() bool {
	return f.Dialect == ASCII && f.Verb.word != f.Verb.canon.word && f.Verb.canon.params.Ask&AskValue != 0 && f.Verb.canon.word == "mg"
}

// AppendHead appends all of a reply with a value that comes before the value.
// The key is the client's own, not the one sent upstream.
func (f *Form) AppendHead(dst, key []byte, r *Reply) []byte {
	return f.renderer().head(dst, f, key, r)
}

// AppendValueEnd appends what comes after a value.
func (f *Form) AppendValueEnd(dst []byte) []byte { return append(dst, f.renderer().end...) }

// AppendItemsEnd appends the end of a reply of many items.
func (f *Form) AppendItemsEnd(dst []byte) []byte {
	if f.IsMulti() {
		return append(dst, lineEnd...)
	}
	return dst
}

// AppendAnswer appends a reply that has no value, or why there is none.
func (f *Form) AppendAnswer(dst, key []byte, r *Reply) []byte {
	if r.Status.Failed() {
		return f.renderer().failure(dst, f, r.Status)
	}
	return f.renderer().answer(dst, f, key, r)
}

// AppendMiss appends the reply to a denied request that is to look as if it had
// found nothing, and reports whether it has such a reply.
func (r *Request) AppendMiss(dst, key []byte) ([]byte, bool) {
	s := r.Verb.Denied
	if s == StatusNotStored && r.Has&HasCAS != 0 && (r.Mode == 0 || r.Mode == 'R') {
		s = StatusNotFound // a store that wants an item finds none
	}
	switch {
	case s == StatusNone:
		return dst, false
	case r.Silent(s):
		return dst, true
	case r.IsMulti():
		return r.AppendItemsEnd(dst), true
	}
	reply := Reply{Status: s}
	if r.Verb.canon.value {
		reply.told = AskCAS // which is 0, as memcached has it
	}
	return r.AppendAnswer(dst, key, &reply), true
}

// AppendAlone appends the reply to a command that went upstream alone, from the
// lines that memcached answered with. The request must have the prefix it was
// sent with.
func (r *Request) AppendAlone(dst, lines []byte) []byte { return r.renderer().alone(dst, r, lines) }

// AppendVersion appends the answer to a version command.
func (f *Form) AppendVersion(dst []byte, version string) []byte {
	return f.renderer().version(dst, f, version)
}

// AppendNoOp appends the answer to a command that does nothing.
func (f *Form) AppendNoOp(dst []byte) []byte { return f.renderer().noOp(dst, f) }

// AppendQuit appends the farewell to a client that leaves, if its dialect has one.
func (f *Form) AppendQuit(dst []byte) []byte {
	if f.Silent(StatusOK) {
		return dst
	}
	return f.renderer().quit(dst, f)
}

// Failed reports whether the command was not served.
func (s Status) Failed() bool { return failures[s] != "" }

// failures are what a client is told when memcached did not serve a command.
var failures = answers{
	StatusNone:            UpstreamLost,
	StatusRefused:         UpstreamRefused,
	StatusLost:            UpstreamLost,
	StatusDown:            UpstreamDown,
	StatusDropped:         ReplyTooLarge,
	StatusBusy:            UpstreamBusy,
	StatusUnfit:           UpstreamUnfit,
	StatusDenied:          AccessDenied,
	StatusInvalid:         lineBadFormat,
	StatusUnauthenticated: Unauthenticated,
	StatusLimitRate:       LimitRate,
	StatusLimitBytes:      LimitBytes,
	StatusLimitInFlight:   LimitInFlight,
	StatusLimitValue:      LimitValue,
	StatusLimitTTL:        LimitTTL,
	StatusLimitKeys:       LimitKeys,
	StatusLimitConns:      LimitConns,
	StatusFrozen:          Frozen,
}

// ParseLine parses one command line without its terminator, as a person writes
// it in a policy's test. A storage command has no value. The request points
// into a copy of line. The error is a *[Refusal].
func ParseLine(line []byte) (*Request, error) {
	if bytes.IndexByte(line, '\n') >= 0 {
		return nil, &Refusal{Reply: lineBadFormat}
	}
	p := Parser{MaxItem: maxU31, Knows: allFeatures, Wanted: func(*Request) bool { return false }}
	req, _, err := p.Next(append(bytes.Clone(line), crlf...))
	if err != nil {
		return nil, err
	}
	return req, nil
}
