package proxy

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// fuzzMaxItem makes objects too large that fit into a fuzzer's input.
const fuzzMaxItem = 200

// maxFuzz bounds what a fuzzer makes a client send, in bytes.
const maxFuzz = 4 << 10

// fuzzPolicy is what a fuzzed client may do, and how it is told.
type fuzzPolicy struct {
	prefix string // of the keys it may use
	quiet  bool
	newer  bool // the memcached behind knows all flags
	id     *policy.Identity
}

func fuzzPolicies(t testing.TB) []fuzzPolicy {
	quiet := app(rule("@rw", "a*"))
	quiet.Defaults.DenyReply = "quiet"
	return []fuzzPolicy{
		{id: appOf(t, app(rule("@all", "*")))},
		{id: appOf(t, app(rule("@rw", "a*"))), prefix: "a"},
		{id: appOf(t, quiet), prefix: "a", quiet: true},
		{id: appOf(t, app(rule("@all", "*"))), newer: true},
	}
}

// fuzzRun is one way to give an exchange the same bytes.
type fuzzRun struct {
	name     string
	piece    int            // bytes of each piece
	inFlight int            // requests of each turn
	stream   func(int) bool // see driver
}

func (f fuzzRun) hold(t testing.TB, p fuzzPolicy, in []byte) *driver {
	t.Helper()
	d := driverOf(t, p.id)
	d.x.limits.MaxInFlight, d.stream, d.x.parser.MaxItem = f.inFlight, f.stream, fuzzMaxItem
	if p.newer {
		d.x.parser.Knows = protocol.FeatureNewCAS | protocol.FeatureDrop
	}
	for piece := range slices.Chunk(in, f.piece) {
		d.feed(string(piece))
	}
	return d
}

// FuzzExchange holds four properties for whatever a client sends. It reads as
// many replies as it asked for. Nothing about a key that is denied to it is ever
// carried out. What it reads, and what is carried out, is what a second, simpler
// implementation says. How its bytes were cut and batched does not matter. The
// first byte chooses the dialect.
func FuzzExchange(f *testing.F) {
	policies := fuzzPolicies(f)
	for _, seed := range slices.Concat(fuzzSeeds, ambiguousSeeds, metaSeeds, packetSeeds()) {
		for i := range policies {
			f.Add([]byte(seed), uint8(i), uint8(3+i), uint8(1+2*i))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, which, piece, inFlight uint8) {
		if len(in) <= maxFuzz {
			checkExchange(t, in, policies[int(which)%len(policies)], 1+int(piece), 1+int(inFlight))
		}
	})
}

func checkExchange(t *testing.T, in []byte, p fuzzPolicy, piece, inFlight int) (checked bool) {
	t.Helper()
	want := newReference(p)
	want.run(string(in))
	if want.abstains != "" {
		return false
	}
	for _, run := range []fuzzRun{
		{"whole", max(1, len(in)), 128, nil},
		{"in pieces", piece, inFlight, nil},
		{"byte by byte", 1, 2, nil},
		{"streamed", piece, 1, func(int) bool { return true }},
	} {
		d := run.hold(t, p, in)
		checkRun(t, run.name, in, d, want)
		checkDenied(t, p.prefix, d.sent)
		if t.Failed() {
			return true
		}
	}
	return true
}

func checkRun(t *testing.T, how string, in []byte, d *driver, want *reference) {
	t.Helper()
	count := countReplies
	if d.x.parser.Dialect == protocol.Binary {
		count = countPackets
	}
	if got := count(d.out); got != want.replies {
		t.Errorf("%s, %q: got %d replies, want %d: %q", how, in, got, want.replies, d.out)
	}
	if got, wanted := differ(string(d.out), want.out.String()); got != wanted {
		t.Errorf("%s, %q:\ngot  %q\nwant %q", how, in, got, wanted)
	}
	if got, wanted := differ(strings.Join(d.sent, ""), strings.Join(want.sent, "")); got != wanted {
		t.Errorf("%s, %q:\ngot  %q carried out\nwant %q", how, in, got, wanted)
	}
	if closed := d.x.end != ""; closed != want.closed || d.err != nil {
		t.Errorf("%s, %q: got closed %v (%s, error %v), want %v", how, in, closed, d.x.end, d.err, want.closed)
	}
}

