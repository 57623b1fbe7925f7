package proxy

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/slabgate/slabgate/internal/generations"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
	"github.com/slabgate/slabgate/upstream"
)

// driver carries an exchange without any connection: it does what a session
// does, with a model in the place of memcached.
type driver struct {
	t         testing.TB
	x         *exchange
	memcached *testkit.Model
	seen      spy

	// stream reports whether the i-th call of a turn is left to be streamed;
	// nil streams none.
	stream func(i int) bool
	// drop says that batches hold no value which may be asked for again.
	drop bool
	// fault changes the i-th reply of a turn before it is passed on; nil none.
	fault func(i int, r *protocol.Reply)
	// pieces is the size of the pieces a streamed value comes in.
	pieces int
	// broken is how many bytes of a streamed value come before it breaks off; 0
	// if none does.
	broken int

	now    int64              // of the buckets of its limits
	spaces *generations.Store // of its namespace; nil if it has none

	sniffed bool // the first byte has told the dialect

	in    []byte
	out   []byte   // what the client has read
	sent  []string // every command carried out, without the mark of each
	turns []int    // commands of each turn
	err   error    // what ended the session, besides x.end
}

// spy counts what an exchange observes.
type spy struct {
	events map[event]int
}

func (s *spy) observe(e event, _ *protocol.Request, _ policy.Decision) { s.events[e]++ }

// newDriver returns an exchange for the identity app of a policy.
func newDriver(t testing.TB, doc *policy.Document) *driver {
	t.Helper()
	return driverOf(t, appOf(t, doc))
}

// newModel returns a memcached of a version that needs no clock, and that takes values larger
// than any test has.
func newModel(version string) *testkit.Model {
	return testkit.NewModel(testkit.FakeOptions{Version: version, ItemSizeMax: 64 << 20, Now: func() int64 { return testNow }})
}

// testNow is the time of tests that need no clock, in Unix seconds.
const testNow = 1_700_000_000

func appOf(t testing.TB, doc *policy.Document) *policy.Identity {
	t.Helper()
	id, ok := compile(t, doc).Find("app")
	if !ok {
		t.Fatal("the policy has no app")
	}
	return id
}

func driverOf(t testing.TB, id *policy.Identity) *driver {
	d := &driver{t: t, memcached: newModel("1.6.18"), seen: spy{map[event]int{}}, pieces: 7}
	limits := DefaultLimits()
	d.x = newExchange(&limits, &d.seen)
	d.x.identity, d.x.asked.Now, d.x.version = id, testNow, "1.6.18"
	return d
}

// feed gives the exchange more bytes, and carries out all it can, as relay does.
func (d *driver) feed(piece string) {
	if !d.sniffed && piece != "" {
		d.x.parser.Dialect, _ = protocol.DialectOf(piece[0])
		d.sniffed = true
	}
	d.in = append(d.in, piece...)
	for d.err == nil && d.x.end == "" {
		d.x.enter(d.now)
		used, short := d.x.feed(d.in)
		d.x.meter.took(used)
		d.turns = append(d.turns, len(d.x.batch.Calls))
		d.turn()
		d.x.meter.end(d.x.emitted())
		d.in = append(d.in[:0], d.in[used:]...)
		d.x.reset()
		if short || d.x.end != "" {
			d.flush()
		}
		if short {
			return
		}
	}
}

// turn is session.turn.
func (d *driver) turn() {
	for i, over := 0, false; i < len(d.x.batch.Calls); i++ {
		if d.stream == nil || !d.stream(i) {
			over = d.batchOne(i, over)
		}
	}
	for d.err == nil {
		switch d.x.settle() {
		case stepDone:
			d.alone()
			return
		case stepFlush:
			d.flush()
		case stepValue:
			d.flush()
			d.out = append(d.out, d.x.value...)
		case stepStream:
			d.streamNext()
		}
	}
}

// batchOne is an upstream.Lane for one call. Once a batch is over what it holds,
// it drops each value that may be asked for again, and asks for no more of them.
func (d *driver) batchOne(i int, over bool) bool {
	b := d.x.batch
	if over && b.Repeatable(i) {
		b.Calls[i].Reply = protocol.Reply{Status: protocol.StatusDropped}
		return over
	}
	r, value := d.carryOut(&b.Calls[i].Command)
	if d.fault != nil {
		d.fault(i, &r)
	}
	if d.drop && r.Status == protocol.StatusValue && r.Size > 0 && b.Repeatable(i) {
		r.Status, value, over = protocol.StatusDropped, "", true
	}
	settleCall(b, i, r, value)
	return over
}

