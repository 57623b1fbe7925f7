package protocol

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

const month = 2592000 // seconds, the longest expiry that is counted from now

// ttlCarriers are requests in which %d is an expiry. Of a packet it is four
// bytes, and can't be negative.
type ttlCarrier struct {
	name string
	in   func(expiry int64) string
	got  func(r *Request) int32
}

func ttlCarriers() []ttlCarrier {
	exptime := func(r *Request) int32 { return r.Exptime }
	vivify := func(r *Request) int32 { return r.Vivify }
	line := func(format string, got func(*Request) int32) ttlCarrier {
		return ttlCarrier{format, func(e int64) string { return fmt.Sprintf(format, e) }, got}
	}
	all := []ttlCarrier{
		line("gat %d a b\r\n", exptime), line("gats %d a\r\n", exptime), line("touch a %d\r\n", exptime), line("touch a %d noreply\r\n", exptime),
		line("set a 0 %d 1\r\nx\r\n", exptime), line("add a 0 %d 1\r\nx\r\n", exptime), line("replace a 0 %d 1 noreply\r\nx\r\n", exptime),
		line("cas a 0 %d 1 5\r\nx\r\n", exptime),
		line("mg a T%d v\r\n", exptime), line("mg a v N%d\r\n", vivify), line("mg a t N%d T5 R9\r\n", vivify), line("mg a N5 T%d\r\n", exptime),
		line("ms a 1 T%d\r\nx\r\n", exptime), line("ms a 1 ME T%d\r\nx\r\n", exptime), line("ms a 1 MR T%d\r\nx\r\n", exptime), line("ms a 1 MS I T%d C5\r\nx\r\n", exptime),
		line("ms a 1 MA N%d\r\nx\r\n", vivify), line("ms a 1 MP N%d\r\nx\r\n", vivify), line("ms a 1 MA T%d\r\nx\r\n", exptime), line("ms a 1 N%d T5\r\nx\r\n", vivify),
		line("ma a N%d\r\n", vivify), line("ma a N%d J5 MD\r\n", vivify), line("ma a T%d v\r\n", exptime),
		line("md a I T%d\r\n", exptime),
	}
	packet := func(op byte, extras func(e int) string, got func(*Request) int32) {
		s := shapes()[op]
		all = append(all, ttlCarrier{fmt.Sprintf("%#02x", op), func(e int64) string {
			return string(pack(op, packetParts{extras: extras(int(e)), key: s.key, value: s.value}))
		}, got})
	}
	for _, op := range []byte{0x1c, 0x1d, 0x1e, 0x23, 0x24} {
		packet(op, func(e int) string { return bytesOf(e) }, exptime)
	}
	for _, op := range []byte{0x01, 0x02, 0x03, 0x11, 0x12, 0x13} {
		packet(op, func(e int) string { return storing(0, e) }, exptime)
	}
	for _, op := range []byte{0x05, 0x06, 0x15, 0x16} {
		packet(op, func(e int) string { return counting(1, 2, e) }, vivify)
	}
	return all
}

// secondsLeft is how long an item with an expiry lives; that is over if it is not
// above 0.
func secondsLeft(expiry int64) float64 {
	switch {
	case expiry == 0:
		return math.Inf(1)
	case expiry > month:
		return float64(expiry - testNow)
	}
	return float64(expiry)
}

// TestLimitTTL: every expiry that a request can carry is held to the limit, and
// none within it is changed.
func TestLimitTTL(t *testing.T) {
	for _, most := range []int32{1, 60, month - 1, month, month + 1, 10 * month} {
		for _, c := range ttlCarriers() {
			for _, expiry := range []int64{
				0, 1, int64(most) - 1, int64(most), int64(most) + 1, month, month + 1, testNow - 1, testNow,
				testNow + int64(most) - 1, testNow + int64(most), testNow + int64(most) + 1, math.MaxInt32, -1, -month - 1,
			} {
				if expiry < 0 && c.name[:2] == "0x" {
					continue
				}
				checkTTL(t, c, expiry, most)
			}
		}
	}
}

func checkTTL(t *testing.T, c ttlCarrier, expiry int64, most int32) {
	t.Helper()
	r := requestOf(t, c.in(expiry))
	over := r.LimitTTL(most, testNow)
	got, want := int64(c.got(r)), expiry
	wantOver := secondsLeft(expiry) > float64(most)
	if wantOver {
		want = int64(most)
		if most > month {
			want += testNow
		}
	}
	if others := strings.Contains(c.name, "T5") || strings.Contains(c.name, "N5"); got != want || !others && over != wantOver || wantOver && !over {
		t.Errorf("%q with expiry %d, at most %d: got %d, over is %t, want %d, %t", c.name, expiry, most, got, over, want, wantOver)
	}
	if r.LimitTTL(most, testNow) {
		t.Errorf("%q with expiry %d, at most %d: is over again", c.name, expiry, most)
	}
}