// differ leaves out what two texts begin with alike.
func differ(a, b string) (string, string) {
	const around = 30 // bytes that stay
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	same = max(0, same-around)
	return a[same:], b[same:]
}

// about finds the key of a canonical command.
var about = regexp.MustCompile(`^m[sgda] (\S+)`)

// checkDenied looks for commands that the policy does not allow.
func checkDenied(t *testing.T, prefix string, sent []string) {
	t.Helper()
	for _, command := range sent {
		m := about.FindStringSubmatch(command)
		if prefix != "" && (m == nil || !strings.HasPrefix(m[1], prefix)) {
			t.Errorf("%q was carried out; only keys beginning with %q are allowed", command, prefix)
		}
	}
}

// sized finds the length of the value that a line announces.
var sized = regexp.MustCompile(`^(?:VALUE \S+ \d+|VA) (\d+)(?: .*)?$`)

// countReplies counts what a client that reads no more than lengths takes for
// replies. A reply that is not whole counts as a thousand.
func countReplies(out []byte) (n int) {
	for len(out) > 0 {
		line, rest, ok := bytes.Cut(out, []byte("\r\n"))
		if !ok {
			return n + 1000
		}
		out = rest
		m := sized.FindSubmatch(line)
		if m == nil || m[0][2] != 'L' {
			n++ // an item of many is no reply: what ends them is
		}
		if m == nil {
			continue
		}
		size, err := strconv.Atoi(string(m[1]))
		if err != nil || len(out) < size+2 || string(out[size:size+2]) != "\r\n" {
			return n + 1000
		}
		out = out[size+2:]
	}
	return n
}

// countPackets is countReplies for the binary dialect.
func countPackets(out []byte) (n int) {
	for r := bytes.NewReader(out); r.Len() > 0; n++ {
		if p, err := testkit.ReadPacket(r); err != nil || !p.Reply {
			return n + 1000
		}
	}
	return n
}

// fuzzSeeds are where a fuzzer starts: every command, and what went wrong once.
var fuzzSeeds = []string{
	"set a1 5 0 3\r\nabc\r\nget a1 b1 a1\r\ngets a1\r\ngat 0 a1\r\ngats 100 a1\r\n",
	"set b1 0 0 2\r\nmn\r\nget b1\r\nget a1 b1\r\nmn\r\n",
	"set a 0 0 1\r\n7\r\nincr a 3\r\ndecr a 100\r\nincr a 1 noreply\r\nget a\r\nincr b 1\r\n",
	"add a 0 0 1\r\nx\r\nreplace a 1 0 1\r\ny\r\nappend a 0 0 1\r\nz\r\nprepend a 0 0 1 noreply\r\nw\r\ngets a\r\ncas a 0 0 1 4\r\nv\r\ncas a 0 0 1 9\r\nu\r\n",
	"delete a\r\ndelete a 0\r\ndelete a 0 noreply\r\ndelete noreply\r\ntouch a -1\r\ntouch a 2592001 noreply\r\n",
	"version\r\nmn\r\nfoo\r\n\r\n get a\r\nGET / HTTP/1.1\r\n",
	"set a 0 0 2\r\nxxxx\r\nmn\r\n",
	"set a 0 0 4294967297\r\nmn\r\n",
	"set a 0 0 150\r\n" + strings.Repeat("mn\r\n", 38) + "get a\r\n",
	"set a 0 0 900\r\n",
	"set a\x00 0 0 2\r\nmn\r\nget a\tb\r\nset a x 0 2 noreply\r\nmn\r\nmn\r\n",
	"get " + strings.Repeat("a", 251) + "\r\nset " + strings.Repeat("a", 251) + " 0 0 2 noreply\r\nmn\r\nmn\r\n",
	"get" + strings.Repeat(" a", 1025) + "\r\nget" + strings.Repeat(" a", 40) + "\r\n",
	strings.Repeat("delete a ", 240),
	"flush_all\r\nflush_all 0 noreply\r\nflush_all 100\r\nflush_all x\r\nstats\r\nstats items\r\nstats s\r\nverbosity 1\r\nverbosity noreply\r\n",
	"ms a 2\r\nmn\r\nmg a v\r\nme a\r\nwatch\r\nshutdown noreply\r\nstats detail dump\r\nstats cachedump 1 2\r\nbget a\r\nms a\r\n",
	"set a 0 -1 1\r\nx\r\nset a 007 00 01\r\nx\r\nget a\r\ngat -1 a a\r\nget a\r\nquit\r\nget a\r\n",
	"get a\nset a 0 0 1\nx\r\nget a\n",
	"cas a 0 0 2\r\nmn\r\ncas a 0 0 2 noreply\r\nmn\r\ncas a 0 0 2 1 noreply\r\nmn\r\nset a 0 0 2 a noreply\r\nmn\r\n",
	"incr a -1\r\nincr a 18446744073709551616\r\nincr a 18446744073709551615\r\nset a 0 0 1\r\nx\r\nincr a 1\r\n",
}