// settleCall gives a call of a batch its reply, as only a connection can.
func settleCall(b *upstream.Batch, i int, r protocol.Reply, value string) {
	b.Calls[i].Reply = r
	hidden := func(v reflect.Value, name string) unsafe.Pointer {
		return v.FieldByName(name).Addr().UnsafePointer()
	}
	call, batch := reflect.ValueOf(&b.Calls[i]).Elem(), reflect.ValueOf(b).Elem()
	values := (*[]byte)(hidden(batch, "values"))
	*(*int)(hidden(call, "start")) = len(*values)
	*values = append(*values, value...)
	*(*int)(hidden(call, "end")) = len(*values)
}

// streamNext is session.streamNext.
func (d *driver) streamNext() {
	x := d.x
	call := &x.batch.Calls[x.reply.call]
	i := x.reply.call
	d.streamOne(&x.owed[x.at], &call.Command, i, &call.Reply)
	x.reply.call++
}

// streamOne is session.stream: it passes on the reply to one command as it comes.
func (d *driver) streamOne(o *owed, c *protocol.Command, i int, first *protocol.Reply) {
	st := &stream{x: d.x, owed: o, command: c, first: first, flush: func() error { d.flush(); return nil }}
	r, value := d.carryOut(c)
	if d.fault != nil {
		d.fault(i, &r)
	}
	d.err = st.end(d.receive(st, &r, value))
}

var errBroken = errors.New("the value broke off")

// receive is upstream.Pool.Stream.
func (d *driver) receive(st *stream, r *protocol.Reply, value string) error {
	if err := st.Head(r); err != nil || r.Status != protocol.StatusValue {
		return err
	}
	for at := 0; at < len(value); at += d.pieces {
		if d.broken > 0 && at >= d.broken {
			return errBroken
		}
		if err := st.Chunk([]byte(value[at:min(at+d.pieces, len(value))])); err != nil {
			return err
		}
	}
	return nil
}

// alone is session.alone. A listener without SASL has no login.
func (d *driver) alone() {
	req := &d.x.alone
	switch {
	case req.Verb == nil:
	case req.Verb.Category == protocol.CatAuth:
		d.x.out = req.AppendAnswer(d.x.out, nil, &protocol.Reply{Status: protocol.StatusUnfit})
	case req.Verb.Route == protocol.RouteKeyless:
		d.keyless(req)
	default:
		c := d.x.command(req, 0)
		d.x.reply = reply{begun: true, mark: len(d.x.out)}
		d.streamOne(&owed{form: req.Form, calls: true}, &c, 0, nil)
		d.x.reply = reply{}
	}
}

// keyless is session.administer. What the model does not know, it says OK to.
func (d *driver) keyless(req *protocol.Request) {
	if req.Verb.Category == protocol.CatFlush && d.x.identity.ScopedFlush {
		d.flushNamespace(req)
		return
	}
	text := string(protocol.AppendAlone(nil, req))
	d.sent = append(d.sent, text)
	lines := []byte("OK\r\n")
	if words := fields(text); words[0] == "me" || words[0] == "flush_all" {
		lines = d.memcached.Answer(testkit.Request{Verb: words[0], Args: words[1:]})
	}
	if !req.NoReply {
		d.x.out = req.AppendAlone(d.x.out, lines)
	}
}

// flush is session.flush.
func (d *driver) flush() {
	d.out = append(d.out, d.x.out...)
	d.x.taken()
}

// mark is the opaque of every command of a driver.
const mark = 0x5ab

// carryOut is memcached: it carries out one command, in the words in which that
// goes upstream.
func (d *driver) carryOut(c *protocol.Command) (r protocol.Reply, value string) {
	text := string(protocol.AppendMeta(nil, c, mark))
	req, plain := readSent(d.t, text)
	d.sent = append(d.sent, plain)
	reply := d.memcached.Answer(req)
	n, err := protocol.ParseMeta(reply, c, mark, &r)
	if err != nil {
		d.t.Errorf("%q: the reply %q is taken for wrong: %v", text, reply, err)
		return protocol.Reply{Status: protocol.StatusLost}, ""
	}
	return r, string(reply[n : len(reply)-len(r.Trailer)])
}

// store has memcached hold a value, without the driver taking notice.
func (d *driver) store(key string, flags int, value string) {
	args := []string{key, itoa(len(value))}
	d.memcached.Answer(testkit.Request{Verb: "ms", Args: args, Flags: []string{"F" + itoa(flags)}, Value: value})
}

// hold is store for values of so many bytes, as [hit] reads them.
func (d *driver) hold(sizes map[string]int) {
	for key, n := range sizes {
		d.store(key, 1, strings.Repeat("v", n))
	}
}

// held is a driver that has been fed these pieces.
func held(t testing.TB, doc *policy.Document, pieces ...string) *driver {
	t.Helper()
	d := newDriver(t, doc)
	for _, piece := range pieces {
		d.feed(piece)
	}
	return d
}
