package protocol

import (
	"strings"
	"testing"
)

// serverError is what a line that means the status to some commands means to one.
func serverError(verb string, status Status) Status {
	store := command(verb).Verb.takesBody()
	if status == StatusTooLarge && !store || status == StatusNoMemory && verb == "delete" {
		return StatusRefused
	}
	return status
}

// TestClassicLinesFitCommand tries every answer on every command.
func TestClassicLinesFitCommand(t *testing.T) {
	lines := map[string]Status{
		"STORED": StatusOK, "NOT_STORED": StatusNotStored, "EXISTS": StatusExists, "NOT_FOUND": StatusNotFound,
		"DELETED": StatusOK, "TOUCHED": StatusOK, "END": StatusMiss, "42": StatusNumber, "VALUE k 1 2": StatusValue,
		"VALUE k 1 2 3": StatusValue, "": 0, "OK": 0, "ERROR": 0, "CLIENT_ERROR bad data chunk": 0, "RESET": 0,
		"CLIENT_ERROR cannot increment or decrement non-numeric value": StatusNonNumeric,
		"SERVER_ERROR object too large for cache":                      StatusTooLarge,
		"SERVER_ERROR out of memory storing object":                    StatusNoMemory,
		"SERVER_ERROR other":                                           StatusRefused,
		"SERVER_ERROR":                                                 0,
		"stored":                                                       0,
		"STORED ":                                                      0,
		" STORED":                                                      0,
		"VERSION 1.6.18":                                               0,
		"HD O000000000000002a":                                         0,
	}
	const store = "STORED|NOT_STORED|SERVER_ERROR object too large for cache|SERVER_ERROR out of memory storing object"
	fits := map[string]string{
		"get": "END|VALUE k 1 2", "gat": "END|VALUE k 1 2", "gets": "END|VALUE k 1 2 3", "gats": "END|VALUE k 1 2 3",
		"touch": "TOUCHED|NOT_FOUND", "delete": "DELETED|NOT_FOUND",
		"set": store, "add": store, "replace": store, "append": store, "prepend": store, "cas": store + "|EXISTS|NOT_FOUND",
		"incr": "42|NOT_FOUND|CLIENT_ERROR cannot increment or decrement non-numeric value|SERVER_ERROR out of memory storing object",
		"decr": "42|NOT_FOUND|CLIENT_ERROR cannot increment or decrement non-numeric value|SERVER_ERROR out of memory storing object",
	}
	for _, verb := range classicCommands() {
		for line, status := range lines {
			want := line != "" && strings.Contains("|"+fits[verb]+"|", "|"+line+"|")
			if strings.HasPrefix(line, "SERVER_ERROR ") {
				want, status = true, serverError(verb, status)
			}
			var r Reply
			n, err := ParseClassic([]byte(line+"\r\n"), command(verb), 0, &r)
			if (err == nil) != want {
				t.Errorf("%s: %q gives %v, want accepted: %t", verb, line, err, want)
				continue
			}
			if verb == "touch" && line == "NOT_FOUND" {
				status = StatusMiss // as a touch that misses is told in the meta dialect
			}
			if size := len(line) + 2; want && (r.Status != status || n != size) {
				t.Errorf("%s: %q gives status %d and %d bytes, want %d and %d", verb, line, r.Status, n, status, size)
			}
		}
	}
}

// item is the reply that a VALUE line of the classic dialect gives.
func item(r Reply) Reply {
	r.Status, r.Trailer, r.told = StatusValue, "\r\nEND\r\n", AskFlags|AskCAS
	return r
}

