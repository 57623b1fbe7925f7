package generations

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

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
			c.setDown(true)
			s.want("in the file", shop, tt.to, nil)
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

// TestOldFileBringsNothingBack: a slabgate that was stopped while another one flushed
// does not go back to what its own file says, even if memcached has lost the record.
func TestOldFileBringsNothingBack(t *testing.T) {
	c := newCache()
	clock := &hands{ms: noon}
	a, b := startBy(t, c, clock), startBy(t, c, clock)
	a.use(shop)
	b.use(shop)
	clock.sleep(time.Second)
	_, to := a.flushed(shop)
	c.clear()
	b.restart()
	if got := b.use(shop).Generation(); got < to {
		t.Errorf("begins at %d after a flush to %d", got, to)
	}
}

// TestFlushNowIsTheLast: what is stored after a flush is not flushed by one that was
// to come later and was said before.
func TestFlushNowIsTheLast(t *testing.T) {
	c := newCache()
	s := start(t, c)
	s.use(shop)
	if err := s.FlushAt(shop, s.clock.now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	_, to := s.flushed(shop)
	s.clock.sleep(3 * time.Second)
	s.lookAt(2)
	if got := s.use(shop).Generation(); got != to {
		t.Errorf("at %d, want %d", got, to)
	}
}
