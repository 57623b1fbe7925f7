package probe

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

func TestTextReplies(t *testing.T) {
	for _, tc := range []struct {
		data    string
		end     ending
		outcome Outcome
		said    string
	}{
		{"VERSION 1.6.18\r\n", endWhole, Answered, "VERSION 1.6.18"},
		{"VERSION \x1b[31msecret\r\n", endWhole, Answered, "21 bytes"},
		{"VERSION 1.6.18\r\nmore\r\n", endWhole, Answered, "22 bytes"},
		{"END\r\n", endWhole, Answered, "END"},
		{"OK\r\n", endLate, Answered, "OK"},
		{"ITEM secret [1 b; 0 s]\r\nEND\r\n", endWhole, Answered, "29 bytes"},
		{"key=secret exp=-1\n", endFull, Answered, "18 bytes and more"},
		{"ERROR\r\n", endWhole, Refused, "ERROR"},
		{"CLIENT_ERROR unauthenticated\r\n", endWhole, Refused, "CLIENT_ERROR unauthenticated"},
		{"CLIENT_ERROR no such key as secret\r\n", endWhole, Refused, "CLIENT_ERROR and more"},
		{"\x15\x03\x01\x00\x02\x02\x0a", endClosed, Refused, wordsAlert},
		{"HTTP/1.1 400 Bad Request\r\n", endClosed, Foreign, wordsOther},
		{"", endClosed, Refused, wordsClosed},
		{"", endLate, Untested, wordsLate},
		{"", endError, Untested, wordsBroken},
	} {
		if outcome, said := judgeText(reply{data: []byte(tc.data), end: tc.end}); outcome != tc.outcome || said != tc.said {
			t.Errorf("%q: got %s, %q, want %s, %q", tc.data, outcome, said, tc.outcome, tc.said)
		}
	}
}

// response is a packet as memcached sends it.
func response(op byte, status uint16, key, value string) []byte {
	b := make([]byte, header)
	b[0], b[1], b[3], b[6], b[7], b[10], b[11] = responseBit, op, byte(len(key)), byte(status>>8), byte(status), byte((len(key)+len(value))>>8), byte(len(key)+len(value))
	return append(append(b, key...), value...)
}

func TestPackets(t *testing.T) {
	for _, tc := range []struct {
		name    string
		data    []byte
		outcome Outcome
		said    string
	}{
		{"version", response(opVersion, statusOK, "", "1.6.18"), Answered, "30 bytes"},
		{"miss", response(opGet, statusMiss, "", "Not found"), Answered, "33 bytes"},
		{"miss of what is no get", response(opStat, statusMiss, "", "secret"), Refused, "status 0x01, not found"},
		{"login", response(opStat, statusAuth, "", "Auth failure."), Refused, "status 0x20, authentication required"},
		{"other", response(opStat, 0x77, "", "secret"), Refused, "status 0x77, an error"},
		{"header cut", response(opStat, 0, "", "")[:9], Foreign, wordsOther},
		{"text", []byte("ERROR\r\n"), Refused, "ERROR"},
		{"alert", []byte("\x15\x03\x03\x00\x02\x02\x46"), Refused, wordsAlert},
	} {
		if outcome, said := judgePacket(reply{data: tc.data}); outcome != tc.outcome || said != tc.said {
			t.Errorf("%s: got %s, %q, want %s, %q", tc.name, outcome, said, tc.outcome, tc.said)
		}
	}
}

func TestRepliesAreReadToTheirEnd(t *testing.T) {
	list := bytes.Join([][]byte{response(opStat, 0, "a", "1"), response(opStat, 0, "b", "2"), response(opStat, 0, "", "")}, nil)
	for _, tc := range []struct {
		name string
		done whole
		data string
	}{
		{"a line", lineWhole, "VERSION 1\r\n"},
		{"a list", listWhole, "STAT a 1\r\nSTAT b 2\r\nEND\r\n"},
		{"a list of mgdump", listWhole, "mg a\r\nEN\r\n"},
		{"an empty list", listWhole, "END\r\n"},
		{"no list", listWhole, "CLIENT_ERROR unauthenticated\r\n"},
		{"a banner", listWhole, "SSH-2.0-x\r\n"},
		{"a log", watchWhole, "OK\r\nts=1 gid=1 type=item_get key=a status=found\n"},
		{"no log", watchWhole, "ERROR\r\n"},
		{"a packet", packetWhole, string(response(opVersion, 0, "", "1"))},
		{"a list of packets", statWhole, string(list)},
		{"an error in packets", statWhole, string(response(opStat, statusAuth, "", "no"))},
	} {
		for n := range len(tc.data) {
			if tc.done([]byte(tc.data[:n])) {
				t.Errorf("%s: whole after %d of %d bytes", tc.name, n, len(tc.data))
				break
			}
		}
		r := read(iotest.OneByteReader(strings.NewReader(tc.data+"x")), question{tc.done, lineLimit})
		if string(r.data) != tc.data || r.end != endWhole {
			t.Errorf("%s: read %q, end %d", tc.name, r.data, r.end)
		}
	}
}