// TestLimitTTLOnTheWire: what is sent says the limit, also where the client said
// nothing, and whatever else it said; what carries no expiry is left as it is.
func TestLimitTTLOnTheWire(t *testing.T) {
	const at = "1805184000" // two months from the time of the tests
	for _, row := range []struct {
		in   string
		most int32
		want string // what the meta command says behind its key and its length
		over bool
	}{
		{"set a 0 0 1\r\nx\r\n", 60, " T60", true},
		{"set a 0 0 1\r\nx\r\n", 2 * month, " T" + at, true},
		{"set a 0 60 1\r\nx\r\n", 60, " T60", false},
		{"set a 0 -1 1\r\nx\r\n", 60, " T-1", false},
		{"ms a 1\r\nx\r\n", 60, " T60", true},
		{"ms a 1 I F7\r\nx\r\n", 60, " F7 I T60", true},
		{"ms a 1 ME\r\nx\r\n", 60, " ME T60", true},
		{"ms a 1 MR q\r\nx\r\n", 60, " MR T60", true},
		{"ms a 1 N30\r\nx\r\n", 60, " N30 T60", true},
		{"ms a 1 N0\r\nx\r\n", 2 * month, " N" + at + " T" + at, true},
		{"ms a 1 T0 N30\r\nx\r\n", 60, " T60 N30", true},
		{"ms a 1 MA\r\nx\r\n", 60, " MA", false},
		{"ms a 1 MP\r\nx\r\n", 60, " MP", false},
		{"ms a 1 MA N0\r\nx\r\n", 60, " MA N60", true},
		{"append a 0 0 1\r\nx\r\n", 60, " MA", false},
		{"prepend a 0 900 1\r\nx\r\n", 60, " MP", false},
		{"cas a 0 0 1 5\r\nx\r\n", 60, " C5 T60", true},
		{"touch a 0\r\n", 60, " T60", true},
		{"gat 900 a\r\n", 60, " f v T60", true},
		{"get a\r\n", 60, " f v", false},
		{"mg a t N0 T0 R900\r\n", 60, " t N60 T60 R900", true},
		{"mg a R900 v\r\n", 60, " v R900", false},
		{"md a\r\n", 60, "", false},
		{"md a I\r\n", 60, " I", false},
		{"md a I T900\r\n", 60, " I T60", true},
		{"ma a\r\n", 60, "", false},
		{"ma a N0 T5\r\n", 60, " N60 T5", true},
		{"delete a\r\n", 60, "", false},
		{"incr a 1\r\n", 60, " v D1", false},
		{string(pack(0x01, packetParts{extras: storing(0, 0), key: "a", value: "x"})), 60, " c T60", true},
		{string(pack(0x11, packetParts{extras: storing(0, 0xffffffff), key: "a", value: "x"})), 60, " c T60", true},
		{string(pack(0x03, packetParts{extras: storing(0, 0), key: "a", value: "x", cas: 5})), 60, " c C5 T60", true},
		{string(pack(0x0e, packetParts{key: "a", value: "x"})), 60, " c MA", false},
		{string(pack(0x1a, packetParts{key: "a", value: "x"})), 60, " c MP", false},
		{string(pack(0x05, packetParts{extras: counting(1, 2, 0xffffffff), key: "a"})), 60, " c v D1", false},
		{string(pack(0x05, packetParts{extras: counting(1, 2, 0), key: "a"})), 60, " c v D1 J2 N60", true},
		{string(pack(0x1c, packetParts{extras: bytesOf(0), key: "a"})), 60, " f c T60", true},
		{string(pack(0x00, packetParts{key: "a"})), 60, " f c v", false},
		{string(pack(0x04, packetParts{key: "a"})), 60, "", false},
	} {
		r := requestOf(t, row.in)
		over := r.LimitTTL(row.most, testNow)
		c := r.Command(0)
		line, _, _ := strings.Cut(string(AppendMeta(nil, &c, 0)), " O0000000000000000\r\n")
		got := strings.TrimPrefix(line, c.Verb.canon.word+" a")
		if c.Verb.canon.value {
			got = strings.TrimPrefix(got, " 1")
		}
		if got != row.want || over != row.over {
			t.Errorf("%q, at most %d: sent with %q, over is %t, want %q, %t", row.in, row.most, got, over, row.want, row.over)
		}
	}
}

// TestLimitTTLIsForItems: a command about no key, and a login, carry no expiry;
// and the latest expiry that there is, is none too late to be said.
func TestLimitTTLIsForItems(t *testing.T) {
	for _, in := range []string{"flush_all 900\r\n", "stats\r\n", "mn\r\n", "me a\r\n", string(noop), string(pack(0x21, packetParts{key: "PLAIN", value: "v"}))} {
		r := requestOf(t, in)
		before := describe(r)
		if r.LimitTTL(60, testNow) || describe(r) != before {
			t.Errorf("%q: limited to %s", in, describe(r))
		}
	}
	r := requestOf(t, "touch a 0\r\n")
	if !r.LimitTTL(math.MaxInt32, testNow) || r.Exptime != math.MaxInt32 {
		t.Errorf("the longest limit gives %d, want %d", r.Exptime, math.MaxInt32)
	}
	r = requestOf(t, "touch a 5\r\n")
	if !r.LimitTTL(0, testNow) || r.Exptime != 1 {
		t.Errorf("no time at all gives %d, want 1", r.Exptime)
	}
}
