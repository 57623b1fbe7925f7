package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// TestStreamSizes checks that a value of any size comes whole, in pieces that
// fit a connection's buffer.
func TestStreamSizes(t *testing.T) {
	for _, dialect := range []string{"meta", "classic"} {
		t.Run(dialect, func(t *testing.T) {
			fake, r := startFake(t, testkit.FakeOptions{ItemSizeMax: 8 << 20}, func(c *Config) { c.Dialect = dialect })
			for _, size := range []int{0, 1, readSize - 1, readSize, readSize + 1, BulkValue + 1, SoftValues + 1, 1 << 20} {
				want := testkit.Value("c", "k", size, size)
				if size < 100 {
					want = bytes.Repeat([]byte("x"), size)
				}
				r.put("k", want)
				got := r.stream(cmd("get", "k"), &sink{})
				if got.err != nil || got.reply.Status != protocol.StatusValue || !bytes.Equal(got.value, want) {
					t.Errorf("%d bytes: status %d, %d bytes, error %v", size, got.reply.Status, len(got.value), got.err)
				}
				if least := size / readSize; got.pieces < least {
					t.Errorf("%d bytes came in %d pieces, want %d or more", size, got.pieces, least)
				}
			}
			if got := fake.Conns(); got != 1 {
				t.Errorf("%d connections, want the same one each time", got)
			}
			r.wantBurns(burns{})
			r.wantFree()
			if c := r.idle[0]; cap(c.wbuf) > 2*writeSize || cap(c.rbuf) != readSize {
				t.Errorf("an idle connection keeps %d and %d bytes", cap(c.wbuf), cap(c.rbuf))
			}
		})
	}
}

// TestStreamOthers checks that replies without a value are whole replies.
func TestStreamOthers(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{}, nil)
	r.put("text", []byte("no number"))
	tests := []struct {
		cmd  protocol.Command
		want protocol.Status
	}{
		{cmd("get", "none"), protocol.StatusMiss},
		{store("add", "text", nil), protocol.StatusNotStored},
		{cmd("delete", "none"), protocol.StatusNotFound},
		{delta("incr", "text", 1), protocol.StatusNonNumeric},
		{store("set", "big", make([]byte, 2<<20)), protocol.StatusTooLarge},
	}
	for _, tt := range tests {
		got := r.stream(tt.cmd, &sink{})
		if got.err != nil || got.reply.Status != tt.want || got.pieces != 0 {
			t.Errorf("%s: status %d, %d pieces, error %v; want status %d", tt.cmd.Verb.Name, got.reply.Status, got.pieces, got.err, tt.want)
		}
	}
	r.wantBurns(burns{})
	r.wantFree()
}

