package protocol

import (
	"strings"
	"testing"
)

func TestKeylessReplies(t *testing.T) {
	stats, one := ByGrant("stats")[0], ByGrant("flush_all")[0]
	for _, row := range []struct {
		verb     *Verb
		in, want string // want is the line; "" if it is refused
		last     bool
	}{
		{stats, "STAT pid 1\r\nSTAT x y\r\n", "STAT pid 1\r\n", false},
		{stats, "STAT x\r\n", "STAT x\r\n", false},
		{stats, "STAT \xff\xfe y\r\n", "STAT \xff\xfe y\r\n", false},
		{stats, "STAT \r\n", "", false},
		{stats, "STAT\r\n", "", false},
		{stats, "STATS x y\r\n", "", false},
		{stats, "END\r\n", "END\r\n", true},
		{stats, "END x\r\n", "", false},
		{stats, "ERROR\r\n", "ERROR\r\n", true},
		{stats, "ERROR x\r\n", "", false},
		{stats, "CLIENT_ERROR x\r\n", "CLIENT_ERROR x\r\n", true},
		{stats, "SERVER_ERROR x\r\n", "SERVER_ERROR x\r\n", true},
		{stats, "RESET\r\n", "", false},
		{stats, "OK\r\n", "", false},
		{stats, "ITEM k [1 b; 0 s]\r\n", "", false},
		{stats, "PREFIX p get 1 hit 1 set 0 del 0\r\n", "", false},
		{stats, "VALUE k 0 1\r\n", "", false},
		{stats, "STAT a b\n", "", false},
		{stats, "STAT a\rb c\r\n", "", false},
		{stats, "STAT a\x00 c\r\n", "", false},
		{stats, "\r\n", "", false},
		{stats, "STAT a " + strings.Repeat("x", 1274-9) + "\r\n", "STAT a " + strings.Repeat("x", 1274-9) + "\r\n", false},
		{stats, "STAT a " + strings.Repeat("x", 1274-8) + "\r\n", "", false},
		{one, "OK\r\n", "OK\r\n", true},
		{one, "RESET\r\n", "RESET\r\n", true},
		{one, "ERROR x\r\n", "ERROR x\r\n", true},
		{one, "CLIENT_ERROR flush_all not allowed\r\n", "CLIENT_ERROR flush_all not allowed\r\n", true},
		{one, "BUSY x\r\n", "BUSY x\r\n", true},
		{one, "BADCLASS x\r\n", "BADCLASS x\r\n", true},
		{one, "NOSPARE x\r\n", "NOSPARE x\r\n", true},
		{one, "NOTSTARTED x\r\n", "NOTSTARTED x\r\n", true},
		{one, "MEMLIMIT_TOO_SMALL x\r\n", "MEMLIMIT_TOO_SMALL x\r\n", true},
		{one, "STAT a b\r\n", "", false},
		{one, "END\r\n", "", false},
		{one, "STORED\r\n", "", false},
		{one, "HD O000000000000002a\r\n", "", false},
		{one, "OKAY\r\n", "", false},
		{one, " OK\r\n", "", false},
		{one, "Error TLS not enabled\r\n", "", false},
		{one, "OK\x1b[2J\r\n", "", false},
		{one, "OK \x1b[2J\r\n", "", false},
		{one, "\r\n", "", false},
	} {
		line, last, err := ParseAlone([]byte(row.in), &Request{Form: Form{Verb: row.verb}})
		if string(line) != row.want || last != row.last || (err == nil) != (row.want != "") {
			t.Errorf("%s: %.80q gives %.80q, %t, %v, want %.80q, %t", row.verb.Name, row.in, line, last, err, row.want, row.last)
		}
	}
	if _, _, err := ParseAlone([]byte("STAT a"), &Request{Form: Form{Verb: stats}}); err != ErrShort {
		t.Errorf("a line that is cut gives %v, want %v", err, ErrShort)
	}
}

// TestDebugReplies: what memcached tells of an item is of the one that was asked
// for, which it may write as base64.
func TestDebugReplies(t *testing.T) {
	for _, row := range []struct {
		in string
		ok bool
	}{
		{"ME foo exp=-1 la=5 cas=2 fetch=no cls=1 size=60\r\n", true},
		{"ME Zm9v exp=-1 la=5 cas=2 fetch=no cls=1 size=60\r\n", true},
		{"EN\r\n", true},
		{"ERROR\r\n", true},
		{"SERVER_ERROR out of memory\r\n", true},
		{"ME bar exp=-1\r\n", false},
		{"ME fo exp=-1\r\n", false},
		{"ME fooo exp=-1\r\n", false},
		{"ME  foo exp=-1\r\n", false},
		{"ME\r\n", false},
		{"ME foo\x1b exp=-1\r\n", false},
		{"ME foo exp=\x1b\r\n", false},
		{"EN O1\r\n", false},
		{"HD foo\r\n", false},
		{"STAT foo 1\r\n", false},
		{"ME foo exp=-1\n", false},
	} {
		for _, asked := range []string{"me foo\r\n", "me Zm9v b\r\n"} {
			line, last, err := ParseAlone([]byte(row.in), requestOf(t, asked))
			if (err == nil) != row.ok || row.ok && (string(line) != row.in || !last) {
				t.Errorf("%q, then %q: got %q, %t, %v", asked, row.in, line, last, err)
			}
		}
	}
}
