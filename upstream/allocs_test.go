//go:build !race

package upstream

import (
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// TestWarmPath checks that nothing is allocated once everything has its size.
func TestWarmPath(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	m := testkit.StartMemcached(t)
	r := startRig(t, m.Addr(), nil)
	b, lane, served := NewBatch(), r.Lane(), make(waiter, 1)
	add := func() { lane.Add(b, served) }
	get, incr := cmd("get", "k"), delta("incr", "n", 1)
	set := store("set", "k", oracle("k"))
	r.put("n", []byte("1"))
	got := testing.AllocsPerRun(500, func() {
		b.Reset()
		for range 4 {
			b.Add(set)
			b.Add(get)
			b.Add(incr)
		}
		lane.loop.Post(add)
		<-served
	})
	if got >= 1 {
		t.Errorf("%v allocations for 12 commands, want none", got)
	}
	if s := b.Calls[10].Reply.Status; s != protocol.StatusValue {
		t.Errorf("status %d", s)
	}
}
