package testkit

import (
	"testing"

	"go.uber.org/goleak"
)

// VerifyNoLeaks fails the test if, when it ends, goroutines still run that did
// not when VerifyNoLeaks was called. Call it first: cleanups run backwards, so
// what is started after it is stopped before it looks. A goroutine that is
// just ending is given five seconds. It says nothing after a test that has
// already failed.
//
// It cannot tell the goroutines of parallel tests apart: do not use it where
// t.Parallel is used.
func VerifyNoLeaks(t testing.TB) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		t.Helper()
		if t.Failed() {
			return
		}
		var err error
		poll(func() bool {
			err = goleak.Find(before)
			return err == nil
		})
		if err != nil {
			t.Errorf("testkit: goroutines outlived the test: %v", err)
		}
	})
}
