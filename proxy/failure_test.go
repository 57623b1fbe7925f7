package proxy

import (
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// hit is how a client reads the value of n bytes of a key: see driver.hold.
func hit(key string, n int) string {
	return "VALUE " + key + " 1 " + itoa(n) + "\r\n" + strings.Repeat("v", n) + "\r\n"
}

// failAt makes the i-th reply of a turn one that failed.
func failAt(at int, s protocol.Status) func(int, *protocol.Reply) {
	return func(i int, r *protocol.Reply) {
		if i == at {
			*r = protocol.Reply{Status: s}
		}
	}
}

var allStreamed = func(int) bool { return true }

func TestErrorReplacesWhatHasNotLeft(t *testing.T) {
	const big = flushSize + 100
	for _, c := range []struct {
		name   string
		in     string
		fault  func(int, *protocol.Reply)
		stream func(int) bool
		want   string
	}{
		{"the only key", "get a\r\nmn\r\n", failAt(0, protocol.StatusLost), nil, protocol.UpstreamLost + protocol.MN},
		{"the second of three", "get a b a\r\nmn\r\n", failAt(1, protocol.StatusDown), nil, protocol.UpstreamDown + protocol.MN},
		{"the last of three", "get a b a\r\nmn\r\n", failAt(2, protocol.StatusRefused), nil, protocol.UpstreamRefused + protocol.MN},
		{"after a request that was served", "get a\r\nget a b\r\n", failAt(2, protocol.StatusLost), nil,
			hit("a", 5) + "END\r\n" + protocol.UpstreamLost},
		{"before one that is served", "get a b\r\nget a\r\n", failAt(1, protocol.StatusLost), nil,
			protocol.UpstreamLost + hit("a", 5) + "END\r\n"},
		{"behind an item that has left", "get big a a\r\nmn\r\n", failAt(1, protocol.StatusLost), nil,
			hit("big", big) + protocol.UpstreamLost + protocol.MN},
		{"behind two items, one of which has left", "get big a b\r\nmn\r\n", failAt(2, protocol.StatusLost), nil,
			hit("big", big) + hit("a", 5) + protocol.UpstreamLost + protocol.MN},
		{"streamed", "get a b a\r\nmn\r\n", failAt(1, protocol.StatusDown), allStreamed, protocol.UpstreamDown + protocol.MN},
		{"streamed, behind an item that has left", "get big b a\r\nmn\r\n", failAt(1, protocol.StatusDown), allStreamed,
			hit("big", big) + protocol.UpstreamDown + protocol.MN},
	} {
		d := newDriver(t, policies["everything"]())
		d.hold(map[string]int{"a": 5, "b": 5, "big": big})
		d.fault, d.stream, d.pieces = c.fault, c.stream, 4000
		d.feed(c.in)
		if got := string(d.out); got != c.want {
			t.Errorf("%s, %q:\ngot  %q\nwant %q", c.name, c.in, shorten(got), shorten(c.want))
		}
		if d.seen.events[evUpstreamFailed] != 1 {
			t.Errorf("%s: %d failures were counted", c.name, d.seen.events[evUpstreamFailed])
		}
	}
}

// shorten leaves out the middle of long values.
func shorten(s string) string {
	long := strings.Repeat("v", 200)
	for strings.Contains(s, long+long) {
		s = strings.ReplaceAll(s, long+long, long)
	}
	return s
}

func TestEveryVerbIsToldOfEveryFailure(t *testing.T) {
	requests := []string{
		"get a\r\n", "gets a\r\n", "gat 1 a\r\n", "gats 1 a\r\n", "touch a 1\r\n", "delete a\r\n", "incr a 1\r\n", "decr a 1\r\n",
		"set a 0 0 1\r\nx\r\n", "add a 0 0 1\r\nx\r\n", "replace a 0 0 1\r\nx\r\n",
		"append a 0 0 1\r\nx\r\n", "prepend a 0 0 1\r\nx\r\n", "cas a 0 0 1 1\r\nx\r\n",
		"mg a v q\r\n", "mg a k O1\r\n", "ms a 1 q\r\nx\r\n", "md a q\r\n", "ma a N0 q v\r\n",
	}
	failures := map[protocol.Status]string{
		protocol.StatusLost: protocol.UpstreamLost, protocol.StatusDown: protocol.UpstreamDown,
		protocol.StatusRefused: protocol.UpstreamRefused, protocol.StatusDropped: protocol.ReplyTooLarge,
	}
	for _, in := range requests {
		for status, want := range failures {
			d := newDriver(t, policies["everything"]())
			// The write behind it keeps what was dropped from being asked again.
			d.fault = failAt(0, status)
			d.feed(in + "delete z\r\n")
			if got := string(d.out); got != want+"NOT_FOUND\r\n" {
				t.Errorf("%q, status %d: got %q, want %q", in, status, got, want)
			}
		}
	}
}

// TestEveryOpcodeIsToldOfEveryFailure is TestEveryVerbIsToldOfEveryFailure for
// packets. A quiet read that was not served is as silent as one that found nothing.
func TestEveryOpcodeIsToldOfEveryFailure(t *testing.T) {
	failures := map[protocol.Status]testkit.Packet{
		protocol.StatusLost: {Status: 0x84, Value: "Upstream failed."}, protocol.StatusDown: {Status: 0x84, Value: "Upstream failed."},
		protocol.StatusRefused: {Status: 0x84, Value: "Upstream failed."}, protocol.StatusDropped: {Status: 3, Value: "Too large."},
		protocol.StatusBusy: {Status: 0x85, Value: "Upstream busy."},
	}
	last := testkit.Packet{Op: testkit.OpDelete, Key: "z"}
	for op, shape := range packetShapes {
		if shape.key != "key" {
			continue
		}
		for status, no := range failures {
			req := testkit.Packet{Op: op, Opaque: 5, Key: "a", Extras: strings.Repeat("\x00", shape.extras)}
			no.Reply, no.Op, no.Opaque = true, op, req.Opaque
			want := string(no.Bytes())
			if silentReads[op] {
				want = ""
			}
			d := newDriver(t, policies["everything"]())
			d.fault = failAt(0, status)
			d.feed(string(req.Bytes()) + string(last.Bytes()))
			if got := string(d.out); got != want+string(missed(last).Bytes()) {
				t.Errorf("%v, status %d: got %q, want %q", req, status, got, want)
			}
		}
	}
}

// silentReads are the opcodes that only what was found is said of.
var silentReads = map[testkit.Op]bool{testkit.OpGetQ: true, testkit.OpGetKQ: true, testkit.OpGATQ: true, testkit.OpGATKQ: true}

func TestFailureOfANoreplyIsSilent(t *testing.T) {
	for _, in := range []string{
		"set a 0 0 1 noreply\r\nx\r\n", "incr a 1 noreply\r\n", "delete a noreply\r\n", "touch a 1 noreply\r\n",
		"set a 0 0 70000 noreply\r\n" + strings.Repeat("x", 70000) + "\r\n",
	} {
		for _, stream := range []func(int) bool{nil, allStreamed} {
			d := newDriver(t, policies["everything"]())
			d.store("a", 0, "1")
			d.fault, d.stream = failAt(0, protocol.StatusLost), stream
			d.feed(in + "mn\r\n")
			if got := string(d.out); got != protocol.MN {
				t.Errorf("%.40q: got %q, want %q", in, got, protocol.MN)
			}
		}
	}
}

func TestNumberOfANoreplyIsSilent(t *testing.T) {
	for _, stream := range []func(int) bool{nil, allStreamed} {
		d := newDriver(t, policies["everything"]())
		d.store("n", 0, "41")
		d.stream = stream
		d.feed("incr n 1 noreply\r\nget n\r\n")
		if got, want := string(d.out), "VALUE n 0 2\r\n42\r\nEND\r\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestReplyLimitIsKept(t *testing.T) {
	for _, c := range []struct {
		in, want string
		limit    int
	}{
		{"get a\r\n", hit("a", 5) + "END\r\n", 5},
		{"get a\r\nmn\r\n", protocol.ReplyTooLarge + protocol.MN, 4},
		{"get a a a\r\n", protocol.ReplyTooLarge, 14},
		{"get a a a\r\n", hit("a", 5) + hit("a", 5) + hit("a", 5) + "END\r\n", 15},
		{"get a a\r\nget a a\r\n", strings.Repeat(hit("a", 5)+hit("a", 5)+"END\r\n", 2), 10}, // each request anew
		{"get big a a\r\nmn\r\n", hit("big", 70000) + protocol.ReplyTooLarge + protocol.MN, 70001},
		{"incr n 1\r\n", "8\r\n", 1}, // a number is no value
		{"ma n v\r\n", "VA 1\r\n8\r\n", 0},
		{"mg a v O1\r\nmn\r\n", "VA 5 O1\r\nvvvvv\r\nMN\r\n", 5},
		{"mg a v O1\r\nmn\r\n", protocol.ReplyTooLarge + protocol.MN, 4},
	} {
		for name, stream := range map[string]func(int) bool{"batched": nil, "streamed": allStreamed} {
			d := newDriver(t, policies["everything"]())
			d.hold(map[string]int{"a": 5, "big": 70000})
			d.store("n", 0, "7")
			d.x.limits.MaxReply, d.stream, d.pieces = c.limit, stream, 5000
			d.feed(c.in)
			if got := string(d.out); got != c.want || d.err != nil {
				t.Errorf("%q, at most %d, %s:\ngot  %q, error %v\nwant %q", c.in, c.limit, name, shorten(got), d.err, shorten(c.want))
			}
		}
	}
}

// TestDroppedValueIsAskedAgain holds that a value too large for a batch is
// streamed, unless the client has changed something behind it.
func TestDroppedValueIsAskedAgain(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"get big\r\n", hit("big", 900) + "END\r\n"},
		{"get a big a\r\nmn\r\n", hit("a", 5) + hit("big", 900) + hit("a", 5) + "END\r\nMN\r\n"},
		{"set a 0 0 1\r\nx\r\nget big\r\n", "STORED\r\n" + hit("big", 900) + "END\r\n"},
		{"get big\r\ntouch a 100\r\n", hit("big", 900) + "END\r\nTOUCHED\r\n"},
		{"get big\r\nset big 0 0 1\r\nx\r\n", protocol.ReplyTooLarge + "STORED\r\n"},
		{"get a big\r\nincr n 1\r\n", protocol.ReplyTooLarge + "8\r\n"},
	} {
		d := newDriver(t, policies["everything"]())
		d.hold(map[string]int{"a": 5, "big": 900})
		d.store("n", 0, "7")
		first := map[int]bool{}
		d.fault = func(i int, r *protocol.Reply) {
			if r.Size == 900 && !first[i] {
				first[i] = true
				*r = protocol.Reply{Status: protocol.StatusDropped}
			}
		}
		d.feed(c.in)
		if got := string(d.out); got != c.want {
			t.Errorf("%q:\ngot  %q\nwant %q", c.in, shorten(got), shorten(c.want))
		}
	}
}

