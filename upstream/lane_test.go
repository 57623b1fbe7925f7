package upstream

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// TestCutAtEachByte ends the connection after each byte of a reply with a value.
func TestCutAtEachByte(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, nil)
	r.put("a0", oracle("a0"))
	whole := len(fmt.Sprintf("VA %d O0123456789abcdef f0\r\n", len(oracle("a0")))) + len(oracle("a0")) + 2
	for n := range whole {
		fake.Inject(testkit.CloseMidReply(n))
		b := r.do(cmd("get", "a0"), store("set", "s", []byte("1")))
		lost := []protocol.Status{protocol.StatusLost, protocol.StatusLost}
		if got := statuses(b); !slices.Equal(got, lost) || len(b.Value(0)) != 0 {
			t.Fatalf("cut after %d bytes: statuses %v, value %q; want %v without one", n, got, b.Value(0), lost)
		}
	}
	r.wantBurns(burns{metrics.BurnEOF: int64(whole)})
	b := r.do(cmd("get", "a0"))
	if !bytes.Equal(b.Value(0), oracle("a0")) {
		t.Errorf("afterwards: status %d, value %.80q", b.Calls[0].Reply.Status, b.Value(0))
	}
}

// TestValueEnds checks that a value is as long as its line says, and ends there.
func TestValueEnds(t *testing.T) {
	tests := []struct {
		name   string
		change func([]byte) []byte
	}{
		{"end is missing", func(r []byte) []byte { return append(r[:len(r)-2], "HD"...) }},
		{"value is longer", func(r []byte) []byte { return slices.Insert(r, len(r)-2, 'x') }},
		{"value is shorter", func(r []byte) []byte { return append(slices.Delete(r, len(r)-3, len(r)-2), '\n') }},
		{"length is larger than any item", func(r []byte) []byte { return bytes.Replace(r, []byte("VA 200"), []byte("VA 2000000000"), 1) }},
		{"length is no number", func(r []byte) []byte { return bytes.Replace(r, []byte("VA 200"), []byte("VA +200"), 1) }},
		{"no value", func([]byte) []byte { return []byte("HD O0123456789abcdef\r\n") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake, r := startFake(t, testkit.FakeOptions{}, nil)
			r.put("a0", oracle("a0"))
			fake.Inject(testkit.Rewrite(tt.change))
			b := r.do(cmd("get", "a0"), cmd("get", "a0"))
			if got, want := statuses(b), []protocol.Status{protocol.StatusLost, protocol.StatusLost}; !slices.Equal(got, want) {
				t.Errorf("statuses %v, want %v", got, want)
			}
			r.wantBurns(burns{metrics.BurnProof: 1})
		})
	}
}

// TestErrorLines checks which error lines are answers, and that the connection
// goes on after them.
func TestErrorLines(t *testing.T) {
	tests := []struct {
		word, line string
		want       protocol.Status
	}{
		{"set", "SERVER_ERROR object too large for cache", protocol.StatusTooLarge},
		{"append", "SERVER_ERROR object too large for cache", protocol.StatusTooLarge},
		{"set", "SERVER_ERROR out of memory storing object", protocol.StatusNoMemory},
		{"incr", "SERVER_ERROR out of memory", protocol.StatusNoMemory},
		{"incr", nonNumeric, protocol.StatusNonNumeric},
		{"get", "EN", protocol.StatusMiss},
		{"touch", "EN", protocol.StatusMiss},
		{"get", "SERVER_ERROR refcount overflow during fetch", protocol.StatusRefused},

		{"get", nonNumeric, protocol.StatusLost},
		{"incr", "SERVER_ERROR Out of memory allocating new item", protocol.StatusNoMemory},
		{"delete", "SERVER_ERROR Unhandled storage type.", protocol.StatusRefused},
		{"get", "SERVER_ERROR out of memory writing get response", protocol.StatusLost},
		{"incr", "SERVER_ERROR object too large for cache", protocol.StatusRefused},
		{"delete", "SERVER_ERROR out of memory storing object", protocol.StatusRefused},
		{"set", "SERVER_ERROR", protocol.StatusLost},
		{"set", "CLIENT_ERROR bad data chunk", protocol.StatusLost},
	}
	for _, tt := range tests {
		t.Run(tt.word+" "+tt.line, func(t *testing.T) {
			fake, r := startFake(t, testkit.FakeOptions{}, nil)
			for _, alone := range []bool{true, false} {
				fake.Inject(testkit.ErrorLine(tt.line))
				cmds := []protocol.Command{store(tt.word, "k", []byte("v")), cmd("get", "none")}
				want := []protocol.Status{tt.want, protocol.StatusMiss}
				if tt.want == protocol.StatusLost {
					want[1] = protocol.StatusLost
				}
				if alone {
					cmds, want = cmds[:1], want[:1]
				}
				if got := statuses(r.do(cmds...)); !slices.Equal(got, want) {
					t.Errorf("alone %v: statuses %v, want %v", alone, got, want)
				}
			}
			var burnt burns
			if tt.want == protocol.StatusLost {
				burnt[metrics.BurnProof] = 2
			}
			r.wantBurns(burnt)
		})
	}
}

