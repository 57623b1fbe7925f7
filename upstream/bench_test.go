package upstream

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// BenchmarkLane measures gets of 100 bytes by clients that share two lanes,
// each with so many commands at a time, in time for each command.
func BenchmarkLane(b *testing.B) {
	m := testkit.StartMemcached(b)
	for _, clients := range []int{1, 16, 64} {
		for _, size := range []int{1, 16} {
			b.Run(fmt.Sprintf("clients=%d/batch=%d", clients, size), func(b *testing.B) {
				r := startRig(b, m.Addr(), func(c *Config) { c.Shared = 2 })
				r.put("k", make([]byte, 100))
				var left atomic.Int64
				left.Store(int64(b.N))
				var wg sync.WaitGroup
				b.ReportAllocs()
				b.ResetTimer()
				for range clients {
					wg.Go(func() { r.benchmark(b, size, &left) })
				}
				wg.Wait()
			})
		}
	}
}

// benchmark is one client. It takes what it does from left.
func (r *rig) benchmark(b *testing.B, size int, left *atomic.Int64) {
	batch, lane, get, served := NewBatch(), r.Lane(), cmd("get", "k"), make(waiter, 1)
	add := func() { lane.Add(batch, served) }
	for left.Add(-int64(size)) > -int64(size) {
		batch.Reset()
		for range size {
			batch.Add(get)
		}
		lane.loop.Post(add)
		<-served
		if s := batch.Calls[0].Reply.Status; s != protocol.StatusValue {
			b.Errorf("status %d", s)
			return
		}
	}
}

// BenchmarkStream measures gets of a large value on a leased connection.
func BenchmarkStream(b *testing.B) {
	m := testkit.StartMemcached(b)
	r := startRig(b, m.Addr(), nil)
	const size = 512 << 10
	r.put("k", make([]byte, size))
	c, s := cmd("get", "k"), &counter{}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Stream(b.Context(), &c, s); err != nil {
			b.Fatal(err)
		}
	}
	if want := b.N * size; s.bytes != want {
		b.Errorf("%d bytes, want %d", s.bytes, want)
	}
}

// counter is a receiver that only counts.
type counter struct{ bytes int }

func (c *counter) Head(*protocol.Reply) error { return nil }

func (c *counter) Chunk(piece []byte) error {
	c.bytes += len(piece)
	return nil
}
