package protocol

import (
	"net"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// link is a connection to a real memcached.
type link struct {
	t     *testing.T
	conn  net.Conn
	in    []byte   // received, not yet read
	asked uint64   // commands sent so far, the last one's opaque
	knows Features // of the memcached
}

func newLink(t *testing.T, m *testkit.Memcached) *link {
	t.Helper()
	conn := m.Dial(t)
	conn.SetDeadline(time.Now().Add(time.Minute))
	return &link{t: t, conn: conn}
}

func (l *link) send(wire []byte) {
	l.t.Helper()
	if _, err := l.conn.Write(wire); err != nil {
		l.t.Fatalf("memcached does not take %.100q: %v", wire, err)
	}
}

// more receives at least one byte.
func (l *link) more() {
	l.t.Helper()
	buf := make([]byte, 64<<10)
	n, err := l.conn.Read(buf)
	if n == 0 {
		l.t.Fatalf("memcached said %.200q, then: %v", l.in, err)
	}
	l.in = append(l.in, buf[:n]...)
}

// take takes the next n bytes.
func (l *link) take(n int) []byte {
	l.t.Helper()
	for len(l.in) < n {
		l.more()
	}
	out := l.in[:n:n]
	l.in = l.in[n:]
	return out
}

// parserFunc is what ParseMeta and ParseClassic have in common.
type parserFunc func([]byte, *Command, uint64, *Reply) (int, error)

// reply reads the reply to c, with its value.
func (l *link) reply(parse parserFunc, c *Command, opaque uint64) (r Reply, value []byte) {
	l.t.Helper()
	for {
		n, err := parse(l.in, c, opaque, &r)
		if err == nil {
			l.take(n)
			break
		}
		if err != ErrShort {
			l.t.Fatalf("%s %q: memcached said %.200q: %v", c.Verb.Name, c.Key, l.in, err)
		}
		l.more()
	}
	value = l.take(r.Size)
	if got := l.take(len(r.Trailer)); string(got) != r.Trailer {
		l.t.Fatalf("%s %q: %q follows the value, want %q", c.Verb.Name, c.Key, got, r.Trailer)
	}
	return r, value
}

// settled holds that memcached owes nothing: the next thing it says is the
// answer to the next request.
func (l *link) settled() {
	l.t.Helper()
	if l.version(); len(l.in) > 0 {
		l.t.Fatalf("memcached owed %.100q", l.in)
	}
}

// version asks for the version.
func (l *link) version() string {
	l.t.Helper()
	l.send([]byte("version\r\n"))
	for {
		version, n, err := ParseVersion(l.in)
		if err == nil {
			l.take(n)
			return version
		}
		if err != ErrShort {
			l.t.Fatalf("version: memcached said %.100q: %v", l.in, err)
		}
		l.more()
	}
}

// eachMemcached runs a test with every memcached there is; of those that don't
// speak the meta dialect only if it needs none.
func eachMemcached(t *testing.T, meta bool, test func(*testing.T, *link)) {
	t.Helper()
	binaries := testkit.MemcachedBinaries()
	if len(binaries) == 0 {
		testkit.StartMemcached(t) // skips the test, and says why
	}
	for _, path := range binaries {
		t.Run(path, func(t *testing.T) {
			l := newLink(t, testkit.MemcachedConfig{Binary: path}.Start(t))
			if v := l.version(); meta && !SpeaksMeta(v) {
				t.Skipf("memcached %s does not speak the meta dialect", v)
			}
			test(t, l)
		})
	}
}

func servedVerbs() []*Verb {
	var verbs []*Verb
	for _, v := range Verbs() {
		if v.Route == RouteKeys {
			verbs = append(verbs, v)
		}
	}
	return verbs
}

// ask sends a command in a dialect and reads its reply. A memcached that is only
// spoken to in classic text can't be asked for everything.
func (l *link) ask(c *Command, meta bool) (Reply, []byte) {
	l.t.Helper()
	l.asked++
	switch {
	case meta:
		l.send(AppendMeta(nil, c, l.asked))
		return l.reply(ParseMeta, c, l.asked)
	case c.FitsClassic():
		l.send(AppendClassic(nil, c))
		return l.reply(ParseClassic, c, 0)
	}
	return Reply{Status: StatusUnfit}, nil
}

// alone sends a command about no key, and reads its reply to the end.
func (l *link) alone(r *Request) []byte {
	l.t.Helper()
	l.send(AppendAlone(nil, r))
	var lines []byte
	for {
		line, last, err := ParseAlone(l.in, r)
		switch {
		case err == ErrShort:
			l.more()
			continue
		case err != nil:
			l.t.Fatalf("%s: memcached said %.100q: %v", describe(r), l.in, err)
		}
		lines = append(lines, line...)
		l.take(len(line))
		if last {
			return lines
		}
	}
}
