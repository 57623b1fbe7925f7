package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// hotRequests are what most clients send most of the time, in each dialect.
var hotRequests = map[string]struct {
	ask    string
	answer protocol.Reply
}{
	"get":   {"get app:0123456789abcdef\r\n", protocol.Reply{Status: protocol.StatusMiss, Proven: true}},
	"set":   {"set app:0123456789abcdef 0 3600 5\r\nvalue\r\n", protocol.Reply{Status: protocol.StatusOK, Proven: true}},
	"mg":    {"mg app:0123456789abcdef v f t k O42\r\n", protocol.Reply{Status: protocol.StatusMiss, Proven: true}},
	"GETK":  {string(testkit.Packet{Op: testkit.OpGetK, Key: "app:0123456789abcdef"}.Bytes()), protocol.Reply{Status: protocol.StatusMiss, Proven: true}},
	"GET50": {"get" + manyKeys(50) + "\r\n", protocol.Reply{Status: protocol.StatusMiss, Proven: true}},
}

// hotClients are the policies of who sends them. Their rules are the same.
var hotClients = map[string]func() *policy.Document{
	"plain":     policies["error"],
	"namespace": func() *policy.Document { return hotClient(policy.LimitsDoc{}) },
	"namespace and limits": func() *policy.Document {
		return hotClient(policy.LimitsDoc{
			RPS: ref(1 << 30), InFlight: ref(1 << 20), BytesIn: ref(policy.Rate(1 << 40)), BytesOut: ref(policy.Rate(1 << 40)),
			ValueMax: ref(policy.Bytes(1 << 20)), TTLMax: ref(policy.Span(3600)), MultigetMax: ref(100),
		})
	},
}

// hotClient is the policy error with a namespace and limits.
func hotClient(limits policy.LimitsDoc) *policy.Document {
	d := policies["error"]()
	id := d.Identities["app"]
	id.Namespace, id.Limits = ref("t/{identity}/"), limits
	d.Identities["app"] = id
	return d
}

func manyKeys(n int) (s string) {
	for i := range n {
		s += fmt.Sprintf(" app:%d", i)
	}
	return s
}

// turnOf returns what does one turn of a client that is always answered the same,
// memcached left out, and its number of bytes.
func turnOf(t testing.TB, whose string, ask string, answer protocol.Reply) (turn func(), size int) {
	t.Helper()
	limits := DefaultLimits()
	x := newExchange(&limits, unseeing{})
	x.identity = appOf(t, hotClients[whose]())
	if x.identity.HasNamespace() {
		x.space = space{root: "t/app/", live: loneSpaces(t).Use(context.Background(), "t/app/")}
	}
	accounts := newAccounts()
	x.meter.account, _ = accounts.enter(payer{}, 0)
	x.tally.turnTo(new(metrics.Metrics), x.identity.Name)
	x.parser.Dialect, _ = protocol.DialectOf(ask[0])
	in := []byte(ask)
	turn = func() {
		x.enter(accounts.now())
		if used, _ := x.feed(in); used != len(in) {
			t.Fatalf("%q: %d bytes were taken", ask, used)
		}
		for i := range x.batch.Calls {
			x.batch.Calls[i].Reply = answer
		}
		if x.settle() != stepDone || len(x.out) == 0 {
			t.Fatalf("%q: no answer", ask)
		}
		x.meter.took(len(in))
		sent := x.emitted()
		x.meter.end(sent)
		x.tally.moved(len(in), sent)
		x.tally.flush()
		x.taken()
		x.reset()
	}
	return turn, len(in)
}

// unseeing observes nothing.
type unseeing struct{}

func (unseeing) observe(event, *protocol.Request, policy.Decision) {}

// TestTurnsDoNotAllocate: a request costs no memory of its own.
func TestTurnsDoNotAllocate(t *testing.T) {
	for whose := range hotClients {
		for name, hot := range hotRequests {
			turn, _ := turnOf(t, whose, hot.ask, hot.answer)
			if n := testing.AllocsPerRun(100, turn); n != 0 {
				t.Errorf("%s, %s allocates %v times, want 0", whose, name, n)
			}
		}
	}
}

// BenchmarkTurn measures what a session does for one request but reading, writing
// and encrypting: it is parsed, decided on and queued, and its reply rendered.
func BenchmarkTurn(b *testing.B) {
	for whose := range hotClients {
		for name, hot := range hotRequests {
			b.Run(whose+"/"+name, func(b *testing.B) {
				turn, size := turnOf(b, whose, hot.ask, hot.answer)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					turn()
				}
			})
		}
	}
}

// BenchmarkSession measures whole requests of one client through slabgate to
// memcached and back, so many in each write.
func BenchmarkSession(b *testing.B) {
	mc := testkit.StartMemcached(b)
	w := newWorld(b)
	for _, how := range []string{"plaintext", "tls"} {
		for _, many := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/pipeline=%d", how, many), func(b *testing.B) {
				o := rigOptions{doc: policies["error"](), upstream: oneLane}
				if how == "tls" {
					o.tls, o.clients = w.server, w.app(b)
				} else {
					o.doc = everything("main")
				}
				r := startRig(b, mc.Addr(), o)
				c := r.dial(b)
				benchmarkSession(b, c, many)
			})
		}
	}
}

func benchmarkSession(b *testing.B, c net.Conn, many int) {
	item := "VALUE app:k 0 100\r\n" + string(bytes.Repeat([]byte("v"), 100)) + "\r\nEND\r\n"
	fmt.Fprintf(c, "set app:k 0 0 100\r\n%s\r\n", bytes.Repeat([]byte("v"), 100))
	if _, err := io.ReadFull(c, make([]byte, len("STORED\r\n"))); err != nil {
		b.Fatal(err)
	}
	ask, got := bytes.Repeat([]byte("get app:k\r\n"), many), make([]byte, many*len(item))
	b.ReportAllocs()
	b.ResetTimer()
	for range (b.N + many - 1) / many {
		if _, err := c.Write(ask); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, got); err != nil {
			b.Fatal(err)
		}
	}
	if want := bytes.Repeat([]byte(item), many); !bytes.Equal(got, want) {
		b.Errorf("got %q, want %q", got, want)
	}
}
