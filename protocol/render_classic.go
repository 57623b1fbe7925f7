package protocol

// classicRenderer writes the replies of the classic dialect (doc/protocol.txt).
var classicRenderer = renderer{
	head:    classicHead,
	end:     crlf,
	answer:  classicAnswer,
	failure: lineFailure,
	alone:   appendLines,
	version: lineVersion,
	noOp:    func(dst []byte, _ *Form) []byte { return append(dst, lineMN...) },
	quit:    func(dst []byte, _ *Form) []byte { return dst },
}

// classicHead appends VALUE <key> <flags> <bytes> [<cas unique>].
func classicHead(dst []byte, f *Form, key []byte, r *Reply) []byte {
	dst = append(dst, "VALUE "...)
	dst = append(dst, key...)
	dst = appendUint(append(dst, ' '), uint64(r.Flags))
	dst = appendUint(append(dst, ' '), uint64(r.Size))
	if f.Verb.canon.params.Ask&AskCAS != 0 {
		dst = appendUint(append(dst, ' '), r.CAS)
	}
	return append(dst, crlf...)
}

// classicAnswer appends the one line that a status is. Of an item that is
// missing among many nothing is said.
func classicAnswer(dst []byte, f *Form, _ []byte, r *Reply) []byte {
	if r.Status == StatusNumber {
		return append(appendUint(dst, r.Number), crlf...)
	}
	line := f.Verb.answers[r.Status]
	if line == "" && !(f.IsMulti() && r.Status == StatusMiss) {
		line = UpstreamRefused
	}
	return append(dst, line...)
}

func lineFailure(dst []byte, _ *Form, s Status) []byte { return append(dst, failures[s]...) }

func lineVersion(dst []byte, _ *Form, version string) []byte {
	dst = append(dst, "VERSION "...)
	dst = append(dst, version...)
	return append(dst, crlf...)
}