func TestStreamThatBreaksOff(t *testing.T) {
	const big = 3 * flushSize
	for _, c := range []struct {
		name, in string
		broken   int // bytes of the value that come
		want     string
		end      End
	}{
		{"before anything has left", "get big\r\nmn\r\n", 100, protocol.UpstreamLost + protocol.MN, ""},
		{"behind items that have not left", "get a big\r\nmn\r\n", 100, protocol.UpstreamLost + protocol.MN, ""},
		{"after some of it has left", "get big\r\nmn\r\n", 2 * flushSize, "", EndUpstream},
	} {
		d := newDriver(t, policies["everything"]())
		d.hold(map[string]int{"a": 5, "big": big})
		d.stream, d.broken, d.pieces = allStreamed, c.broken, 50
		d.feed(c.in)
		if c.end == "" {
			if got := string(d.out); got != c.want || d.err != nil {
				t.Errorf("%s: got %q, error %v, want %q", c.name, shorten(got), d.err, c.want)
			}
			continue
		}
		got := string(d.out)
		if d.err == nil || endOf(d.err) != c.end || !strings.HasPrefix(hit("big", big), got) {
			t.Errorf("%s: error %v, read %d bytes ending in %q; want %q and nothing but some of the value",
				c.name, d.err, len(got), got[max(0, len(got)-40):], c.end)
		}
	}
}

