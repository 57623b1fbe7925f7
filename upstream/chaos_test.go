package upstream

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// chaosReplies is how many proven replies a chaos test waits for.
func chaosReplies() int64 {
	if os.Getenv("SLABGATE_LONG") == "1" {
		return 200_000
	}
	return 20_000
}

// client is one of the clients of a chaos test: it knows what its keys may hold.
type client struct {
	t    *testing.T
	r    *rig
	name string
	lane *liveLane
	rng  *rand.Rand

	key  string // in use; a new one is begun once a write's fate is unknown
	gen  int
	seq  int          // last written
	held int          // seq that the key holds; 0 if it holds nothing
	sent map[int]bool // every seq that was written under any key, and whether that was acknowledged

	acked, unknown uint64 // increments of its counter
	proven         *atomic.Int64
}

func newClient(t *testing.T, r *rig, id int, proven *atomic.Int64) *client {
	return &client{
		t: t, r: r, name: fmt.Sprintf("c%d", id), lane: r.Lane(), proven: proven,
		rng: rand.New(rand.NewPCG(uint64(id), 7)), key: fmt.Sprintf("c%d-0", id), sent: map[int]bool{},
	}
}

func (c *client) counter() string { return c.name + "-n" }

// turn is one batch: writes, reads and increments in any order.
func (c *client) turn(b *Batch) {
	b.Reset()
	for range 1 + c.rng.IntN(8) {
		switch c.rng.IntN(5) {
		case 0:
			c.seq++
			b.Add(store("set", c.key, testkit.Value(c.name, c.key, c.seq, 50+c.rng.IntN(400))))
		case 1:
			b.Add(delta("incr", c.counter(), 1))
		default:
			b.Add(cmd("get", c.key))
		}
	}
	c.lane.Do(b)
	unsure := false
	seq := c.seq - writes(b)
	for i := range b.Calls {
		switch b.Calls[i].Command.Verb {
		case protocol.ByGrant("set")[0]:
			seq++
			unsure = c.wrote(&b.Calls[i], seq) || unsure
		case protocol.ByGrant("incr")[0]:
			c.incremented(b, i)
		default:
			c.read(&b.Calls[i], b.Value(i), unsure)
		}
	}
	if unsure {
		c.gen++
		c.key, c.held = fmt.Sprintf("%s-%d", c.name, c.gen), 0
	}
}

func writes(b *Batch) (n int) {
	for i := range b.Calls {
		if b.Calls[i].Command.Verb == protocol.ByGrant("set")[0] {
			n++
		}
	}
	return n
}

// wrote notes how a store ended, and reports whether that is unknown.
func (c *client) wrote(call *Call, seq int) (unsure bool) {
	switch call.Reply.Status {
	case protocol.StatusOK:
		c.sent[seq], c.held = true, seq
		c.proven.Add(1)
	case protocol.StatusLost:
		c.sent[seq] = false
		return true
	case protocol.StatusDown:
	default:
		c.t.Errorf("%s: set has status %d", c.name, call.Reply.Status)
	}
	return false
}

func (c *client) incremented(b *Batch, i int) {
	switch s := b.Calls[i].Reply.Status; s {
	case protocol.StatusNumber:
		c.acked++
		c.proven.Add(1)
		if n := b.Calls[i].Reply.Number; n < c.acked || n > c.acked+c.unknown {
			c.t.Errorf("%s: counter is %d, want %d to %d", c.name, n, c.acked, c.acked+c.unknown)
		}
	case protocol.StatusLost:
		c.unknown++
	case protocol.StatusDown:
	default:
		c.t.Errorf("%s: incr has status %d", c.name, s)
	}
}

// read checks a reply to a get against what the key may hold.
func (c *client) read(call *Call, value []byte, unsure bool) {
	switch call.Reply.Status {
	case protocol.StatusValue:
		name, key, seq, err := testkit.CheckValue(value)
		if err != nil || name != c.name || key != c.key || !unsure && seq != c.held {
			c.t.Errorf("WRONG VALUE: %s asked for %s, which holds %d, and got %s of %s, %d, %v", c.name, c.key, c.held, key, name, seq, err)
		}
		c.proven.Add(1)
	case protocol.StatusMiss:
		if c.held != 0 && !unsure {
			c.t.Errorf("%s: %s holds %d and was not found", c.name, c.key, c.held)
		}
		c.proven.Add(1)
	case protocol.StatusLost, protocol.StatusDown:
	default:
		c.t.Errorf("%s: get has status %d", c.name, call.Reply.Status)
	}
}

// dice throws faults. The same seed throws the same ones.
type dice struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func (d *dice) throw(int, []byte) testkit.Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.rng.IntN(400)
	if n >= len(chaosFaults) {
		return testkit.Fault{}
	}
	return chaosFaults[n](d.rng)
}

