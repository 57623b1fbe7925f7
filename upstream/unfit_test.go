package upstream

import (
	"slices"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// unfit makes a command that no classic memcached can be asked for.
func unfit(key string) protocol.Command {
	c := protocol.ByGrant("mg")[0].Command([]byte(key))
	c.Ask = protocol.AskTTL
	return c
}

// TestUnfitCommandIsNotSent checks that a command a classic memcached can't be
// asked for is answered without it, among others and alone, while the others are
// served.
func TestUnfitCommandIsNotSent(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{Version: "1.5.22"}, nil)
	r.put("k", []byte("v"))
	b := r.do(unfit("k"), cmd("get", "k"), unfit("k"))
	if got, want := statuses(b), []protocol.Status{protocol.StatusUnfit, protocol.StatusValue, protocol.StatusUnfit}; !slices.Equal(got, want) {
		t.Errorf("statuses %v, want %v", got, want)
	}
	if got := r.stream(unfit("k"), &sink{}); got.err != nil || got.reply.Status != protocol.StatusUnfit {
		t.Errorf("alone: %v, status %d", got.err, got.reply.Status)
	}
	if n := len(fake.Violations()); n != 0 {
		t.Errorf("%d violations", n)
	}
	r.wantBurns(burns{})
	r.wantIdle()
}

// TestUnfitBatchIsDone checks that a batch of which nothing is sent does not wait
// for ever behind the one that leads.
func TestUnfitBatchIsDone(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{Version: "1.5.22"}, nil)
	r.put("k", []byte("v"))
	for range 50 {
		long := NewBatch()
		for range 200 {
			long.Add(cmd("get", "k"))
		}
		waiting := batchOf(unfit("k"), unfit("k"))
		r.together(long, waiting)
		if got := statuses(waiting); got[0] != protocol.StatusUnfit || got[1] != protocol.StatusUnfit {
			t.Fatalf("statuses %v", got)
		}
	}
	r.wantIdle()
}
