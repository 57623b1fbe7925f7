package proxy

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/policy"
)

// fuzzMaxItem makes objects too large that fit into a fuzzer's input.
const fuzzMaxItem = 200

// maxFuzz bounds what a fuzzer makes a client send, in bytes.
const maxFuzz = 4 << 10

// fuzzPolicy is what a fuzzed client may do, and how it is told.
type fuzzPolicy struct {
	prefix string // of the keys it may use
	quiet  bool
	id     *policy.Identity
}

func fuzzPolicies(t testing.TB) []fuzzPolicy {
	quiet := app(rule("@rw", "a*"))
	quiet.Defaults.DenyReply = "quiet"
	return []fuzzPolicy{
		{"", false, appOf(t, app(rule("@all", "*")))},
		{"a", false, appOf(t, app(rule("@rw", "a*")))},
		{"a", true, appOf(t, quiet)},
	}
}

// fuzzRun is one way to give an exchange the same bytes.
type fuzzRun struct {
	name     string
	piece    int            // bytes of each piece
	inFlight int            // requests of each turn
	stream   func(int) bool // see driver
}

func (f fuzzRun) hold(id *policy.Identity, in []byte) *driver {
	d := driverOf(id)
	d.x.limits.MaxInFlight, d.stream, d.x.parser.MaxItem = f.inFlight, f.stream, fuzzMaxItem
	for piece := range slices.Chunk(in, f.piece) {
		d.feed(string(piece))
	}
	return d
}

// FuzzExchange holds four properties for whatever a client sends. It reads as
// many replies as it asked for. Nothing about a key that is denied to it is ever
// carried out. What it reads, and what is carried out, is what a second, simpler
// implementation says. How its bytes were cut and batched does not matter.
func FuzzExchange(f *testing.F) {
	for _, seed := range fuzzSeeds {
		for i := range 3 {
			f.Add([]byte(seed), uint8(i), uint8(3+i), uint8(1+2*i))
		}
	}
	policies := fuzzPolicies(f)
	f.Fuzz(func(t *testing.T, in []byte, which, piece, inFlight uint8) {
		if len(in) <= maxFuzz {
			checkExchange(t, in, policies[int(which)%len(policies)], 1+int(piece), 1+int(inFlight))
		}
	})
}

func checkExchange(t *testing.T, in []byte, p fuzzPolicy, piece, inFlight int) (checked bool) {
	t.Helper()
	want := &reference{cache: newCache(), prefix: p.prefix, quiet: p.quiet, maxItem: fuzzMaxItem}
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
		d := run.hold(p.id, in)
		checkRun(t, run.name, in, d, want)
		checkDenied(t, p.prefix, d.sent)
	}
	return true
}

func checkRun(t *testing.T, how string, in []byte, d *driver, want *reference) {
	t.Helper()
	if got := countReplies(d.out); got != want.replies {
		t.Errorf("%s, %q: got %d replies, want %d: %q", how, in, got, want.replies, d.out)
	}
	if string(d.out) != want.out.String() {
		t.Errorf("%s, %q:\ngot  %q\nwant %q", how, in, d.out, want.out.String())
	}
	if !slices.Equal(d.sent, want.sent) {
		t.Errorf("%s, %q:\ngot  %q carried out\nwant %q", how, in, d.sent, want.sent)
	}
	if closed := d.x.end != ""; closed != want.closed || d.err != nil {
		t.Errorf("%s, %q: got closed %v (%s, error %v), want %v", how, in, closed, d.x.end, d.err, want.closed)
	}
}

// about finds the key of a canonical classic command.
var about = regexp.MustCompile(`^(?:gats? -?\d+|[a-z]+) (\S+)`)

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

// countReplies counts what a client that reads no more than lengths takes for
// replies. A reply that is not whole counts as a thousand.
func countReplies(out []byte) (n int) {
	for len(out) > 0 {
		line, rest, ok := bytes.Cut(out, []byte("\r\n"))
		if !ok {
			return n + 1000
		}
		out = rest
		words := bytes.Fields(line)
		if len(words) < 4 || string(words[0]) != "VALUE" {
			n++
			continue
		}
		size, err := strconv.Atoi(string(words[3]))
		if err != nil || len(out) < size+2 || string(out[size:size+2]) != "\r\n" {
			return n + 1000
		}
		out = out[size+2:]
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
