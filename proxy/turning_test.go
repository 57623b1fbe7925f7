package proxy

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

func TestTurning(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	if err := new(Server).Turning(context.Background()); err != nil {
		t.Errorf("before it serves: %v", err)
	}
	if err := r.server.Turning(context.Background()); err != nil {
		t.Errorf("while it serves: %v", err)
	}
	stuck, stop := context.WithTimeout(context.Background(), time.Millisecond)
	defer stop()
	free := make(chan struct{})
	r.server.loops[0].Post(func() { <-free })
	if err := r.server.Turning(stuck); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a loop that is stuck: %v", err)
	}
	close(free)
	if err := r.shutdown(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the loops to end", func() bool { return errors.Is(r.server.Turning(context.Background()), errLoopEnded) })
}
