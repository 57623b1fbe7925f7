package protocol

import "encoding/base64"

// metaRenderer writes the replies to meta commands (doc/protocol.txt, "Meta
// Commands").
var metaRenderer = renderer{
	head:    metaHead,
	end:     crlf,
	answer:  metaAnswer,
	failure: lineFailure,
	alone:   appendLines,
	version: lineVersion,
	noOp:    classicRenderer.noOp,
	quit:    classicRenderer.quit,
}

// metaCodes are the return codes of replies without a value.
var metaCodes = answers{
	StatusOK: "HD", StatusMiss: "EN", StatusNotFound: "NF", StatusNotStored: "NS", StatusExists: "EX",
}

// metaLines are the statuses for which there is no return code but a line.
var metaLines = answers{
	StatusNonNumeric: lineNonNumeric, StatusTooLarge: lineTooLarge, StatusNoMemory: lineNoMemory,
}

// metaHead appends VA <size> <flags>*.
func metaHead(dst []byte, f *Form, key []byte, r *Reply) []byte {
	dst = appendUint(append(dst, "VA "...), uint64(r.Size))
	return appendReturns(dst, f, key, r)
}

func metaAnswer(dst []byte, f *Form, key []byte, r *Reply) []byte {
	switch {
	case metaLines[r.Status] != "":
		return append(dst, metaLines[r.Status]...)
	case r.Status == StatusNumber && f.returns.has('v'):
		return metaNumber(dst, f, key, r)
	case r.Status == StatusNumber: // of a memcached that always answers with it
		r = &Reply{Status: StatusOK}
	case metaCodes[r.Status] == "":
		return append(dst, UpstreamRefused...)
	}
	return appendReturns(append(dst, metaCodes[r.Status]...), f, key, r)
}

// metaNumber appends the number that arithmetic came to, as a value.
func metaNumber(dst []byte, f *Form, key []byte, r *Reply) []byte {
	var digits [20]byte
	number := appendUint(digits[:0], r.Number)
	dst = appendUint(append(dst, "VA "...), uint64(len(number)))
	dst = appendReturns(dst, f, key, r)
	return append(append(dst, number...), crlf...)
}

// appendReturns appends the flags that the client wants to see and the end of
// the line. A reply about no item repeats the client's own words alone.
func appendReturns(dst []byte, f *Form, key []byte, r *Reply) []byte {
	for _, flag := range f.returns.all() {
		switch {
		case flag == 'O':
			dst = append(append(dst, " O"...), f.token...)
		case flag == 'k':
			dst = appendKey(append(dst, " k"...), f, key)
		case r.told&metaFlags[flag].ask != 0:
			dst = appendTold(append(dst, ' ', flag), flag, r)
		}
	}
	for _, note := range r.Notes.all() {
		dst = append(dst, ' ', note)
	}
	return append(dst, crlf...)
}

// appendTold appends what memcached told of the item for one flag.
func appendTold(dst []byte, flag byte, r *Reply) []byte {
	switch flag {
	case 'f':
		return appendUint(dst, uint64(r.Flags))
	case 'c':
		return appendUint(dst, r.CAS)
	case 's':
		return appendUint(dst, uint64(r.ItemSize))
	case 't':
		return appendInt(dst, r.TTL)
	case 'l':
		return appendUint(dst, uint64(r.Access))
	}
	return append(dst, '0'+r.Hit)
}

// appendKey appends the key as the client wrote it.
func appendKey(dst []byte, f *Form, key []byte) []byte {
	if !f.base64 {
		return append(dst, key...)
	}
	return append(base64.StdEncoding.AppendEncode(dst, key), " b"...)
}
