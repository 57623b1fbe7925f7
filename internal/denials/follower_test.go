package denials

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// next wants the shapes of what is new, and how many were lost.
func (f *Follower) next(t *testing.T, lost int64, shapes ...string) {
	t.Helper()
	entries, n, err := f.Next(t.Context())
	var got []string
	for _, e := range entries {
		got = append(got, fmt.Sprint(e.Shape, "x", e.Count))
	}
	if err != nil || n != lost || fmt.Sprint(got) != fmt.Sprint(shapes) {
		t.Errorf("got %v, %d lost, %v, want %v, %d lost", got, n, err, shapes, lost)
	}
}

func TestAFollowerSeesWhatIsThereAndWhatComes(t *testing.T) {
	r := New()
	r.Add(denied("a", 0))
	f := r.Follow()
	defer f.Close()
	r.Add(denied("b", 0))
	f.next(t, 0, "ax1", "bx1")
	r.Add(denied("a", 0))
	r.Add(denied("a", 0))
	f.next(t, 0, "ax3")
}

func TestAFollowerWaits(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	r := New()
	f := r.Follow()
	defer f.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.next(t, 0, "ax1")
	}()
	r.Add(denied("a", 0))
	testkit.Within(t, "the follower", func() { <-done })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := f.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestASlowFollowerIsToldWhatItLost(t *testing.T) {
	r := New()
	r.Add(denied("seen", 0))
	f, slower := r.Follow(), r.Follow()
	defer f.Close()
	defer slower.Close()
	f.next(t, 0, "seenx1")
	for i := range Most + 10 {
		r.Add(denied(fmt.Sprint(i), 0))
	}
	entries, lost, err := f.Next(t.Context())
	if len(entries) != Most || lost != 10 || err != nil {
		t.Errorf("got %d, %d lost, %v, want %d and 10: what it has seen is not lost", len(entries), lost, err, Most)
	}
	if entries, lost, _ := slower.Next(t.Context()); len(entries) != Most || lost != 11 {
		t.Errorf("the slower one got %d, %d lost, want %d and 11", len(entries), lost, Most)
	}
	r.Add(denied("again", 0))
	f.next(t, 0, "againx1")
}

func TestAClosedFollowerIsForgotten(t *testing.T) {
	r := New()
	f := r.Follow()
	f.Close()
	r.Add(denied("a", 0))
	if len(r.followers) != 0 || len(f.news) != 0 {
		t.Errorf("%d followers are left, %d news for one that is closed", len(r.followers), len(f.news))
	}
}
