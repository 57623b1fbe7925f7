package protocol

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// may are the return codes of each command that says no more than its row does,
// written down a second time.
var may = map[string]string{
	"get": "VA EN", "gets": "VA EN", "gat": "VA EN", "gats": "VA EN", "touch": "HD EN",
	"set": "HD NS", "add": "HD NS", "replace": "HD NS", "append": "HD NS", "prepend": "HD NS",
	"cas": "HD NS EX NF", "delete": "HD NF", "incr": "VA NF", "decr": "VA NF",
	"mg": "HD EN", "ms": "HD NS", "md": "HD NF", "ma": "HD NF",
	"GET": "VA EN", "GETK": "VA EN", "GAT": "VA EN", "GATK": "VA EN", "TOUCH": "HD EN",
	"SET": "HD NS", "ADD": "HD NS", "REPLACE": "HD NS", "APPEND": "HD NS", "PREPEND": "HD NS",
	"DELETE": "HD NF", "INCREMENT": "VA NF", "DECREMENT": "VA NF",
}

// TestMetaStatusFitsCommand tries every return code on every command.
func TestMetaStatusFitsCommand(t *testing.T) {
	for _, verb := range keyCommands() {
		for code, status := range map[string]Status{
			"HD": StatusOK, "VA": StatusValue, "EN": StatusMiss,
			"NF": StatusNotFound, "NS": StatusNotStored, "EX": StatusExists,
			"OK": StatusNone, "MN": StatusNone, "ME": StatusNone, "hd": StatusNone, "XX": StatusNone,
		} {
			c := command(verb)
			in := goodReply(c, code)
			if code == "VA" && c.Verb.canon.word == "ma" {
				status = StatusNumber
			}
			var r Reply
			n, err := ParseMeta([]byte(in+"rest"), c, 42, &r)
			want := inWords(may[verb], code)
			if (err == nil) != want {
				t.Errorf("%s: %q gives %v, want accepted: %t", verb, in, err, want)
			}
			if err == nil && (r.Status != status || n != len(in)) {
				t.Errorf("%s: %q gives status %d and %d bytes, want %d and %d", verb, in, r.Status, n, status, len(in))
			}
		}
	}
}

// goodReply is a reply with that return code that says all c asks for and that
// proves itself. The number that arithmetic came to is part of it.
func goodReply(c *Command, code string) string {
	in, end := code, "\r\n"
	switch {
	case code == "VA" && c.Verb.canon.word == "ma":
		in, end = "VA 2", "\r\n42\r\n"
	case code == "VA":
		in = "VA 5"
	}
	if code == "VA" || code == "HD" {
		for flag, ask := range map[string]Ask{"f9": AskFlags, "c8": AskCAS, "h1": AskHit, "l7": AskAccess, "s5": AskSize, "t-1": AskTTL} {
			if c.Ask&ask != 0 {
				in += " " + flag
			}
		}
	}
	return in + " O000000000000002a" + end
}

// TestMetaErrorLines tries every error line on every command. What memcached could
// not do is said of any command; what blames the client only of the one that can
// be blamed.
func TestMetaErrorLines(t *testing.T) {
	for _, row := range []struct {
		line   string
		words  string // commands upstream to which it means that; to others of "any" it is a refusal
		status Status
	}{
		{"CLIENT_ERROR cannot increment or decrement non-numeric value", "ma", StatusNonNumeric},
		{"SERVER_ERROR object too large for cache", "any ms", StatusTooLarge},
		{"SERVER_ERROR out of memory storing object", "any mg ms ma", StatusNoMemory},
		{"SERVER_ERROR Out of memory during read", "any mg ms ma", StatusNoMemory},
		{"SERVER_ERROR Out of memory allocating new item", "any mg ms ma", StatusNoMemory},
		{"SERVER_ERROR refcount overflow during fetch", "any", 0},
		{"SERVER_ERROR Unhandled storage type.", "any", 0},
		{"SERVER_ERROR something new", "any", 0},
		{"SERVER_ERROR out of memory writing get response", "", 0},
		{"SERVER_ERROR", "", 0},
		{"CLIENT_ERROR bad command line format", "", 0},
		{"CLIENT_ERROR bad data chunk", "", 0},
		{"CLIENT_ERROR invalid or duplicate flag", "", 0},
		{"CLIENT_ERROR unauthenticated", "", 0},
		{"ERROR", "", 0},
		{"ERROR Too many open connections", "", 0},
		{"", "", 0},
		{"H", "", 0},
		{"HDO000000000000002a", "", 0},
		{"STORED", "", 0},
		{"END", "", 0},
		{"NOT_FOUND", "", 0},
		{"VALUE k 0 1", "", 0},
		{"12", "", 0},
	} {
		for _, verb := range keyCommands() {
			c := command(verb)
			var r Reply
			_, err := ParseMeta([]byte(row.line+"\r\n"), c, 42, &r)
			status, want := row.status, strings.Contains(row.words, c.Verb.canon.word)
			if !want && strings.HasPrefix(row.words, "any") {
				status, want = StatusRefused, true
			}
			if (err == nil) != want || err == nil && (r.Status != status || r.Proven) {
				t.Errorf("%s: %q gives status %d, %v, want accepted: %t", verb, row.line, r.Status, err, want)
			}
			if err != nil && err != errReplyError {
				t.Errorf("%s: %q gives %v, want %v", verb, row.line, err, errReplyError)
			}
		}
	}
}

