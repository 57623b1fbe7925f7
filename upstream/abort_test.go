package upstream

import (
	"context"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// TestAbortEndsEveryWait: whoever waits for memcached, or for a connection to it,
// hears at once that there is no reply, and so does whoever comes later.
func TestAbortEndsEveryWait(t *testing.T) {
	asks := map[string]func(r *rig) (failed bool){
		"check":   func(r *rig) bool { return r.Check(context.Background()) != nil },
		"keyless": func(r *rig) bool { _, s := r.Keyless(context.Background(), keyless(t, "flush_all")); return s.Failed() },
		"ask":     func(r *rig) bool { _, _, err := r.ask(cmd("get", "k")); return err != nil },
		"stream":  func(r *rig) bool { return r.stream(cmd("get", "k"), &sink{}).reply.Status.Failed() },
		"lane":    func(r *rig) bool { return statuses(r.do(cmd("get", "k")))[0].Failed() },
	}
	for name, ask := range asks {
		for _, connected := range []bool{false, true} {
			if connected && name == "lane" {
				continue // [Lane.Close] ends that
			}
			t.Run(name+map[bool]string{false: " dials", true: " has asked"}[connected], func(t *testing.T) {
				fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.ConnectTimeout, c.RequestTimeout = time.Hour, time.Hour })
				if connected && r.Check(t.Context()) != nil {
					t.Fatal("no connection")
				}
				stall(fake)
				asked := len(fake.Requests())
				failed := make(chan bool, 1)
				go func() { failed <- ask(r) }()
				testkit.Eventually(t, "memcached to be asked", func() bool { return len(fake.Requests()) > asked })
				r.Abort()
				testkit.Within(t, "who waits", func() {
					if !<-failed || !ask(r) {
						t.Error("there is an answer")
					}
				})
				r.wantFree()
			})
		}
	}
}

// TestAbortBreaksAValueOff: not even a memcached that goes on sending is listened to.
func TestAbortBreaksAValueOff(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{}, nil)
	r.put("k", make([]byte, 1<<19))
	s := &sink{onChunk: func() {
		r.Abort()
		time.Sleep(settleTime) // so that it is known
	}}
	if r.stream(cmd("get", "k"), s); s.err == nil || len(s.value) == 1<<19 {
		t.Errorf("%d bytes in %d pieces, error %v", len(s.value), s.pieces, s.err)
	}
}
