package protocol

import (
	"slices"
	"strings"
	"testing"
)

// unknownRows are lines whose first word is in no row, and lines that look like
// one, where such lines are forwarded.
func unknownRows() []parserRow {
	words := func(n int) string { return strings.TrimSpace(strings.Repeat("w ", n)) }
	rows := []parserRow{
		{in: "foo\r\n", want: "unknown foo"},
		{in: "foo\n", want: "unknown foo"},
		{in: "foo a b\r\n", want: "unknown foo a b"},
		{in: "foo   a  b \r\n", want: "unknown foo a b"},
		{in: "foo noreply\r\n", want: "unknown foo noreply"},
		{in: "foo 007 +1 -0\r\n", want: "unknown foo 007 +1 -0"},
		{in: "GET a\r\n", want: "unknown GET a"},
		{in: "foo \xff\r\n", want: "unknown foo \xff"},
		{in: "MN\r\n", want: "unknown MN"},
		{in: "foo\r\nbar\r\n", want: "unknown foo; unknown bar"},
		{in: "foo HTTP/1.1 x\r\n", want: "unknown foo HTTP/1.1 x"},
		{in: words(64) + "\r\n", want: "unknown " + words(64)},
		{in: line(2048, "foo "), want: "unknown " + strings.TrimSpace(line(2048, "foo "))},

		{in: strings.Repeat("x", 2046) + "\n", want: "unknown " + strings.Repeat("x", 2046)},
		{in: strings.Repeat("x", 2047) + "\n", want: unknown},
		{in: words(65) + "\r\n", want: unknown},
		{in: words(1020) + "\r\n", want: unknown},
		{in: line(2049, "foo "), want: tooLong + closes},
		{in: " foo\r\n", want: unknown},
		{in: "foo\tbar\r\n", want: unknown},
		{in: "foo a\x00\r\n", want: unknown},
		{in: "foo a\x7f\r\n", want: unknown},
		{in: "foo\rmn\r\n", want: unknown},
		{in: "foo \r\r\n", want: unknown},
		{in: "\r\n", want: unknown},
		{in: "   \r\n", want: unknown},
		{in: "GET / HTTP/1.1\r\n", want: silent + closes},

		// What is in a row stays what it is.
		{in: "get a\r\n", want: "get a"},
		{in: "mn\r\n", want: "mn"},
		{in: "stats r\r\n", want: unknown},
		{in: "lru_crawler m all\r\n", want: unknown},
		{in: "shutdown\r\n", want: notServed},
		{in: "mg a !\r\n", want: badFlag},
		{in: string(pack(0x55, packetParts{key: "k"})), want: notKnown},
	}
	for i := range rows {
		rows[i].forwards = true
	}
	return rows
}

func TestParserForwardsUnknownCommands(t *testing.T) { testRows(t, unknownRows()) }

// TestUnknownIsNoRow: a policy can't name the command, and no group but all holds
// it.
func TestUnknownIsNoRow(t *testing.T) {
	if slices.Contains(Verbs(), Unknown) || ByGrant(Unknown.Grant) != nil || !Unknown.Apart || !Unknown.Served() {
		t.Errorf("the unknown command is %+v", *Unknown)
	}
	for _, fault := range faultsOf(&Verb{
		Name: "unknown", word: "unknown", parse: parseBare,
		Grant: Unknown.Grant, Category: Unknown.Category, Route: Unknown.Route, Access: Unknown.Access, grammar: Unknown.grammar,
	}) {
		t.Errorf("the unknown command %s", fault)
	}
}

// checkUnknown checks a line that is forwarded: nothing but its words goes
// upstream, and mn.
func checkUnknown(t *testing.T, r *Request, row parserRow) {
	t.Helper()
	wire := string(AppendAlone(nil, r))
	line, ends := strings.CutSuffix(wire, "\r\nmn\r\n")
	tok := strings.Split(line, " ")
	if !ends || hasControl([]byte(line)) || slices.Contains(tok, "") || len(tok) > 64 || byWord[tok[0]] != nil || !row.forwards || r.Dialect != ASCII {
		t.Errorf("%s: composed as %q", describe(r), wire)
	}
	p := Parser{Forwards: true}
	again, n, err := p.Next([]byte(line + "\r\n"))
	if err != nil || n != len(line)+2 || again.Verb != Unknown || string(again.Args) != line || string(r.Args) != line {
		t.Errorf("%q: parsed anew, %d bytes taken, %v", wire, n, err)
	}
}

// checkUnknownReply: any line without control bytes is one of the reply, and that
// which answers mn is the last.
func checkUnknownReply(t *testing.T, in []byte) {
	t.Helper()
	line, last, err := ParseAlone(in, &Request{Form: Form{Verb: Unknown}, Args: []byte("foo")})
	checkShort(t, in, err)
	text, _, whole := strings.Cut(string(in), "\n")
	good := whole && len(text) < 1274 && strings.HasSuffix(text, "\r") && !hasControl([]byte(text[:len(text)-1]))
	if (err == nil) != good || err == nil && (string(line) != text+"\n" || last != (text == "MN\r")) {
		t.Errorf("%q: passes on %q, last: %t, %v", in, line, last, err)
	}
}

func TestUnknownReplies(t *testing.T) {
	for _, row := range []struct {
		in       string
		ok, last bool
	}{
		{"ERROR\r\n", true, false}, {"anything at all\r\n", true, false}, {"\r\n", true, false}, {"VALUE k 0 1\r\n", true, false},
		{"MN\r\n", true, true}, {"MN x\r\n", true, false}, {"mn\r\n", true, false},
		{"MN\n", false, false}, {"a\x00b\r\n", false, false}, {"a\x1b[2J\r\n", false, false}, {"a\rb\r\n", false, false},
	} {
		r := &Request{Form: Form{Verb: Unknown}, Args: []byte("foo")}
		line, last, err := ParseAlone([]byte(row.in), r)
		if (err == nil) != row.ok || last != row.last || row.ok && string(line) != row.in {
			t.Errorf("%q: got %q, %t, %v", row.in, line, last, err)
		}
		if got := string(r.AppendAlone([]byte("x"), line)); row.ok && got != "x"+row.in {
			t.Errorf("%q: the client reads %q", row.in, got)
		}
	}
	if got := string(AppendAlone([]byte("x"), &Request{Form: Form{Verb: Unknown}, Args: []byte("foo a b")})); got != "xfoo a b\r\nmn\r\n" {
		t.Errorf("sent as %q", got)
	}
}