// TestMetaReplies has good lines with everything they carry.
func TestMetaReplies(t *testing.T) {
	for _, row := range []struct {
		verb, in string
		want     Reply
	}{
		{"get", "VA 0 f0 $O\r\n", value(AskFlags, Reply{})},
		{"get", "VA 5 f4294967295 $O\r\nhello", value(AskFlags, Reply{Size: 5, Flags: maxU32})},
		{"get", "VA 5 $O f1\r\n", value(AskFlags, Reply{Size: 5, Flags: 1})},
		{"get", "VA 5 f1 $O W\r\n", value(AskFlags, Reply{Size: 5, Flags: 1, Notes: notes("W")})},
		{"get", "VA 5 f1 $O X Z\r\n", value(AskFlags, Reply{Size: 5, Flags: 1, Notes: notes("XZ")})},
		{"get", "VA 2147483645 f1 $O\r\n", value(AskFlags, Reply{Size: maxU31 - 2, Flags: 1})},
		{"get", "EN $O\r\n", Reply{Status: StatusMiss}},
		{"gets", "VA 1 f2 c18446744073709551615 $O\r\n", value(AskFlags|AskCAS, Reply{Size: 1, Flags: 2, CAS: maxU64})},
		{"gats", "VA 1 f2 c3 $O\r\n", value(AskFlags|AskCAS, Reply{Size: 1, Flags: 2, CAS: 3})},
		{"get", "EN\r\n", Reply{Status: StatusMiss}},
		{"touch", "HD $O\r\n", Reply{Status: StatusOK}},
		{"touch", "HD $O W\r\n", Reply{Status: StatusOK, Notes: notes("W")}},
		{"touch", "EN $O\r\n", Reply{Status: StatusMiss}},
		{"incr", "VA 20 $O\r\n18446744073709551615\r\n", Reply{Status: StatusNumber, Number: maxU64}},
		{"INCREMENT", "VA 1 c5 $O\r\n7\r\n", Reply{Status: StatusNumber, Number: 7, CAS: 5, told: AskCAS}},
		{"set", "HD $O\r\n", Reply{Status: StatusOK}},
		{"SET", "HD c9 $O\r\n", Reply{Status: StatusOK, CAS: 9, told: AskCAS}},
		{"SET", "NS c0 $O\r\n", Reply{Status: StatusNotStored, told: AskCAS}},
		{"cas", "EX $O\r\n", Reply{Status: StatusExists}},
		{"delete", "NF $O\r\n", Reply{Status: StatusNotFound}},
	} {
		in := strings.ReplaceAll(row.in, "$O", "O000000000000002a")
		r := Reply{Status: StatusLost, Flags: 99, CAS: 99, Size: 99, Number: 99, Trailer: "old", Notes: notes("WXZ"), told: AskTTL}
		n, err := ParseMeta([]byte(in), command(row.verb), 42, &r)
		want := strings.Index(in, "\n") + 1
		if row.want.Status == StatusNumber {
			want = len(in)
		}
		row.want.Proven = strings.Contains(in, " O")
		if err != nil || n != want || r != row.want {
			t.Errorf("%s: %q gives %+v, %d, %v, want %+v, %d", row.verb, in, r, n, err, row.want, want)
		}
	}
}

// value is a reply with a value that tells what was asked.
func value(told Ask, r Reply) Reply {
	r.Status, r.Trailer, r.told = StatusValue, crlf, told
	return r
}

func notes(flags string) (l letters) {
	for i := range len(flags) {
		l.add(flags[i])
	}
	return l
}

// TestCutRepliesAreShort holds that no start of a good line is a line, in either
// dialect.
func TestCutRepliesAreShort(t *testing.T) {
	for _, row := range []struct {
		verb, in string
		parse    func([]byte, *Command, uint64, *Reply) (int, error)
	}{
		{"set", "HD O000000000000002a\r\n", ParseMeta},
		{"gets", "VA 10 f10 c10 O000000000000002a W\r\n", ParseMeta},
		{"incr", "VA 4 O000000000000002a\r\n1234\r\n", ParseMeta},
		{"incr", "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n", ParseMeta},
		{"set", "STORED\r\n", ParseClassic},
		{"gets", "VALUE k 10 10 10\r\n", ParseClassic},
		{"get", "END\r\n", ParseClassic},
		{"incr", "12345\r\n", ParseClassic},
	} {
		var r Reply
		for end := range len(row.in) {
			if n, err := row.parse([]byte(row.in[:end]), command(row.verb), 42, &r); err != ErrShort || n != 0 {
				t.Errorf("%s: %q gives %d, %v, want 0, %v", row.verb, row.in[:end], n, err, ErrShort)
			}
		}
		if _, err := row.parse([]byte(row.in), command(row.verb), 42, &r); err != nil {
			t.Errorf("%s: %q gives %v", row.verb, row.in, err)
		}
	}
}

// TestFaultsOfRepliesAreNamed: an error says which package it is from, and none
// is an incomplete line.
func TestFaultsOfRepliesAreNamed(t *testing.T) {
	for _, err := range []error{errReplyLine, errReplyOwner, errReplyKind, errReplyError, errReplyLength, errBase64, ErrShort} {
		if !strings.HasPrefix(fmt.Sprint(err), "protocol: ") {
			t.Errorf("%q does not name its package", err)
		}
		if err != ErrShort && errors.Is(err, ErrShort) {
			t.Errorf("%q is an incomplete line", err)
		}
	}
}