// metaSeeds are those of the meta dialect.
var metaSeeds = []string{
	"mg a v k f c t s O1\r\nms a 2 T0 c\r\nhi\r\nmg a v k f c t s h l O1 q\r\nmg b q\r\nmn\r\n",
	"ms YQ== 2 b k q\r\nmn\r\nmg YQ== b k v\r\nmg YR== b\r\nmg YQ= b\r\nmg YQ==YQ== b\r\nmg YSBi b k N30\r\nmg a v\r\n",
	"mg DQpldmls b N30 k\r\nmg a N30 k\r\nma a N0\r\nma YQ== b N0 q\r\nma c N0 q\r\nmn\r\nma c v q D5 MD\r\nmg c v\r\n",
	"ms a 2 ME\r\nhi\r\nms a 2 ME q\r\nhi\r\nms a 2 MA\r\nhi\r\nms a 2 MP C9 O3\r\nhi\r\nms b 2 MR q k\r\nmn\r\nms a 2 MSET\r\nmn\r\n",
	"ms a 2 !\r\nhi\r\nmn\r\nms a 2 q q\r\nmn\r\nms a 2 O" + strings.Repeat("x", 32) + "\r\nmn\r\nms a 150\r\n" + strings.Repeat("mn\r\n", 38),
	"ms " + strings.Repeat("a", 251) + " 2 q\r\nmn\r\nmn\r\nms a 4294967298\r\nmn\r\n",
	"ms a 1\r\n7\r\nmd a I T30 q\r\nmg a v c\r\nmg a v c\r\nms a 1 C1 I\r\n8\r\nmg a v t R100\r\nmd a C1\r\nmd a q\r\nmd a q k O\r\n",
	"me a\r\nme YQ== b\r\nme YQ== b x\r\nmg a t T30 v\r\nmg a T-1\r\nmg a\r\nmg a E5 C5 v\r\nmd a x\r\nmg a vt xx u1\r\n",
	"mg a" + strings.Repeat(" v", 18) + "\r\nmg\r\nms a\r\n",
	"ms a 2 \x01\r\nhi\r\nmg a\tb v\r\n mg a v\r\nmx a\r\nmg a S5\r\nmg a \xff\r\nms a 2 T\r\nhi\r\nms a 2\r\nhixx\r\n",
	"mg a P1 L2 v\r\nmg a M v\r\nma a MX\r\nma a M\r\nmd a MX\r\nms a 2 F4294967296\r\nhi\r\nma a D-1\r\nma a J+1\r\n",
}

// ambiguousSeeds are lines that a laxer reader takes for something else.
var ambiguousSeeds = []string{
	" flush_all\r\n get a\r\n set a 0 0 1\r\nx\r\nmn\n",
	"version\r\nget " + strings.Repeat("k", 251) + "\r\nmn\r\nversion\r\ngat 0 " + strings.Repeat("k", 251) + "\r\nmn\r\n",
	"set a 0 0 1\t2\r\nx\r\n", "set a 0 0 +1\r\nx\r\n", "set a 0 0 -1 noreply\r\nx\r\nmn\r\n", "set a 0 0 4294967297\r\nx\r\n",
	"set a zz 0 1\r\nx\r\nmn\r\nset a 0 0 1 a noreply\r\nx\r\nmn\r\nset a 0 0 1 noreply a\r\nx\r\nmn\r\n",
	"delete a b c d\r\ndelete zz\x00suffix\r\nfoo noreply\r\nmn\r\n", "foo HTTP/9\r\n",
	"stats r\r\nstats sizes_enable\r\nlru_crawler m all\r\nwatch noreply\r\nmn\r\n",
	"gat 2147483648 a\r\nincr a 5\tx\r\nsetfoo a 0 0 12\r\nuser pass\r\n", "set a 0 0 2147483648\r\n",
}