// TestStreamFaults checks what a receiver sees of each fault: a reply that it
// was lost, or an error once some of the value has come.
func TestStreamFaults(t *testing.T) {
	const size = 300 << 10
	tests := []struct {
		name  string
		slow  bool
		fault testkit.Fault
		want  protocol.Status
		cause metrics.Burn
		err   error // what it is, if the value breaks off
	}{
		{"closed before", false, testkit.CloseBefore(), protocol.StatusLost, metrics.BurnEOF, nil},
		{"closed in the line", false, testkit.CloseMidReply(10), protocol.StatusLost, metrics.BurnEOF, nil},
		{"closed in the value", false, testkit.CloseMidReply(size / 2), protocol.StatusValue, metrics.BurnEOF, io.EOF},
		{"closed in the end", false, testkit.CloseMidReply(size + 33), protocol.StatusValue, metrics.BurnEOF, io.EOF},
		{"stalled", true, testkit.Stall(), protocol.StatusLost, metrics.BurnTimeout, nil},
		{"dropped", true, testkit.DropReply(), protocol.StatusLost, metrics.BurnTimeout, nil},
		{"wrong opaque", false, testkit.WrongOpaque(), protocol.StatusLost, metrics.BurnProof, nil},
		{"error line", false, testkit.ErrorLine("ERROR"), protocol.StatusLost, metrics.BurnProof, nil},
		{"line before", false, testkit.ExtraLineBefore("HD"), protocol.StatusLost, metrics.BurnProof, nil},
		{"allowed error before", false, testkit.ExtraLineBefore("SERVER_ERROR refcount overflow during fetch"), protocol.StatusLost, metrics.BurnProof, nil},
		{"wrong end", false, testkit.Rewrite(func(r []byte) []byte { return append(r[:len(r)-2], "xx"...) }), protocol.StatusValue, metrics.BurnProof, errExpected},
		{"stalled in the value", true, testkit.Rewrite(func(r []byte) []byte { return r[:len(r)/2] }), protocol.StatusValue, metrics.BurnTimeout, os.ErrDeadlineExceeded},
		{"stalled in the end", true, testkit.Rewrite(func(r []byte) []byte { return r[:len(r)-1] }), protocol.StatusValue, metrics.BurnTimeout, os.ErrDeadlineExceeded},
		{"more after it", false, testkit.Rewrite(func(r []byte) []byte { return append(r, "EN\r\n"...) }), protocol.StatusValue, metrics.BurnIdle, errUnsolicited},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) {
				if tt.slow {
					c.RequestTimeout = 400 * time.Millisecond
				}
			})
			want := testkit.Value("c", "k", 1, size)
			r.put("k", want)
			fake.Inject(tt.fault)
			got := r.stream(cmd("get", "k"), &sink{})
			late := got.err == nil && tt.cause == metrics.BurnIdle // the bytes came after the end was read
			if got.reply.Status != tt.want || !errors.Is(got.err, tt.err) && !late {
				t.Errorf("status %d, error %v; want status %d, error %v", got.reply.Status, got.err, tt.want, tt.err)
			}
			if !bytes.HasPrefix(want, got.value) {
				t.Errorf("%d bytes that came are not the value's", len(got.value))
			}
			var burnt burns
			burnt[tt.cause]++
			testkit.Eventually(t, "the burn", func() bool { // bytes after the end may come later than it
				got := r.stream(cmd("get", "k"), &sink{})
				if got.err != nil || !bytes.Equal(got.value, want) {
					t.Fatalf("afterwards: status %d, %d bytes, error %v", got.reply.Status, len(got.value), got.err)
				}
				return r.burns() == burnt
			})
			r.wantFree()
		})
	}
}

// TestStreamMore checks that a value that comes with bytes after its end is in
// doubt.
func TestStreamMore(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, nil)
	r.put("k", oracle("k"))
	fake.Inject(testkit.ExtraLineAfter("EN"))
	if got := r.stream(cmd("get", "k"), &sink{}); !errors.Is(got.err, errUnsolicited) {
		t.Errorf("status %d, error %v; want %v", got.reply.Status, got.err, errUnsolicited)
	}
	r.wantBurns(burns{metrics.BurnIdle: 1})
	r.wantFree()
}

// TestStreamReceiver checks that a receiver that gives up burns the connection,
// whatever its error looks like, and that its error comes back.
func TestStreamReceiver(t *testing.T) {
	tests := []struct {
		name  string
		sink  sink
		value []byte // what has come by then
	}{
		{"at the line", sink{failHead: 1}, nil},
		{"at the first piece", sink{failChunk: 1}, nil},
		{"at a later piece", sink{failChunk: 3}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, r := startFake(t, testkit.FakeOptions{}, nil)
			want := testkit.Value("c", "k", 1, 500<<10)
			r.put("k", want)
			got := r.stream(cmd("get", "k"), &tt.sink)
			if !errors.Is(got.err, errLeft) {
				t.Errorf("error %v, want the receiver's", got.err)
			}
			r.wantBurns(burns{metrics.BurnClient: 1})
			r.wantFree()
			if again := r.stream(cmd("get", "k"), &sink{}); !bytes.Equal(again.value, want) {
				t.Errorf("afterwards: status %d, %d bytes", again.reply.Status, len(again.value))
			}
		})
	}
}

// panicking is a receiver with a mistake in it.
type panicking struct{ atHead bool }

func (p panicking) Head(*protocol.Reply) error {
	if p.atHead {
		panic("head")
	}
	return nil
}

func (p panicking) Chunk([]byte) error { panic("chunk") }

// TestStreamPanic checks that a lease ends even if its receiver panics.
func TestStreamPanic(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.PoolMax = 2 })
	r.put("k", oracle("k"))
	for _, rcv := range []panicking{{true}, {false}} {
		func() {
			defer func() { recover() }()
			c := cmd("get", "k")
			r.Stream(context.Background(), &c, rcv)
			t.Error("no panic")
		}()
	}
	r.wantFree()
	r.wantBurns(burns{metrics.BurnProof: 2})
	if got := r.stream(cmd("get", "k"), &sink{}); !bytes.Equal(got.value, oracle("k")) {
		t.Errorf("afterwards: status %d, error %v", got.reply.Status, got.err)
	}
}

