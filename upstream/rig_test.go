package upstream

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/poll"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// hang bounds every wait of these tests. It is never what they measure.
const hang = 20 * time.Second

// settleTime is long enough for what memcached does by itself to be seen.
const settleTime = 4 * time.Millisecond

// rig is a pool under test, and its lanes.
type rig struct {
	*Pool
	t     testing.TB
	m     *metrics.Metrics
	logs  *observer.ObservedLogs
	lanes []*liveLane
	next  atomic.Uint32 // lane of the next client
}

// liveLane is a lane whose loop runs.
type liveLane struct {
	*Lane
	ran sync.WaitGroup
}

func startLane(t testing.TB, p *Pool) *liveLane {
	t.Helper()
	loop, err := poll.New()
	if err != nil {
		t.Fatal(err)
	}
	l := &liveLane{Lane: p.NewLane(loop)}
	l.ran.Go(func() {
		if err := loop.Run(l.Turn); err != nil {
			panic(err)
		}
	})
	return l
}

// end closes the lane and stops its loop. It may be called again.
func (l *liveLane) end() {
	l.loop.Post(l.Close)
	l.loop.Stop()
	l.ran.Wait()
}

// on calls f where the lane lives and waits for it. It reports whether the loop
// was still there.
func (l *liveLane) on(f func()) bool {
	done := make(chan struct{})
	posted := l.loop.Post(func() { f(); close(done) })
	if posted {
		<-done
	}
	return posted
}

// waiter is a batch's owner that waits for it.
type waiter chan struct{}

func (w waiter) Served() { w <- struct{}{} }

// add queues batches, all before the lane has its turn, and returns who waits.
func (l *liveLane) add(batches ...*Batch) (wait func()) {
	w := make(waiter, len(batches))
	queue := func() {
		for _, b := range batches {
			if len(b.Calls) == 0 || !l.Add(b, w) {
				w.Served()
			}
		}
	}
	if !l.loop.Post(queue) {
		for _, b := range batches {
			b.fail(protocol.StatusDown)
			w.Served()
		}
	}
	return func() {
		for range batches {
			<-w
		}
	}
}

// Do carries out b and returns when each call has a reply.
func (l *liveLane) Do(b *Batch) { l.add(b)() }

// queued is how many batches wait to be sent.
func (l *liveLane) queued() (n int) {
	l.on(func() { n = len(l.queue) })
	return n
}

// flying is how many calls are under way.
func (l *liveLane) flying() (n int) {
	l.on(func() { n = len(l.flight) })
	return n
}

// startRig makes a pool of the memcached at addr with one lane and patient
// timeouts, which change may alter. It ends with the test.
func startRig(t testing.TB, addr string, change func(*Config)) *rig {
	t.Helper()
	cfg := Default()
	cfg.Name, cfg.Address, cfg.Shared = "local", addr, 1
	cfg.ConnectTimeout, cfg.RequestTimeout = 5*time.Second, 5*time.Second
	if change != nil {
		change(&cfg)
	}
	core, logs := observer.New(zapcore.InfoLevel)
	m := new(metrics.Metrics)
	r := &rig{Pool: New(cfg, zap.New(core), m), t: t, m: m, logs: logs}
	for range r.Shared() {
		r.lanes = append(r.lanes, startLane(t, r.Pool))
	}
	t.Cleanup(r.end)
	return r
}

// end closes everything. It may be called again.
func (r *rig) end() {
	for _, l := range r.lanes {
		l.end()
	}
	r.Close()
}

// Lane is the lane of the next client.
func (r *rig) Lane() *liveLane { return r.lanes[r.next.Add(1)%uint32(len(r.lanes))] }

// startFake starts a fake memcached and a pool of it.
func startFake(t testing.TB, o testkit.FakeOptions, change func(*Config)) (*testkit.Fake, *rig) {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	f := testkit.StartFake(t, o)
	return f, startRig(t, f.Addr(), change)
}

// cmd makes a command from a word and what it needs.
func cmd(word, key string) protocol.Command {
	return protocol.ByGrant(word)[0].Command([]byte(key))
}

func store(word, key string, value []byte) protocol.Command {
	c := cmd(word, key)
	c.Value = value
	return c
}

func batchOf(cmds ...protocol.Command) *Batch {
	b := NewBatch()
	for _, c := range cmds {
		b.Add(c)
	}
	return b
}

// do carries out commands on a lane, all in one batch.
func (r *rig) do(cmds ...protocol.Command) *Batch {
	r.t.Helper()
	b := batchOf(cmds...)
	testkit.Within(r.t, "Do", func() { r.Lane().Do(b) })
	return b
}

// put stores a value and insists.
func (r *rig) put(key string, value []byte) {
	r.t.Helper()
	testkit.Eventually(r.t, "a store of "+key, func() bool {
		s := r.stream(store("set", key, value), &sink{})
		return s.err == nil && s.reply.Status == protocol.StatusOK
	})
}

// together carries out batches on the first lane as if they had all come while
// it was busy: they are one round, if it takes them.
func (r *rig) together(batches ...*Batch) {
	r.t.Helper()
	testkit.Within(r.t, "a round", r.lanes[0].add(batches...))
}

// statuses lists the status of every call.
func statuses(batches ...*Batch) (all []protocol.Status) {
	for _, b := range batches {
		for _, c := range b.Calls {
			all = append(all, c.Reply.Status)
		}
	}
	return all
}

// burns is how many connections were burnt for each cause.
type burns [metrics.BurnCount]int64

func (r *rig) burns() (n burns) {
	for i := range n {
		n[i] = r.m.Burns[i].Load()
	}
	return n
}

// wantBurns compares what was burnt.
func (r *rig) wantBurns(want burns) {
	r.t.Helper()
	if got := r.burns(); got != want {
		r.t.Errorf("burns by cause (timeout, eof, proof, idle, client): got %v, want %v", got, want)
	}
}

// lines returns the messages that were logged, in order.
func (r *rig) lines() (all []string) {
	for _, e := range r.logs.All() {
		all = append(all, e.Message)
	}
	return all
}

// sink is a receiver that keeps what it is given.
type sink struct {
	reply  protocol.Reply
	value  []byte
	pieces int
	err    error // of Stream

	failHead, failChunk int // which call of each fails, from 1; 0 for none
	onHead, onChunk     func()
}

var errLeft = fmt.Errorf("client left")

func (s *sink) Head(r *protocol.Reply) error {
	s.reply = *r
	if s.onHead != nil {
		s.onHead()
	}
	if s.failHead > 0 {
		return errLeft
	}
	return nil
}

func (s *sink) Chunk(piece []byte) error {
	s.pieces++
	s.value = append(s.value, piece...)
	if s.onChunk != nil {
		s.onChunk()
	}
	if s.pieces == s.failChunk {
		return errLeft
	}
	return nil
}

// stream carries out one command alone.
func (r *rig) stream(c protocol.Command, s *sink) *sink {
	r.t.Helper()
	testkit.Within(r.t, "Stream", func() { s.err = r.Stream(context.Background(), &c, s) })
	return s
}

// wantFree fails the test if a lease is still counted.
func (r *rig) wantFree() {
	r.t.Helper()
	if n := len(r.slots); n != 0 {
		r.t.Errorf("%d leases never ended", n)
	}
}
