package protocol

import (
	"strings"
	"testing"
)

// key returns a key of n bytes.
func key(n int) string { return strings.Repeat("k", n) }

func framingRows() []parserRow {
	return []parserRow{
		{in: "get a\r\n", want: "get a"},
		{in: "get a\n", want: "get a"},
		{in: "get a\nget b\r\n", want: "get a; get b"},
		{in: "get a\r\r\n", want: badFormat},
		{in: "get a\rget b\r\n", want: badFormat},
		{in: "\r\n", want: unknown},
		{in: "\n", want: unknown},
		{in: "\r\r\n", want: unknown},
		{in: "   \r\n", want: unknown},
		{in: "\x00\r\n", want: unknown},
		{in: "get  a\r\n", want: "get a"},
		{in: "get a  b \r\n", want: "get a b"},
		{in: "get a   \r\n", want: "get a"},
		{in: " get a\r\n", want: unknown},
		{in: "  version\r\n", want: unknown},
		{in: " flush_all\r\n", want: unknown},
		{in: "\tget a\r\n", want: unknown},
		{in: "get\ta\r\n", want: unknown},
		{in: "get a\tb\r\n", want: badFormat},
		{in: "get a\x00b\r\n", want: badFormat},
		{in: "get a\x7f\r\n", want: badFormat},
		{in: "get a\x01\r\n", want: badFormat},
		{in: "get a\x1f\r\n", want: badFormat},
		{in: "get \xff\xfe\x80\r\n", want: "get \xff\xfe\x80"},
		{in: "version\x00\r\n", want: unknown},
		{in: "version a\x00\r\n", want: badFormat},

		// Words.
		{in: "GET a\r\n", want: unknown},
		{in: "Set a 0 0 1\r\nx\r\n", want: unknown + "; " + unknown},
		{in: "foo\r\n", want: unknown},
		{in: "foo noreply\r\n", want: unknown},
		{in: "noreply\r\n", want: unknown},
		{in: "ge a\r\n", want: unknown},
		{in: "getx a\r\n", want: unknown},
		{in: "setfoo k 0 0 1\r\nx\r\n", want: unknown + "; " + unknown},
		{in: "mx a\r\n", want: unknown},
		{in: "x\x80\x00\x00\x01\r\n", want: unknown},

		// Lines of a web client.
		{in: "GET / HTTP/1.1\r\n", want: silent + closes},
		{in: "POST /x HTTP/1.1\r\nset a 0 0 1\r\n", want: silent + closes},
		{in: " GET / HTTP/1.1\r\n", want: silent + closes},
		{in: "foo HTTP/9\r\n", want: silent + closes},
		{in: "HTTP/\r\n", want: silent + closes},
		{in: "foo HTTP/1.1 \r\n", want: silent + closes},
		{in: "foo HTTP/1.1 x\r\n", want: unknown},
		{in: "get / HTTP/1.1\r\n", want: "get / HTTP/1.1"},
		{in: "Host: HTTP\r\n", want: unknown},

		// Lengths of lines.
		{in: line(2048, "foo "), want: unknown},
		{in: line(2049, "foo "), want: tooLong + closes},
		{in: line(2048, "delete "), want: badFormat},
		{in: line(2049, "delete "), want: tooLong + closes},
		{in: line(20000, "delete "), want: tooLong + closes},
		{in: line(2049, "set a 0 0 1 "), want: tooLong + closes},
		{in: line(2049, "getx "), want: tooLong + closes},
		{in: line(2049, "get\t"), want: tooLong + closes},
		{in: line(2049, " get "), want: tooLong + closes},
		{in: line(2049, "mg "), want: tooLong + closes},
		{in: strings.Repeat(" ", 2048), want: tooLong + closes},
		{in: strings.Repeat("x", 2047) + "\n", want: unknown},
		{in: strings.Repeat("x", 2048), want: tooLong + closes},
		{in: strings.Repeat("x", 2048) + "\n", want: tooLong + closes},
	}
}

// line makes a line of n bytes with its terminator, filled with one long token.
func line(n int, start string) string {
	return start + strings.Repeat("k", n-len(start)-2) + "\r\n"
}

// keyLine makes a line of n bytes with its terminator out of keys of 249 bytes
// or less, and returns the keys with a space between each two.
func keyLine(n int, start string) (in, keys string) {
	left := n - len(start) - 2
	var b strings.Builder
	for left > 250 {
		b.WriteString(key(249) + " ")
		left -= 250
	}
	b.WriteString(key(left))
	return start + b.String() + "\r\n", b.String()
}

