package protocol

import (
	"strings"
	"testing"
)

func storeRows() []parserRow {
	rows := []parserRow{
		{in: "set a 0 0 0\r\n\r\n", want: `set a 0 0 0 ""`},
		{in: "set a 0 0 5\nhello\r\n", want: `set a 0 0 5 "hello"`},
		{in: "set a  0 0  1 \r\nx\r\n", want: `set a 0 0 1 "x"`},
		{in: "set \xff 0 0 1\r\nx\r\n", want: "set \xff 0 0 1 \"x\""},
		{in: "set a 0 0 1\r\nx\r\nset b 0 0 1\r\ny\r\n", want: `set a 0 0 1 "x"; set b 0 0 1 "y"`},
		{in: "set " + key(250) + " 0 0 1\r\nx\r\n", want: "set " + key(250) + ` 0 0 1 "x"`},
		{in: "set " + key(251) + " 0 0 7\r\nget pwn\r\n", want: badFormat},
		{in: "set " + key(251) + " 0 0 7 noreply\r\nget pwn\r\n", want: silent},
		{in: "cas " + key(251) + " 0 0 7 1\r\nget pwn\r\n", want: badFormat},

		// Too few tokens: the length of the data block is not known.
		{in: "set\r\n", want: badFormat + closes},
		{in: "set a\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 noreply\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 noreply\r\nx\r\n", want: badFormat + closes},
		{in: "cas a 0 0\r\nx\r\n", want: badFormat + closes},
		{in: "set noreply\r\n", want: badFormat + closes},

		// Too many, or too few of which the length is one: it is swallowed.
		{in: "set a 0 0 7 x\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 0 7 x y z\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 0 7 99 noreply\r\nget pwn\r\n", want: badFormat},
		{in: "cas a 0 0 7\r\nget pwn\r\n", want: badFormat},
		{in: "cas a 0 0 7 noreply\r\nget pwn\r\n", want: badFormat},
		{in: "cas a 0 0 7 1 x\r\nget pwn\r\n", want: badFormat},
		{in: "cas a 0 0 7 1 2 noreply\r\nget pwn\r\n", want: badFormat},

		// Control bytes and spaces in front.
		{in: "set a\x00b 0 0 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a\rb 0 0 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a\tb 0 0 7 noreply\r\nget pwn\r\n", want: silent},
		{in: "set a\x7f 0 0 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 0 7 \x00\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 0 7\r\r\nget pwn\r\n", want: badFormat + closes},
		{in: " set a 0 0 7\r\nget pwn\r\n", want: badFormat},
		{in: "  set a 0 0 7 noreply\r\nget pwn\r\n", want: silent},
		{in: " set a\r\nget pwn\r\n", want: badFormat + closes},
		{in: "set\x00 a 0 0 1\r\n", want: unknown},

		{in: "cas a 1 2 3 4\r\nabc\r\n", want: `cas a 1 2 3 4 "abc"`},
	}
	for _, verb := range []string{"set", "add", "replace", "append", "prepend"} {
		rows = append(rows,
			parserRow{in: verb + " a 1 2 3\r\nabc\r\n", want: verb + ` a 1 2 3 "abc"`},
			parserRow{in: verb + " a 1 2 3 noreply\r\nabc\r\n", want: verb + ` a 1 2 3 "abc" noreply`},
			parserRow{in: verb + " a 1 2\r\nabc\r\n", want: badFormat + closes},
			parserRow{in: verb + " a x 2 7\r\nget pwn\r\n", want: badFormat},
			parserRow{in: verb + " a 1 2 x\r\nget pwn\r\n", want: badFormat + closes},
			parserRow{in: verb + " a 1 2 3\r\nabcd\r\n", want: badChunk + closes},
		)
	}
	return rows
}

