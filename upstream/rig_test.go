package upstream

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// hang bounds every wait of these tests. It is never what they measure.
const hang = 20 * time.Second

// rig is a pool under test.
type rig struct {
	*Pool
	t    testing.TB
	m    *metrics.Metrics
	logs *observer.ObservedLogs
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
	p := New(cfg, zap.New(core), m)
	t.Cleanup(p.Close)
	return &rig{Pool: p, t: t, m: m, logs: logs}
}

// startFake starts a fake memcached and a pool of it.
func startFake(t testing.TB, o testkit.FakeOptions, change func(*Config)) (*testkit.Fake, *rig) {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	f := testkit.StartFake(t, o)
	return f, startRig(t, f.Addr(), change)
}

// within fails the test if run does not return.
func within(t testing.TB, what string, run func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	select {
	case <-done:
	case <-time.After(hang):
		panic("BUG: " + what + " hangs") // shows every goroutine
	}
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
	within(r.t, "Do", func() { r.Lane().Do(b) })
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
	l := r.lanes[0]
	l.mu.Lock()
	if l.led {
		l.mu.Unlock()
		r.t.Fatal("the lane is busy already")
	}
	l.led = true
	l.mu.Unlock()
	var wg sync.WaitGroup
	for i, b := range batches {
		wg.Go(func() { Lane{l}.Do(b) })
		testkit.Eventually(r.t, "a batch to be queued", func() bool { return l.queued() == i+1 })
	}
	l.handOver()
	within(r.t, "a round", wg.Wait)
}

func (l *lane) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
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
	within(r.t, "Stream", func() { s.err = r.Stream(context.Background(), &c, s) })
	return s
}

// wantFree fails the test if a lease is still counted.
func (r *rig) wantFree() {
	r.t.Helper()
	if n := len(r.slots); n != 0 {
		r.t.Errorf("%d leases never ended", n)
	}
}
