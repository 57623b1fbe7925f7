package upstream

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// load runs clients against a real memcached until halt is called, and counts
// how their calls end. Every value is checked.
type load struct {
	wg       sync.WaitGroup
	halted   atomic.Bool
	ok, lost atomic.Int64
	down     atomic.Int64
}

// startLoad starts eight clients, each with a batch of a write and reads. A
// memcached that was restarted is empty, so that a miss is no error.
func startLoad(t *testing.T, r *rig) *load {
	l := new(load)
	for g := range 8 {
		l.wg.Go(func() {
			b, lane := NewBatch(), r.Lane()
			name := fmt.Sprintf("c%d", g)
			for seq := 1; !l.halted.Load(); seq++ {
				b.Reset()
				key := fmt.Sprintf("%s-%d", name, seq)
				b.Add(store("set", key, testkit.Value(name, key, seq, 300)))
				for range 3 {
					b.Add(cmd("get", key))
				}
				lane.Do(b)
				l.count(t, b, key)
				if b.Calls[3].Reply.Status == protocol.StatusDown {
					time.Sleep(time.Millisecond) // leaves memcached a core to start on
				}
			}
		})
	}
	return l
}

func (l *load) count(t *testing.T, b *Batch, key string) {
	for i := range b.Calls {
		switch s := b.Calls[i].Reply.Status; s {
		case protocol.StatusOK, protocol.StatusMiss:
			l.ok.Add(1)
		case protocol.StatusValue:
			if _, got, _, err := testkit.CheckValue(b.Value(i)); err != nil || got != key {
				t.Errorf("WRONG VALUE: asked for %s, got %s, %v", key, got, err)
			}
			l.ok.Add(1)
		case protocol.StatusLost:
			l.lost.Add(1)
		case protocol.StatusDown:
			l.down.Add(1)
		default:
			t.Errorf("call %d has status %d", i, s)
		}
	}
}

// halt ends the load. Every call has ended when it returns.
func (l *load) halt(t *testing.T) {
	t.Helper()
	l.halted.Store(true)
	testkit.Within(t, "a client", l.wg.Wait)
}

// serves waits until calls succeed again.
func (l *load) serves(t *testing.T) {
	t.Helper()
	before := l.ok.Load()
	testkit.Eventually(t, "service", func() bool { return l.ok.Load() > before+20 })
}

// TestKill kills memcached in the middle of load and starts it again.
func TestKill(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	m := testkit.StartMemcached(t)
	r := startRig(t, m.Addr(), func(c *Config) { c.Shared = 2 })
	l := startLoad(t, r)
	for range 5 {
		l.serves(t)
		m.Kill(t)
		before := l.down.Load()
		testkit.Eventually(t, "calls to fail", func() bool { return l.down.Load() > before+20 })
		m.Restart(t)
	}
	l.serves(t)
	l.halt(t)
	r.wantIdle()
	if l.lost.Load() == 0 {
		t.Error("no call was lost")
	}
	t.Logf("%d ok, %d lost, %d down; %d dials, %d failed", l.ok.Load(), l.lost.Load(), l.down.Load(), r.m.Dials.Load(), r.m.DialFails.Load())
	got := strings.Join(r.lines(), ", ")
	if want := "server up" + strings.Repeat(", server down, server up", 5); got != want {
		t.Errorf("logged %q, want %q", got, want)
	}
}

// TestKillWhileStreaming kills memcached while a large value comes.
func TestKillWhileStreaming(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	m := testkit.StartMemcached(t, "-I", "16m", "-m", "128")
	r := startRig(t, m.Addr(), nil)
	want := testkit.Value("c", "k", 1, 10<<20)
	r.put("k", want)
	s := &sink{}
	s.onChunk = func() {
		if s.pieces == 2 {
			m.Kill(t)
		}
	}
	r.stream(cmd("get", "k"), s)
	if s.err == nil || !bytes.HasPrefix(want, s.value) || len(s.value) == len(want) {
		t.Errorf("error %v, %d bytes", s.err, len(s.value))
	}
	r.wantBurns(burns{metrics.BurnEOF: 1})
	r.wantFree()
	m.Restart(t)
	testkit.Eventually(t, "service", func() bool {
		return r.stream(cmd("get", "k"), &sink{}).reply.Status == protocol.StatusMiss
	})
}

