package generations

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
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
		{"the file's alone", "", false, 8, 8, "8"},
		{"memcached's above", "9", false, 8, 9, "9"},
		{"both", "8", false, 8, 8, "8"},
		{"memcached's below, so lost and begun again", "7", false, 8, noon, "1764158400000"},
		{"malformed", "7x", false, 8, 8, "8"},
		{"a sign", "+7", false, 0, noon, "1764158400000"},
		{"a leading zero", "07", false, 8, 8, "8"},
		{"too high for any", "1000000000000000", false, 8, 8, "8"},
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

func TestFlush(t *testing.T) {
	for _, tt := range []struct {
		name     string
		record   string
		from, to uint64
	}{
		{"nothing known", "", 0, noon},
		{"behind the clock", "7", 7, noon},
		{"at the clock", "1764158400000", noon, noon + 1},
		{"ahead of the clock by a day", "1764244800000", noon + 86400_000, noon + 86400_001},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCache()
			c.put(recordKey+shop, tt.record)
			s := start(t, c)
			if tt.from != 0 {
				s.use(shop)
			}
			from, to := s.flushed(shop)
			if from != tt.from || to != tt.to {
				t.Errorf("from %d to %d, want from %d to %d", from, to, tt.from, tt.to)
			}
			s.want("in force", shop, tt.to, c)
			if last := parseRecent([]byte(c.get(recentKey))); !strings.HasSuffix(last.newest(), " "+shop) {
				t.Errorf("the last flushes are %q", last)
			}
			s.restart()
			c.clear()
			s.want("in the file", shop, tt.to, c)
		})
	}
}

// TestFlushWaitsForTheClock checks that no generation is ahead of the clock, so that
// one that begins when all is lost is never an old one.
func TestFlushWaitsForTheClock(t *testing.T) {
	c := newCache()
	s := start(t, c)
	for range 20 {
		_, to := s.flushed(shop)
		if now := s.clock.now().UnixMilli(); int64(to) > now {
			t.Errorf("flushed to %d at %d", to, now)
		}
	}
	before := s.use(shop).Generation()
	s.restart()
	c.clear()
	s.ledger.entries = map[string]entry{}
	if got := s.use(shop).Generation(); got < before {
		t.Errorf("went back from %d to %d", before, got)
	}
}

// TestFlushWhileMemcachedIsDown checks that a flush is in force at once, survives a
// restart, and is made above what others did meanwhile.
func TestFlushWhileMemcachedIsDown(t *testing.T) {
	for _, tt := range []struct {
		name    string
		restart bool
		record  string // what others left
		want    uint64
	}{
		{"others did nothing", false, "7", noon + 1},
		{"others are at the same", false, "1764158400000", noon + 1},
		{"others are above", false, "1764158400005", noon + 6},
		{"memcached restarted", false, "", noon + 1},
		{"others did nothing, after a restart", true, "7", noon + 1},
		{"others are above, after a restart", true, "1764158400005", noon + 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCache()
			c.put(recordKey+shop, "7")
			s := start(t, c)
			s.use(shop)
			c.setDown(true)
			from, to, err := s.Flush(context.Background(), shop)
			if from != 7 || to != noon || err == nil {
				t.Fatalf("from %d to %d, error %v; want from 7 to %d and an error", from, to, err, uint64(noon))
			}
			s.lookAt(2)
			if tt.restart {
				s.restart()
			}
			s.want("while it is down", shop, noon, nil)
			c.put(recordKey+shop, tt.record)
			c.setDown(false)
			s.lookAt(1)
			s.want("when it is back", shop, tt.want, c)
			s.lookAt(2)
			s.want("later", shop, tt.want, c)
			if len(s.todo) != 0 {
				t.Errorf("%d namespaces are unfinished", len(s.todo))
			}
		})
	}
}