func retrievalRows() []parserRow {
	full, fullKeys := keyLine(64<<10, "get ")
	over, _ := keyLine(64<<10+1, "get ")
	gats, gatsKeys := keyLine(64<<10, "gats 0 ")
	gets, getsKeys := keyLine(2049, "gets ")
	gat, gatKeys := keyLine(2049, "gat 0 ")
	many := strings.TrimSpace(strings.Repeat("a ", 1024))
	return []parserRow{
		{in: "get\r\n", want: badFormat},
		{in: "get \r\n", want: badFormat},
		{in: "gets\r\n", want: badFormat},
		{in: "get a b c\r\n", want: "get a b c"},
		{in: "get a a a\r\n", want: "get a a a"},
		{in: "gets a b\r\n", want: "gets a b"},
		{in: "get noreply\r\n", want: "get noreply"},
		{in: "get a noreply\r\n", want: "get a noreply"},
		{in: "gets noreply noreply\r\n", want: "gets noreply noreply"},
		{in: "get 0\r\n", want: "get 0"},
		{in: "get " + key(250) + "\r\n", want: "get " + key(250)},
		{in: "get " + key(251) + "\r\n", want: badFormat},
		{in: "get " + key(251) + " noreply\r\n", want: badFormat},
		{in: "get a " + key(251) + "\r\n", want: badFormat},
		{in: "version\r\nget " + key(251) + "\r\nmn\r\n", want: "version; " + badFormat + "; mn"},
		{in: "gets " + key(251) + "\r\n", want: badFormat},
		{in: "get " + many + "\r\n", want: "get " + many},
		{in: "get " + many + " a\r\n", want: badFormat},
		{in: "gat 0 " + many + "\r\n", want: "gat 0 " + many},
		{in: "gat 0 " + many + " a\r\n", want: badFormat},
		{in: "get " + many + " a a a a\r\n", want: badFormat},
		{in: full, want: "get " + fullKeys},
		{in: over, want: tooLong + closes},
		{in: gets, want: "gets " + getsKeys},
		{in: gat, want: "gat 0 " + gatKeys},
		{in: gats, want: "gats 0 " + gatsKeys},
		{in: "get " + strings.Repeat("k", 64<<10), want: tooLong + closes},
		{in: "get" + strings.Repeat(" ", 60<<10) + "a\r\n", want: "get a"},
		{in: "get" + strings.Repeat(" x", 30<<10) + "\r\n", want: badFormat},

		{in: "gat\r\n", want: badFormat},
		{in: "gat 0\r\n", want: badFormat},
		{in: "gat a\r\n", want: badFormat},
		{in: "gat 0 a\r\n", want: "gat 0 a"},
		{in: "gat 10 a b\r\n", want: "gat 10 a b"},
		{in: "gats -1 a\r\n", want: "gats -1 a"},
		{in: "gat 0 noreply\r\n", want: "gat 0 noreply"},
		{in: "gat noreply a\r\n", want: badExptime},
		{in: "gat a 0\r\n", want: badExptime},
		{in: "gat 0 " + key(250) + "\r\n", want: "gat 0 " + key(250)},
		{in: "gat 0 " + key(251) + "\r\n", want: badFormat},
		{in: "version\r\ngat 0 " + key(251) + "\r\n", want: "version; " + badFormat},
		{in: "gat 2147483647 a\r\n", want: "gat 2147483647 a"},
		{in: "gat 2147483648 a\r\n", want: badExptime},
		{in: "gat -2147483647 a\r\n", want: "gat -2147483647 a"},
		{in: "gat -2147483648 a\r\n", want: badExptime},
		{in: "gat +1 a\r\n", want: badExptime},
		{in: "gat 1.5 a\r\n", want: badExptime},
		{in: "gat 0x1 a\r\n", want: badExptime},
		{in: "gat 4294967296 a\r\n", want: badExptime},
	}
}

func touchRows() []parserRow {
	return []parserRow{
		{in: "touch\r\n", want: badFormat},
		{in: "touch a\r\n", want: badFormat},
		{in: "touch a 0\r\n", want: "touch a 0"},
		{in: "touch a 05\r\n", want: "touch a 5"},
		{in: "touch a -0\r\n", want: "touch a 0"},
		{in: "touch a -1\r\n", want: "touch a -1"},
		{in: "touch a -\r\n", want: badExptime},
		{in: "touch a --1\r\n", want: badExptime},
		{in: "touch a +5\r\n", want: badExptime},
		{in: "touch a 5\t\r\n", want: badFormat},
		{in: "touch a 2147483647\r\n", want: "touch a 2147483647"},
		{in: "touch a 2147483648\r\n", want: badExptime},
		{in: "touch a 4294967297\r\n", want: badExptime},
		{in: "touch a x\r\n", want: badExptime},
		{in: "touch a 0 noreply\r\n", want: "touch a 0 noreply"},
		{in: "touch a x noreply\r\n", want: silent},
		{in: "touch a noreply\r\n", want: badExptime},
		{in: "touch noreply 0\r\n", want: "touch noreply 0"},
		{in: "touch noreply 0 noreply\r\n", want: "touch noreply 0 noreply"},
		{in: "touch a 0 NOREPLY\r\n", want: badFormat},
		{in: "touch a 0 x\r\n", want: badFormat},
		{in: "touch a 0 x noreply\r\n", want: badFormat},
		{in: "touch " + key(250) + " 0\r\n", want: "touch " + key(250) + " 0"},
		{in: "touch " + key(251) + " 0\r\n", want: badFormat},
		{in: "touch " + key(251) + " 0 noreply\r\n", want: silent},
		{in: "touch a\x00 0\r\n", want: badFormat},
	}
}

