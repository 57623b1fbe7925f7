package testkit

import (
	"testing"
	"time"
)

// patience bounds every wait of this package: a step of a conversation, a
// process that starts, goroutines that end. It is never what a test measures.
const patience = 5 * time.Second

// Eventually polls cond until it holds and fails the test if it does not
// within five seconds. what says in the failure what was waited for.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	if !poll(cond) {
		t.Fatalf("testkit: waited %v in vain for %s", patience, what)
	}
}

// poll reports whether cond came to hold within patience.
func poll(cond func() bool) bool {
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if cond() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// hang bounds what a test does in one go. It is never what a test measures.
const hang = 20 * time.Second

// Within ends the tests if run does not return.
func Within(t testing.TB, what string, run func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	select {
	case <-done:
	case <-time.After(hang):
		panic("BUG: " + what + " hangs") // shows every goroutine
	}
}
