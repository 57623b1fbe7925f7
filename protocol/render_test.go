package protocol

import (
	"errors"
	"fmt"
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
	read := map[Status]string{StatusNoMemory: "SERVER_ERROR out of memory storing object"}
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
		StatusInvalid: "CLIENT_ERROR bad command line format",
		StatusUnfit:   "SERVER_ERROR upstream too old for this command", StatusUnauthenticated: "CLIENT_ERROR unauthenticated",
		StatusLimitRate: "CLIENT_ERROR request rate limit exceeded", StatusLimitBytes: "CLIENT_ERROR byte rate limit exceeded",
		StatusLimitInFlight: "CLIENT_ERROR too many requests in flight", StatusLimitValue: "CLIENT_ERROR value exceeds the limit",
		StatusLimitTTL: "CLIENT_ERROR expiry exceeds the limit", StatusLimitKeys: "CLIENT_ERROR too many keys in one request",
		StatusLimitConns: "CLIENT_ERROR too many connections", StatusFrozen: "CLIENT_ERROR frozen",
	}
	for _, name := range classicCommands() {
		f := Form{Verb: verbNamed(name)}
		for status := range statusCount {
			line, failed := fails[status]
			if line == "" {
				line = want[name][status]
			}
			if line == "" && !(f.IsMulti() && status == StatusMiss) {
				line = "SERVER_ERROR upstream refused" // it can't be, and has an answer all the same
			}
			if line != "" {
				line += "\r\n"
			}
			if status == StatusNumber {
				line = "18446744073709551615\r\n"
			}
			if got := string(f.AppendAnswer([]byte("x"), []byte("k"), &Reply{Status: status, Number: maxU64})); got != "x"+line {
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
		UpstreamDown, UpstreamLost, UpstreamRefused, ReplyTooLarge, UpstreamBusy, UpstreamUnfit,
		LimitRate, LimitBytes, LimitInFlight, LimitValue, LimitTTL, LimitKeys, LimitConns, Frozen,
	}
	for _, v := range Verbs() {
		f := Form{Verb: v}
		lines = append(lines, string(f.AppendVersion(nil, "1.6.18")), string(f.AppendNoOp(nil)))
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

// TestLimitsAreToldToStrangers: a connection over its limit is told so before it
// has asked for anything.
func TestLimitsAreToldToStrangers(t *testing.T) {
	for dialect, want := range map[Dialect]string{
		ASCII: "xCLIENT_ERROR too many connections\r\n", Binary: "x" + string(answerOf(0, 0x03, "too many connections")),
	} {
		f := Form{Dialect: dialect}
		if got := string(f.AppendAnswer([]byte("x"), nil, &Reply{Status: StatusLimitConns})); got != want {
			t.Errorf("%s: got %q, want %q", dialect, got, want)
		}
	}
}

func TestAppendHead(t *testing.T) {
	r := &Reply{Status: StatusValue, Flags: math.MaxUint32, Size: 1048516, CAS: math.MaxUint64}
	for verb, want := range map[string]string{
		"get":  "xVALUE key 4294967295 1048516\r\n",
		"gat":  "xVALUE key 4294967295 1048516\r\n",
		"gets": "xVALUE key 4294967295 1048516 18446744073709551615\r\n",
		"gats": "xVALUE key 4294967295 1048516 18446744073709551615\r\n",
	} {
		f := Form{Verb: verbNamed(verb)}
		if got := string(f.AppendHead([]byte("x"), []byte("key"), r)); got != want {
			t.Errorf("%s: got %q, want %q", verb, got, want)
		}
		if end := string(f.AppendItemsEnd(f.AppendValueEnd(nil))); end != "\r\nEND\r\n" {
			t.Errorf("%s: ends with %q", verb, end)
		}
	}
}

// TestReadsAndRepeats lists the commands that fetch a value, those that answer
// with many items, and those that may be sent again.
func TestReadsAndRepeats(t *testing.T) {
	const multi = "get gets gat gats"
	const fetches = multi + " GET GETK GAT GATK"
	const repeats = fetches + " touch mg TOUCH"
	for _, name := range keyCommands() {
		c := command(name)
		f := Form{Verb: c.Verb}
		if c.Verb.packet.read != nil {
			f.Dialect = Binary
		}
		if got, want := f.IsMulti(), inWords(multi, name); got != want {
			t.Errorf("%s: IsMulti is %t, want %t", name, got, want)
		}
		if got, want := c.FetchesValue(), inWords(fetches, name); got != want {
			t.Errorf("%s: FetchesValue is %t, want %t", name, got, want)
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
		"mg": "EN", "ms": "NS", "md": "NF", "ma": "NF",
		"GET": "0x01", "GETK": "0x01 k", "GAT": "0x01", "GATK": "0x01 k", "TOUCH": "0x01", "DELETE": "0x01", "INCREMENT": "0x01", "DECREMENT": "0x01",
		"SET": "0x05", "ADD": "0x02", "REPLACE": "0x01", "APPEND": "0x05", "PREPEND": "0x05",
	}
	for _, v := range Verbs() {
		f := Request{Form: Form{Verb: v}}
		if v.packet.read != nil {
			f.Dialect = Binary
		}
		got, ok := f.AppendMiss(nil, []byte("k"))
		if f.Dialect == Binary && ok {
			p := packetOf(got)
			got = []byte(strings.TrimSpace(fmt.Sprintf("%#02x %s", p.status, p.key)) + "\r\n")
		}
		if ok != (want[v.Name] != "") || ok && string(got) != want[v.Name]+"\r\n" || !ok && len(got) > 0 {
			t.Errorf("%s: got %q, %t, want %q", v.Name, got, ok, want[v.Name])
		}
	}
}

func TestParseLine(t *testing.T) {
	for _, row := range []struct{ in, want string }{
		{"get a b", "get a b"},
		{"get a\r", "! CLIENT_ERROR bad command line format"},
		{"set a 1 2 3", `unwanted set a 1 2 3 ""`},
		{"set a 1 2 3 noreply", `unwanted set a 1 2 3 "" noreply`},
		{"set a 0 0 0", `unwanted set a 0 0 0 ""`},
		{"set a 0 0 2000000000", `unwanted set a 0 0 2000000000 ""`},
		{"cas a 1 2 3 4", `unwanted cas a 1 2 3 4 ""`},
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
		{"mg a v", "mg a v -> v"},
		{"mg a E5", "mg a E5"},
		{"md a x", "md a x"},
		{"ms a 5 ME", `unwanted ms a 5 ME ""`},
		{"ms a 2000000000 T-1", `unwanted ms a 2000000000 T-1 ""`},
		{"\x80\x00", unknown},
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
		{Refusal{Form: Form{Dialect: Binary}, Reply: string(noop)}, "protocol: refused with a status"},
	} {
		if got := row.r.Error(); got != row.want {
			t.Errorf("%+v: got %q, want %q", row.r, got, row.want)
		}
	}
}