func TestClassicItems(t *testing.T) {
	for _, row := range []struct {
		verb, key, in string
		want          Reply
		err           error
	}{
		{"get", "k", "VALUE k 0 0\r\n", item(Reply{}), nil},
		{"get", "k", "VALUE k 4294967295 2147483645\r\n", item(Reply{Flags: maxU32, Size: maxU31 - 2}), nil},
		{"gets", "k", "VALUE k 1 2 18446744073709551615\r\n", item(Reply{Flags: 1, Size: 2, CAS: maxU64}), nil},
		{"get", "VALUE", "VALUE VALUE 1 2\r\n", item(Reply{Flags: 1, Size: 2}), nil},
		{"get", "END", "END\r\n", Reply{Status: StatusMiss}, nil},
		{"get", "k", "END\r\n", Reply{Status: StatusMiss}, nil},
		{"get", "k", "VALUE kk 1 2\r\n", Reply{}, errReplyOwner},
		{"get", "kk", "VALUE k 1 2\r\n", Reply{}, errReplyOwner},
		{"get", "k", "VALUE j 1 2\r\n", Reply{}, errReplyOwner},
		{"get", "k", "VALUE K 1 2\r\n", Reply{}, errReplyOwner},
		{"get", "k", "VALUE \r\n", Reply{}, errReplyOwner},
		{"get", "k", "VALUE k\r\n", Reply{}, errReplyOwner},
		{"get", "k", "VALUE k \r\n", Reply{}, errReplyLine},
		{"get", "k", "VALUE k 1\r\n", Reply{}, errReplyLine},
		{"get", "k", "VALUE k 1 2 3\r\n", Reply{}, errReplyLine},
		{"gets", "k", "VALUE k 1 2\r\n", Reply{}, errReplyLine},
		{"gets", "k", "VALUE k 1 2 3 4\r\n", Reply{}, errReplyLine},
		{"get", "k", "VALUE k  1 2\r\n", Reply{}, errReplyLine},
		{"get", "k", "VALUE k 1 2 \r\n", Reply{}, errReplyLine},
		{"get", "k", "VALUE  k 1 2\r\n", Reply{}, errReplyOwner},
		{"get", "k", "VALUE k -1 2\r\n", Reply{}, errReplyLine},
		{"get", "k", "VALUE k 1 -2\r\n", Reply{}, errReplyLine},
		{"get", "k", "VALUE k 4294967296 2\r\n", Reply{}, errReplyLine},
		{"get", "k", "VALUE k 1 2147483646\r\n", Reply{}, errReplyLine},
		{"gets", "k", "VALUE k 1 2 18446744073709551616\r\n", Reply{}, errReplyLine},
		{"gets", "k", "VALUE k 1 2 x\r\n", Reply{}, errReplyLine},
		{"get", "k", "END \r\n", Reply{}, errReplyError},
		{"get", "k", "END\n", Reply{}, errReplyLine},
		{"get", "k", "\r\n", Reply{}, errReplyError},
		{"get", "k", "SERVER_ERROR refcount overflow during fetch\r\n", Reply{Status: StatusRefused}, nil},
		{"get", "k", "SERVER_ERROR out of memory writing get response\r\n", Reply{}, errReplyError},
		{"get", "k", strings.Repeat("x", 1274), Reply{}, errReplyLength},
	} {
		c := command(row.verb)
		c.Key = []byte(row.key)
		var r Reply
		n, err := ParseClassic([]byte(row.in), c, 0, &r)
		if err != row.err || err == nil && (r != row.want || n != len(row.in)) {
			t.Errorf("%s %s: %.100q gives %+v, %d, %v, want %+v, %v", row.verb, row.key, row.in, r, n, err, row.want, row.err)
		}
	}
}

func TestClassicNumbers(t *testing.T) {
	for _, row := range []struct {
		in   string
		want uint64
		ok   bool
	}{
		{"0\r\n", 0, true},
		{"007\r\n", 7, true},
		{"18446744073709551615\r\n", maxU64, true},
		{"18446744073709551616\r\n", 0, false},
		{"123456789012345678901\r\n", 0, false},
		{"1 \r\n", 0, false},
		{" 1\r\n", 0, false},
		{"-1\r\n", 0, false},
		{"1x\r\n", 0, false},
		{"\r\n", 0, false},
		{"1\n", 0, false},
	} {
		for _, verb := range []string{"incr", "decr", "ma", "INCREMENT", "DECREMENT"} {
			var r Reply
			n, err := ParseClassic([]byte(row.in), command(verb), 0, &r)
			if (err == nil) != row.ok || n != len(row.in) && row.ok {
				t.Errorf("%s: %q gives %d, %v", verb, row.in, n, err)
			}
			if want := (Reply{Status: StatusNumber, Number: row.want}); row.ok && r != want {
				t.Errorf("%s: %q gives %+v, want %+v", verb, row.in, r, want)
			}
		}
	}
}

