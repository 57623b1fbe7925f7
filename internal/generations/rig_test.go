package generations

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

var errDown = errors.New("memcached is down")

// cache is a memcached that knows what a store asks.
type cache struct {
	mu     sync.Mutex
	items  map[string]item
	cas    uint64
	down   bool
	flaky  *rand.Rand        // if set, one reply in eight is lost
	before func(word string) // called before each command, without the lock
	asked  int
}

func newCache() *cache { return &cache{items: map[string]item{}} }

func (c *cache) Ask(ctx context.Context, cmd *protocol.Command) (protocol.Reply, []byte, error) {
	if c.before != nil {
		c.before(cmd.Verb.Name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.down || ctx.Err() != nil {
		return protocol.Reply{Status: protocol.StatusDown}, nil, errDown
	}
	r, value := c.obey(cmd)
	if c.flaky != nil && c.flaky.IntN(8) == 0 {
		return protocol.Reply{Status: protocol.StatusLost}, nil, errDown
	}
	return r, value, nil
}

func (c *cache) obey(cmd *protocol.Command) (protocol.Reply, []byte) {
	it := c.items[string(cmd.Key)]
	switch {
	case cmd.Verb.Name == "gets" && !it.found:
		return protocol.Reply{Status: protocol.StatusMiss}, nil
	case cmd.Verb.Name == "gets":
		return protocol.Reply{Status: protocol.StatusValue, CAS: it.cas}, it.value
	case cmd.Verb.Name == "add" && it.found:
		return protocol.Reply{Status: protocol.StatusNotStored}, nil
	case cmd.Verb.Name == "cas" && !it.found:
		return protocol.Reply{Status: protocol.StatusNotFound}, nil
	case cmd.Verb.Name == "cas" && it.cas != cmd.CAS:
		return protocol.Reply{Status: protocol.StatusExists}, nil
	}
	c.cas++
	c.items[string(cmd.Key)] = item{append([]byte{}, cmd.Value...), true, c.cas}
	return protocol.Reply{Status: protocol.StatusOK}, nil
}

// put stores a value, and get reads it; an empty one is none.
func (c *cache) put(key, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cas++
	c.items[key] = item{[]byte(value), value != "", c.cas}
}

func (c *cache) get(key string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.items[key].value)
}

// clear is a restart of memcached.
func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.items)
}

func (c *cache) setDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

func (c *cache) asks() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

// hands is a clock that tests set. It goes while a store waits for it, unless it is
// broken.
type hands struct {
	mu     sync.Mutex
	ms     int64 // 0 is the real clock
	broken bool
}

func (h *hands) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ms == 0 {
		return time.Now()
	}
	return time.UnixMilli(h.ms)
}

func (h *hands) sleep(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.broken {
		h.ms += d.Milliseconds()
	}
}

func (h *hands) set(ms int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ms = ms
}

// noon is when tests begin.
const noon = 1764158400000

// slabgate is a store and what it is opened with again.
type slabgate struct {
	*Store
	t     testing.TB
	cfg   Config
	up    Upstream
	clock *hands
}

// start opens a store with a file and a clock that goes only when it is set, or
// waited for.
func start(t testing.TB, up Upstream) *slabgate { return startBy(t, up, &hands{ms: noon}) }

func startBy(t testing.TB, up Upstream, clock *hands) *slabgate {
	t.Helper()
	s := &slabgate{t: t, up: up, clock: clock, cfg: Config{File: filepath.Join(t.TempDir(), "generations"), Now: clock.now}}
	s.open()
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *slabgate) open() {
	s.t.Helper()
	store, err := Open(s.cfg, s.up, zap.NewNop())
	if err != nil {
		s.t.Fatal(err)
	}
	if s.clock.ms != 0 {
		store.sleep = s.clock.sleep
	}
	s.Store = store
}

// restart ends the store, which does nothing at its end, and opens it again.
func (s *slabgate) restart() {
	s.t.Helper()
	if err := s.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.open()
}

func (s *slabgate) use(root string) (n *Namespace) {
	s.t.Helper()
	testkit.Within(s.t, "Use", func() { n = s.Use(context.Background(), root) })
	return n
}

// flushed flushes and insists.
func (s *slabgate) flushed(root string) (from, to uint64) {
	s.t.Helper()
	from, to, err := s.Flush(context.Background(), root)
	if err != nil {
		s.t.Fatalf("flush of %s: %v", root, err)
	}
	return from, to
}

// want compares the generation in force, and memcached's record if c is not nil.
func (s *slabgate) want(what, root string, want uint64, c *cache) {
	s.t.Helper()
	if got := s.use(root).Generation(); got != want {
		s.t.Errorf("%s: generation %d, want %d", what, got, want)
	}
	if c == nil {
		return
	}
	if got, _ := parseGeneration(c.get(recordKey + root)); got != want {
		s.t.Errorf("%s: the record is %d, want %d", what, got, want)
	}
}

// lookAt does what Run does, that many times.
func (s *slabgate) lookAt(times int) {
	for range times {
		s.look(context.Background())
	}
}
