package protocol

import (
	"bytes"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// codes are the return codes of accepted replies, written down a second time.
var codes = map[Status]string{
	StatusOK: "HD", StatusValue: "VA", StatusMiss: "EN",
	StatusNotFound: "NF", StatusNotStored: "NS", StatusExists: "EX",
}

// may are the return codes of each command, written down a second time.
var may = map[string]string{
	"get": "VA EN", "gets": "VA EN", "gat": "VA EN", "gats": "VA EN", "touch": "HD EN",
	"set": "HD NS", "add": "HD NS", "replace": "HD NS", "append": "HD NS", "prepend": "HD NS",
	"cas": "HD NS EX NF", "delete": "HD NF", "incr": "VA NF", "decr": "VA NF",
}

// renderMeta renders r as a meta reply to c, as tokens in a fixed order.
func renderMeta(r *Reply, c *Command, opaque uint64) []string {
	tok := []string{codes[r.Status]}
	if r.Status == StatusValue {
		tok = append(tok, fmt.Sprint(r.Size))
		if c.Verb.IsRead() {
			tok = append(tok, fmt.Sprintf("f%d", r.Flags))
		}
		if c.Verb.Name == "gets" || c.Verb.Name == "gats" {
			tok = append(tok, fmt.Sprintf("c%d", r.CAS))
		}
	}
	return append(tok, fmt.Sprintf("O%016x", opaque))
}

// normal sorts the flags of a meta line into the order of renderMeta, drops the
// notes on stale items, and takes leading zeros off numbers.
func normal(line string) []string {
	tok := strings.Split(line, " ")
	head := 1
	if tok[0] == "VA" {
		head = 2
		tok[1] = trimZeros(tok[1])
	}
	flags := slices.DeleteFunc(tok[head:], func(f string) bool { return f == "W" || f == "X" || f == "Z" })
	for i, f := range flags {
		if f != "" && f[0] != 'O' {
			flags[i] = f[:1] + trimZeros(f[1:])
		}
	}
	rank := "fcO"
	slices.SortFunc(flags, func(a, b string) int {
		return strings.Index(rank, a[:min(1, len(a))]) - strings.Index(rank, b[:min(1, len(b))])
	})
	return append(slices.Clone(tok[:head]), flags...)
}

func trimZeros(s string) string {
	t := strings.TrimLeft(s, "0")
	if t == "" && s != "" {
		return "0"
	}
	return t
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
	} {
		for verb := range keyCommands() {
			f.Add([]byte(in), uint64(i)<<60|42, uint8(verb))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, opaque uint64, verb uint8) {
		names := keyCommands()
		c := command(names[int(verb)%len(names)])
		in = bytes.ReplaceAll(in, []byte("$O"), fmt.Appendf(nil, "O%016x", opaque))
		var r Reply
		n, err := ParseMeta(in, c, opaque, &r)
		checkShort(t, in, err)
		if err != nil {
			return
		}
		line := checkLine(t, in, n)
		checkNoPrefix(t, in[:n], func(cut []byte) error {
			_, err := ParseMeta(cut, c, opaque, &r)
			return err
		})
		if _, err = ParseMeta(in, c, opaque, &r); err != nil {
			t.Fatalf("%q: refused the second time: %v", in, err)
		}
		if codes[r.Status] == "" {
			checkErrorLine(t, line, c, &r)
			return
		}
		want := renderMeta(&r, c, opaque)
		if got := normal(line); !slices.Equal(got, want) {
			t.Errorf("%s: %q is read as %q", c.Verb.Name, line, want)
		}
		if got := strings.Count(line, fmt.Sprintf("O%016x", opaque)); got != 1 || !strings.Contains(may[c.Verb.Name], codes[r.Status]) {
			t.Errorf("%s: %q has the opaque %d times, and status %s", c.Verb.Name, line, got, codes[r.Status])
		}
		if (r.Trailer != "") != (r.Status == StatusValue) || r.Status != StatusValue && r.Size != 0 {
			t.Errorf("%s: %q gives %+v", c.Verb.Name, line, r)
		}
	})
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
	for _, e := range errorLines {
		if e.line == line+"\r\n" && e.word == c.Verb.canon.word && e.status == r.Status {
			return
		}
	}
	t.Errorf("%s: %q gives %+v", c.Verb.Name, line, *r)
}

