package protocol

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
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
	tr := run(parserRow{in: in, knows: l.knows})
	tr.visit = func(r *Request) { out = serve(l, out, r, meta) }
	tr.refuse = func(r *Refusal) { out = append(out, r.Reply...) }
	tr.arrive(in)
	if got := tr.end(); len(tr.buf) > 0 {
		l.t.Errorf("%.100q: the parser makes %s of it", in, got)
	}
	return string(out)
}

// serve carries out one request, one command a key, and appends the answer.
func serve(l *link, out []byte, r *Request, meta bool) []byte {
	l.t.Helper()
	if r.Verb.Route != RouteKeys {
		return append(out, serveOther(l, r)...)
	}
	for i := range r.Keys {
		c := r.Command(i)
		reply, value := l.ask(&c, meta)
		switch {
		case r.Silent(reply.Status):
		case reply.Status == StatusValue:
			out = r.AppendHead(out, c.Key, &reply)
			out = r.AppendValueEnd(append(out, value...))
		default:
			out = r.AppendAnswer(out, c.Key, &reply)
		}
	}
	return r.AppendItemsEnd(out)
}

// serveOther carries out a request about no key.
func serveOther(l *link, r *Request) []byte {
	l.t.Helper()
	switch {
	case r.Verb.Route == RouteKeyless:
		lines := l.alone(r)
		if r.NoReply {
			return nil
		}
		return r.AppendAlone(nil, lines)
	case r.Verb.Local == LocalVersion:
		return r.AppendVersion(nil, l.version())
	case r.Verb.Local == LocalNoOp:
		return r.AppendNoOp(nil)
	}
	l.t.Errorf("%s is not served here", describe(r))
	return nil
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
		l := markedLink(t)
		all = append(all, &speaker{say: func(in string) string { return say(l, in) }})
	}
	return all
}

// markedLink is a link to a new memcached that holds what direct asks for.
func markedLink(t *testing.T) *link {
	t.Helper()
	l := newLink(t, startCalm(t))
	l.knows = FeaturesOf(l.version())
	l.send([]byte("set slabgate-mark 0 0 4\r\nmark\r\n"))
	l.take(len("STORED\r\n"))
	return l
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
	return len(rows) > 0 && rows[0].canon.classic != "" && row.maxItem == 0 && !tooLong &&
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
