package proxy

import (
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// mixed asks for everything that is answered in a different way.
const mixed = "version\r\n" +
	"set app:n 3 0 1\r\n5\r\n" +
	"set other:n 0 0 1\r\n5\r\n" +
	"mn\r\n" +
	"incr app:n 2\r\n" +
	"incr app:n 1 noreply\r\n" +
	"get app:n app:missing app:n\r\n" +
	"delete other:n noreply\r\n" +
	"foo\r\n" +
	"gets app:n\r\n" +
	"flush_all\r\n" +
	"touch app:n 100\r\n" +
	"get other:n\r\n" +
	"delete app:n\r\n" +
	"mn\r\n" +
	"get app:n\r\n"

const mixedReplies = "VERSION 1.6.18\r\n" +
	"STORED\r\n" +
	"CLIENT_ERROR access denied\r\n" +
	"MN\r\n" +
	"7\r\n" +
	"VALUE app:n 3 1\r\n8\r\nVALUE app:n 3 1\r\n8\r\nEND\r\n" +
	"ERROR\r\n" +
	"VALUE app:n 3 1 3\r\n8\r\nEND\r\n" +
	"CLIENT_ERROR access denied\r\n" +
	"TOUCHED\r\n" +
	"CLIENT_ERROR access denied\r\n" +
	"DELETED\r\n" +
	"MN\r\n" +
	"END\r\n"

func TestRepliesComeInTheOrderOfTheRequests(t *testing.T) {
	streams := map[string]func(int) bool{
		"batched":  nil,
		"streamed": func(int) bool { return true },
		"mixed":    func(i int) bool { return i%2 == 0 },
	}
	for name, stream := range streams {
		for _, inFlight := range []int{1, 2, 3, 128} {
			d := newDriver(t, policies["error"]())
			d.stream, d.x.limits.MaxInFlight = stream, inFlight
			if name == "mixed" && inFlight > 1 {
				continue // what is left to be streamed comes after the rest of its turn
			}
			d.feed(mixed)
			if got := string(d.out); got != mixedReplies {
				t.Errorf("%s, %d in flight:\ngot  %q\nwant %q", name, inFlight, got, mixedReplies)
			}
		}
	}
}

// TestEverySplitGivesTheSame feeds what the conversations send in two pieces, cut
// anywhere, and byte by byte.
func TestEverySplitGivesTheSame(t *testing.T) {
	for _, s := range testkit.LoadScripts(t, "testdata/*.txt") {
		doc, ok := policies[s.Directives["policy"]]
		if !ok {
			doc = policies["everything"]
		}
		if _, ok := doc().Identities["app"]; !ok {
			continue // who it is shows in a login, after which the exchange begins
		}
		var in string
		for _, step := range s.Steps {
			if step.Kind == testkit.Send {
				in += step.Data
			}
		}
		if len(in) > 5000 {
			continue
		}
		whole := held(t, doc(), in)
		check := func(how string, pieces ...string) {
			t.Helper()
			d := held(t, doc(), pieces...)
			if string(d.out) != string(whole.out) || d.x.end != whole.x.end || !slices.Equal(d.sent, whole.sent) {
				t.Fatalf("%s, %s:\ngot  %q, end %q, sent %q\nwant %q, end %q, sent %q",
					s.Name, how, d.out, d.x.end, d.sent, whole.out, whole.x.end, whole.sent)
			}
		}
		for i := range len(in) {
			if len(in) > 200 && i%17 != 0 {
				continue // the long ones are long for one word of them
			}
			check("cut at "+itoa(i), in[:i], in[i:])
		}
		check("byte by byte", strings.Split(in, "")...)
	}
}

func TestTurnHoldsAtMostWhatMayBeInFlight(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  []int // commands of each turn
	}{
		{strings.Repeat("get a\r\n", 5), 2, []int{2, 2, 1}},
		{strings.Repeat("get a\r\n", 4), 2, []int{2, 2, 0}},
		{"get a b c d e\r\nget a\r\n", 2, []int{5, 1}}, // a request is never cut
		{"get a\r\nmn\r\nget a\r\n", 2, []int{1, 1}},
		{"mn\r\nmn\r\nmn\r\nget a\r\n", 3, []int{0, 1}},
		{strings.Repeat("incr a x noreply\r\n", 3) + "get a\r\n", 3, []int{0, 1}}, // so do those that get no reply
		{"get a\r\nflush_all\r\nget a\r\n", 8, []int{1, 1}},
		{"set a 0 0 70000\r\n" + strings.Repeat("x", 70000) + "\r\nget a\r\n", 8, []int{0, 1}},
	} {
		d := newDriver(t, policies["everything"]())
		d.x.limits.MaxInFlight = c.limit
		d.feed(c.in)
		if !slices.Equal(d.turns, c.want) {
			t.Errorf("%.60q, %d in flight: got turns of %v, want %v", c.in, c.limit, d.turns, c.want)
		}
	}
}