func storeNumberRows() []parserRow {
	return []parserRow{
		// Client flags: unsigned, 32 bits.
		{in: "set a 4294967295 0 1\r\nx\r\n", want: `set a 4294967295 0 1 "x"`},
		{in: "set a 4294967296 0 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a 4294967303 0 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a -1 0 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a +5 0 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a 05 0 1\r\nx\r\n", want: `set a 5 0 1 "x"`},
		{in: "set a 5\t 0 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a zz 0 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a zz 0 7 noreply\r\nget pwn\r\n", want: silent},
		{in: "set a -18446744073709551615 0 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a 00000000000000000007 0 1\r\nx\r\n", want: `set a 7 0 1 "x"`},
		{in: "set a 000000000000000000007 0 7\r\nget pwn\r\n", want: badFormat},

		// Expiry: signed, 31 bits.
		{in: "set a 0 -1 1\r\nx\r\n", want: `set a 0 -1 1 "x"`},
		{in: "set a 0 -0 1\r\nx\r\n", want: `set a 0 0 1 "x"`},
		{in: "set a 0 05 1\r\nx\r\n", want: `set a 0 5 1 "x"`},
		{in: "set a 0 2147483647 1\r\nx\r\n", want: `set a 0 2147483647 1 "x"`},
		{in: "set a 0 -2147483647 1\r\nx\r\n", want: `set a 0 -2147483647 1 "x"`},
		{in: "set a 0 2147483648 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 -2147483648 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 4294967296 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 +5 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 5\tz 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 abc 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 abc 7 noreply\r\nget pwn\r\n", want: silent},

		// Length: unsigned. Without one there is no next request.
		{in: "set a 0 0 01\r\nx\r\n", want: `set a 0 0 1 "x"`},
		{in: "set a 0 0 00000000000000000001\r\nx\r\n", want: `set a 0 0 1 "x"`},
		{in: "set a 0 0 000000000000000000001\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 -1\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 -1 noreply\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 -0\r\n\r\n", want: badFormat + closes},
		{in: "set a 0 0 +1\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 1\t2\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 \t1\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 1\x00\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 1.0\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 0x1\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 4294967297\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 4294967301\r\nhello\r\n", want: badFormat + closes},
		{in: "set a 0 0 2147483648\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 2147483647\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 2147483646\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 2147483645\r\nx\r\n", want: tooLarge + closes},
		{in: "set a 0 0 18446744073709551617\r\nx\r\n", want: badFormat + closes},
		{in: "set a 0 0 x noreply\r\nx\r\n", want: badFormat + closes},

		// CAS id: unsigned, 64 bits.
		{in: "cas a 0 0 1 0\r\nx\r\n", want: `cas a 0 0 1 0 "x"`},
		{in: "cas a 0 0 1 007\r\nx\r\n", want: `cas a 0 0 1 7 "x"`},
		{in: "cas a 0 0 1 18446744073709551615\r\nx\r\n", want: `cas a 0 0 1 18446744073709551615 "x"`},
		{in: "cas a 0 0 7 18446744073709551616\r\nget pwn\r\n", want: badFormat},
		{in: "cas a 0 0 7 -1\r\nget pwn\r\n", want: badFormat},
		{in: "cas a 0 0 7 +1\r\nget pwn\r\n", want: badFormat},
		{in: "cas a 0 0 7 x\r\nget pwn\r\n", want: badFormat},
		{in: "cas a 0 0 7 x noreply\r\nget pwn\r\n", want: silent},
	}
}

func storeNoReplyRows() []parserRow {
	return []parserRow{
		{in: "set a 0 0 1 noreply\r\nx\r\n", want: `set a 0 0 1 "x" noreply`},
		{in: "set a 0 0 1 noreply \r\nx\r\n", want: `set a 0 0 1 "x" noreply`},
		{in: "set noreply 0 0 1\r\nx\r\n", want: `set noreply 0 0 1 "x"`},
		{in: "set noreply 0 0 1 noreply\r\nx\r\n", want: `set noreply 0 0 1 "x" noreply`},
		{in: "set a noreply 0 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 noreply 7\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 0 7 NOREPLY\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 0 7 noreply a\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 0 7 a noreply\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 0 7 noreply noreply\r\nget pwn\r\n", want: badFormat},
		{in: "cas a 0 0 1 5 noreply\r\nx\r\n", want: `cas a 0 0 1 5 "x" noreply`},
		{in: "cas a 0 0 7 noreply 5\r\nget pwn\r\n", want: badFormat},
		{in: "set a 0 0 3 noreply\r\nabcd\r\n", want: badChunk + closes},
	}
}

