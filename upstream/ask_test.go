package upstream

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// ask carries out one command.
func (r *rig) ask(c protocol.Command) (protocol.Reply, []byte, error) {
	r.t.Helper()
	var reply protocol.Reply
	var value []byte
	var err error
	testkit.Within(r.t, "Ask", func() { reply, value, err = r.Ask(context.Background(), &c) })
	return reply, value, err
}

// compare is a store that wants the item to have a CAS id.
func compare(key string, value []byte, id uint64) protocol.Command {
	c := store("cas", key, value)
	c.CAS = id
	return c
}

// checkCompareAndSwap changes an item in every way that depends on what is there.
func checkCompareAndSwap(t *testing.T, r *rig) {
	t.Helper()
	want := func(what string, c protocol.Command, status protocol.Status, value string) protocol.Reply {
		t.Helper()
		reply, got, err := r.ask(c)
		if err != nil || reply.Status != status || string(got) != value {
			t.Fatalf("%s: status %d, %q, error %v; want status %d, %q", what, reply.Status, got, err, status, value)
		}
		return reply
	}
	want("nothing there", cmd("gets", "k"), protocol.StatusMiss, "")
	want("nothing to compare with", compare("k", []byte("1"), 7), protocol.StatusNotFound, "")
	want("added", store("add", "k", []byte("1")), protocol.StatusOK, "")
	want("added twice", store("add", "k", []byte("2")), protocol.StatusNotStored, "")
	id := want("read", cmd("gets", "k"), protocol.StatusValue, "1").CAS
	want("another id", compare("k", []byte("3"), id+1), protocol.StatusExists, "")
	want("the same id", compare("k", []byte("4"), id), protocol.StatusOK, "")
	want("the same id twice", compare("k", []byte("5"), id), protocol.StatusExists, "")
	want("an empty value", store("set", "k", nil), protocol.StatusOK, "")
	want("read at the end", cmd("gets", "k"), protocol.StatusValue, "")
	r.wantBurns(burns{})
	r.wantFree()
	if n := len(r.keyless); n != 0 {
		t.Errorf("%d leases never ended", n)
	}
}

func TestAskComparesAndSwaps(t *testing.T) {
	for _, dialect := range []string{"meta", "classic"} {
		t.Run(dialect, func(t *testing.T) {
			_, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.Dialect = dialect })
			checkCompareAndSwap(t, r)
		})
		for _, binary := range testkit.MemcachedBinaries() {
			t.Run(dialect+" "+binary, func(t *testing.T) {
				testkit.VerifyNoLeaks(t)
				m := testkit.MemcachedConfig{Binary: binary}.Start(t)
				checkCompareAndSwap(t, startRig(t, m.Addr(), func(c *Config) { c.Dialect = dialect }))
			})
		}
	}
}

// TestAskBoundsTheValue reads the largest value that is read, and one more byte.
func TestAskBoundsTheValue(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{}, nil)
	for size, fits := range map[int]bool{maxAsked: true, maxAsked + 1: false} {
		want := testkit.Value("c", "k", size, size)
		r.put("k"+strconv.Itoa(size), want)
		reply, got, err := r.ask(cmd("get", "k"+strconv.Itoa(size)))
		if (err == nil) != fits || fits != bytes.Equal(got, want) || !fits && reply.Status != protocol.StatusLost {
			t.Errorf("%d bytes: status %d, %d bytes, error %v", size, reply.Status, len(got), err)
		}
	}
	r.wantBurns(burns{metrics.BurnProof: 1})
}

// TestAskFaults checks that there is an error, a status that says so and no value
// wherever memcached did not answer as it has to.
func TestAskFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault testkit.Fault
		cause metrics.Burn
	}{
		{"closed before", testkit.CloseBefore(), metrics.BurnEOF},
		{"closed in the value", testkit.CloseMidReply(40), metrics.BurnEOF},
		{"stalled", testkit.Stall(), metrics.BurnTimeout},
		{"wrong opaque", testkit.WrongOpaque(), metrics.BurnProof},
		{"error line", testkit.ErrorLine("ERROR"), metrics.BurnProof},
		{"more after it", testkit.Rewrite(func(r []byte) []byte { return append(r, "EN\r\n"...) }), metrics.BurnIdle},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.RequestTimeout = 400 * time.Millisecond })
			r.put("k", bytes.Repeat([]byte("v"), 20))
			fake.Inject(tt.fault)
			reply, value, err := r.ask(cmd("get", "k"))
			if err == nil || reply.Status != protocol.StatusLost || value != nil {
				t.Errorf("status %d, %q, error %v; want an error and a lost reply", reply.Status, value, err)
			}
			if got := r.burns()[tt.cause]; got != 1 {
				t.Errorf("burns: %v, want one for cause %v", r.burns(), tt.cause)
			}
			if reply, _, err := r.ask(cmd("get", "k")); err != nil || reply.Status != protocol.StatusValue {
				t.Errorf("afterwards: status %d, error %v", reply.Status, err)
			}
		})
	}
}

// TestAskIsBoundByItsContext checks that a deadline ends the wait for memcached
// long before its own timeout would, and that nothing is sent after it.
func TestAskIsBoundByItsContext(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.RequestTimeout = time.Hour })
	r.put("k", []byte("v"))
	fake.Inject(testkit.Stall())
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	c := cmd("get", "k")
	testkit.Within(t, "Ask", func() {
		if reply, _, err := r.Ask(ctx, &c); !errors.Is(err, os.ErrDeadlineExceeded) || reply.Status != protocol.StatusLost {
			t.Errorf("status %d, error %v, want a passed deadline", reply.Status, err)
		}
	})
	sent := len(fake.Requests())
	<-ctx.Done()
	if reply, _, err := r.Ask(ctx, &c); !errors.Is(err, context.DeadlineExceeded) || reply.Status != protocol.StatusDown {
		t.Errorf("status %d, error %v, want one that says it was not sent", reply.Status, err)
	}
	for _, req := range fake.Requests()[sent:] {
		if bytes.Contains(req, []byte(" k ")) {
			t.Errorf("%q was sent after the end", req)
		}
	}
}

func TestAskWithoutConnectionOrWords(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	r := startRig(t, "unix:/nonexistent/mc.sock", nil)
	if reply, _, err := r.ask(cmd("get", "k")); err == nil || reply.Status != protocol.StatusDown {
		t.Errorf("no memcached: status %d, error %v", reply.Status, err)
	}
	_, old := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.Dialect = "classic" })
	c := cmd("mg", "k")
	c.Ask = protocol.AskTTL
	if reply, _, err := old.ask(c); !errors.Is(err, errUnfit) || reply.Status != protocol.StatusUnfit {
		t.Errorf("no words for it: status %d, error %v", reply.Status, err)
	}
	old.wantBurns(burns{})
}

// TestAskDoesNotWaitForLargeValues asks while every other lease is taken.
func TestAskDoesNotWaitForLargeValues(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.PoolMax = 17 })
	for range r.Leases() {
		c, err := r.lease(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer r.giveBack(c, nil)
	}
	if reply, _, err := r.ask(cmd("get", "k")); err != nil || reply.Status != protocol.StatusMiss {
		t.Errorf("status %d, error %v, want a miss", reply.Status, err)
	}
}