// TestIdleConnection checks that what happens on a connection between two
// commands is seen before the second is sent.
func TestIdleConnection(t *testing.T) {
	tests := []struct {
		name   string
		happen func(*testkit.Fake)
		want   burns
	}{
		{"nothing", func(*testkit.Fake) {}, burns{}},
		{"memcached closes it", (*testkit.Fake).CloseConns, burns{metrics.BurnIdle: 1}},
		{"an error line", func(f *testkit.Fake) { f.Say("SERVER_ERROR out of memory storing object\r\n") }, burns{metrics.BurnIdle: 1}},
		{"an empty line", func(f *testkit.Fake) { f.Say("\r\n") }, burns{metrics.BurnIdle: 1}},
		{"one byte", func(f *testkit.Fake) { f.Say("H") }, burns{metrics.BurnIdle: 1}},
		{"a reply and an end", func(f *testkit.Fake) { f.Say("HD O0123456789abcdef\r\n"); f.CloseConns() }, burns{metrics.BurnIdle: 1}},
	}
	for _, tt := range tests {
		for _, dialect := range []string{"meta", "classic"} {
			t.Run(tt.name+", "+dialect, func(t *testing.T) {
				fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.Dialect = dialect })
				r.do(store("set", "k", []byte("v")))
				tt.happen(fake)
				// The deadline of the last command passes, which is nobody's fault.
				r.lanes[0].on(func() { r.lanes[0].deadline = time.Unix(1, 0) })
				r.lanes[0].on(r.lanes[0].checkTime)
				b := r.do(store("add", "k", []byte("w")), cmd("get", "k"))
				want := []protocol.Status{protocol.StatusNotStored, protocol.StatusValue}
				if got := statuses(b); !slices.Equal(got, want) || string(b.Value(1)) != "v" {
					t.Errorf("statuses %v, value %q; want %v and v", got, b.Value(1), want)
				}
				r.wantBurns(tt.want)
			})
		}
	}
}

// TestStrayErrorLine checks that an error line that comes right after a round,
// when the connection is not looked at again, is nobody's answer.
func TestStrayErrorLine(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, nil)
	r.put("n", []byte("1"))
	c := cmd("incr", "n")
	c.Delta = 1
	r.do(c)
	b := batchOf(c)
	w := make(waiter, 1)
	r.lanes[0].on(func() { // the loop does not look again before it sends
		fake.Say(nonNumeric + "\r\n")
		r.lanes[0].Add(b, w)
	})
	testkit.Within(t, "the round", func() { <-w })
	if got := b.Calls[0].Reply.Status; got != protocol.StatusLost {
		t.Errorf("status %d, want lost", got)
	}
	r.wantBurns(burns{metrics.BurnProof: 1})
}

// queueDuring runs one batch and, while memcached holds the reply to its first
// command, queues others. It returns when all are done.
func (r *rig) queueDuring(fake *testkit.Fake, fault testkit.Fault, first *Batch, others ...*Batch) {
	r.t.Helper()
	l := r.lanes[0]
	var once sync.Once
	fake.OnRequest(func(int, []byte) (f testkit.Fault) {
		once.Do(func() {
			for deadline := time.Now().Add(hang); l.queued() < len(others) && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			f = fault
		})
		return f
	})
	var wg sync.WaitGroup
	wg.Go(func() { l.Do(first) })
	testkit.Eventually(r.t, "the first batch to be sent", func() bool {
		return l.flying() > 0 && l.queued() == 0
	})
	for _, b := range others {
		wg.Go(func() { l.Do(b) })
	}
	testkit.Within(r.t, "a queue", wg.Wait)
	fake.OnRequest(nil)
}

