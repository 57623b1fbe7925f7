package proxy

import (
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// TestPulseTellsOfALoopThatHangs: the pulse is that of the loop that is furthest
// behind.
func TestPulseTellsOfALoopThatHangs(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	if at := r.server.LastPulse(); !at.IsZero() {
		t.Errorf("a pulse at %v before anybody asked", at)
	}
	begun := time.Now()
	r.server.Pulse()
	testkit.Eventually(t, "a pulse", func() bool { return !r.server.LastPulse().Before(begun) })

	hang, hung := make(chan struct{}), make(chan struct{})
	r.server.loops[1].Post(func() { close(hung); <-hang })
	<-hung
	before := time.Unix(0, r.server.loops[1].beat.Load())
	r.server.Pulse()
	first := r.server.loops[0]
	testkit.Eventually(t, "the other loop's pulse", func() bool { return time.Unix(0, first.beat.Load()).After(before) })
	if at := r.server.LastPulse(); at.After(before) {
		t.Errorf("a pulse at %v, although a loop hangs since %v", at, before)
	}
	close(hang)
	testkit.Eventually(t, "the pulse of both", func() bool { return r.server.LastPulse().After(before) })
}
