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