// TestStreamSlowReceiver checks that the time a receiver takes is not counted
// against memcached.
func TestStreamSlowReceiver(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.RequestTimeout = 200 * time.Millisecond })
	want := testkit.Value("c", "k", 1, 150<<10)
	r.put("k", want)
	nap := func() { time.Sleep(150 * time.Millisecond) }
	got := r.stream(cmd("get", "k"), &sink{onHead: nap, onChunk: nap})
	if got.err != nil || !bytes.Equal(got.value, want) {
		t.Errorf("status %d, %d bytes, error %v", got.reply.Status, len(got.value), got.err)
	}
	r.wantBurns(burns{})
}

// TestStreamDown checks what a receiver sees when there is no connection.
func TestStreamDown(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{Banner: "ERROR Too many open connections"}, nil)
	got := r.stream(cmd("get", "k"), &sink{})
	if got.err != nil || got.reply.Status != protocol.StatusDown {
		t.Errorf("status %d, error %v; want down and none", got.reply.Status, got.err)
	}
	if got := r.stream(cmd("get", "k"), &sink{failHead: 1}); !errors.Is(got.err, errLeft) {
		t.Errorf("error %v, want the receiver's", got.err)
	}
	r.wantFree()
}

// TestRoom checks which values a batch keeps: all up to the soft bound, and up
// to the hard one those that can't be asked for again.
func TestRoom(t *testing.T) {
	const (
		small = "small"
		big   = "big"
		item  = 100 << 10
		V     = protocol.StatusValue
		D     = protocol.StatusDropped
		OK    = protocol.StatusOK
		M     = protocol.StatusMiss
	)
	write := store("set", "w", []byte("1"))
	tests := []struct {
		name string
		cmds []protocol.Command
		want []protocol.Status
		// repeatable is the index of the first call that may be asked again.
		repeatable int
		asked      int // commands that memcached was sent
	}{
		{"all fit", gets(big, big, small), []protocol.Status{V, V, V}, 0, 3},
		{"third does not fit", gets(big, big, big), []protocol.Status{V, V, D}, 0, 3},
		{"a small one fits after it", gets(big, big, big, small, "none"), []protocol.Status{V, V, D, V, M}, 0, 5},
		{"a later write keeps them", append(gets(big, big, big, big), write), []protocol.Status{V, V, V, V, OK}, 5, 5},
		{"a write before does not", append([]protocol.Command{write}, gets(big, big, big)...), []protocol.Status{OK, V, V, D}, 1, 4},
		{"a write between keeps those before", slices.Concat(gets(big, big, big), []protocol.Command{write}, gets(big)),
			[]protocol.Status{V, V, V, OK, D}, 4, 5},
		{"a touch for long changes nothing", append(gets(big, big, big), timed("touch", big, 1000)), []protocol.Status{V, V, D, OK}, 0, 4},
		{"a touch at once keeps them", append(gets(big, big, big), timed("touch", big, -1)), []protocol.Status{V, V, V, OK}, 4, 4},
		{"a gat until a day keeps them", append(gets(big, big, big), timed("gat", big, 2_000_000_000)), []protocol.Status{V, V, V, V}, 4, 4},
		{"the hard bound", append(slices.Repeat(gets(big), 42), write),
			append(slices.Concat(slices.Repeat([]protocol.Status{V}, 40), slices.Repeat([]protocol.Status{D}, 2)), OK), 43, 43},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake, r := startFake(t, testkit.FakeOptions{}, nil)
			r.put(big, testkit.Value("c", big, 1, item))
			r.put(small, []byte("s"))
			before := len(fake.Requests())
			b := r.do(tt.cmds...)
			if got := statuses(b); !slices.Equal(got, tt.want) {
				t.Errorf("statuses %v, want %v", got, tt.want)
			}
			for i := range b.Calls {
				if got, want := b.Repeatable(i), i >= tt.repeatable; got != want {
					t.Errorf("call %d: repeatable %v, want %v", i, got, want)
				}
				wantKept(t, b, i)
			}
			if got := len(fake.Requests()) - before - 2; got != tt.asked { // two are the handshake's
				t.Errorf("memcached was sent %d commands, want %d", got, tt.asked)
			}
			r.wantBurns(burns{})
		})
	}
}

func gets(keys ...string) (cmds []protocol.Command) {
	for _, k := range keys {
		cmds = append(cmds, cmd("get", k))
	}
	return cmds
}