// TestQueueBehindFault checks what becomes of batches that were not sent when
// the connection was burnt: they go on, unless they have waited as long as a
// reply may take.
func TestQueueBehindFault(t *testing.T) {
	tests := []struct {
		name  string
		fault testkit.Fault
		want  protocol.Status // of a get that was queued
		burns burns
	}{
		{"nothing", testkit.Fault{}, protocol.StatusMiss, burns{}},
		{"end", testkit.CloseBefore(), protocol.StatusMiss, burns{metrics.BurnEOF: 1}},
		{"proof", testkit.WrongOpaque(), protocol.StatusMiss, burns{metrics.BurnProof: 1}},
		{"bytes after the reply", testkit.ExtraLineAfter("x"), protocol.StatusMiss, burns{metrics.BurnIdle: 1}},
		{"timeout", testkit.Stall(), protocol.StatusDown, burns{metrics.BurnTimeout: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.RequestTimeout = 300 * time.Millisecond })
			r.do(cmd("get", "warm"))
			var others []*Batch
			for range 20 {
				others = append(others, batchOf(cmd("get", "x"), cmd("get", "y")))
			}
			r.queueDuring(fake, tt.fault, batchOf(cmd("get", "first")), others...)
			for i, got := range statuses(others...) {
				if got != tt.want {
					t.Errorf("call %d: status %d, want %d", i, got, tt.want)
				}
			}
			r.wantBurns(tt.burns)
			r.wantIdle()
		})
	}
}

// wantIdle fails the test if a lane is busy, or holds on to a batch.
func (r *rig) wantIdle() {
	r.t.Helper()
	for i, l := range r.lanes {
		l.on(func() {
			held := slices.ContainsFunc(l.queue[:cap(l.queue)], func(b *Batch) bool { return b != nil }) ||
				slices.ContainsFunc(l.done[:cap(l.done)], func(b *Batch) bool { return b != nil })
			if l.dialling || l.refuses || len(l.queue) != 0 || len(l.flight) != 0 || held {
				r.t.Errorf("lane %d: dialling %v, refuses %v, %d queued, %d in flight, a batch held %v",
					i, l.dialling, l.refuses, len(l.queue), len(l.flight), held)
			}
		})
	}
}

// TestQueueWhileDown checks that whatever waits fails when there is no
// connection to be had, and that the lane serves again when there is.
func TestQueueWhileDown(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{Banner: "ERROR Too many open connections"}, nil)
	var batches []*Batch
	for range 8 {
		batches = append(batches, batchOf(cmd("get", "x"), store("set", "y", nil)))
	}
	r.together(batches...)
	for i, got := range statuses(batches...) {
		if got != protocol.StatusDown {
			t.Errorf("call %d: status %d, want down", i, got)
		}
	}
	r.wantIdle()
	fake.SetBanner("")
	testkit.Eventually(t, "the lane to serve again", func() bool {
		return r.do(cmd("get", "x")).Calls[0].Reply.Status == protocol.StatusMiss
	})
	r.wantBurns(burns{})
	for _, req := range fake.Requests() {
		if bytes.HasPrefix(req, []byte("ms y")) {
			t.Errorf("memcached was sent %q, which was answered as not sent", req)
		}
	}
}

// TestLongBatch checks that a batch of more calls than a round takes is carried
// out whole and in order, while others are served in between.
func TestLongBatch(t *testing.T) {
	for _, dialect := range []string{"meta", "classic"} {
		t.Run(dialect, func(t *testing.T) {
			fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.Dialect = dialect })
			r.put("n", []byte("0"))
			long := NewBatch()
			for range 3000 {
				c := cmd("incr", "n")
				c.Delta = 1
				long.Add(c)
			}
			short := batchOf(store("set", "s", []byte("1")), cmd("get", "s"))
			r.together(long, short)
			for i := range long.Calls {
				if got, want := long.Calls[i].Reply, uint64(i+1); got.Number != want {
					t.Fatalf("call %d: status %d, number %d, want %d", i, got.Status, got.Number, want)
				}
			}
			if string(short.Value(1)) != "1" {
				t.Errorf("the short batch got %v, %q", statuses(short), short.Value(1))
			}
			if n := len(fake.Violations()); n != 0 {
				t.Errorf("%d violations", n)
			}
			r.wantIdle()
		})
	}
}

// TestOpaques checks that no opaque is ever met again, on whichever connection.
func TestOpaques(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.Shared = 2 })
	for range 5 {
		for range 4 {
			r.do(cmd("get", "k"), store("set", "k", []byte("v")), cmd("delete", "k"))
		}
		r.stream(cmd("get", "k"), &sink{})
		fake.CloseConns()
		time.Sleep(settleTime)
	}
	seen := map[string]bool{}
	for _, req := range fake.Requests() {
		line, _, _ := bytes.Cut(req, []byte("\r\n"))
		if _, opaque, ok := bytes.Cut(line, []byte(" O")); ok {
			if seen[string(opaque)] {
				t.Errorf("opaque %s was sent twice", opaque)
			}
			seen[string(opaque)] = true
		}
	}
	if len(seen) != 5*13 {
		t.Errorf("%d opaques, want %d", len(seen), 5*13)
	}
}

