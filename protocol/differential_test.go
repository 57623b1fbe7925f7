package protocol

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// direct sends a client's bytes as they are, and returns what memcached answers.
// What it answers to a request behind them, for a key that every link sets
// first, shows where the answer ends.
func direct(l *link, in string) string {
	l.t.Helper()
	const end = "VALUE slabgate-mark 0 4\r\nmark\r\nEND\r\n"
	l.send([]byte(in + "get slabgate-mark\r\n"))
	for !bytes.HasSuffix(l.in, []byte(end)) {
		l.more()
	}
	out := string(l.take(len(l.in) - len(end)))
	l.take(len(end))
	return out
}

// through parses a client's bytes, sends every command in a dialect, and renders
// the replies as a client is answered. Nothing may be left of the bytes.
func through(l *link, in string, meta bool) string {
	l.t.Helper()
	var out []byte
	tr := &transcript{}
	tr.visit = func(r *Request) { out = serve(l, out, r, meta) }
	tr.arrive(in)
	if got := tr.end(); strings.Contains(got, "!") || len(tr.buf) > 0 {
		l.t.Errorf("%.100q: the parser makes %s of it", in, got)
	}
	return string(out)
}

// serve carries out one request, one command a key, and appends the answer.
func serve(l *link, out []byte, r *Request, meta bool) []byte {
	l.t.Helper()
	start := len(out)
	for i := range r.Keys {
		c := r.Command(i)
		parse, wire := parserFunc(ParseClassic), AppendClassic(nil, &c)
		if meta {
			parse, wire = ParseMeta, AppendMeta(nil, &c, uint64(i))
		}
		l.send(wire)
		reply, value := l.reply(parse, &c, uint64(i))
		switch {
		case reply.Status == StatusValue && r.Verb.IsRead():
			out = AppendItemLine(out, r.Verb, c.Key, &reply)
			out = append(append(out, value...), ValueEnd...)
		case reply.Status == StatusValue:
			out = append(append(out, value...), ValueEnd...)
		case !r.Verb.IsRead():
			out = AppendAnswer(out, r.Verb, &reply)
		}
	}
	if r.Verb.IsRead() {
		out = append(out, ItemsEnd...)
	}
	if r.NoReply {
		return out[:start]
	}
	return out
}

// conversation is a sequence of requests that depend on each other. $CAS is the
// last CAS id that was read.
func conversation() []string {
	return strings.SplitAfter(strings.ReplaceAll(`get c1
set c1 5 0 5|hello
get c1
gets c1
cas c1 6 0 3 $CAS|abc
cas c1 6 0 3 $CAS|abd
cas c1 6 0 3 0|abd
cas c2 0 0 3 1|abc
gets c1 c2 c1
add c1 0 0 1|x
add c2 9 0 1|x
replace c2 8 0 2|yy
replace c3 0 0 1|x
append c1 77 60 3|def
prepend c1 77 60 3|xyz
append c3 0 0 1|x
prepend c3 0 0 1|x
gets c1 c2 c3
incr c1 1
set n 3 0 2|10
incr n 5
decr n 6
get n
decr n 100
incr n 18446744073709551615
incr n 1
incr n 0
decr n 0
gets n
set n 0 0 20|18446744073709551615
incr n 2
incr missing 1
decr missing 1
set n 0 0 3|1 2
incr n 1
set n 0 0 0|
incr n 1
append n 0 0 1|7
incr n 1
touch c1 100
touch c3 100
touch c1 0
gat 100 c1 c3 c2
gats 100 c1
gats 0 c3
gat 0 c1 c1 c1
touch c2 -1
get c2
set c2 0 0 1|x
gat -1 c2
get c2
set c2 0 -1 1|x
get c2
set c2 0 2592001 1|x
get c2
set c2 0 2592000 1|x
get c2
add c2 0 -1 1|x
append c2 0 -1 1|y
get c2
replace c2 0 0 1|z
delete c2
delete c2
get c2
delete c1 0
set quiet 0 0 1 noreply|x
get quiet
append quiet 0 0 1 noreply|y
incr quiet 1 noreply
touch quiet 100 noreply
add quiet 0 0 1 noreply|y
cas quiet 0 0 1 5 noreply|y
gets quiet
delete quiet noreply
delete quiet noreply
get quiet
set noreply 0 0 1|x
get noreply
touch noreply 0
incr noreply 1
set e 0 0 3|END
get e
get e missing e
`, "\n", "\r\n"), "\r\n")
}

var lastCAS = regexp.MustCompile(`VALUE \S+ \d+ \d+ (\d+)\r\n`)

// speaker says one part of a conversation after another, and remembers CAS ids.
type speaker struct {
	say func(in string) string
	cas string
}

func (s *speaker) next(in string) string {
	out := s.say(strings.ReplaceAll(in, "$CAS", s.cas))
	if m := lastCAS.FindStringSubmatch(out); m != nil {
		s.cas = m[1]
	}
	return lastCAS.ReplaceAllStringFunc(out, func(v string) string { return v[:strings.LastIndex(v, " ")] + " CAS\r\n" })
}

// speakers are a client that talks to memcached itself, and clients that talk to
// one through the parser and the composers, in each dialect.
func speakers(t *testing.T) []*speaker {
	t.Helper()
	var all []*speaker
	for _, say := range []func(*link, string) string{
		direct,
		func(l *link, in string) string { return through(l, in, true) },
		func(l *link, in string) string { return through(l, in, false) },
	} {
		l := newLink(t, testkit.StartMemcached(t))
		l.send([]byte("set slabgate-mark 0 0 4\r\nmark\r\n"))
		l.take(len("STORED\r\n"))
		all = append(all, &speaker{say: func(in string) string { return say(l, in) }})
	}
	return all
}

// TestAnswersAreMemcacheds: a client reads through slabgate what it would read
// from memcached.
func TestAnswersAreMemcacheds(t *testing.T) {
	all := speakers(t)
	for _, in := range conversation() {
		in = strings.ReplaceAll(in, "|", "\r\n")
		compare(t, all, in)
	}
	compare(t, all, "set e 0 0 10\r\nEND\r\n\r\nMN\x00\r\n")
	compare(t, all, "gets e\r\n")
	for _, row := range allRows() {
		if servedByKey(row) {
			compare(t, all, row.in)
		}
	}
}

// servedByKey reports whether a row has requests about keys only, all of them
// served, that memcached takes in one piece.
func servedByKey(row parserRow) bool {
	first, _, _ := strings.Cut(row.want, " ")
	rows := ByGrant(first)
	tooLong := len(row.in) > 2048 && !strings.HasPrefix(row.in, "get") && !strings.HasPrefix(row.in, "set")
	return len(rows) > 0 && rows[0].Route == RouteKeys && row.maxItem == 0 && !tooLong &&
		!strings.Contains(row.want, "! ") && !strings.Contains(row.want, "waits for")
}

func compare(t *testing.T, all []*speaker, in string) {
	t.Helper()
	want := all[0].next(in)
	for i, dialect := range []string{"meta", "classic"} {
		if got := all[1+i].next(in); got != want {
			t.Errorf("%.100q: answered %.200q through %s, %.200q directly", in, got, dialect, want)
		}
	}
}
