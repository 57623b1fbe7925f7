package upstream

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// outcome is what a fault in one of several pipelined calls leads to.
type outcome struct {
	lostFrom int          // first call without a reply; 8 if every call has one
	cause    metrics.Burn // BurnCount if the connection is kept
}

// doubts reports whether a reply is only as good as the one after it, which is
// not what it should be: an error line, since it proves nothing, and a value,
// since it may have taken bytes of what follows.
func (o outcome) doubts(s protocol.Status) bool {
	strange := o.cause == metrics.BurnProof || o.cause == metrics.BurnIdle
	return o.lostFrom < roundOf8 && s == protocol.StatusNonNumeric || strange && s == protocol.StatusValue
}

// position tells a fault's outcome by where in the round it happens.
type position func(at int) outcome

const (
	roundOf8 = 8
	errorAt  = 2 // the call that is answered with an error line
	missAt   = 3 // the call that finds nothing
	kept     = metrics.BurnCount
	over     = kept + 1 // the round is right, and the connection ends behind it
)

// from: the reply itself is lost, and all after it.
func from(cause metrics.Burn) position {
	return func(at int) outcome { return outcome{at, cause} }
}

// unlessMiss is from, but for a miss, which the reply after it proves.
func unlessMiss(cause metrics.Burn) position {
	return func(at int) outcome {
		if at == missAt {
			return outcome{roundOf8, kept}
		}
		return outcome{at, cause}
	}
}

// fromUnlessLast is from, with another cause if no reply comes after it.
func fromUnlessLast(cause, last metrics.Burn) position {
	return func(at int) outcome {
		if at == roundOf8-1 {
			return outcome{at, last}
		}
		return outcome{at, cause}
	}
}

// after: the reply is right, and all after it are lost.
func after(cause, last metrics.Burn) position {
	return func(at int) outcome {
		if at == roundOf8-1 {
			return outcome{at + 1, last}
		}
		return outcome{at + 1, cause}
	}
}

const nonNumeric = "CLIENT_ERROR cannot increment or decrement non-numeric value"

var faults = []struct {
	name  string
	slow  bool // it takes the request timeout
	fault func() testkit.Fault
	want  position
}{
	{"reply is dropped", true, testkit.DropReply, fromUnlessLast(metrics.BurnProof, metrics.BurnTimeout)},
	{"reply comes twice", false, testkit.DuplicateReply, after(metrics.BurnProof, metrics.BurnIdle)},
	{"opaque is wrong", false, testkit.WrongOpaque, func(at int) outcome {
		if at == errorAt {
			return outcome{roundOf8, kept} // it has none
		}
		return outcome{at, metrics.BurnProof}
	}},
	{"replies change places", true, testkit.SwapWithNext, fromUnlessLast(metrics.BurnProof, metrics.BurnTimeout)},
	{"connection ends before the command", false, testkit.CloseBefore, from(metrics.BurnEOF)},
	{"connection ends before the reply", false, func() testkit.Fault { return testkit.CloseMidReply(0) }, from(metrics.BurnEOF)},
	{"connection ends after the reply", false, func() testkit.Fault { return testkit.CloseMidReply(1 << 20) }, after(metrics.BurnEOF, over)},
	{"no reply ever", true, testkit.Stall, from(metrics.BurnTimeout)},
	{"reply is late", true, func() testkit.Fault { return testkit.DelayReply(1500 * time.Millisecond) }, from(metrics.BurnTimeout)},
	{"reply has no opaque", false, func() testkit.Fault { return testkit.Rewrite(withoutOpaque) }, unlessMiss(metrics.BurnProof)},
	{"opaque comes twice", false, func() testkit.Fault { return testkit.Rewrite(twiceOpaque) }, from(metrics.BurnProof)},
	{"line has no CR", false, func() testkit.Fault { return testkit.Rewrite(withoutCR) }, from(metrics.BurnProof)},
	{"line never ends", false, func() testkit.Fault {
		return testkit.Rewrite(func([]byte) []byte { return bytes.Repeat([]byte("H"), 2000) })
	}, from(metrics.BurnProof)},

	{"empty line before", false, line(testkit.ExtraLineBefore, ""), from(metrics.BurnProof)},
	{"END before", false, line(testkit.ExtraLineBefore, "END"), from(metrics.BurnProof)},
	{"HD before", false, line(testkit.ExtraLineBefore, "HD"), from(metrics.BurnProof)},
	{"MN before", false, line(testkit.ExtraLineBefore, "MN"), from(metrics.BurnProof)},
	{"banner before", false, line(testkit.ExtraLineBefore, "ERROR Too many open connections"), from(metrics.BurnProof)},
	{"error before that incr may have", false, line(testkit.ExtraLineBefore, nonNumeric), from(metrics.BurnProof)},
	{"error before that set may have", false, line(testkit.ExtraLineBefore, "SERVER_ERROR out of memory storing object"), from(metrics.BurnProof)},
	{"error before that get may have", false, line(testkit.ExtraLineBefore, "SERVER_ERROR refcount overflow during fetch"), from(metrics.BurnProof)},

	{"empty line after", false, line(testkit.ExtraLineAfter, ""), after(metrics.BurnProof, metrics.BurnIdle)},
	{"error after that incr may have", false, line(testkit.ExtraLineAfter, nonNumeric), after(metrics.BurnProof, metrics.BurnIdle)},
	{"error after that set may have", false, line(testkit.ExtraLineAfter, "SERVER_ERROR out of memory storing object"), after(metrics.BurnProof, metrics.BurnIdle)},
	{"error after that get may have", false, line(testkit.ExtraLineAfter, "SERVER_ERROR refcount overflow during fetch"), after(metrics.BurnProof, metrics.BurnIdle)},

	{"ERROR instead", false, line(testkit.ErrorLine, "ERROR"), from(metrics.BurnProof)},
	{"bad format instead", false, line(testkit.ErrorLine, "CLIENT_ERROR bad command line format"), from(metrics.BurnProof)},
	{"another status instead", false, line(testkit.ErrorLine, "OK"), from(metrics.BurnProof)},
}