// FuzzParseClassic: a reply that is accepted is one of the lines that the command
// can hear, and a value is of the key that was asked for.
func FuzzParseClassic(f *testing.F) {
	for _, in := range []string{
		"STORED\r\n", "NOT_STORED\r\n", "EXISTS\r\n", "NOT_FOUND\r\n", "DELETED\r\n", "TOUCHED\r\n", "END\r\n", "17\r\n",
		"VALUE k 1 2\r\nxx\r\nEND\r\n", "VALUE k 1 2 3\r\nxx\r\nEND\r\n", "VALUE j 1 2\r\n", "ERROR\r\n", "\r\n",
		"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n", "SERVER_ERROR out of memory\r\n",
	} {
		for verb := range keyCommands() {
			f.Add([]byte(in), []byte("k"), uint8(verb))
		}
	}
	f.Fuzz(func(t *testing.T, in, key []byte, verb uint8) {
		if !ValidKey(key) {
			return
		}
		names := keyCommands()
		c := command(names[int(verb)%len(names)])
		c.Key = key
		var r Reply
		n, err := ParseClassic(in, c, 0, &r)
		checkShort(t, in, err)
		if err != nil {
			return
		}
		line, _, _ := strings.Cut(string(in), "\r\n")
		if r.Status == StatusValue && !c.Verb.IsRead() {
			if v, ok := parseUint([]byte(line), maxU64); !ok || n != 0 || r.Size != len(line) || r.Trailer != "\r\n" {
				t.Errorf("%s: %q gives %d and %+v", c.Verb.Name, line, v, r)
			}
			return
		}
		checkLine(t, in, n)
		want := strings.TrimSuffix(c.Verb.answers[r.Status], "\r\n")
		if r.Status == StatusValue {
			want = strings.TrimSuffix(string(AppendItemLine(nil, c.Verb, key, &r)), "\r\n")
			line = trimFields(line, len(key))
		}
		if line != want {
			checkErrorLine(t, line, c, &r)
		}
	})
}

// trimFields takes leading zeros off the numbers of a VALUE line whose key has n
// bytes.
func trimFields(line string, n int) string {
	head := len("VALUE ") + n
	tok := strings.Split(line[head:], " ")
	for i := range tok {
		tok[i] = trimZeros(tok[i])
	}
	return line[:head] + strings.Join(tok, " ")
}

// versionForm is a version of three numbers and what a build adds.
var versionForm = regexp.MustCompile(`^([0-9]{1,20})\.([0-9]{1,20})\.([0-9]{1,20})([^0-9]|$)`)

// referenceSpeaks compares a version as one number.
func referenceSpeaks(version string) bool {
	m := versionForm.FindStringSubmatch(version)
	if m == nil {
		return false
	}
	sum := new(big.Int)
	for _, part := range m[1:4] {
		v, _ := new(big.Int).SetString(part, 10)
		if v.BitLen() > 32 {
			return false
		}
		sum.Add(sum.Lsh(sum, 32), v)
	}
	first := big.NewInt(6<<32 | 18)
	return sum.Cmp(first.SetBit(first, 64, 1)) >= 0
}

// FuzzKeylessReplies: a line that may be passed on is one line without control
// bytes, and starts with a word that is known; version and settings are read
// from nothing else.
func FuzzKeylessReplies(f *testing.F) {
	for _, in := range []string{
		"STAT a b\r\nEND\r\n", "END\r\n", "OK\r\n", "RESET\r\n", "ERROR\r\n", "CLIENT_ERROR x\r\n", "VERSION 1.6.18\r\n",
		"VERSION 1.6.45_3_gabc\r\n", "BUSY x\r\n", "STAT a\x1b b\r\n", "STAT a b\n", "\r\n", strings.Repeat("STAT ", 300),
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, v := range Verbs() {
			if v.Route != RouteKeyless {
				continue
			}
			line, last, err := ParseKeyless(in, v)
			checkShort(t, in, err)
			if err != nil {
				continue
			}
			text := checkLine(t, in, len(line))
			word, _, _ := strings.Cut(text, " ")
			if !bytes.HasPrefix(in, line) || hasControl([]byte(text)) || last == (word == "STAT") || strings.ToUpper(word) != word {
				t.Errorf("%s: passes on %q, last: %t", v.Name, line, last)
			}
			name, _, ok := ParseStat(line)
			if ok && (word != "STAT" || bytes.ContainsAny(name, " \r\n")) {
				t.Errorf("ParseStat(%q) = %q", line, name)
			}
		}
		version, n, err := ParseVersion(in)
		checkShort(t, in, err)
		if err == nil && string(AppendVersion(nil, version)) != string(in[:n]) {
			t.Errorf("ParseVersion(%q) = %q, %d", in, version, n)
		}
		if got, want := SpeaksMeta(string(in)), referenceSpeaks(string(in)); got != want {
			t.Errorf("SpeaksMeta(%q) = %t, want %t", in, got, want)
		}
	})
}
