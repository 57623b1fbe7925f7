package generations

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/upstream"
)

// TestLookFollowsOthers checks that one look is enough to know what another
// slabgate flushed, however much that is, and that it reads no more than it must.
func TestLookFollowsOthers(t *testing.T) {
	const all = 100
	for _, tt := range []struct {
		name    string
		flushes int
		meddle  func(c *cache)
		most    int // questions of the look
	}{
		{"nothing", 0, nil, 1 + 3},
		{"one", 1, nil, 1 + 1 + 3},
		{"as many as are named", recentFlushes - 1, nil, 1 + recentFlushes - 1 + 3},
		{"more than are named", recentFlushes + 1, nil, 1 + all + 3},
		{"one, and the names were evicted", 1, func(c *cache) { c.put(recentKey, "") }, 1 + 2 + all + 3},
		{"one, and the names are none", 1, func(c *cache) { c.put(recentKey, "\n") }, 1 + 2 + all + 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCache()
			a, b := start(t, c), start(t, c)
			for i := range all {
				a.use(fmt.Sprint("t/", i, "/"))
				b.use(fmt.Sprint("t/", i, "/"))
			}
			b.lookAt(2)
			want := map[string]uint64{}
			for i := range tt.flushes {
				root := fmt.Sprint("t/", i, "/")
				_, want[root] = a.flushed(root)
			}
			if tt.meddle != nil {
				tt.meddle(c)
			}
			asked := c.asks()
			b.lookAt(1)
			if n := c.asks() - asked; n > tt.most {
				t.Errorf("%d questions, want at most %d", n, tt.most)
			}
			for root, g := range want {
				b.want("flushed", root, g, c)
			}
		})
	}
}

// TestLookReadsEveryRecordInARound changes records behind the back of all.
func TestLookReadsEveryRecordInARound(t *testing.T) {
	c := newCache()
	s := start(t, c)
	const all = 100
	for i := range all {
		s.use(fmt.Sprint("t/", i, "/"))
	}
	s.lookAt(2)
	for i := range uint64(all) {
		c.put(recordKey+fmt.Sprint("t/", i, "/"), fmt.Sprint(noon+1000+i))
	}
	s.lookAt(int(round/s.Store.cfg.Interval) + 1)
	for i := range uint64(all) {
		s.want("in a round", fmt.Sprint("t/", i, "/"), noon+1000+i, c)
	}
}

func TestLookAsksNothingWithoutNamespaces(t *testing.T) {
	c := newCache()
	s := start(t, c)
	s.lookAt(3)
	if n := c.asks(); n != 0 {
		t.Errorf("%d questions, want none", n)
	}
}

// TestLookKeepsQuietWhileMemcachedIsDown checks that it asks once in each look, and
// writes again what memcached has lost, with a new generation: what it lost may have
// been a flush of another slabgate.
func TestLookKeepsQuietWhileMemcachedIsDown(t *testing.T) {
	c := newCache()
	s := start(t, c)
	for i := range 20 {
		s.flushed(fmt.Sprint("t/", i, "/"))
	}
	want := s.use("t/0/").Generation()
	s.lookAt(2)
	c.setDown(true)
	asked := c.asks()
	s.lookAt(5)
	if n := c.asks() - asked; n != 5 {
		t.Errorf("%d questions in 5 looks", n)
	}
	c.clear()
	c.setDown(false)
	s.lookAt(1)
	got := s.use("t/0/").Generation()
	if got <= want {
		t.Errorf("restarted at %d, want it above %d", got, want)
	}
	s.want("restarted", "t/0/", got, c)
	if n := len(c.items); n != 21 {
		t.Errorf("%d records are there, want 20 and the last flushes", n)
	}
}

// pool is a pool of the memcached at addr.
func pool(t *testing.T, addr, dialect string) *upstream.Pool {
	t.Helper()
	cfg := upstream.Default()
	cfg.Name, cfg.Address, cfg.Dialect = "local", addr, dialect
	cfg.RequestTimeout = 5 * time.Second
	p := upstream.New(cfg, zap.NewNop(), new(metrics.Metrics))
	t.Cleanup(p.Close)
	return p
}

// TestSlabgatesAgree runs two in front of a real memcached, which restarts. The
// dialect is one for both.
func TestSlabgatesAgree(t *testing.T) {
	for _, binary := range testkit.MemcachedBinaries() {
		for _, dialect := range []string{"auto", "classic"} {
			t.Run(binary+" "+dialect, func(t *testing.T) {
				testkit.VerifyNoLeaks(t)
				m := testkit.MemcachedConfig{Binary: binary}.Start(t)
				checkAgreement(t, m, dialect)
			})
		}
	}
}

func checkAgreement(t *testing.T, m *testkit.Memcached, dialect string) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	gates := make([]*slabgate, 2)
	for i := range gates {
		gates[i] = startBy(t, pool(t, m.Addr(), dialect), &hands{})
		gates[i].cfg.Interval = 20 * time.Millisecond
		gates[i].restart()
		running.Go(func() { gates[i].Run(ctx) })
	}
	a, b := gates[0].use(shop), gates[1].use(shop)
	agree := func(what string, least uint64) {
		t.Helper()
		testkit.Eventually(t, what, func() bool {
			return a.Generation() == b.Generation() && a.Generation() >= least
		})
	}
	agree("the same start", 1)
	for i := range 6 {
		_, to := gates[i%2].flushed(shop)
		agree("the same after a flush", to)
	}
	m.Kill(t)
	_, to, err := gates[0].Flush(ctx, shop)
	if err == nil || a.Generation() != to {
		t.Errorf("flushed to %d while memcached is down, in force is %d, error %v", to, a.Generation(), err)
	}
	m.Restart(t)
	agree("the same after a restart", to)
}
