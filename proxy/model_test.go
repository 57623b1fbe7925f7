package proxy

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
	"github.com/slabgate/slabgate/upstream"
)

// driver carries an exchange without any connection: it does what a session
// does, with a cache in the place of memcached.
type driver struct {
	x     *exchange
	cache *cache
	seen  spy

	// stream reports whether the i-th call of a turn is left to be streamed;
	// nil streams none.
	stream func(i int) bool
	// fault changes the i-th reply of a turn before it is passed on; nil none.
	fault func(i int, r *protocol.Reply)
	// pieces is the size of the pieces a streamed value comes in.
	pieces int
	// broken is how many bytes of a streamed value come before it breaks off; 0
	// if none does.
	broken int

	in    []byte
	out   []byte   // what the client has read
	sent  []string // every command carried out, in canonical classic text
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
	return driverOf(appOf(t, doc))
}

func appOf(t testing.TB, doc *policy.Document) *policy.Identity {
	t.Helper()
	id, ok := compile(t, doc).Find("app")
	if !ok {
		t.Fatal("the policy has no app")
	}
	return id
}

func driverOf(id *policy.Identity) *driver {
	d := &driver{cache: newCache(), seen: spy{map[event]int{}}, pieces: 7}
	limits := DefaultLimits()
	d.x = newExchange(&limits, &d.seen)
	d.x.identity, d.x.now, d.x.version = id, testNow, "1.6.18"
	return d
}

// feed gives the exchange more bytes, and carries out all it can, as relay does.
func (d *driver) feed(piece string) {
	d.in = append(d.in, piece...)
	for d.err == nil && d.x.end == "" {
		used, short := d.x.feed(d.in)
		d.turns = append(d.turns, len(d.x.batch.Calls))
		d.turn()
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
	b := d.x.batch
	for i := range b.Calls {
		if d.stream != nil && d.stream(i) {
			continue
		}
		r, value := d.carryOut(&b.Calls[i].Command)
		if d.fault != nil {
			d.fault(i, &r)
		}
		settleCall(b, i, r, value)
	}
	for d.err == nil {
		switch d.x.settle() {
		case stepDone:
			d.alone()
			return
		case stepFlush:
			d.flush()
		case stepStream:
			d.streamNext()
		}
	}
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
	d.streamOne(&x.owed[x.at], &call.Command, i)
	x.reply.call++
}

// streamOne is session.stream: it passes on the reply to one command as it comes.
func (d *driver) streamOne(o *owed, c *protocol.Command, i int) {
	st := &stream{x: d.x, owed: o, command: c, flush: func() error { d.flush(); return nil }}
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

// alone is session.alone.
func (d *driver) alone() {
	req := &d.x.alone
	switch {
	case req.Verb == nil:
	case req.Verb.Route == protocol.RouteKeyless:
		text := string(protocol.AppendKeyless(nil, req))
		d.sent = append(d.sent, text)
		if name, _, _ := strings.Cut(req.Verb.Name, " "); name == "flush_all" {
			delay, _ := strconv.ParseInt(string(req.Args), 10, 64)
			d.cache.flush(delay)
		}
		if !req.NoReply {
			d.x.out = append(d.x.out, "OK\r\n"...)
		}
	default:
		c := req.Command(0)
		d.x.reply = reply{begun: true, mark: len(d.x.out)}
		d.streamOne(&owed{verb: req.Verb, noReply: req.NoReply}, &c, 0)
		d.x.reply = reply{}
	}
}

// flush is session.flush.
func (d *driver) flush() {
	d.out = append(d.out, d.x.out...)
	d.x.taken()
}

// words are the statuses of the answers of a cache.
var words = map[string]protocol.Status{
	"STORED": protocol.StatusOK, "NOT_STORED": protocol.StatusNotStored,
	"EXISTS": protocol.StatusExists, "NOT_FOUND": protocol.StatusNotFound,
	"CLIENT_ERROR cannot increment or decrement non-numeric value": protocol.StatusNonNumeric,
}

// carryOut is memcached: it carries out one command.
func (d *driver) carryOut(c *protocol.Command) (r protocol.Reply, value string) {
	d.sent = append(d.sent, string(protocol.AppendClassic(nil, c)))
	key, exptime := string(c.Key), int64(c.Exptime)
	switch c.Verb.Name {
	case "get", "gets", "gat", "gats", "touch":
		it, found := d.cache.items[key]
		if !found {
			return protocol.Reply{Status: protocol.StatusMiss}, ""
		}
		if c.Verb.Name[1] != 'e' {
			d.cache.expire(key, exptime)
		}
		if c.Verb.Name == "touch" {
			return protocol.Reply{Status: protocol.StatusOK}, ""
		}
		return protocol.Reply{Status: protocol.StatusValue, Flags: uint32(it.flags), CAS: it.cas, Size: len(it.value)}, it.value
	case "delete":
		if !d.cache.remove(key) {
			return protocol.Reply{Status: protocol.StatusNotFound}, ""
		}
		return protocol.Reply{Status: protocol.StatusOK}, ""
	case "incr", "decr":
		answer, number := d.cache.add(c.Verb.Name, key, c.Delta)
		if number {
			return protocol.Reply{Status: protocol.StatusValue, Size: len(answer)}, answer
		}
		return protocol.Reply{Status: words[answer]}, ""
	}
	it := item{value: string(c.Value), flags: uint64(c.Flags), cas: c.CAS}
	return protocol.Reply{Status: words[d.cache.store(c.Verb.Name, key, it, exptime)]}, ""
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
