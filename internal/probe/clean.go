package probe

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWords bounds what is quoted of a reply, in bytes before escapes.
const maxWords = 100

// clean is what a target sent, made fit to be shown: one line, bounded, and nothing
// that a terminal acts on or that reads from right to left.
func clean(b []byte) string {
	cut := len(b) > maxWords
	if cut {
		b = b[:maxWords]
	}
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&out, `\x%02x`, b[0])
		case r == '\\':
			out.WriteString(`\\`)
		case r > unicode.MaxASCII || !unicode.IsPrint(r):
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
		b = b[n:]
	}
	if cut {
		out.WriteString("…")
	}
	return out.String()
}
