package testkit

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// fakeTB is a test inside a test: what it reports is kept, and its cleanups run
// when finish is called. Everything else goes to the test around it.
type fakeTB struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (f *fakeTB) Helper()          {}
func (f *fakeTB) Failed() bool     { return len(f.errors) > 0 }
func (f *fakeTB) Cleanup(g func()) { f.cleanups = append(f.cleanups, g) }

func (f *fakeTB) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}

// finish runs the cleanups backwards and returns all that was reported.
func (f *fakeTB) finish() string {
	for i := len(f.cleanups) - 1; i >= 0; i-- {
		f.cleanups[i]()
	}
	return strings.Join(f.errors, "\n")
}

func TestNoLeakNoComplaint(t *testing.T) {
	inner := &fakeTB{TB: t}
	VerifyNoLeaks(inner)
	stop := make(chan struct{})
	go func() { <-stop }()
	time.AfterFunc(30*time.Millisecond, func() { close(stop) })
	if got := inner.finish(); got != "" {
		t.Errorf("a goroutine that ended was reported:\n%s", got)
	}
}

func TestLeakIsReported(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: waits the whole patience for the goroutine to end")
	}
	inner := &fakeTB{TB: t}
	VerifyNoLeaks(inner)
	stop := make(chan struct{})
	defer close(stop)
	go func() { <-stop }()
	if got := inner.finish(); !strings.Contains(got, "TestLeakIsReported") {
		t.Errorf("got %q, want the goroutine of this test", got)
	}
}