func deleteRows() []parserRow {
	return []parserRow{
		{in: "delete\r\n", want: badFormat},
		{in: "delete a\r\n", want: "delete a"},
		{in: "delete a 0\r\n", want: "delete a"},
		{in: "delete a 00\r\n", want: badFormat},
		{in: "delete a 5\r\n", want: badFormat},
		{in: "delete a b\r\n", want: badFormat},
		{in: "delete a b c d\r\n", want: badFormat},
		{in: "delete a noreply\r\n", want: "delete a noreply"},
		{in: "delete a 0 noreply\r\n", want: "delete a noreply"},
		{in: "delete a 5 noreply\r\n", want: silent},
		{in: "delete a noreply 0\r\n", want: badFormat},
		{in: "delete a noreply noreply\r\n", want: silent},
		{in: "delete a 0 0 noreply\r\n", want: badFormat},
		{in: "delete a 0 noreply x\r\n", want: badFormat},
		{in: "delete noreply\r\n", want: "delete noreply"},
		{in: "delete noreply noreply\r\n", want: "delete noreply noreply"},
		{in: "delete noreply 0\r\n", want: "delete noreply"},
		{in: "delete 0\r\n", want: "delete 0"},
		{in: "delete 0 0\r\n", want: "delete 0"},
		{in: "delete " + key(250) + "\r\n", want: "delete " + key(250)},
		{in: "delete " + key(251) + "\r\n", want: badFormat},
		{in: "delete " + key(251) + " noreply\r\n", want: silent},
		{in: "delete zz\x00suffix\r\n", want: badFormat},
		{in: "delete zz\x00suffix noreply\r\n", want: badFormat},
	}
}

func arithRows() []parserRow {
	return []parserRow{
		{in: "incr\r\n", want: badFormat},
		{in: "incr a\r\n", want: badFormat},
		{in: "incr a 1\r\n", want: "incr a 1"},
		{in: "decr a 1\r\n", want: "decr a 1"},
		{in: "incr a 0\r\n", want: "incr a 0"},
		{in: "incr a 007\r\n", want: "incr a 7"},
		{in: "incr a 18446744073709551615\r\n", want: "incr a 18446744073709551615"},
		{in: "incr a 18446744073709551616\r\n", want: badDelta},
		{in: "incr a 00000000000000000001\r\n", want: "incr a 1"},
		{in: "incr a 000000000000000000001\r\n", want: badDelta},
		{in: "incr a 99999999999999999999\r\n", want: badDelta},
		{in: "incr a 100000000000000000000\r\n", want: badDelta},
		{in: "incr a -1\r\n", want: badDelta},
		{in: "incr a -0\r\n", want: badDelta},
		{in: "incr a +1\r\n", want: badDelta},
		{in: "incr a 1e3\r\n", want: badDelta},
		{in: "incr a x\r\n", want: badDelta},
		{in: "incr n 5\tx\r\n", want: badFormat},
		{in: "incr a 1 2\r\n", want: badFormat},
		{in: "incr a 1 noreply\r\n", want: "incr a 1 noreply"},
		{in: "decr a x noreply\r\n", want: silent},
		{in: "incr a noreply\r\n", want: badDelta},
		{in: "incr noreply 1\r\n", want: "incr noreply 1"},
		{in: "incr noreply 1 noreply\r\n", want: "incr noreply 1 noreply"},
		{in: "incr a 1 noreply 2\r\n", want: badFormat},
		{in: "incr " + key(250) + " 1\r\n", want: "incr " + key(250) + " 1"},
		{in: "incr " + key(251) + " 1\r\n", want: badFormat},
		{in: "decr " + key(251) + " 1 noreply\r\n", want: silent},
	}
}

func TestParserFramesLines(t *testing.T)  { testRows(t, framingRows()) }
func TestParserReadsGets(t *testing.T)    { testRows(t, retrievalRows()) }
func TestParserReadsTouches(t *testing.T) { testRows(t, touchRows()) }
func TestParserReadsDeletes(t *testing.T) { testRows(t, deleteRows()) }
func TestParserReadsArith(t *testing.T)   { testRows(t, arithRows()) }
func TestZeroParserIsReady(t *testing.T)  { testRows(t, []parserRow{{in: "mn\r\n", want: "mn"}}) }

// TestParserKeepsNoTokens holds that what a client sends can't make its parser keep more
// than the tokens of the longest good line.
func TestParserKeepsNoTokens(t *testing.T) {
	in := "get" + strings.Repeat(" x", 32000) + "\r\n"
	tr := run(parserRow{}, in)
	if got, most := cap(tr.parser.tok), 2*maxTokens; got > most {
		t.Errorf("a line of %d tokens left room for %d tokens, want at most %d", 32001, got, most)
	}
	if got, most := cap(tr.parser.req.Keys), 2*maxTokens; got > most {
		t.Errorf("a line of %d tokens left room for %d keys, want at most %d", 32001, got, most)
	}
}