// wantKept checks that a call has its value if it says so, and none otherwise.
func wantKept(t *testing.T, b *Batch, i int) {
	t.Helper()
	c := &b.Calls[i]
	if c.Reply.Status != protocol.StatusValue {
		if n := len(b.Value(i)); n != 0 {
			t.Errorf("call %d: %d bytes of a value with status %d", i, n, c.Reply.Status)
		}
		return
	}
	if len(b.Value(i)) != c.Reply.Size {
		t.Errorf("call %d: %d bytes, want %d", i, len(b.Value(i)), c.Reply.Size)
	}
	if string(c.Command.Key) == "big" {
		if _, key, _, err := testkit.CheckValue(b.Value(i)); err != nil || key != "big" {
			t.Errorf("call %d: value of %q: %v", i, key, err)
		}
	}
}

// TestPassOver checks that a batch that is full does not make memcached send
// what will be thrown away, beyond the round in which it became so.
func TestPassOver(t *testing.T) {
	const (
		calls = 1024
		limit = roundReplies >> 20 // of a round, with items of up to 1 MiB
	)
	write := store("set", "w", []byte("1"))
	long := slices.Repeat(gets("big"), calls)
	tests := []struct {
		name  string
		cmds  []protocol.Command
		asked int
		last  protocol.Status
	}{
		{"reads", long, limit, protocol.StatusDropped},
		{"reads, then a touch", append(long, timed("touch", "big", 9)), limit, protocol.StatusDropped},
		{"reads, then a write", append(long, write), limit + 1, protocol.StatusOK},
		{"reads, then a touch and a write", append(long, timed("touch", "big", 9), write), limit + 2, protocol.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake, r := startFake(t, testkit.FakeOptions{}, nil)
			r.put("big", testkit.Value("c", "big", 1, 20<<10))
			other := batchOf(cmd("get", "none"))
			r.do(cmd("get", "warm"))
			before := len(fake.Requests())
			b := batchOf(tt.cmds...)
			r.together(b, other)
			if got := len(fake.Requests()) - before - 1; got != tt.asked {
				t.Errorf("memcached was sent %d commands, want %d", got, tt.asked)
			}
			for i := range tt.cmds {
				wantKept(t, b, i)
				if s := b.Calls[i].Reply.Status; s == protocol.StatusNone || s.Failed() && s != protocol.StatusDropped {
					t.Fatalf("call %d: status %d", i, s)
				}
			}
			if got := b.Calls[len(tt.cmds)-1].Reply.Status; got != tt.last {
				t.Errorf("last call: status %d, want %d", got, tt.last)
			}
			if got := other.Calls[0].Reply.Status; got != protocol.StatusMiss {
				t.Errorf("the other client: status %d, want a miss", got)
			}
			r.wantIdle()
		})
	}
}

// TestReset checks that an emptied batch is as good as new, and keeps no more
// memory than every client may have.
func TestReset(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{}, nil)
	r.put("big", testkit.Value("c", "big", 1, 200<<10))
	b, lane := NewBatch(), r.Lane()
	for turn := range 3 {
		for range 500 {
			b.Add(cmd("get", "none"))
		}
		b.Add(cmd("get", "big"))
		b.Add(cmd("get", "big"))
		testkit.Within(t, "Do", func() { lane.Do(b) })
		if got := b.Calls[501].Reply.Status; got != protocol.StatusDropped {
			t.Fatalf("turn %d: status %d, want dropped", turn, got)
		}
		b.Reset()
		if len(b.Calls) != 0 || cap(b.Calls) > spareCalls || cap(b.values) > spareValues {
			t.Fatalf("turn %d: keeps %d calls and %d bytes", turn, cap(b.Calls), cap(b.values))
		}
		b.Add(cmd("get", "big"))
		testkit.Within(t, "Do", func() { lane.Do(b) })
		if _, _, _, err := testkit.CheckValue(b.Value(0)); err != nil || !b.Repeatable(0) {
			t.Fatalf("turn %d, next: status %d, %v", turn, b.Calls[0].Reply.Status, err)
		}
		b.Reset()
	}
	testkit.Within(t, "Do of nothing", func() { lane.Do(b) })

	b.Add(store("set", "k", nil))
	b.Reset()
	b.Add(cmd("get", "k"))
	if !b.Repeatable(0) {
		t.Error("a write from before the reset counts")
	}
}
