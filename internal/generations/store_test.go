package generations

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

const shop = "t/shop/"

func TestUseFindsTheHighest(t *testing.T) {
	for _, tt := range []struct {
		name   string
		record string
		down   bool
		file   uint64
		want   uint64
		kept   string // what memcached has then
	}{
		{"nothing known", "", false, 0, noon, "1764158400000"},
		{"memcached's alone", "7", false, 0, 7, "7"},
		{"the file's alone, so that another's flush may be lost", "", false, 8, noon, "1764158400000"},
		{"memcached's above", "9", false, 8, 9, "9"},
		{"both", "8", false, 8, 8, "8"},
		{"memcached's below, so lost and begun again", "7", false, 8, noon, "1764158400000"},
		{"malformed", "7x", false, 8, noon, "1764158400000"},
		{"a sign", "+7", false, 0, noon, "1764158400000"},
		{"a leading zero", "07", false, 8, noon, "1764158400000"},
		{"too high for any", "1000000000000000", false, 8, noon, "1764158400000"},
		{"a year ahead", fmt.Sprint(noon + farAhead), false, 8, noon + farAhead, fmt.Sprint(noon + farAhead)},
		{"more than a year ahead", fmt.Sprint(noon + farAhead + 1), false, 8, noon, "1764158400000"},
		{"ahead of the clock", "1764158400007", false, 0, noon + 7, "1764158400007"},
		{"memcached down", "9", true, 8, 8, "9"},
		{"memcached down and no file", "9", true, 0, noon, "9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCache()
			s := start(t, c)
			if tt.file != 0 {
				s.ledger.put(shop, entry{generation: tt.file})
				s.restart()
			}
			c.put(recordKey+shop, tt.record)
			c.setDown(tt.down)
			n := s.use(shop)
			want := fmt.Sprint(shop, tt.want, "/")
			if n.Generation() != tt.want || string(n.Prefix()) != want || n.Root() != shop {
				t.Errorf("%q is at %d, with %q; want %d, with %q", n.Root(), n.Generation(), n.Prefix(), tt.want, want)
			}
			if got := c.get(recordKey + shop); got != tt.kept {
				t.Errorf("the record is %q, want %q", got, tt.kept)
			}
			if again := s.use(shop); again != n {
				t.Error("the second time it is another namespace")
			}
			s.restart()
			c.clear()
			c.setDown(true)
			s.want("in the file", shop, tt.want, nil)
		})
	}
}

func TestUseAsksOnce(t *testing.T) {
	c := newCache()
	s := start(t, c)
	s.use(shop)
	asked := c.asks()
	s.use(shop)
	if c.asks() != asked || asked == 0 {
		t.Errorf("%d questions, then %d", asked, c.asks())
	}
}

// TestUseIgnoresThatAClientLeft checks that a client that is gone does not begin a
// namespace anew, and that a deadline bounds the wait.
func TestUseIgnoresThatAClientLeft(t *testing.T) {
	c := newCache()
	c.put(recordKey+shop, "7")
	s := start(t, c)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got := s.Use(ctx, shop).Generation(); got != 7 {
		t.Errorf("cancelled: generation %d, want 7", got)
	}
	ctx, cancel = context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	if got := s.Use(ctx, "t/late/").Generation(); got != noon {
		t.Errorf("too late: generation %d, want %d", got, uint64(noon))
	}
}

// TestRootsThatNobodyCanHave checks that they harm nothing else.
func TestRootsThatNobodyCanHave(t *testing.T) {
	c := newCache()
	s := start(t, c)
	s.use(shop)
	for _, root := range []string{"", "a b/", "a\nb/", strings.Repeat("r", 240)} {
		before := s.use(root).Generation()
		if _, to, _ := s.Flush(context.Background(), root); to <= before {
			t.Errorf("%q: flushed from %d to %d", root, before, to)
		}
		s.lookAt(1)
	}
	c.put(recordKey+shop, "1764158500000")
	c.put(recentKey, "")
	s.lookAt(1)
	s.want("another", shop, 1764158500000, c)
	s.restart()
}

// TestNamespacesAreSafe lets many use and flush at once.
func TestNamespacesAreSafe(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	c := newCache()
	a, b := startBy(t, c, &hands{}), startBy(t, c, &hands{})
	ctx, cancel := context.WithCancel(context.Background())
	var running, clients sync.WaitGroup
	for _, s := range []*slabgate{a, b} {
		s.cfg.Interval = 20 * time.Millisecond
		s.restart()
		running.Go(func() { s.Run(ctx) })
	}
	var mu sync.Mutex
	seen := map[uint64]bool{}
	for i := range 8 {
		clients.Go(func() {
			s := []*slabgate{a, b}[i%2]
			n, last := s.Use(ctx, shop), uint64(0)
			for range 10 {
				_, to, err := s.Flush(ctx, shop)
				if now := n.Generation(); err == nil && now < to || now < last {
					t.Errorf("flushed to %d, but in force is %d after %d", to, now, last)
				} else {
					last = now
				}
				mu.Lock()
				if err == nil && seen[to] {
					t.Errorf("two flushes went to %d", to)
				}
				seen[to] = true
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	testkit.Eventually(t, "agreement", func() bool { return a.use(shop).Generation() == b.use(shop).Generation() })
	cancel()
	running.Wait()
}

func TestPrefixAllocatesNothing(t *testing.T) {
	s := start(t, newCache())
	n := s.use(shop)
	if got := testing.AllocsPerRun(100, func() { _ = n.Prefix() }); got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
	old := n.Prefix()
	was := string(old)
	_ = append(old, "x"...)
	s.flushed(shop)
	if string(old) != was || string(n.Prefix()) == was {
		t.Errorf("%q became %q, and the new one is %q", was, old, n.Prefix())
	}
}

// TestStartIsToldToOthers begins a namespace anew whose record is lost, but which
// another slabgate uses.
func TestStartIsToldToOthers(t *testing.T) {
	c := newCache()
	a, b := start(t, c), start(t, c)
	for i := range 100 { // more than are read by the way
		a.use(fmt.Sprint("t/", i, "/"))
	}
	a.use(shop)
	a.lookAt(1)
	c.put(recordKey+shop, "")
	b.clock.set(noon + 5)
	b.use(shop)
	a.lookAt(1)
	a.want("the other", shop, noon+5, c)
}

// late has something else happen before its first record is stored.
type late struct {
	*cache
	once   sync.Once
	before func()
}

func (l *late) Ask(ctx context.Context, cmd *protocol.Command) (protocol.Reply, []byte, error) {
	if len(cmd.Value) > 0 {
		l.once.Do(l.before)
	}
	return l.cache.Ask(ctx, cmd)
}

// TestTwoThatBeginAtOneTimeAgree: the second takes what the first has stored, though
// its clock says more, and flushes nothing.
func TestTwoThatBeginAtOneTimeAgree(t *testing.T) {
	c := newCache()
	first := start(t, c)
	second := startBy(t, &late{cache: c, before: func() { first.use(shop) }}, &hands{ms: noon + 5})
	if a, b := second.use(shop).Generation(), first.use(shop).Generation(); a != b || b != noon {
		t.Errorf("the second is at %d, the first at %d, want both at %d", a, b, noon)
	}
	second.restart()
	c.setDown(true)
	second.want("in the file", shop, noon, nil)
}
