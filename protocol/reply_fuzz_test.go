package protocol

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// codes are the return codes of accepted replies, written down a second time.
var codes = map[Status]string{
	StatusOK: "HD", StatusValue: "VA", StatusNumber: "VA", StatusMiss: "EN",
	StatusNotFound: "NF", StatusNotStored: "NS", StatusExists: "EX",
}

// renderMeta renders r as a meta reply, as tokens in a fixed order. A number has
// that many digits.
func renderMeta(r *Reply, digits int, opaque uint64) []string {
	tok := []string{codes[r.Status]}
	if tok[0] == "VA" {
		tok = append(tok, fmt.Sprint(max(r.Size, digits)))
	}
	for _, f := range []struct {
		told Ask
		s    string
	}{
		{AskFlags, fmt.Sprint("f", r.Flags)}, {AskCAS, fmt.Sprint("c", r.CAS)}, {AskHit, fmt.Sprint("h", r.Hit)}, {AskAccess, fmt.Sprint("l", r.Access)},
		{AskSize, fmt.Sprint("s", r.ItemSize)}, {AskTTL, fmt.Sprint("t", r.TTL)},
	} {
		if r.told&f.told != 0 {
			tok = append(tok, f.s)
		}
	}
	for _, note := range r.Notes.all() {
		tok = append(tok, string(rune(note)))
	}
	return append(tok, fmt.Sprintf("O%016x", opaque))
}

// normal sorts the flags of a meta line into the order of renderMeta, and takes
// leading zeros off numbers.
func normal(line string) []string {
	tok := strings.Split(line, " ")
	head := 1
	if tok[0] == "VA" {
		head = 2
		tok[1] = trimZeros(tok[1])
	}
	flags := tok[head:]
	for i, f := range flags {
		if f != "" && f[0] != 'O' {
			flags[i] = f[:1] + trimNumber(f[1:])
		}
	}
	const rank = "fchlstWXZO" // the notes stay in their own order
	slices.SortStableFunc(flags, func(a, b string) int {
		return rankOf(rank, a) - rankOf(rank, b)
	})
	return append(slices.Clone(tok[:head]), flags...)
}

// rankOf is the place of a flag among others; notes share one.
func rankOf(rank, flag string) int {
	at := strings.Index(rank, flag[:min(1, len(flag))])
	if note := strings.IndexByte(rank, 'W'); at >= note && at < note+3 {
		return note
	}
	return at
}

// trimNumber takes leading zeros off a number that may have a sign.
func trimNumber(s string) string {
	digits, negative := strings.CutPrefix(s, "-")
	if digits = trimZeros(digits); negative && digits != "0" {
		return "-" + digits
	}
	return digits
}

func trimZeros(s string) string {
	t := strings.TrimLeft(s, "0")
	if t == "" && s != "" {
		return "0"
	}
	return t
}

// mayBe are the return codes that the reply to c may have.
func mayBe(c *Command) string {
	done, word := "HD", c.Verb.canon.word
	if c.Ask&AskValue != 0 {
		done = "VA"
	}
	may := map[string]string{"mg": done + " EN", "ms": "HD NS", "md": "HD NF", "ma": done + " NF"}[word]
	if c.Has&HasCAS != 0 {
		may += map[string]string{"mg": " HD", "ms": " EX NF", "md": " EX", "ma": " EX"}[word]
	}
	if c.Has&HasVivify != 0 && word == "ma" {
		may += " NS"
	}
	return may
}

// askable is what a command may ask for.
func askable(word string) Ask {
	return map[string]Ask{
		"mg": AskValue | AskFlags | AskCAS | AskTTL | AskSize | AskHit | AskAccess,
		"ms": AskCAS | AskSize, "ma": AskValue | AskCAS | AskTTL,
	}[word]
}

// FuzzParseMeta: a reply that is accepted carries the opaque of its command,
// once, and says what the command can hear; nothing shorter is accepted. In the
// input $O stands for the opaque.
func FuzzParseMeta(f *testing.F) {
	for i, in := range []string{
		"VA 5 f1 c2 $O\r\nhello\r\n", "VA 5 f1 $O\r\nhello\r\n", "EN $O\r\n", "HD $O\r\n", "HD $O W\r\n", "NF $O\r\n",
		"NS $O\r\n", "EX $O\r\n", "VA 2 $O\r\n12\r\n", "MN\r\n", "HD $O $O\r\n", "HD O0000000000000000\r\n", "HD\r\n", "\r\n",
		"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n", "SERVER_ERROR out of memory\r\n",
		"SERVER_ERROR object too large for cache\r\n", "HD $O\n", "HD $O", strings.Repeat("x", 1300), "VA 05 f00 $O X Z\r\n",
		"HD t-1 h1 l0 s5 c7 f0 $O\r\n", "VA 2 t90 c5 $O\r\n07\r\n", "VA 2 $O\r\n7 \r\n", "VA 1 $O\r\n12",
	} {
		for verb := range keyCommands() {
			f.Add([]byte(in), uint64(i)<<60|42, uint8(verb), uint8(i*37), uint16(i*1009))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, opaque uint64, verb, ask uint8, has uint16) {
		names := keyCommands()
		c := command(names[int(verb)%len(names)])
		c.Ask |= Ask(ask) & askable(c.Verb.canon.word)
		c.Has |= Part(has)
		in = bytes.ReplaceAll(in, []byte("$O"), fmt.Appendf(nil, "O%016x", opaque))
		parse := func(in []byte) (r Reply, n int, err error) {
			n, err = ParseMeta(in, c, opaque, &r)
			return r, n, err
		}
		r, n, err := parse(in)
		switch {
		case err == nil:
			checkMetaReply(t, in[:n], c, opaque, &r)
			checkNoPrefix(t, in[:n], func(cut []byte) error {
				_, _, err := parse(cut)
				return err
			})
		case err != ErrShort || c.Verb.canon.word != "ma":
			checkShort(t, in, err)
		}
	})
}