func line(fault func(string) testkit.Fault, text string) func() testkit.Fault {
	return func() testkit.Fault { return fault(text) }
}

func withoutOpaque(reply []byte) []byte {
	end := bytes.IndexByte(reply, '\r')
	at := bytes.LastIndex(reply[:end], []byte(" O"))
	if at < 0 {
		return []byte("HD\r\n") // what was an error line is not one any more
	}
	return slices.Delete(reply, at, at+2+16)
}

func twiceOpaque(reply []byte) []byte {
	end := bytes.IndexByte(reply, '\r')
	at := max(0, bytes.LastIndex(reply[:end], []byte(" O")))
	return slices.Insert(reply, end, reply[at:end]...)
}

func withoutCR(reply []byte) []byte {
	end := bytes.IndexByte(reply, '\r')
	return slices.Delete(reply, end, end+1)
}

// eight is one round of two clients: every kind of reply, four calls each, and
// the status each has if nothing goes wrong. The error line stands neither
// first nor last of its client.
func eight() (a, b *Batch, want []protocol.Status) {
	incr := cmd("incr", "text")
	incr.Delta = 1
	one := cmd("incr", "number")
	one.Delta = 1
	a = batchOf(cmd("get", "a0"), store("set", "a1", oracle("a1")), incr, cmd("get", "none"))
	b = batchOf(cmd("gets", "b4"), one, cmd("touch", "b4"), cmd("get", "b7"))
	return a, b, []protocol.Status{
		protocol.StatusValue, protocol.StatusOK, protocol.StatusNonNumeric, protocol.StatusMiss,
		protocol.StatusValue, protocol.StatusNumber, protocol.StatusOK, protocol.StatusValue,
	}
}

// oracle is the only value a key may have.
func oracle(key string) []byte { return testkit.Value("client", key, 1, 200) }

// seed stores what eight reads.
func (r *rig) seed() {
	for _, key := range []string{"a0", "b4", "b7"} {
		r.put(key, oracle(key))
	}
	r.put("text", []byte("no number"))
	r.put("number", []byte("41"))
}

// wantOracle checks every value against the key that was asked for.
func wantOracle(t *testing.T, b *Batch) {
	t.Helper()
	for i, c := range b.Calls {
		if c.Reply.Status != protocol.StatusValue && len(b.Value(i)) > 0 {
			t.Errorf("call %d has status %d and a value", i, c.Reply.Status)
		}
		if c.Reply.Status != protocol.StatusValue || !c.Command.FetchesValue() {
			continue
		}
		if got := b.Value(i); !bytes.Equal(got, oracle(string(c.Command.Key))) {
			t.Errorf("value of %s: got %.80q", c.Command.Key, got)
		}
	}
}

// TestFaultAtEachPosition lets each fault happen to each of eight replies that
// two clients wait for on one connection.
func TestFaultAtEachPosition(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			testkit.VerifyNoLeaks(t)
			var wg sync.WaitGroup
			for at := range roundOf8 {
				fake := testkit.StartFake(t, testkit.FakeOptions{})
				r := startRig(t, fake.Addr(), func(c *Config) {
					if f.slow {
						c.RequestTimeout = time.Second
					}
				})
				r.seed()
				run := func() { faultAt(t, fake, r, at, f.fault(), f.want(at)) }
				if f.slow {
					wg.Go(run) // they wait at the same time
				} else {
					run()
				}
			}
			wg.Wait()
		})
	}
}

func faultAt(t *testing.T, fake *testkit.Fake, r *rig, at int, fault testkit.Fault, want outcome) {
	t.Helper()
	a, b, right := eight()
	fake.Inject(append(make([]testkit.Fault, at), fault)...)
	dials := r.m.Dials.Load()
	r.together(a, b)

	got := statuses(a, b)
	for i := want.lostFrom; i < roundOf8; i++ {
		right[i] = protocol.StatusLost
	}
	if before := want.lostFrom - 1; before >= 0 && want.doubts(right[before]) {
		right[before] = protocol.StatusLost
	}
	if !slices.Equal(got, right) {
		t.Errorf("fault at %d: statuses %v, want %v", at, got, right)
	}
	wantOracle(t, a)
	wantOracle(t, b)
	var burnt burns
	switch want.cause {
	case kept:
	case over:
		burnt[metrics.BurnIdle]++
	default:
		burnt[want.cause]++
	}
	// An end that comes after the last reply is seen when it comes.
	testkit.Eventually(t, "the burns", func() bool { return r.burns() == burnt })
	r.wantBurns(burnt)

	time.Sleep(settleTime) // an end that came after the last reply is seen
	a, b, right = eight()
	r.together(a, b)
	if got := statuses(a, b); !slices.Equal(got, right) {
		t.Errorf("after a fault at %d: statuses %v, want %v", at, got, right)
	}
	wantOracle(t, a)
	wantOracle(t, b)
	made := int64(2)
	if want.lostFrom == roundOf8 && (at == errorAt || at == missAt) {
		made = 1
	}
	if got := r.m.Dials.Load() - dials; got != made {
		t.Errorf("fault at %d: %d shared connections were made, want %d", at, got, made)
	}
}
