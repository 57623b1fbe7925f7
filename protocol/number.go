package protocol

import "bytes"

// parseUint reads the decimal digits of tok as a number of at most max. It
// accepts nothing but digits: no sign, no space, at most 20 of them. Leading
// zeros are accepted, as memcached accepts them; the number is composed anew
// without them.
func parseUint(tok []byte, max uint64) (uint64, bool) {
	if len(tok) == 0 || len(tok) > 20 {
		return 0, false
	}
	var v uint64
	for _, c := range tok {
		if c < '0' || c > '9' {
			return 0, false
		}
		d := uint64(c - '0')
		if d > max || v > (max-d)/10 {
			return 0, false
		}
		v = v*10 + d
	}
	return v, true
}

// parseExptime reads an expiry: the digits of a number of at most 31 bits, with a
// minus sign or without. Minus zero is zero.
func parseExptime(tok []byte) (int32, bool) {
	neg := len(tok) > 0 && tok[0] == '-'
	if neg {
		tok = tok[1:]
	}
	v, ok := parseUint(tok, maxU31)
	if !ok {
		return 0, false
	}
	if neg {
		return -int32(v), true
	}
	return int32(v), true
}

// appendUint is strconv.AppendUint in base ten, which the composers call often.
func appendUint(dst []byte, v uint64) []byte {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + v%10)
		v /= 10
		if v == 0 {
			return append(dst, b[i:]...)
		}
	}
}

// appendInt appends v in base ten.
func appendInt(dst []byte, v int64) []byte {
	if v < 0 {
		return appendUint(append(dst, '-'), -uint64(v)) // right for the smallest v as well
	}
	return appendUint(dst, uint64(v))
}

// ValidKey reports whether key may be sent to memcached: 1 to 250 bytes, none
// of them a control byte, a space or DEL.
func ValidKey(key []byte) bool {
	if len(key) == 0 || len(key) > MaxKey {
		return false
	}
	return !hasControl(key) && bytes.IndexByte(key, ' ') < 0
}

// hasControl reports whether b holds a byte below space, or DEL.
func hasControl(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return true
		}
	}
	return false
}