func TestAnswersOfOurOwnAreBounded(t *testing.T) {
	d := newDriver(t, policies["everything"]())
	in := strings.Repeat("mn\r\n", 2*maxLocal/len(protocol.MN))
	used, short := d.x.feed([]byte(in))
	if used >= len(in) || short || len(d.x.local) > maxLocal+len(protocol.MN) || len(d.x.owed) != 1 {
		t.Errorf("took %d of %d bytes, short %v, holds %d bytes in %d answers; want %d in 1",
			used, len(in), short, len(d.x.local), len(d.x.owed), maxLocal)
	}
	d = held(t, policies["everything"](), in)
	if got := strings.Count(string(d.out), protocol.MN); got != len(in)/len(protocol.MN) {
		t.Errorf("got %d answers, want %d", got, len(in)/len(protocol.MN))
	}
}

func TestDeniedValueIsNotWaitedFor(t *testing.T) {
	d := held(t, policies["error"](), "get app:a\r\nset other:a 0 0 10\r\nab")
	if got, want := string(d.out), "END\r\nCLIENT_ERROR access denied\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !d.x.parser.Owes() || len(d.in) != 0 {
		t.Errorf("owes %v and holds %q, want the rest of the value to be skipped", d.x.parser.Owes(), d.in)
	}
	d.feed("cdefghij\r")
	d.feed("\nmn\r\n")
	if got, want := string(d.out), "END\r\nCLIENT_ERROR access denied\r\nMN\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestVersionIsUnavailableBeforeMemcachedToldIt(t *testing.T) {
	d := newDriver(t, policies["everything"]())
	d.x.version = ""
	d.feed("version\r\nmn\r\n")
	if got, want := string(d.out), protocol.UpstreamDown+protocol.MN; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestObserverIsToldOfEverything(t *testing.T) {
	for _, c := range []struct {
		policy, in string
		want       map[event]int
	}{
		{"everything", "get a\r\nmn\r\nset a 0 0 1\r\nx\r\n", map[event]int{evRequest: 3}},
		{"everything", "foo\r\nget\r\nset a x 0 1 noreply\r\nx\r\n", map[event]int{evMalformed: 3}},
		{"error", "get b\r\nset b 0 0 1 noreply\r\nx\r\nset b 0 0 9\r\n", map[event]int{evRequest: 3, evDenied: 3}},
		{"audit", "get b\r\nset b 0 0 1\r\nx\r\nmn\r\n", map[event]int{evRequest: 3, evDenied: 2}},
		{"error", "get app:a app:b b\r\n", map[event]int{evRequest: 1, evDenied: 1}},
	} {
		d := held(t, policies[c.policy](), c.in)
		for e, n := range c.want {
			if d.seen.events[e] != n {
				t.Errorf("%s, %q: event %d came %d times, want %d", c.policy, c.in, e, d.seen.events[e], n)
			}
			delete(d.seen.events, e)
		}
		for e, n := range d.seen.events {
			t.Errorf("%s, %q: event %d came %d times, want none", c.policy, c.in, e, n)
		}
	}
}

// TestRequestThatIsReadBeginsWhenItsFirstByteCame holds what the request timeout
// counts from: not from the start of the one before it.
func TestRequestThatIsReadBeginsWhenItsFirstByteCame(t *testing.T) {
	for _, c := range []struct {
		pieces []string
		fresh  bool // of the last piece
	}{
		{[]string{"ge"}, false}, // the caller knows of nothing before it
		{[]string{"ge", "t a"}, false},
		{[]string{"ge", "t a\r\nge"}, true},
		{[]string{"ge", "t app:a\r\nge", "t"}, false},
		{[]string{"foo\r\nge"}, true},
		{[]string{"set app:a 0 0 5\r\nab"}, false},
		{[]string{"set app:a 0 0 5\r\n", "abc"}, false},
		{[]string{"set app:a 0 0 5\r\nab", "cde\r\nset app:a 0 0 5\r\nab"}, true},
		{[]string{"set b 0 0 5\r\nab"}, true},
		{[]string{"set b 0 0 5\r\nab", "c"}, false},
		{[]string{"set b 0 0 5\r\nab", "cde\r\nge"}, true},
		{[]string{"set b 0 0 5\r\nab", "cde\r\nset b 0 0 5\r\nab"}, true},
		{[]string{"set b x 0 5\r\nab", "cde\r\nset b x 0 5\r\nab"}, true},
	} {
		if d := held(t, policies["error"](), c.pieces...); d.x.fresh != c.fresh {
			t.Errorf("%q: got fresh %v, want %v", c.pieces, d.x.fresh, c.fresh)
		}
	}
}

func TestLargeOutputIsGivenBack(t *testing.T) {
	d := newDriver(t, policies["everything"]())
	d.x.out = make([]byte, 5*flushSize)
	d.x.taken()
	if cap(d.x.out) != 0 {
		t.Errorf("keeps %d bytes", cap(d.x.out))
	}
	d.x.out = make([]byte, 2*flushSize)
	d.x.taken()
	if cap(d.x.out) == 0 {
		t.Error("gives away what a turn needs")
	}
}