// storeSizeRows have a limit of 1,024 bytes, except where they say otherwise.
func storeSizeRows() []parserRow {
	const small, big = 1024, 1048516
	value := func(n int) string { return strings.Repeat("v", n) + "\r\n" }
	fits := func(n int) string { return `"` + strings.Repeat("v", n) + `"` }
	return []parserRow{
		{in: "set k 0 0 964\r\n" + value(964), want: "set k 0 0 964 " + fits(964), maxItem: small},
		{in: "set k 0 0 965\r\n" + value(965), want: tooLarge, maxItem: small},
		{in: "set k 1 0 960\r\n" + value(960), want: "set k 1 0 960 " + fits(960), maxItem: small},
		{in: "set k 1 0 961\r\n" + value(961), want: tooLarge, maxItem: small},
		{in: "set kk 0 0 963\r\n" + value(963), want: "set kk 0 0 963 " + fits(963), maxItem: small},
		{in: "set kk 0 0 964\r\n" + value(964), want: tooLarge, maxItem: small},
		{in: "set k 0 0 965 noreply\r\n" + value(965), want: silent, maxItem: small},
		{in: "add k 0 0 965\r\n" + value(965), want: tooLarge, maxItem: small},
		{in: "append k 0 0 965\r\n" + value(965), want: tooLarge, maxItem: small},
		{in: "cas k 0 0 965 1\r\n" + value(965), want: tooLarge, maxItem: small},
		{in: "cas k 0 0 965 1 noreply\r\n" + value(965), want: silent, maxItem: small},
		{in: "set " + key(251) + " 0 0 965\r\n" + value(965), want: badFormat, maxItem: small},

		// The block of a refused command may be twice the limit, terminator included.
		{in: "set k 0 0 2046\r\n" + value(2046), want: tooLarge, maxItem: small},
		{in: "set k 0 0 2047\r\n" + value(2047), want: tooLarge + closes, maxItem: small},
		{in: "set k 0 0 2047 noreply\r\n" + value(2047), want: tooLarge + closes, maxItem: small},
		{in: "set k x 0 2046\r\n" + value(2046), want: badFormat, maxItem: small},
		{in: "set k x 0 2047 noreply\r\n" + value(2047), want: badFormat + closes, maxItem: small},
		{in: "ms k 964\r\n" + value(964), want: "ms k 964 " + fits(964), maxItem: small},
		{in: "ms k 965\r\n" + value(965), want: tooLarge, maxItem: small},
		{in: "ms k 965 q\r\n" + value(965), want: tooLarge, maxItem: small},
		{in: "ms k 960 F1\r\n" + value(960), want: "ms k 960 F1 " + fits(960), maxItem: small},
		{in: "ms k 961 F1\r\n" + value(961), want: tooLarge, maxItem: small},
		{in: "ms a2s= 963 b\r\n" + value(963), want: "ms kk 963 " + fits(963) + " -> b", maxItem: small},
		{in: "ms a2s= 964 b\r\n" + value(964), want: tooLarge, maxItem: small},
		{in: "ms k 2046\r\n" + value(2046), want: tooLarge, maxItem: small},
		{in: "ms k 2047\r\n" + value(2047), want: tooLarge + closes, maxItem: small},
		{in: "ms k 2046 !\r\n" + value(2046), want: badFlag, maxItem: small},
		{in: "ms k 2047 !\r\n" + value(2047), want: badFlag + closes, maxItem: small},

		// Its bytes are not looked at, not even the last two.
		{in: "set k 0 0 2000\r\n" + strings.Repeat("get y\r\n", 286), want: tooLarge, maxItem: small},
		{in: "set k 0 0 965\r\n" + strings.Repeat("v", 967), want: tooLarge, maxItem: small},
		{in: "set k 0 0 1000\r\nx\r\n", want: tooLarge + "; owes", maxItem: small},

		// The limit when none is set is a mebibyte.
		{in: "set k 0 0 1048516\r\n" + value(big), want: "set k 0 0 1048516 " + fits(big)},
		{in: "set k 0 0 1048517\r\n" + value(big+1), want: tooLarge},
		{in: "set k 1 0 1048512\r\n" + value(big-4), want: "set k 1 0 1048512 " + fits(big-4)},
		{in: "set k 1 0 1048513\r\n" + value(big-3), want: tooLarge},
		{in: "set k 0 0 2097151\r\n", want: tooLarge + closes},
	}
}

