package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestQuantileIsNearTheTruth(t *testing.T) {
	for _, scale := range []time.Duration{1, 100, time.Microsecond, time.Millisecond} {
		h := new(histogram)
		for i := range 1000 {
			h.add(time.Duration(i+1) * scale)
		}
		for _, q := range []float64{0.1, 0.5, 0.99, 0.999} {
			want := micros(time.Duration(q*1000+1) * scale)
			if got := h.quantile(q); got > want || got < want*0.96 {
				t.Errorf("quantile %v of 1 to 1000 times %v: got %v, want %v less at most 4 %%", q, scale, got, want)
			}
		}
	}
	if got := new(histogram).quantile(0.5); got != 0 {
		t.Errorf("of nothing: got %v", got)
	}
}

func TestBucketsAreInOrder(t *testing.T) {
	for _, n := range []uint64{0, 1, 31, 32, 63, 64, 65, 1000, 1 << 20, 1<<20 + 1<<15, 1 << 40, 1<<63 - 1} {
		b := bucket(n)
		if low, next := uint64(lowest(b)), uint64(lowest(b+1)); n < low || n >= next && n < 1<<62 {
			t.Errorf("%d is in the bucket from %d to %d", n, low, next)
		}
	}
}

func TestParseStat(t *testing.T) {
	const stat = "77 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 150 50 7 3 20 0 4 0 100 1000000 256 18446744073709551615"
	u, group := parseStat(stat)
	if group != 42 || u.cpu != 2100*time.Millisecond || u.rss < 1024 {
		t.Errorf("got group %d and %+v, want 42, 2.1 s and 256 pages", group, u)
	}
	if _, group := parseStat("77 (x) S 1"); group != 0 {
		t.Errorf("of a torn line: got group %d", group)
	}
}

// TestBatchesTellRepliesApart: in every dialect a batch accepts what it wants with
// any CAS, and nothing else.
func TestBatchesTellRepliesApart(t *testing.T) {
	for name, d := range map[string]*dialect{"classic": &classic, "meta": &meta, "packets": &packets} {
		for _, c := range []cell{{pipeline: 16, size: 100}, {pipeline: 1, size: 100, keys: 50}} {
			b := &newScript(&c, d).batches[0]
			got := bytes.Clone(b.want)
			for _, at := range b.cas {
				copy(got[at:], "anything")
			}
			if err := b.check(bytes.Clone(got)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, at := range []int{0, packetHeader + valueExtras + 2, len(got) - packetHeader} {
				wrong := bytes.Clone(got)
				wrong[at] ^= 1
				if b.check(wrong) == nil {
					t.Errorf("%s: byte %d of %d was changed and that was not seen", name, at, len(got))
				}
			}
		}
	}
}

func TestOneRequestInTenStores(t *testing.T) {
	s := newScript(&cell{pipeline: 1, size: 10}, &classic)
	sets := 0
	for _, b := range s.batches {
		if bytes.HasPrefix(b.out, []byte("set ")) {
			sets++
		}
	}
	if sets*storeEvery != len(s.batches) {
		t.Errorf("%d of %d requests store", sets, len(s.batches))
	}
}

// TestJudge holds goals against figures that are made up.
func TestJudge(t *testing.T) {
	b := &bench{}
	add := func(cell, row string, perSecond ...float64) {
		for i, n := range perSecond {
			b.samples = append(b.samples, sample{Cell: cell, Row: row, Round: i, PerSecond: n, ProxyCPU: 1e6 / n})
		}
	}
	add("64x1", "slabgate", 200, 100, 300)
	add("64x1", "memcached -Z", 100, 100, 100)
	add("64x1", "haproxy", 100, 50, 150)
	add("64x1", "hitch", 110, 60, 160)
	add("64x1", "hitch unix", 1000, 1000, 1000)
	for _, c := range []struct {
		goal goal
		want string
		is   float64
	}{
		{goal{"64x1", "slabgate", bestTerminator, perSecond, 1.8, true}, "pass", 200.0 / 110},
		{goal{"64x1", "slabgate", bestTerminator, perSecond, 1.9, true}, "MISS", 200.0 / 110},
		{goal{"64x1", "slabgate", bestTerminator, chainCPU, 0.6, false}, "pass", 110.0 / 200},
		{goal{"64x1", "slabgate", "memcached -Z", perSecond, 2, true}, "pass", 2},
		{goal{"64x1", "slabgate", none, perSecond, 150, false}, "MISS", 200},
		{goal{"1x1", "slabgate", "memcached -Z", perSecond, 1, true}, "not measured", 0},
		{goal{"64x1", "slabgate", bestMutual, perSecond, 1, true}, "not measured", 0},
	} {
		v := b.judgeOne(&c.goal)
		if v.Result != c.want || v.Is < c.is*0.999 || v.Is > c.is*1.001 {
			t.Errorf("%+v: got %s, %v, want %s, %v", c.goal.bound, v.Result, v.Is, c.want, c.is)
		}
		if c.goal.rival == bestTerminator && !strings.Contains(v.Rival, "(hitch)") {
			t.Errorf("the best terminator is %q, want hitch", v.Rival)
		}
	}
}