// TestFreeze stops memcached without ending it: commands time out, then fail at
// once, and when it goes on no reply from before is taken for a later one.
func TestFreeze(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	m := testkit.StartMemcached(t)
	r := startRig(t, m.Addr(), func(c *Config) {
		c.Shared = 2
		c.ConnectTimeout, c.RequestTimeout = 100*time.Millisecond, 200*time.Millisecond
	})
	l := startLoad(t, r)
	for range 5 {
		l.serves(t)
		m.Stop(t)
		before := l.down.Load()
		testkit.Eventually(t, "calls to fail", func() bool { return l.down.Load() > before+20 })
		m.Cont(t)
	}
	l.serves(t)
	l.halt(t)
	r.wantIdle()
	if l.lost.Load() == 0 || r.burns()[metrics.BurnTimeout] == 0 {
		t.Errorf("%d calls lost, burns %v; want timeouts", l.lost.Load(), r.burns())
	}
	t.Logf("%d ok, %d lost, %d down; %d dials, %d failed", l.ok.Load(), l.lost.Load(), l.down.Load(), r.m.Dials.Load(), r.m.DialFails.Load())
}

// TestFull checks that a memcached that takes no more connections is served by
// those there are.
func TestFull(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	m := testkit.StartMemcached(t, "-c", "64", "-t", "1")
	r := startRig(t, m.Addr(), func(c *Config) { c.Shared, c.PoolMin, c.PoolMax, c.ConnectTimeout = 2, 80, 200, 500*time.Millisecond })
	for range 2 {
		r.do(store("set", "k", oracle("k")))
	}
	var held []*conn
	for range 100 {
		c, err := r.lease(context.Background())
		if err != nil {
			break
		}
		held = append(held, c)
	}
	if len(held) == 100 {
		t.Error("100 connections to a memcached that takes 64")
	}
	for range 20 {
		if b := r.do(cmd("get", "k")); !bytes.Equal(b.Value(0), oracle("k")) {
			t.Errorf("status %d on a connection that is open", b.Calls[0].Reply.Status)
		}
	}
	for _, c := range held {
		r.giveBack(c, nil)
	}
	if s := r.stream(cmd("get", "k"), &sink{}); !bytes.Equal(s.value, oracle("k")) {
		t.Errorf("afterwards: status %d, error %v", s.reply.Status, s.err)
	}
	r.wantFree()
}

// TestOutOfMemory checks that a memcached without memory refuses stores one by
// one, on a connection that goes on.
func TestOutOfMemory(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	m := testkit.StartMemcached(t, "-m", "8", "-M")
	r := startRig(t, m.Addr(), nil)
	refused := 0
	for n := range 40 {
		b := NewBatch()
		for i := range 10 {
			key := fmt.Sprintf("k%d.%d", n, i)
			b.Add(store("set", key, testkit.Value("c", key, n, 60_000)))
			b.Add(cmd("get", key))
		}
		testkit.Within(t, "Do", func() { r.Lane().Do(b) })
		for i := 0; i < len(b.Calls); i += 2 {
			set, get := b.Calls[i].Reply.Status, b.Calls[i+1].Reply.Status
			switch {
			case set == protocol.StatusNoMemory && get == protocol.StatusMiss:
				refused++
			case set == protocol.StatusOK && get == protocol.StatusDropped:
			case set == protocol.StatusOK && get == protocol.StatusValue:
				if _, key, _, err := testkit.CheckValue(b.Value(i + 1)); err != nil || key != string(b.Calls[i].Command.Key) {
					t.Errorf("value of %s: %v", b.Calls[i].Command.Key, err)
				}
			default:
				t.Errorf("set has status %d, get %d", set, get)
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
	for n := 0; r.stream(store("set", fmt.Sprint(n), make([]byte, 500<<10)), &sink{}).reply.Status != protocol.StatusNoMemory; n++ {
		if n == 40 {
			t.Fatal("20 MB fit into 8")
		}
	}
	r.wantBurns(burns{})
}

// TestRealKeyless checks the replies of memcached itself to commands about no
// key.
func TestRealKeyless(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	m := testkit.StartMemcached(t, "-I", "2m")
	r := startRig(t, m.Addr(), nil)
	r.put("k", oracle("k"))
	for _, line := range []string{
		"stats", "stats items", "stats slabs", "stats sizes", "stats settings", "stats conns", "stats reset", "stats extstore",
		"verbosity 1", "cache_memlimit 64", "slabs automove 0", "lru mode segmented", "lru_crawler enable", "lru_crawler crawl all", "flush_all", "flush_all 0",
	} {
		reply, status := r.Keyless(context.Background(), keyless(t, line))
		if status != protocol.StatusOK || !bytes.HasSuffix(reply, []byte("\r\n")) {
			t.Errorf("%s: status %d, reply %.80q", line, status, reply)
		}
	}
	r.wantBurns(burns{})
	if b := r.do(cmd("get", "k")); b.Calls[0].Reply.Status != protocol.StatusMiss {
		t.Errorf("after flush_all: status %d", b.Calls[0].Reply.Status)
	}
	if info, _ := r.Info(); info.MaxItem != 2<<20 {
		t.Errorf("item size limit %d, want %d", info.MaxItem, 2<<20)
	}
}