var chaosFaults = []func(*rand.Rand) testkit.Fault{
	func(*rand.Rand) testkit.Fault { return testkit.DropReply() },
	func(*rand.Rand) testkit.Fault { return testkit.DuplicateReply() },
	func(*rand.Rand) testkit.Fault { return testkit.WrongOpaque() },
	func(*rand.Rand) testkit.Fault { return testkit.SwapWithNext() },
	func(*rand.Rand) testkit.Fault { return testkit.CloseBefore() },
	func(r *rand.Rand) testkit.Fault { return testkit.CloseMidReply(r.IntN(300)) },
	func(*rand.Rand) testkit.Fault { return testkit.ExtraLineBefore("") },
	func(*rand.Rand) testkit.Fault { return testkit.ExtraLineBefore("HD O0123456789abcdef") },
	func(*rand.Rand) testkit.Fault { return testkit.ExtraLineAfter("END") },
	func(*rand.Rand) testkit.Fault { return testkit.ErrorLine("ERROR") },
	func(r *rand.Rand) testkit.Fault {
		return testkit.DelayReply(time.Duration(r.IntN(80)) * time.Millisecond)
	},
	func(r *rand.Rand) testkit.Fault {
		cut := r.IntN(300)
		return testkit.Rewrite(func(reply []byte) []byte { return reply[:min(cut, len(reply))] })
	},
}

// TestChaos runs many clients on few lanes while memcached does everything
// wrong, and checks that no value is ever wrong, that every call ends, and that
// no write is sent twice.
func TestChaos(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) {
		c.Shared = 2
		c.ConnectTimeout, c.RequestTimeout = 100*time.Millisecond, 40*time.Millisecond
	})
	const clients = 16
	var proven atomic.Int64
	all := make([]*client, clients)
	for id := range all {
		all[id] = newClient(t, r, id, &proven)
		r.put(all[id].counter(), []byte("0"))
	}
	fake.OnRequest((&dice{rng: rand.New(rand.NewPCG(1, 2))}).throw)
	deadline := time.Now().Add(5 * time.Minute)
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() {
			b := NewBatch()
			for proven.Load() < chaosReplies() && time.Now().Before(deadline) && !t.Failed() {
				c.turn(b)
				if b.Calls[0].Reply.Status == protocol.StatusDown {
					time.Sleep(time.Millisecond) // leaves the fake a core
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(6 * time.Minute):
		panic("BUG: a call hangs")
	}
	if n := proven.Load(); n < chaosReplies() {
		t.Errorf("%d replies, want %d", n, chaosReplies())
	}
	fake.OnRequest(nil)
	r.wantIdle()
	for _, c := range all {
		c.wantCounter()
		c.wantSentOnce(fake)
	}
	burnt := r.burns()
	t.Logf("%d replies proven, burns %v, %d dials", proven.Load(), burnt, r.m.Dials.Load())
	for _, cause := range []metrics.Burn{metrics.BurnTimeout, metrics.BurnEOF, metrics.BurnProof} {
		if burnt[cause] == 0 {
			t.Errorf("nothing was burnt for %v", cause)
		}
	}
}

// wantCounter checks that the counter is between what was acknowledged and what
// may have happened.
func (c *client) wantCounter() {
	c.t.Helper()
	var n uint64
	testkit.Eventually(c.t, "the counter", func() bool {
		s := c.r.stream(cmd("get", c.counter()), &sink{})
		n, _ = strconv.ParseUint(string(s.value), 10, 64)
		return s.err == nil && s.reply.Status == protocol.StatusValue
	})
	if n < c.acked || n > c.acked+c.unknown {
		c.t.Errorf("%s: counter is %d; %d increments were acknowledged, %d are unknown", c.name, n, c.acked, c.unknown)
	}
}

// wantSentOnce checks what memcached was sent: each write that was acknowledged
// once, each that was lost at most once, and nothing else.
func (c *client) wantSentOnce(fake *testkit.Fake) {
	c.t.Helper()
	seen := map[int]int{}
	for _, req := range fake.Requests() {
		line, value, _ := bytes.Cut(req, []byte("\r\n"))
		if !bytes.HasPrefix(line, []byte("ms "+c.name+"-")) || len(value) < 10 {
			continue
		}
		if _, _, seq, err := testkit.CheckValue(value[:len(value)-2]); err == nil {
			seen[seq]++
		}
	}
	for seq, n := range seen {
		if _, sent := c.sent[seq]; n > 1 || !sent {
			c.t.Errorf("%s: write %d was sent %d times, reported as sent: %v", c.name, seq, n, sent)
		}
	}
	for seq, acked := range c.sent {
		if acked && seen[seq] != 1 {
			c.t.Errorf("%s: write %d was acknowledged and sent %d times", c.name, seq, seen[seq])
		}
	}
}

// TestChaosStreams is TestChaos for values on leased connections.
func TestChaosStreams(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) {
		c.ConnectTimeout, c.RequestTimeout = 100*time.Millisecond, 40*time.Millisecond
		c.PoolMin, c.PoolMax = 2, 6
	})
	const keys = 4
	for k := range keys {
		r.put(fmt.Sprint(k), testkit.Value("c", fmt.Sprint(k), k, 150<<10))
	}
	fake.OnRequest((&dice{rng: rand.New(rand.NewPCG(3, 4))}).throw)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 50 {
				c := cmd("get", fmt.Sprint((g+n)%keys))
				s := &sink{}
				err := r.Stream(context.Background(), &c, s)
				whole := err == nil && s.reply.Status == protocol.StatusValue
				if _, key, _, bad := testkit.CheckValue(s.value); whole && (bad != nil || key != string(c.Key)) {
					t.Errorf("WRONG VALUE of %s: %v", c.Key, bad)
				}
				if s.reply.Status == protocol.StatusMiss {
					t.Errorf("%s was not found", c.Key)
				}
			}
		})
	}
	testkit.Within(t, "eight clients", wg.Wait)
	r.wantFree()
}
