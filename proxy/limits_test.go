package proxy

import (
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// limited is an exchange of a client that may do everything, but not more of it
// than these limits say.
func limited(t testing.TB, limits policy.LimitsDoc) *driver {
	t.Helper()
	doc := app(rule("@all", "*"))
	id := doc.Identities["app"]
	id.Limits = limits
	doc.Identities["app"] = id
	return newDriver(t, doc)
}

// limitPacket is the packet that answers one beyond a limit.
func limitPacket(asked testkit.Packet, line string) string {
	text := strings.TrimSuffix(strings.TrimPrefix(line, "CLIENT_ERROR "), "\r\n")
	return string(testkit.Packet{Reply: true, Op: asked.Op, Status: packetDenied, Opaque: asked.Opaque, Value: text}.Bytes())
}

// setPacket stores n bytes, loudly or not.
func setPacket(op testkit.Op, n int) testkit.Packet {
	return testkit.Packet{Op: op, Opaque: 7, Extras: strings.Repeat("\x00", 8), Key: "a", Value: strings.Repeat("v", n)}
}

var noopPacket = testkit.Packet{Op: testkit.OpNoop, Opaque: 9}

// noopped is the answer to that.
var noopped = string(testkit.Packet{Reply: true, Op: testkit.OpNoop, Opaque: 9}.Bytes())

// TestRequestsBeyondALimit: each is answered in its place, and nothing of it goes
// upstream; those within it are served.
func TestRequestsBeyondALimit(t *testing.T) {
	value := policy.LimitsDoc{ValueMax: ref(policy.Bytes(3))}
	denied := policy.LimitsDoc{TTLMax: ref(policy.Span(60)), TTLOver: "deny"}
	clamped := policy.LimitsDoc{TTLMax: ref(policy.Span(60))}
	keys := policy.LimitsDoc{MultigetMax: ref(2)}
	for _, c := range []struct {
		name     string
		limits   policy.LimitsDoc
		in, want string
		sent     []string
	}{
		{"value", value, "get b\r\nset a 0 0 4\r\nvvvv\r\nset a 0 0 3\r\nvvv\r\nmn\r\n", "END\r\n" + protocol.LimitValue + "STORED\r\nMN\r\n",
			[]string{"mg b f v\r\n", "ms a 3\r\nvvv\r\n"}},
		{"value, noreply", value, "set a 0 0 4 noreply\r\nvvvv\r\nmn\r\n", "MN\r\n", nil},
		{"value, meta", value, "ms a 4 O5 k\r\nvvvv\r\nmn\r\n", protocol.LimitValue + "MN\r\n", nil},
		{"value, meta and quiet", value, "ms a 4 q\r\nvvvv\r\nmn\r\n", protocol.LimitValue + "MN\r\n", nil},
		{"value, every store", value, "add a 0 0 4\r\nvvvv\r\nreplace a 0 0 4\r\nvvvv\r\nappend a 0 0 4\r\nvvvv\r\nprepend a 0 0 4\r\nvvvv\r\ncas a 0 0 4 1\r\nvvvv\r\n",
			strings.Repeat(protocol.LimitValue, 5), nil},
		{"value, what would be a command", value, "set a 0 0 6\r\nmn\r\nmn\r\nmn\r\n", protocol.LimitValue + "MN\r\n", nil},
		{"value, packets", value, string(setPacket(testkit.OpSet, 4).Bytes()) + string(noopPacket.Bytes()),
			limitPacket(setPacket(testkit.OpSet, 4), protocol.LimitValue) + noopped, nil},
		{"value, quiet packets", value, string(setPacket(testkit.OpSetQ, 4).Bytes()) + string(noopPacket.Bytes()),
			noopped, nil},
		{"expiry", denied, "set a 0 61 1\r\nv\r\nset a 0 0 1\r\nv\r\nset a 0 60 1\r\nv\r\ntouch a 61\r\ngat 61 a\r\nmg a T61\r\nmg a N0 v\r\nms a 1\r\nv\r\n",
			protocol.LimitTTL + protocol.LimitTTL + "STORED\r\n" + strings.Repeat(protocol.LimitTTL, 5), []string{"ms a 1 T60\r\nv\r\n"}},
		{"expiry, noreply", denied, "touch a 61 noreply\r\nset a 0 61 1 noreply\r\nv\r\nmn\r\n", "MN\r\n", nil},
		{"expiry, shortened", clamped, "set a 0 61 1\r\nv\r\nset a 0 5 1\r\nv\r\ntouch a 0\r\nms a 1\r\nv\r\n", "STORED\r\nSTORED\r\nTOUCHED\r\nHD\r\n",
			[]string{"ms a 1 T60\r\nv\r\n", "ms a 1 T5\r\nv\r\n", "mg a T60\r\n", "ms a 1 T60\r\nv\r\n"}},
		{"expiry, none of a read, a delete or a flush", denied, "get a\r\ndelete a\r\nincr a 1\r\nflush_all\r\nflush_all 3600\r\n",
			"END\r\nNOT_FOUND\r\nNOT_FOUND\r\nOK\r\nOK\r\n", []string{"mg a f v\r\n", "md a\r\n", "ma a v D1\r\n", "flush_all\r\n", "flush_all 3600\r\n"}},
		{"expiry, a flush is never shortened", clamped, "flush_all\r\nflush_all 3600\r\n", "OK\r\nOK\r\n", []string{"flush_all\r\n", "flush_all 3600\r\n"}},
		{"keys", keys, "get a b\r\nget a b c\r\ngats 5 a b c\r\nget a a a\r\nmn\r\n", "END\r\n" + strings.Repeat(protocol.LimitKeys, 3) + "MN\r\n",
			[]string{"mg a f v\r\n", "mg b f v\r\n"}},
	} {
		for how, pieces := range map[string][]string{"at once": {c.in}, "byte by byte": strings.Split(c.in, "")} {
			if c.in[0] == 0x80 && how != "at once" {
				pieces = slices.Collect(slices.Values(bytesOf(c.in)))
			}
			d := limited(t, c.limits)
			for _, p := range pieces {
				d.feed(p)
			}
			if got := string(d.out); got != c.want {
				t.Errorf("%s, %s, %q:\ngot  %q\nwant %q", c.name, how, c.in, got, c.want)
			}
			if !slices.Equal(d.sent, c.sent) {
				t.Errorf("%s, %s: sent %q, want %q", c.name, how, d.sent, c.sent)
			}
			if d.x.end != "" {
				t.Errorf("%s, %s: it ends: %q", c.name, how, d.x.end)
			}
		}
	}
}

// bytesOf cuts s into its bytes.
func bytesOf(s string) (all []string) {
	for i := range len(s) {
		all = append(all, s[i:i+1])
	}
	return all
}

// TestValueBeyondTheLimitIsNotHeld: it is thrown away as it comes, and answered
// before it has.
func TestValueBeyondTheLimitIsNotHeld(t *testing.T) {
	d := limited(t, policy.LimitsDoc{ValueMax: ref(policy.Bytes(100))})
	d.feed("get a\r\nset a 0 0 1000000\r\n")
	if got, want := string(d.out), "END\r\n"+protocol.LimitValue; got != want {
		t.Errorf("before the value came: got %q, want %q", got, want)
	}
	for range 100 {
		d.feed(strings.Repeat("v", 10_000))
		if len(d.in) > 0 {
			t.Fatalf("%d bytes of it are held", len(d.in))
		}
	}
	d.feed("\r\nmn\r\n")
	if got, want := string(d.out), "END\r\n"+protocol.LimitValue+"MN\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestDeniedComesBeforeLimited: what is denied is said to be, whatever limit it is
// beyond as well, and counts against none.
func TestDeniedComesBeforeLimited(t *testing.T) {
	doc := policies["error"]()
	id := doc.Identities["app"]
	id.Limits = policy.LimitsDoc{ValueMax: ref(policy.Bytes(1)), MultigetMax: ref(1), RPS: ref(1)}
	doc.Identities["app"] = id
	d := held(t, doc, "set b 0 0 2\r\nvv\r\nget b c\r\nget app:a\r\nget app:a\r\n")
	if got, want := string(d.out), protocol.AccessDenied+protocol.AccessDenied+"END\r\n"+protocol.LimitRate; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if d.seen.events[evDenied] != 2 || d.seen.events[evLimited] != 1 {
		t.Errorf("observed %v, want 2 denied and 1 limited", d.seen.events)
	}
}

// TestRateOfRequests: of one account there are so many a second, whatever they are
// about, and those that concern the connection alone come on top.
func TestRateOfRequests(t *testing.T) {
	d := limited(t, policy.LimitsDoc{RPS: ref(2)})
	d.feed("mn\r\nget a\r\nget a b c d\r\nget a\r\nset a 0 0 1 noreply\r\nv\r\nversion\r\nflush_all\r\n")
	if got, want := string(d.out), "MN\r\nEND\r\nEND\r\n"+protocol.LimitRate+"VERSION 1.6.18\r\n"+protocol.LimitRate; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := 5; len(d.sent) != want {
		t.Errorf("sent %q, want %d commands", d.sent, want)
	}
	d.now, d.out = second/2, nil
	d.feed("get a\r\nget a\r\n")
	if got, want := string(d.out), "END\r\n"+protocol.LimitRate; got != want {
		t.Errorf("half a second later: got %q, want %q", got, want)
	}
}

// TestRequestsInFlight: those of one turn are, until it is over.
func TestRequestsInFlight(t *testing.T) {
	d := limited(t, policy.LimitsDoc{InFlight: ref(2)})
	for range 3 {
		d.out = nil
		d.feed("get a\r\nmn\r\nget a b\r\nget a\r\nget a\r\n")
		if got, want := string(d.out), "END\r\nMN\r\nEND\r\n"+protocol.LimitInFlight+protocol.LimitInFlight; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if n := d.x.meter.account.inFlight.Load(); n != 0 {
			t.Fatalf("%d are in flight after the turn", n)
		}
	}
}

// TestRateOfBytesIn: what has come is owed for, be it more than a second's worth,
// and nothing is served until it is made up for.
func TestRateOfBytesIn(t *testing.T) {
	d := limited(t, policy.LimitsDoc{BytesIn: ref(policy.Rate(1000))})
	store := "set a 0 0 2980\r\n" + strings.Repeat("v", 2980) + "\r\n"
	d.feed(store)
	d.feed("get b\r\nmn\r\n")
	if got, want := string(d.out), "STORED\r\n"+protocol.LimitBytes+"MN\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	d.now, d.out = 2*second-10_000_000, nil
	d.feed("get b\r\n")
	d.now += second
	d.feed("get b\r\n")
	if got, want := string(d.out), protocol.LimitBytes+"END\r\n"; got != want {
		t.Errorf("two and three seconds later: got %q, want %q", got, want)
	}
}

// TestRateOfBytesOut: every byte of a reply counts, once, whichever way it takes.
func TestRateOfBytesOut(t *testing.T) {
	for _, size := range []int{0, 10, 5000, directValue, 3 * flushSize} {
		for name, stream := range map[string]func(int) bool{"batched": nil, "streamed": allStreamed} {
			d := limited(t, policy.LimitsDoc{BytesOut: ref(policy.Rate(1 << 30))})
			d.stream = stream
			d.hold(map[string]int{"a": size})
			for _, in := range []string{"get a\r\n", "get a\r\nmn\r\nget a a b\r\n", "mn\r\n", strings.Repeat("get a\r\n", 300) + "get"} {
				before := d.x.meter.account.out.last.Load()
				d.out = nil
				d.feed(in)
				want := cost(len(d.out), 1<<30)
				got := d.x.meter.account.out.last.Load() - before
				if turns := int64(len(d.turns)); got < want-turns || got > want+turns {
					t.Errorf("%s values of %d, %.20q: %d bytes were charged as %d ns, want %d", name, size, in, len(d.out), got, want)
				}
				d.now = 0 // so that all of it is still owed
				d.turns = nil
				d.x.parser = protocol.Parser{}
				d.in = nil
			}
		}
	}
}

// TestBytesOutAreOwedFor: a large reply is given whole, and the next waits.
func TestBytesOutAreOwedFor(t *testing.T) {
	d := limited(t, policy.LimitsDoc{BytesOut: ref(policy.Rate(20_000))})
	d.hold(map[string]int{"a": 50_000})
	d.feed("get a\r\n")
	if len(d.out) < 50_000 {
		t.Fatalf("got %d bytes", len(d.out))
	}
	d.out = nil
	d.feed("get b\r\nset b 0 0 1\r\nv\r\nquit\r\n")
	if got, want := string(d.out), protocol.LimitBytes+protocol.LimitBytes; got != want || d.x.end != EndQuit {
		t.Errorf("got %q, end %q, want %q, end %q", got, d.x.end, want, EndQuit)
	}
}

// TestTurnedAway: a client too many is told with its first answer, whatever it asks,
// and goes; nothing of what it asks is carried out.
func TestTurnedAway(t *testing.T) {
	big := "set a 0 0 100000\r\n" + strings.Repeat("v", 10)
	packet := func(p testkit.Packet) (in, want string) {
		return string(p.Bytes()), limitPacket(p, protocol.LimitConns)
	}
	cases := map[string][2]string{
		"get":            {"get a\r\nget b\r\n", protocol.LimitConns},
		"mn":             {"mn\r\n", protocol.LimitConns},
		"version":        {"version\r\n", protocol.LimitConns},
		"quit":           {"quit\r\n", protocol.LimitConns},
		"flush":          {"flush_all\r\n", protocol.LimitConns},
		"meta":           {"mg a v q\r\nmn\r\n", protocol.LimitConns},
		"a large value":  {big, protocol.LimitConns},
		"noreply":        {"set a 0 0 1 noreply\r\nv\r\nget a\r\n", ""},
		"what is none":   {"foo\r\nget a\r\n", protocol.LimitConns},
		"malformed":      {"set a x 0 1\r\nv\r\nget a\r\n", protocol.LimitConns},
		"a bad length":   {"set a 0 0 x\r\nget a\r\n", protocol.LimitConns},
		"a quiet packet": {string(testkit.Packet{Op: testkit.OpGetQ, Key: "a"}.Bytes()) + string(noopPacket.Bytes()), ""},
		"silent refusal": {"incr a x noreply\r\nget a\r\n", ""},
	}
	for name, p := range map[string]testkit.Packet{
		"GET": {Op: testkit.OpGet, Opaque: 5, Key: "a"}, "NOOP": noopPacket,
		"VERSION": {Op: testkit.OpVersion}, "QUIT": {Op: testkit.OpQuit}, "SET": setPacket(testkit.OpSet, 10), "no opcode": {Op: 0x55, Opaque: 3},
	} {
		in, want := packet(p)
		cases[name] = [2]string{in + in, want}
	}
	for name, c := range cases {
		d := limited(t, policy.LimitsDoc{})
		d.x.turned = protocol.StatusLimitConns
		d.feed(c[0])
		if got := string(d.out); got != c[1] || d.x.end != EndLimit || len(d.sent) > 0 {
			t.Errorf("%s: got %q, end %q, sent %q; want %q, end %q, nothing sent", name, got, d.x.end, d.sent, c[1], EndLimit)
		}
	}
}