// TestFlushInBetween lets somebody else flush between reading the record and
// changing it, sometimes and always.
func TestFlushInBetween(t *testing.T) {
	c := newCache()
	s := start(t, c)
	s.use(shop)
	others, most := uint64(noon), 3
	c.before = func(word string) {
		if word == "cas" && most > 0 {
			most--
			others += 10
			c.put(recordKey+shop, fmt.Sprint(others))
		}
	}
	_, to := s.flushed(shop)
	if to <= others {
		t.Errorf("flushed to %d, but others to %d", to, others)
	}
	s.want("in force", shop, to, c)
	most = 1000
	if _, to, err := s.Flush(context.Background(), shop); err == nil || to <= others-10 {
		t.Errorf("flushed to %d of %d, error %v; want an error", to, others, err)
	}
}

func TestFlushAt(t *testing.T) {
	at := time.UnixMilli(noon + 1000)
	for _, tt := range []struct {
		name    string
		restart bool
		look    bool // or use
		down    bool
	}{
		{"looked at", false, true, false},
		{"looked at after a restart", true, true, false},
		{"used after a restart", true, false, false},
		{"looked at while memcached is down", false, true, true},
		{"used after a restart while memcached is down", true, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCache()
			c.put(recordKey+shop, "7")
			s := start(t, c)
			s.use(shop)
			if err := s.FlushAt(shop, at); err != nil {
				t.Fatal(err)
			}
			s.clock.set(noon + 999)
			s.lookAt(1)
			s.want("before", shop, 7, c)
			c.setDown(tt.down)
			s.clock.set(noon + 1000)
			if tt.restart {
				s.restart()
			}
			if tt.look {
				s.lookAt(1)
			}
			s.want("then", shop, noon+1000, nil)
			c.setDown(false)
			s.clock.set(noon + 5000)
			s.lookAt(2)
			want := uint64(noon + 1000)
			if tt.down {
				want = noon + 5000 // told when it is back
			}
			s.want("once", shop, want, c)
			s.restart()
			s.want("not again", shop, want, c)
		})
	}
}

func TestFlushAtCountsTheLast(t *testing.T) {
	s := start(t, newCache())
	first := s.use(shop).Generation()
	for _, ms := range []int64{1000, 3000, 2000} {
		if err := s.FlushAt(shop, time.UnixMilli(noon+ms)); err != nil {
			t.Fatal(err)
		}
	}
	s.clock.set(noon + 1999)
	s.lookAt(1)
	s.want("before", shop, first, nil)
	s.clock.set(noon + 3000)
	s.lookAt(1)
	s.want("then", shop, noon+3000, nil)
	s.clock.set(noon + 9000)
	s.lookAt(1)
	s.want("once", shop, noon+3000, nil)
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

// TestFlushIsWrittenDownFirst stops a process at the worst time: memcached has the
// new generation, and loses it while slabgate does not run.
func TestFlushIsWrittenDownFirst(t *testing.T) {
	c := newCache()
	s := start(t, c)
	s.flushed(shop)
	var then string
	c.before = func(word string) {
		if word == "cas" && then == "" {
			then = read(t, s.cfg.File)
		}
	}
	_, to := s.flushed(shop)
	c.clear()
	c.setDown(true)
	if err := os.WriteFile(s.cfg.File, []byte(then), 0o600); err != nil {
		t.Fatal(err)
	}
	s.restart()
	s.want("after it", shop, to, nil)
	c.setDown(false)
	s.lookAt(1)
	s.want("told", shop, to+1, c)
}

// TestFlushDuringAnother has one owed while memcached is told of another.
func TestFlushDuringAnother(t *testing.T) {
	c := newCache()
	s := start(t, c)
	n := s.use(shop)
	owed := uint64(0)
	c.before = func(word string) {
		if word == "cas" && owed == 0 {
			owed = n.owe(noon)
		}
	}
	_, to := s.flushed(shop)
	if owed <= to || n.Generation() != owed || !n.owes() {
		t.Errorf("flushed to %d and %d, in force is %d, owed: %t", to, owed, n.Generation(), n.owes())
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