// Whatever comes, no more than the limit is read.
func TestReadIsBounded(t *testing.T) {
	endless := iotest.OneByteReader(strings.NewReader(strings.Repeat("STAT a 1\r\n", 1000)))
	if r := read(endless, question{listWhole, 100}); len(r.data) != 100 || r.end != endFull {
		t.Errorf("read %d bytes, end %d, want 100, full", len(r.data), r.end)
	}
	if r := read(iotest.ErrReader(os.ErrDeadlineExceeded), aLine); r.end != endLate || len(r.data) != 0 {
		t.Errorf("got %+v, want late", r)
	}
	if r := read(iotest.DataErrReader(strings.NewReader("half")), aLine); string(r.data) != "half" || r.end != endClosed || r.err != io.EOF {
		t.Errorf("got %+v, want what came before the end", r)
	}
}

func TestMechanisms(t *testing.T) {
	got := strings.Join(mechsOf(response(opMechs, 0, "", "PLAIN  CRAM-MD5 \x1b[1mEVIL x PLAIN")), ",")
	if got != "PLAIN,CRAM-MD5,another" {
		t.Errorf("got %s", got)
	}
	for _, data := range [][]byte{nil, response(opMechs, statusAuth, "", "PLAIN"), response(opStat, 0, "", "PLAIN"), []byte("PLAIN\r\n")} {
		if got := mechsOf(data); got != nil {
			t.Errorf("%q: got %q, want none", data, got)
		}
	}
}

// toldForm is all that may be said of a reply, whatever is in it.
var toldForm = regexp.MustCompile(`^(VERSION [0-9][0-9A-Za-z.+~_-]{0,31}|END|EN|OK|MN|BUSY|BADCLASS|NOTSTARTED|ERROR|CLIENT_ERROR|SERVER_ERROR|(CLIENT_|SERVER_)?ERROR and more|\d+ bytes?( and more)?|status 0x[0-9a-f]{2,4}, [a-z ]+|a TLS alert|the connection (is closed|broke)|no answer in time|what memcached never sends)$`)

func checkTold(t *testing.T, said string) {
	t.Helper()
	for _, words := range tellable {
		if said == words {
			return
		}
	}
	if !toldForm.MatchString(said) {
		t.Errorf("it tells %q", said)
	}
}

// FuzzJudge holds that no reply makes a probe say what it was sent, and that an
// outcome is one of the four.
func FuzzJudge(f *testing.F) {
	for _, seed := range []string{"VERSION 1.6.18\r\n", "CLIENT_ERROR secret\r\n", "ITEM secret [1 b; 0 s]\r\nEND\r\n", "\x15\x03\x01\x00\x02\x02\x0a", string(response(opStat, 0, "a", "secret"))} {
		f.Add([]byte(seed), byte(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, end byte) {
		r := reply{data: data, end: ending(end % 5)}
		for _, judge := range []func(reply) (Outcome, string){judgeText, judgePacket} {
			outcome, said := judge(r)
			checkTold(t, said)
			if !Answered.worse(outcome) && outcome != Answered {
				t.Errorf("outcome %q", outcome)
			}
		}
		for _, name := range mechsOf(data) {
			if name != "another" && !strings.Contains(strings.Join(mechanisms, " "), name) {
				t.Errorf("mechanism %q", name)
			}
		}
	})
}

// FuzzWhole holds that a reply that is whole can be judged, and that packets are
// taken off in order, none of them longer than what there is.
func FuzzWhole(f *testing.F) {
	f.Add([]byte("STAT a 1\r\nEND\r\n"))
	f.Add(append(response(opStat, 0, "a", "1"), response(opStat, 0, "", "")...))
	f.Add([]byte("OK\r\nts=1 key=a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, q := range []question{aLine, aList, aStream, aPacket, stats} {
			r := read(bytes.NewReader(data), q)
			if len(r.data) > q.limit || !bytes.HasPrefix(data, r.data) {
				t.Fatalf("read %d bytes that are not those sent", len(r.data))
			}
		}
		left := data
		for {
			p, rest, ok := nextPacket(left)
			if !ok {
				break
			}
			if size := len(left) - len(rest); size < header || len(p.key)+len(p.value) > size-header {
				t.Fatalf("a packet of %d bytes with %d and %d", size, len(p.key), len(p.value))
			}
			left = rest
		}
	})
}
