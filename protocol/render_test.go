package protocol

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// TestAnswers has the answer of every command to every status that it may have,
// and to the failures that any may have.
func TestAnswers(t *testing.T) {
	store := map[Status]string{
		StatusOK: "STORED", StatusNotStored: "NOT_STORED",
		StatusTooLarge: "SERVER_ERROR object too large for cache", StatusNoMemory: "SERVER_ERROR out of memory storing object",
	}
	cas := map[Status]string{StatusExists: "EXISTS", StatusNotFound: "NOT_FOUND"}
	for status, line := range store {
		cas[status] = line
	}
	read := map[Status]string{StatusMiss: "END"}
	arith := map[Status]string{
		StatusNotFound: "NOT_FOUND", StatusNoMemory: "SERVER_ERROR out of memory storing object",
		StatusNonNumeric: "CLIENT_ERROR cannot increment or decrement non-numeric value",
	}
	want := map[string]map[Status]string{
		"get": read, "gets": read, "gat": read, "gats": read, "touch": {StatusOK: "TOUCHED", StatusMiss: "NOT_FOUND"},
		"set": store, "add": store, "replace": store, "append": store, "prepend": store, "cas": cas,
		"delete": {StatusOK: "DELETED", StatusNotFound: "NOT_FOUND"}, "incr": arith, "decr": arith,
	}
	fails := map[Status]string{
		StatusNone: "SERVER_ERROR upstream connection lost", StatusLost: "SERVER_ERROR upstream connection lost",
		StatusDown: "SERVER_ERROR upstream unavailable", StatusRefused: "SERVER_ERROR upstream refused",
		StatusDropped: "SERVER_ERROR reply too large", StatusDenied: "CLIENT_ERROR access denied", StatusBusy: "SERVER_ERROR upstream busy",
	}
	for _, name := range keyCommands() {
		v := ByGrant(name)[0]
		for status := range statusCount {
			line, failed := fails[status]
			if line == "" {
				line = want[name][status]
			}
			if line != "" {
				line += "\r\n"
			}
			if got := string(AppendAnswer([]byte("x"), v, &Reply{Status: status})); got != "x"+line {
				t.Errorf("%s, status %d: got %q, want %q", name, status, got, "x"+line)
			}
			if status.Failed() != failed {
				t.Errorf("status %d: failed is %t, want %t", status, status.Failed(), failed)
			}
		}
	}
}

// TestLinesAreLines: what clients are told is one line each.
func TestLinesAreLines(t *testing.T) {
	lines := []string{
		Stored, MN, AccessDenied, Unauthenticated, AuthFailed, AuthBadToken, AuthBadEnd, AuthBusy,
		UpstreamDown, UpstreamLost, UpstreamRefused, ReplyTooLarge, UpstreamBusy, ItemsEnd, string(AppendVersion(nil, "1.6.18")),
	}
	for _, v := range Verbs() {
		if v.Denied != "" {
			lines = append(lines, v.Denied)
		}
		for _, line := range v.answers {
			if line != "" {
				lines = append(lines, line)
			}
		}
	}
	for _, line := range lines {
		if !strings.HasSuffix(line, "\r\n") || strings.Count(line, "\n") != 1 || strings.Count(line, "\r") != 1 || len(line) < 4 {
			t.Errorf("%q is not one line", line)
		}
	}
}

func TestAppendItemLine(t *testing.T) {
	r := &Reply{Status: StatusValue, Flags: math.MaxUint32, Size: 1048516, CAS: math.MaxUint64}
	for verb, want := range map[string]string{
		"get":  "xVALUE key 4294967295 1048516\r\n",
		"gat":  "xVALUE key 4294967295 1048516\r\n",
		"gets": "xVALUE key 4294967295 1048516 18446744073709551615\r\n",
		"gats": "xVALUE key 4294967295 1048516 18446744073709551615\r\n",
	} {
		if got := string(AppendItemLine([]byte("x"), ByGrant(verb)[0], []byte("key"), r)); got != want {
			t.Errorf("%s: got %q, want %q", verb, got, want)
		}
	}
}

func TestReadsAndRepeats(t *testing.T) {
	reads := "get gets gat gats"
	repeats := "get gets gat gats touch"
	for _, name := range keyCommands() {
		c := command(name)
		if got, want := c.Verb.IsRead(), inWords(reads, name); got != want {
			t.Errorf("%s: IsRead is %t, want %t", name, got, want)
		}
		if got, want := c.Idempotent(), inWords(repeats, name); got != want {
			t.Errorf("%s: Idempotent is %t, want %t", name, got, want)
		}
	}
}

func inWords(words, word string) bool { return strings.Contains(" "+words+" ", " "+word+" ") }

