package protocol

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// testNow is the time at which the tests decide, in Unix seconds.
const testNow = 1_800_000_000

// requestOf parses one request, all that a memcached may know of included.
func requestOf(t *testing.T, in string) *Request {
	t.Helper()
	p := Parser{Dialect: dialectOf(in), Knows: allFeatures}
	r, _, err := p.Next([]byte(in))
	if err != nil {
		t.Fatalf("%q: %v", in, err)
	}
	return r
}

// words are the categories of need, sorted.
func needWords(need Category) string {
	var words []string
	for c, name := range categoryNames() {
		if need&c != 0 {
			words = append(words, name)
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

type needRow struct {
	in     string
	needs  string
	access Access
}

// metaNeeds say what each flag of a meta command makes it need.
func metaNeeds() []needRow {
	const both = Reads | Writes
	return []needRow{
		{"mg a\r\n", "read", Reads},
		{"mg a v k t f c h l s u q Ox C5\r\n", "read", Reads},
		{"mg a F5 I D5 J5 x Mx P L\r\n", "read", Reads},
		{"mg a T60\r\n", "touch", both},
		{"mg a T0 v\r\n", "touch", both},
		{"mg a T-1\r\n", "delete touch", both},
		{"mg a T2592000\r\n", "touch", both},
		{"mg a T2592001\r\n", "delete touch", both},
		{"mg a T1800000000\r\n", "delete touch", both},
		{"mg a T1800000001\r\n", "touch", both},
		{"mg a N60\r\n", "vivify", both},
		{"mg a R60\r\n", "vivify", both},
		{"mg a E5\r\n", "vivify", both},
		{"mg a N60 T60\r\n", "touch vivify", both},
		{"mg a N60 R5 E5 T-1 v\r\n", "delete touch vivify", both},
		{"mg a N-1\r\n", "vivify", both},
		{"ms a 1\r\nx\r\n", "store", Writes},
		{"ms a 1 T60 F5 c s k\r\nx\r\n", "store", Writes},
		{"ms a 1 T-1\r\nx\r\n", "delete store", Writes},
		{"ms a 1 T2592001 ME\r\nx\r\n", "delete store", Writes},
		{"ms a 1 MA N60\r\nx\r\n", "store", Writes},
		{"ms a 1 C5 I\r\nx\r\n", "store", Writes},
		{"ms a 1 E5\r\nx\r\n", "store", Writes},
		{"md a\r\n", "delete", Writes},
		{"md a I T30 C5 q\r\n", "delete", Writes},
		{"md a I T-1\r\n", "delete", Writes},
		{"md a x\r\n", "delete", Writes},
		{"ma a\r\n", "arith", both},
		{"ma a v t c MD D5 J5 C5 E5\r\n", "arith", both},
		{"ma a N60\r\n", "arith vivify", both},
		{"ma a T60\r\n", "arith touch", both},
		{"ma a T-1\r\n", "arith delete touch", both},
		{"ma a N0 T60 J5\r\n", "arith touch vivify", both},
		{"me a\r\n", "keyspace", Reads},
		{"mn\r\n", "conn", 0},
	}
}

// packetNeeds say the same of opcodes and their extras.
func packetNeeds() []needRow {
	const both, never = Reads | Writes, 0xffffffff
	packet := func(op byte, extras, value string) string {
		return string(pack(op, packetParts{extras: extras, key: "k", value: value, cas: 5}))
	}
	rows := []needRow{
		{packet(0x1c, bytesOf(60), ""), "touch", Writes},
		{packet(0x1c, bytesOf(2592001), ""), "delete touch", Writes},
		{packet(0x1c, bytesOf(0xffffffff), ""), "touch", Writes},
		{packet(0x15, counting(1, 2, never), ""), "arith", both},
		{packet(0x05, counting(1, 2, 0), ""), "arith vivify", both},
		{packet(0x16, counting(1, 2, 60), ""), "arith vivify", both},
		{packet(0x06, counting(1, 2, 2592001), ""), "arith vivify", both},
		{packet(0x04, "", ""), "delete", Writes},
		{packet(0x0e, "", "v"), "store", Writes},
		{packet(0x1a, "", "v"), "store", Writes},
		{string(pack(0x08, packetParts{extras: bytesOf(2592001)})), "flush", 0},
		{string(pack(0x10, packetParts{key: "settings"})), "stats", 0},
		{string(pack(0x21, packetParts{key: "PLAIN"})), "auth", 0},
		{string(noop), "conn", 0},
	}
	for _, op := range []byte{0x00, 0x09, 0x0c, 0x0d} {
		rows = append(rows, needRow{packet(op, "", ""), "read", Reads})
	}
	for _, op := range []byte{0x1d, 0x1e, 0x23, 0x24} {
		rows = append(rows, needRow{packet(op, bytesOf(60), ""), "touch", both}, needRow{packet(op, bytesOf(1800000000), ""), "delete touch", both})
	}
	for _, op := range []byte{0x01, 0x11, 0x02, 0x12, 0x03, 0x13} {
		rows = append(rows, needRow{packet(op, storing(0, 60), "v"), "store", Writes}, needRow{packet(op, storing(0, 2592001), "v"), "delete store", Writes})
	}
	return rows
}

// TestNeedsFollowWhatIsSaid: a request needs what its flags or extras make it do,
// and so does the command that is made of it.
func TestNeedsFollowWhatIsSaid(t *testing.T) {
	for _, row := range append(metaNeeds(), packetNeeds()...) {
		r := requestOf(t, row.in)
		if got := needWords(r.Needs(testNow)); got != row.needs || r.Access() != row.access {
			t.Errorf("%q needs %s and access %d, want %s and %d", row.in, got, r.Access(), row.needs, row.access)
		}
		if r.Verb.Route != RouteKeys {
			continue
		}
		c := r.Command(0)
		if again := c.Request(); again.Needs(testNow) != r.Needs(testNow) || again.Access() != r.Access() {
			t.Errorf("%q needs %s, and made anew from its command %s", row.in, row.needs, needWords(again.Needs(testNow)))
		}
	}
}

func TestExpiresAtOnce(t *testing.T) {
	const month = 2592000
	for _, row := range []struct {
		exptime int32
		want    bool
	}{
		{0, false}, {1, false}, {60, false}, {month, false}, {month + 1, true},
		{-1, true}, {math.MinInt32, true}, {-month, true},
		{testNow - 1, true}, {testNow, true}, {testNow + 1, false}, {math.MaxInt32, false},
	} {
		for _, name := range classicCommands() {
			c := command(name)
			c.Exptime = row.exptime
			r := c.Request()
			want := row.want && inWords("set add replace cas touch gat gats", name)
			if got := r.ExpiresAtOnce(testNow); got != want {
				t.Errorf("%s with expiry %d: expires at once is %t, want %t", name, row.exptime, got, want)
			}
			need := r.Verb.Category
			if want {
				need |= CatDelete
			}
			if got := r.Needs(testNow); got != need {
				t.Errorf("%s with expiry %d: needs %#x, want %#x", name, row.exptime, got, need)
			}
		}
	}
	if r := (Request{Form: Form{Verb: verbNamed("flush_all")}, Params: Params{Exptime: -1}}); r.Needs(testNow) != CatFlush {
		t.Errorf("flush_all -1 needs %#x, want %#x", r.Needs(testNow), CatFlush)
	}
}

// TestChanges: whatever writes a key, a flush and what concerns the whole server
// changes something, and nothing else does.
func TestChanges(t *testing.T) {
	for line, want := range map[string]bool{
		"get a": false, "gets a b": false, "mg a v": false, "mn": false, "stats": false, "version": false,
		"mg a v T60": true, "mg a N60": true, "gat 60 a": true, "touch a 60": true, "set a 0 0 1": true, "delete a": true, "incr a 1": true,
		"ms a 1": true, "md a": true, "ma a": true, "flush_all": true, "cache_memlimit 64": true, "verbosity 1": true,
	} {
		r, err := ParseLine([]byte(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got := r.Changes(); got != want {
			t.Errorf("%s changes something: %t, want %t", line, got, want)
		}
	}
}