func valueRows() []parserRow {
	return []parserRow{
		{in: "set a 0 0 12\r\nEND\r\nget b\r\n\r\n", want: `set a 0 0 12 "END\r\nget b\r\n"`},
		{in: "set a 0 0 2\r\n\r\n\r\n", want: `set a 0 0 2 "\r\n"`},
		{in: "set a 0 0 4\r\n\x00\x01\x7f\xff\r\n", want: `set a 0 0 4 "\x00\x01\x7f\xff"`},
		{in: "set a 0 0 1\r\nx\n", want: badChunk + closes},
		{in: "set a 0 0 1\r\nx\rget b\r\n", want: badChunk + closes},
		{in: "set a 0 0 2\r\nxxxx\r\n", want: badChunk + closes},
		{in: "set a 0 0 3\r\nx\r\n", want: badChunk + closes},
		{in: "set a 0 0 2\r\nxx\n\r\n", want: badChunk + closes},
		{in: "set a 0 0 7\r\nx\r\n", want: badChunk + closes},
		{in: "set a 0 0 9\r\nx\r\n", want: "waits for a value"},
		{in: "set a 0 0 100\r\nx\r\n", want: "waits for a value"},
		{in: "set a 0 0 1048516\r\n", want: "waits for a value"},
	}
}

func TestParserReadsStores(t *testing.T)       { testRows(t, storeRows()) }
func TestParserReadsStoreNumbers(t *testing.T) { testRows(t, storeNumberRows()) }
func TestParserReadsStoreNoReply(t *testing.T) { testRows(t, storeNoReplyRows()) }
func TestParserBoundsValues(t *testing.T)      { testRows(t, storeSizeRows()) }
func TestParserFramesValues(t *testing.T)      { testRows(t, valueRows()) }

// TestClosedParserTakesNoMore holds that nothing is taken once a refusal has closed.
func TestClosedParserTakesNoMore(t *testing.T) {
	tr := run(parserRow{}, "set a\r\n", "get a\r\n", "version\r\n")
	if got, want := tr.end(), badFormat+closes; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(tr.taken); got != "set a\r\n" {
		t.Errorf("took %q, want only the line that closed", got)
	}
}

// TestParserThrowsUnwantedValuesAway wants no value that has not arrived.
func TestParserThrowsUnwantedValuesAway(t *testing.T) {
	for _, row := range []struct{ in, rest, want string }{
		{"set a 0 0 7\r\n", "get pwn\r\n", `unwanted set a 0 0 7 ""; get z`},
		{"set a 0 0 7\r\nget", " pwn\r\n", `unwanted set a 0 0 7 ""; get z`},
		{"set a 0 0 7\r\nget pwn\r", "\n", `unwanted set a 0 0 7 ""; get z`},
		{"set a 0 0 0\r\n", "\r\n", `unwanted set a 0 0 0 ""; get z`},
		{"cas a 0 0 7 5 noreply\n", "get pwn\r\n", `unwanted cas a 0 0 7 5 "" noreply; get z`},
		{"ms a 7 q\r\nget", " pwn\r\n", `unwanted ms a 7 "" quiet; get z`},
		{"get b\r\nset a 0 0 7\r\n", "get pwn\r\nset c 0 0 1\r\nx\r\n", `get b; unwanted set a 0 0 7 ""; set c 0 0 1 "x"; get z`},
	} {
		tr := &transcript{parser: Parser{Wanted: wantsNothing}}
		tr.arrive(row.in)
		if !tr.parser.Owes() {
			t.Errorf("%q: owes nothing after a value was not wanted", row.in)
		}
		tr.arrive(row.rest + probe)
		if got := tr.end(); got != row.want {
			t.Errorf("%q then %q: got %s, want %s", row.in, row.rest, got, row.want)
		}
	}
}

// TestUnwantedValueNeedsNoEnd: whether a value that is thrown away ends as it
// should is nobody's concern.
func TestUnwantedValueNeedsNoEnd(t *testing.T) {
	tr := &transcript{parser: Parser{Wanted: wantsNothing}}
	tr.arrive("set a 0 0 7\r\nget pwnXX" + probe)
	if got, want := tr.end(), `unwanted set a 0 0 7 ""; get z`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRequestHasSizeBeforeValue holds that a request can be decided on before its value is there.
func TestRequestHasSizeBeforeValue(t *testing.T) {
	asked := 0
	p := Parser{Wanted: func(req *Request) bool {
		asked++
		if req.Size() != 100 || req.Value != nil || req.Unwanted || string(req.Keys[0]) != "key" || req.Exptime != 60 || req.Flags != 5 {
			t.Errorf("asked of %s", describe(req))
		}
		return true
	}}
	in := []byte("set key 5 60 100\r\npart")
	if req, n, err := p.Next(in); req != nil || err != ErrShort || n != 0 || asked != 1 {
		t.Errorf("Next(%q) = %v, %d, %v after asking %d times, want 0, %v after 1", in, req, n, err, asked, ErrShort)
	}
}