// TestDeniedLooksLikeMiss: a denial that looks like a miss is what a client of a
// memcached without the key would read.
func TestDeniedLooksLikeMiss(t *testing.T) {
	want := map[string]string{
		"get": "END", "gets": "END", "gat": "END", "gats": "END", "touch": "NOT_FOUND", "cas": "NOT_FOUND",
		"set": "NOT_STORED", "add": "NOT_STORED", "replace": "NOT_STORED", "append": "NOT_STORED", "prepend": "NOT_STORED",
		"delete": "NOT_FOUND", "incr": "NOT_FOUND", "decr": "NOT_FOUND",
	}
	for _, v := range Verbs() {
		r := Request{Verb: v}
		line, ok := r.LooksLikeMiss()
		if ok != (want[v.Name] != "") || ok && line != want[v.Name]+"\r\n" {
			t.Errorf("%s: got %q, %t, want %q", v.Name, line, ok, want[v.Name])
		}
		if got := string(AppendAnswer(nil, v, &Reply{Status: missOf(v)})); ok && got != line {
			t.Errorf("%s: denied as %q, and a miss is %q", v.Name, line, got)
		}
	}
}

// missOf is the status of a command whose key is not there, or whose condition
// fails.
func missOf(v *Verb) Status {
	for _, status := range []Status{StatusMiss, StatusNotFound, StatusNotStored} {
		if v.answers[status] != "" {
			return status
		}
	}
	return StatusNone
}

func TestExpiresAtOnce(t *testing.T) {
	const now, month = 1_800_000_000, 2592000
	for _, row := range []struct {
		exptime int32
		want    bool
	}{
		{0, false}, {1, false}, {60, false}, {month, false}, {month + 1, true},
		{-1, true}, {math.MinInt32, true}, {-month, true},
		{now - 1, true}, {now, true}, {now + 1, false}, {math.MaxInt32, false},
	} {
		for _, name := range keyCommands() {
			r := Request{Verb: ByGrant(name)[0], Exptime: row.exptime}
			want := row.want && inWords("set add replace cas touch gat gats", name)
			if got := r.ExpiresAtOnce(now); got != want {
				t.Errorf("%s with expiry %d: expires at once is %t, want %t", name, row.exptime, got, want)
			}
			need := r.Verb.Category
			if want {
				need |= CatDelete
			}
			if got := r.Needs(now); got != need {
				t.Errorf("%s with expiry %d: needs %#x, want %#x", name, row.exptime, got, need)
			}
		}
	}
	if r := (Request{Verb: ByGrant("flush_all")[0], Exptime: -1}); r.Needs(now) != CatFlush {
		t.Errorf("flush_all -1 needs %#x, want %#x", r.Needs(now), CatFlush)
	}
}

func TestParseLine(t *testing.T) {
	for _, row := range []struct{ in, want string }{
		{"get a b", "get a b"},
		{"get a\r", "! CLIENT_ERROR bad command line format"},
		{"set a 1 2 3", `set a 1 2 3 ""`},
		{"set a 1 2 3 noreply", `set a 1 2 3 "" noreply`},
		{"set a 0 0 0", `set a 0 0 0 ""`},
		{"set a 0 0 2000000000", `set a 0 0 2000000000 ""`},
		{"cas a 1 2 3 4", `cas a 1 2 3 4 ""`},
		{"stats items", "stats items"},
		{"flush_all 5", "flush_all 5"},
		{"version", "version"},
		{"", unknown},
		{" ", unknown},
		{"foo", unknown},
		{"get", badFormat},
		{"get a\nget b", badFormat},
		{"get a\n", badFormat},
		{"\nget a", badFormat},
		{"set a 0 0 3\r\nabc", badFormat},
		{"set a 0 0 100\nfoo", badFormat},
		{"set a 0 0", badFormat + closes},
		{"touch a x noreply", silent},
		{"watch", notServed},
		{"mg a v", notServed},
		{"ms a 5", notServed},
		{"get " + key(251), badFormat},
		{strings.Repeat("x", 3000), tooLong + closes},
	} {
		in := []byte(row.in)
		r, err := ParseLine(in)
		var refusal *Refusal
		got := ""
		switch {
		case errors.As(err, &refusal) && r == nil:
			got = describeRefusal(refusal)
		case err == nil:
			for i := range in {
				in[i] = 'Z' // the request is of a copy
			}
			got = describe(r)
		}
		if got != row.want {
			t.Errorf("ParseLine(%.100q): got %s, %v, want %s", row.in, got, err, row.want)
		}
	}
}

func TestRefusalsReadAsErrors(t *testing.T) {
	for _, row := range []struct {
		r    Refusal
		want string
	}{
		{Refusal{Reply: "ERROR\r\n"}, "protocol: refused with ERROR"},
		{Refusal{Close: true}, "protocol: refused in silence"},
	} {
		if got := row.r.Error(); got != row.want {
			t.Errorf("%+v: got %q, want %q", row.r, got, row.want)
		}
	}
}
