package upstream

import (
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// TestExpiryOfANumberHolds checks that arithmetic that sets an expiry sets it,
// though its client reads the same number right before.
func TestExpiryOfANumberHolds(t *testing.T) {
	r := startRig(t, testkit.StartMemcached(t).Addr(), nil)
	count := protocol.ByGrant("ma")[0].Command([]byte("n"))
	count.Has, count.Exptime, count.Ask = protocol.HasExptime, 1000, protocol.AskValue
	left := protocol.ByGrant("mg")[0].Command([]byte("n"))
	left.Ask = protocol.AskTTL
	for range 50 {
		r.put("n", []byte("7"))
		r.do(cmd("get", "n"), count, cmd("get", "n"))
		b := r.do(left)
		if got := b.Calls[0].Reply; got.Status != protocol.StatusOK || got.TTL < 990 || got.TTL > 1000 {
			t.Fatalf("status %d, %d seconds left; want 1000", got.Status, got.TTL)
		}
	}
}