// TestStreamedValueIsNotGathered holds that a value passes through in pieces.
func TestStreamedValueIsNotGathered(t *testing.T) {
	d := newDriver(t, policies["everything"]())
	d.hold(map[string]int{"big": 50 * flushSize})
	d.x.limits.MaxReply = 100 * flushSize
	d.stream, d.pieces = allStreamed, 60_000
	d.feed("get big\r\n")
	if len(d.out) != len(hit("big", 50*flushSize)+"END\r\n") {
		t.Errorf("%d bytes came", len(d.out))
	}
	if c := cap(d.x.out); c > 4*flushSize {
		t.Errorf("%d bytes were gathered, want at most %d", c, 4*flushSize)
	}
}

func TestLostClientEndsTheStream(t *testing.T) {
	d := newDriver(t, policies["everything"]())
	x := d.x
	x.feed([]byte("get a\r\n"))
	x.settle()
	gone := ended(EndSlow, nil)
	st := &stream{x: x, owed: &x.owed[0], command: &x.batch.Calls[0].Command, flush: func() error { return gone }}
	r := protocol.Reply{Status: protocol.StatusValue, Size: 2 * flushSize}
	err := st.Head(&r)
	if err == nil {
		err = st.Chunk(make([]byte, flushSize))
	}
	if err != gone || st.end(err) != gone {
		t.Errorf("got %v, then %v, want %v", err, st.end(err), gone)
	}
}
