package protocol

import (
	"bytes"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// FuzzParseClassic: a reply that is accepted is one of the lines that the command
// can hear, and a value is of the key that was asked for.
func FuzzParseClassic(f *testing.F) {
	for _, in := range []string{
		"STORED\r\n", "NOT_STORED\r\n", "EXISTS\r\n", "NOT_FOUND\r\n", "DELETED\r\n", "TOUCHED\r\n", "END\r\n", "17\r\n",
		"VALUE k 1 2\r\nxx\r\nEND\r\n", "VALUE t:k 1 2\r\nxx\r\nEND\r\n", "VALUE k 1 2 3\r\nxx\r\nEND\r\n", "VALUE j 1 2\r\n", "ERROR\r\n", "\r\n",
		"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n", "SERVER_ERROR out of memory\r\n",
	} {
		for verb := range classicCommands() {
			f.Add([]byte(in), []byte("k"), []byte(""), false, uint8(verb))
			f.Add([]byte(in), []byte("k"), []byte("t:"), false, uint8(verb))
			f.Add([]byte(in), []byte("key"), []byte("k"), true, uint8(verb))
		}
	}
	f.Fuzz(func(t *testing.T, in, key, prefix []byte, hashed bool, verb uint8) {
		names := classicCommands()
		c := command(names[int(verb)%len(names)])
		c.Key, c.Prefix, c.Hashed = key, prefix, hashed
		item := itemOf(c)
		if !ValidKey([]byte(item)) {
			return
		}
		var r Reply
		n, err := ParseClassic(in, c, 0, &r)
		checkShort(t, in, err)
		if err != nil {
			return
		}
		line, _, _ := strings.Cut(string(in), "\r\n")
		checkLine(t, in, n)
		want := strings.TrimSuffix(c.Verb.answers[r.Status], "\r\n")
		switch r.Status {
		case StatusMiss:
			f := Form{Verb: c.Verb}
			want = strings.TrimSuffix(string(f.AppendItemsEnd(f.AppendAnswer(nil, key, &r))), crlf)
		case StatusNumber:
			want, line = strconv.FormatUint(r.Number, 10), trimZeros(line)
		case StatusValue:
			f := Form{Verb: c.Verb}
			want = strings.TrimSuffix(string(f.AppendHead(nil, []byte(item), &r)), "\r\n")
			line = trimFields(line, len(item))
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

// FuzzAloneReplies: a line that may be passed on is one line without control
// bytes, and starts with a word that is known; version and settings are read
// from nothing else.
func FuzzAloneReplies(f *testing.F) {
	for _, in := range []string{
		"STAT a b\r\nEND\r\n", "END\r\n", "OK\r\n", "RESET\r\n", "ERROR\r\n", "CLIENT_ERROR x\r\n", "VERSION 1.6.18\r\n",
		"VERSION 1.6.45_3_gabc\r\n", "BUSY x\r\n", "STAT a\x1b b\r\n", "STAT a b\n", "\r\n", strings.Repeat("STAT ", 300), "MN\r\n",
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		checkUnknownReply(t, in)
		for _, v := range Verbs() {
			if v.Route != RouteKeyless {
				continue
			}
			line, last, err := ParseAlone(in, &Request{Form: Form{Verb: v}, Args: []byte("k")})
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
		if err == nil && string((&Form{}).AppendVersion(nil, version)) != string(in[:n]) {
			t.Errorf("ParseVersion(%q) = %q, %d", in, version, n)
		}
		if got, want := SpeaksMeta(string(in)), referenceSpeaks(string(in)); got != want {
			t.Errorf("SpeaksMeta(%q) = %t, want %t", in, got, want)
		}
	})
}
