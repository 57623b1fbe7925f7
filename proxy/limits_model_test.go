package proxy

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// tape notes which requests exceed a limit, in the order in which they come.
type tape struct{ limited []bool }

func (t *tape) observe(e event, _ *protocol.Request, _ policy.Decision) {
	switch e {
	case evRequest:
		t.limited = append(t.limited, false)
	case evLimited:
		t.limited[len(t.limited)-1] = true
	}
}

// limitLines are all that a client is told of limits.
var limitLines = []string{protocol.LimitRate, protocol.LimitBytes, protocol.LimitInFlight, protocol.LimitValue, protocol.LimitTTL, protocol.LimitKeys}

// quietOp reports whether packets with this opcode are not told that they are denied.
func quietOp(op testkit.Op) bool {
	return silentReads[op] || op >= testkit.OpSetQ && op <= testkit.OpPrependQ
}

// takeLimit takes the answer to a request beyond a limit from the start of got, and
// reports whether there is one, or rightly none.
func takeLimit(req testkit.Request, got []byte) (rest []byte, ok bool) {
	if req.Quiet {
		return got, true
	}
	for _, line := range limitLines {
		want := []byte(line)
		if req.Verb == "" {
			if quietOp(req.Packet.Op) {
				return got, true
			}
			want = []byte(limitPacket(req.Packet, line))
		}
		if rest, ok := bytes.CutPrefix(got, want); ok {
			return rest, true
		}
	}
	return got, false
}

// randomLimits are such that a pipeline exceeds some of them here and there.
func randomLimits(rng *rand.Rand) (l policy.LimitsDoc) {
	some := func() bool { return rng.IntN(3) == 0 }
	if some() {
		l.RPS = ref(1 + rng.IntN(30))
	}
	if some() {
		l.InFlight = ref(1 + rng.IntN(10))
	}
	if some() {
		l.BytesIn = ref(policy.Rate(1 + rng.IntN(2000)))
	}
	if some() {
		l.BytesOut = ref(policy.Rate(1 + rng.IntN(2000)))
	}
	if some() {
		l.ValueMax = ref(policy.Bytes(1 + rng.IntN(10)))
	}
	if some() {
		l.MultigetMax = ref(1 + rng.IntN(2))
	}
	if some() {
		l.TTLMax, l.TTLOver = ref(policy.Span(500_000)), "deny"
	}
	return l
}

// TestPipelinesWithLimitsAgreeWithTheModel: whatever is beyond a limit is answered
// with that in its place, and is as if it had never been; all else is answered as
// the model of memcached says.
func TestPipelinesWithLimitsAgreeWithTheModel(t *testing.T) {
	parleys := 300
	if long() {
		parleys = 20_000
	}
	spaces := loneSpaces(t)
	limited, served := 0, 0
	for seed := range parleys {
		rng := rand.New(rand.NewPCG(uint64(seed), 8))
		doc, binary := shop(randomLimits(rng)), seed%2 == 1
		d := driverOf(t, appOf(t, doc)).inSpace(spaces, "t/"+itoa(seed)+"/")
		seen := new(tape)
		d.x.observer = seen
		model := newModel("1.6.18")
		model.MetaReads = true
		talk := testkit.NewTalk(uint64(seed), newModel("1.6.18"), testkit.TalkOptions{
			Binary: binary, Proxied: true, Skip: func(r testkit.Request) bool { return r.Verb == "me" },
		})
		for range 30 {
			list := talk.Pipeline(1 + rng.IntN(20))
			sent, _ := testkit.Wire(list)
			d.now += rng.Int64N(second)
			d.out, seen.limited = nil, nil
			d.x.limits.MaxInFlight = []int{1, 2, 7, 128}[rng.IntN(4)]
			cut := rng.IntN(len(sent) + 1)
			d.feed(string(sent[:cut]))
			d.feed(string(sent[cut:]))
			got := d.out
			for i, e := range list {
				if i >= len(seen.limited) {
					t.Fatalf("seed %d: only %d of %d requests were understood", seed, i, len(list))
				}
				ok, want := false, []byte("what a limit says")
				if seen.limited[i] {
					limited++
					got, ok = takeLimit(e.Request, got)
				} else {
					served++
					want = model.Answer(e.Request)
					got, ok = bytes.CutPrefix(got, want)
				}
				if !ok {
					t.Fatalf("seed %d, %v, request %d, %v: got %.200q, want %.200q", seed, doc.Identities["app"].Limits, i+1, e.Request, got, want)
				}
			}
			if len(got) > 0 || d.x.end != "" || d.x.meter.account.inFlight.Load() != 0 {
				t.Fatalf("seed %d: %.200q is left, end %q, %d in flight", seed, got, d.x.end, d.x.meter.account.inFlight.Load())
			}
		}
	}
	if limited < parleys || served < parleys {
		t.Errorf("%d requests were served and %d were not: the test says nothing", served, limited)
	}
}