func TestParseVersion(t *testing.T) {
	for _, row := range []struct {
		in, want string
		err      error
	}{
		{"VERSION 1.6.18\r\n", "1.6.18", nil},
		{"VERSION 1.6.18_3_gabc\r\nrest", "1.6.18_3_gabc", nil},
		{"VERSION " + strings.Repeat("1", 64) + "\r\n", strings.Repeat("1", 64), nil},
		{"VERSION " + strings.Repeat("1", 65) + "\r\n", "", errReplyKind},
		{"VERSION \r\n", "", errReplyKind},
		{"VERSION\r\n", "", errReplyKind},
		{"version 1.6.18\r\n", "", errReplyKind},
		{"ERROR\r\n", "", errReplyKind},
		{"ERROR Too many open connections\r\n", "", errReplyKind},
		{"CLIENT_ERROR unauthenticated\r\n", "", errReplyKind},
		{"VERSION 1.6\x00.18\r\n", "", errReplyKind},
		{"VERSION 1.6.18\r\r\n", "", errReplyKind},
		{"VERSION 1.6.18\n", "", errReplyLine},
		{"\r\n", "", errReplyKind},
		{"VERSION 1.6.18\r", "", ErrShort},
		{"VERSION 1", "", ErrShort},
		{"", "", ErrShort},
		{strings.Repeat("V", 2000), "", errReplyLength},
	} {
		got, n, err := ParseVersion([]byte(row.in))
		want := 0
		if row.err == nil {
			want = strings.Index(row.in, "\n") + 1
		}
		if got != row.want || err != row.err || n != want {
			t.Errorf("%.80q gives %q, %d, %v, want %q, %d, %v", row.in, got, n, err, row.want, want, row.err)
		}
	}
}

func TestSpeaksMeta(t *testing.T) {
	for version, want := range map[string]bool{
		"1.6.18":                   true,
		"1.6.18_3_gabc":            true,
		"1.6.18-beta":              true,
		"1.6.19":                   true,
		"1.6.45":                   true,
		"1.6.100":                  true,
		"1.7.0":                    true,
		"1.10.0":                   true,
		"2.0.0":                    true,
		"10.0.0":                   true,
		"1.6.17":                   false,
		"1.6.9":                    false,
		"1.6.9_18":                 false,
		"1.6.0":                    false,
		"1.5.22":                   false,
		"1.4.39":                   false,
		"0.9.99":                   false,
		"1.6":                      false,
		"1.6.":                     false,
		"1.6.x":                    false,
		"1.6._18":                  false,
		"1.6.-18":                  false,
		"1":                        false,
		"":                         false,
		"..":                       false,
		"2..":                      false,
		"2.0":                      false,
		"2.0.x":                    false,
		"2.x.0":                    false,
		"a.b.c":                    false,
		"v1.6.18":                  false,
		" 1.6.18":                  false,
		"-1.6.18":                  false,
		"1.6 .18":                  false,
		"1.6.99999999999999999999": false,
		"UNKNOWN":                  false,
	} {
		if got := SpeaksMeta(version); got != want {
			t.Errorf("SpeaksMeta(%q) = %t, want %t", version, got, want)
		}
	}
}

func TestParseStat(t *testing.T) {
	for _, row := range []struct {
		in, name, value string
		ok              bool
	}{
		{"STAT item_size_max 1048576\r\n", "item_size_max", "1048576", true},
		{"STAT item_size_max 1048576", "item_size_max", "1048576", true},
		{"STAT a b c\r\n", "a", "b c", true},
		{"STAT a \r\n", "a", "", true},
		{"STAT a\r\n", "", "", false},
		{"STAT \r\n", "", "", false},
		{"STAT", "", "", false},
		{"END\r\n", "", "", false},
		{" STAT a b\r\n", "", "", false},
		{"", "", "", false},
	} {
		name, value, ok := ParseStat([]byte(row.in))
		if ok != row.ok || ok && (string(name) != row.name || string(value) != row.value) {
			t.Errorf("ParseStat(%q) = %q, %q, %t, want %q, %q, %t", row.in, name, value, ok, row.name, row.value, row.ok)
		}
	}
}