// TestLargeStores checks that stores of the largest size travel, one a write,
// between small commands.
func TestLargeStores(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{}, nil)
	b := NewBatch()
	key := string(bytes.Repeat([]byte("k"), protocol.MaxKey))
	for i := range 6 {
		b.Add(store("set", key, testkit.Value("c", key, i, BulkValue)))
		b.Add(cmd("get", key))
	}
	b.Add(cmd("delete", key)) // so that every value is kept
	testkit.Within(t, "Do", func() { r.Lane().Do(b) })
	for i := range 6 {
		if want := testkit.Value("c", key, i, BulkValue); !bytes.Equal(b.Value(2*i+1), want) {
			t.Errorf("value %d: statuses %v, got %d bytes", i, statuses(b), len(b.Value(2*i+1)))
		}
	}
}

// TestPanic checks that a lane serves others after something panicked in it.
func TestPanic(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{}, nil)
	r.put("a0", oracle("a0"))
	bad := batchOf(cmd("get", "a0"))
	bad.Calls = append(bad.Calls, Call{}) // it has no verb
	good := batchOf(cmd("get", "a0"))
	r.do(cmd("get", "a0")) // the lane is connected
	r.together(bad, good)
	for i, got := range statuses(bad, good) {
		if got != protocol.StatusLost && got != protocol.StatusDown {
			t.Errorf("call %d: status %d, want that it failed", i, got)
		}
	}
	r.wantIdle()
	r.wantBurns(burns{metrics.BurnProof: 1})
	if n := r.m.Panics.Load(); n != 1 {
		t.Errorf("%d panics are counted, want 1", n)
	}
	if b := r.do(cmd("get", "a0")); !bytes.Equal(b.Value(0), oracle("a0")) {
		t.Errorf("afterwards: statuses %v", statuses(b))
	}
}

// TestClose checks that what is under way on a lane that is closed gets no reply,
// that what is leased may end, and that nothing is served or dialled afterwards.
func TestClose(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, nil)
	r.put("a0", oracle("a0"))
	r.do(cmd("get", "a0")) // the lane is connected
	leased, err := r.lease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := r.lanes[0]
	first, queued, late := batchOf(cmd("get", "a0")), batchOf(cmd("get", "a0")), batchOf(cmd("get", "a0"))
	fake.OnRequest(func(int, []byte) testkit.Fault { return testkit.Stall() })
	waitFirst := l.add(first)
	testkit.Eventually(t, "the first batch to be sent", func() bool { return l.flying() > 0 })
	waitQueued := l.add(queued)
	l.on(func() {
		l.Close()
		if l.Add(late, nil) {
			t.Error("a closed lane takes a batch")
		}
	})
	testkit.Within(t, "the batches", func() { waitFirst(); waitQueued() })
	want := []protocol.Status{protocol.StatusLost, protocol.StatusDown, protocol.StatusDown}
	if got := statuses(first, queued, late); !slices.Equal(got, want) {
		t.Errorf("statuses %v, want %v", got, want)
	}
	r.wantIdle()
	r.end()
	r.giveBack(leased, nil)
	testkit.Eventually(t, "every connection to be closed", func() bool { return fake.Conns() == 0 })

	dials := r.m.Dials.Load()
	if got := r.do(cmd("get", "a0")).Calls[0].Reply.Status; got != protocol.StatusDown {
		t.Errorf("Do after Close: status %d, want down", got)
	}
	if got := r.stream(cmd("get", "a0"), &sink{}).reply.Status; got != protocol.StatusDown {
		t.Errorf("Stream after Close: status %d, want down", got)
	}
	if err := r.Check(t.Context()); err == nil {
		t.Error("Check after Close: no error")
	}
	r.end()
	if got := r.m.Dials.Load() - dials; got != 0 {
		t.Errorf("%d dials after Close", got)
	}
	r.wantFree()
}

// TestCloseWhileDialling checks that a connection that is made for a lane which
// has been closed meanwhile, or whose loop has ended, is closed.
func TestCloseWhileDialling(t *testing.T) {
	for _, stop := range []bool{false, true} {
		fake, r := startFake(t, testkit.FakeOptions{}, nil)
		hold := make(chan struct{})
		fake.OnRequest(func(int, []byte) testkit.Fault {
			<-hold
			return testkit.Fault{}
		})
		l, b := r.lanes[0], batchOf(cmd("get", "k"))
		wait := l.add(b)
		testkit.Eventually(t, "the dial", func() bool { return fake.Conns() == 1 })
		if stop {
			l.end()
		} else {
			l.on(l.Close)
		}
		close(hold)
		testkit.Within(t, "the batch", wait)
		if got := b.Calls[0].Reply.Status; got != protocol.StatusDown {
			t.Errorf("status %d, want down", got)
		}
		testkit.Eventually(t, "the connection to be closed", func() bool { return fake.Conns() == 0 })
		r.wantIdle()
		fake.OnRequest(nil)
		r.end()
	}
}