// checkMetaReply checks a reply that was accepted, which is all of in.
func checkMetaReply(t *testing.T, in []byte, c *Command, opaque uint64, r *Reply) {
	t.Helper()
	line, number, _ := strings.Cut(string(in), "\r\n")
	checkLine(t, in, len(line)+2)
	if r.Status == StatusNumber {
		checkNumber(t, line, number, r)
	} else if number != "" {
		t.Errorf("%s: took %q behind the line", c.Verb.Name, number)
	}
	code := codes[r.Status]
	if code == "" {
		checkErrorLine(t, line, c, r)
		return
	}
	if got, want := normal(line), renderMeta(r, len(strings.TrimSuffix(number, crlf)), opaque); !slices.Equal(got, want) {
		t.Errorf("%s: %q is read as %q", c.Verb.Name, line, want)
	}
	if got := strings.Count(line, fmt.Sprintf("O%016x", opaque)); got != 1 || !inWords(mayBe(c), code) {
		t.Errorf("%s: %q has the opaque %d times, and may be %s", c.Verb.Name, line, got, mayBe(c))
	}
	if asked := c.Ask &^ AskValue; r.told&^asked != 0 || (code == "VA" || code == "HD" && c.Verb.canon.word != "ms") && r.told != asked {
		t.Errorf("%s: %q tells %b of %b", c.Verb.Name, line, r.told, asked)
	}
	if (r.Trailer != "") != (r.Status == StatusValue) || r.Status != StatusValue && r.Size != 0 {
		t.Errorf("%s: %q gives %+v", c.Verb.Name, line, *r)
	}
}

// checkNumber: the number that arithmetic came to is digits of the length that
// the line says.
func checkNumber(t *testing.T, line, block string, r *Reply) {
	t.Helper()
	digits, ended := strings.CutSuffix(block, crlf)
	want, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || !ended || r.Number != want || !strings.HasPrefix(line, "VA ") {
		t.Errorf("%q %q is read as %d", line, block, r.Number)
	}
}

// checkShort: a reply is incomplete exactly if it has no line end within the
// bound, and may still get one.
func checkShort(t *testing.T, in []byte, err error) {
	t.Helper()
	end := bytes.IndexByte(in[:min(len(in), 1274)], '\n')
	if (err == ErrShort) != (end < 0 && len(in) < 1274) {
		t.Errorf("%q: %v", in, err)
	}
}

// checkLine: what was taken is the first line.
func checkLine(t *testing.T, in []byte, n int) string {
	t.Helper()
	line, _, _ := strings.Cut(string(in), "\r\n")
	if n != len(line)+2 || strings.ContainsAny(line, "\r\n\x00\t") {
		t.Errorf("%q: took %d bytes", in, n)
	}
	return line
}

// checkNoPrefix: a line that is cut is not accepted.
func checkNoPrefix(t *testing.T, line []byte, parse func([]byte) error) {
	t.Helper()
	for end := range line {
		if err := parse(line[:end:end]); err != ErrShort {
			t.Errorf("%q, the start of %q: %v", line[:end], line, err)
		}
	}
}

// checkErrorLine: a reply that is no return code is one of the errors that are
// known, and means that the command was not served as asked.
func checkErrorLine(t *testing.T, line string, c *Command, r *Reply) {
	t.Helper()
	word := c.Verb.canon.word
	ok := false
	switch r.Status {
	case StatusNonNumeric:
		ok = word == "ma" && line+"\r\n" == lineNonNumeric
	case StatusTooLarge:
		ok = word == "ms" && strings.HasPrefix(line, "SERVER_ERROR object too large for cache")
	case StatusNoMemory:
		ok = word != "md" && strings.HasPrefix(strings.ToLower(line), "server_error out of memory")
	case StatusRefused:
		ok = strings.HasPrefix(line, "SERVER_ERROR ")
	}
	if !ok || r.Proven || strings.Contains(line, "writing get response") {
		t.Errorf("%s: %q gives %+v", c.Verb.Name, line, *r)
	}
}
