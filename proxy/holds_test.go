package proxy

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

func freezing(t *testing.T, r *rig, f Freeze) {
	t.Helper()
	if err := r.server.Freeze(f); err != nil {
		t.Fatal(err)
	}
}

// What changes something is refused in its place among replies; the value of a
// store is skipped, and noreply kept.
func TestFrozenWritesAreRefusedInOrder(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	c := r.client(t)
	c.asks("set a 0 0 1\r\n1\r\n", "STORED\r\n")
	freezing(t, r, Freeze{Writes: true})
	const frozen = "CLIENT_ERROR frozen\r\n"
	c.asks("get a\r\nset a 0 0 4\r\nmn\r\n\r\nget a\r\nset a 0 0 1 noreply\r\n2\r\nincr a 1\r\ntouch a 0\r\nflush_all\r\nmg a v\r\nmg a v N60\r\nms a 1\r\n3\r\nversion\r\n",
		"VALUE a 0 1\r\n1\r\nEND\r\n"+frozen+"VALUE a 0 1\r\n1\r\nEND\r\n"+frozen+frozen+frozen+"VA 1\r\n1\r\n"+frozen+frozen+"VERSION 1.6.18\r\n")
	if n := r.server.Metrics.Frozen.Load(); n != 7 {
		t.Errorf("%d are counted, want 7", n)
	}
	if n := resultOf(r, "anyone", metrics.Frozen); n != 7 {
		t.Errorf("%d of the identity are counted, want 7", n)
	}
	if n := resultOf(r, "anyone", metrics.Denied); n != 0 {
		t.Errorf("%d are counted as denied", n)
	}
	if !r.server.Unfreeze(Freeze{Writes: true}) || r.server.Unfreeze(Freeze{Writes: true}) {
		t.Error("it was not lifted, or twice")
	}
	c.asks("incr a 1\r\n", "2\r\n")
}

// resultOf is how many requests of an identity came to something.
func resultOf(r *rig, identity string, what metrics.Result) (n int64) {
	of := &r.server.Metrics.Identities.Of(identity).Requests
	for g := range of {
		n += of[g][what].Load()
	}
	return n
}

func TestFrozenPacketsAreRefused(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	freezing(t, r, Freeze{Writes: true, Identity: "anyone"})
	c := r.client(t)
	c.wantsStatus(testkit.Packet{Op: testkit.OpSet, Extras: "\x00\x00\x00\x00\x00\x00\x00\x00", Key: "a", Value: "1"}, 3)
	c.wantsStatus(testkit.Packet{Op: testkit.OpGet, Key: "a"}, 1)
	freezing(t, r, Freeze{Identity: "anyone"})
	c.wantsStatus(testkit.Packet{Op: testkit.OpGet, Key: "a"}, 3)
	c.wantsStatus(testkit.Packet{Op: testkit.OpNoop}, packetOK)
}

func TestAFrozenIdentityIsRefusedEverything(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	freezing(t, r, Freeze{Identity: "another"})
	c := r.client(t)
	c.asks("get a\r\n", "END\r\n")
	freezing(t, r, Freeze{Identity: "anyone", By: "uid 0"})
	c.asks("get a\r\nstats\r\nmn\r\n", "CLIENT_ERROR frozen\r\nCLIENT_ERROR frozen\r\nMN\r\n")
	if h := r.server.Holds(); len(h.Freezes) != 2 || h.Freezes[1].By != "uid 0" {
		t.Errorf("got %+v", h)
	}
}

func TestFreezesOfAnIdentity(t *testing.T) {
	for _, tc := range []struct {
		freezes []Freeze
		want    freeze
	}{
		{nil, thawed},
		{[]Freeze{{Identity: "other"}, {Identity: "other", Writes: true}}, thawed},
		{[]Freeze{{Writes: true}}, frozenWrites},
		{[]Freeze{{Identity: "web", Writes: true}}, frozenWrites},
		{[]Freeze{{Identity: "web"}, {Writes: true}}, frozenAll},
		{[]Freeze{{}}, frozenAll},
	} {
		s := new(Server)
		for _, f := range tc.freezes {
			if err := s.Freeze(f); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.holds.frozen("web"); got != tc.want {
			t.Errorf("%+v: got %d, want %d", tc.freezes, got, tc.want)
		}
	}
}

func TestHoldsAreBounded(t *testing.T) {
	s := new(Server)
	for i := range MaxHolds {
		if err := s.Freeze(Freeze{Identity: itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Freeze(Freeze{Identity: "more"}); !errors.Is(err, ErrHolds) || len(s.Holds().Freezes) != MaxHolds {
		t.Errorf("got %v, and %d freezes", err, len(s.Holds().Freezes))
	}
	if err := s.Freeze(Freeze{Identity: "0", By: "anew"}); err != nil {
		t.Errorf("the same once more: %v", err)
	}
}

func TestHoldsAreSummedByKind(t *testing.T) {
	h := Holds{Freezes: []Freeze{{Identity: "a"}, {Writes: true}, {Identity: "a", Writes: true}, {Identity: "b"}, {}}, Quarantines: make([]Quarantine, 4)}
	if identities, writes, networks := h.Sum(); identities != 3 || writes != 2 || networks != 4 {
		t.Errorf("got %d, %d, %d, want 3, 2, 4", identities, writes, networks)
	}
}

func TestQuarantineClosesAndRefuses(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	now := time.Unix(1_800_000_000, 0)
	r := startRig(t, fake.Addr(), rigOptions{tcp: true, clock: func() time.Time { return now }})
	c := r.client(t)
	c.asks("mn\r\n", "MN\r\n")
	other := Quarantine{Network: netip.MustParsePrefix("10.0.0.0/8"), Since: now, Until: now.Add(time.Hour)}
	if n, err := r.server.Quarantine(other); n != 0 || err != nil {
		t.Errorf("another network: closed %d, %v", n, err)
	}
	here := Quarantine{Network: netip.MustParsePrefix("127.0.0.1/8"), Since: now, Until: now.Add(time.Hour)}
	if n, err := r.server.Quarantine(here); n != 1 || err != nil {
		t.Errorf("closed %d, %v, want one", n, err)
	}
	c.wantsEnd()
	r.ends(t, EndKilled)
	refused, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	newClient(t, refused).wantsEnd()
	testkit.Eventually(t, "the refusal to be counted", func() bool { return r.server.Metrics.Quarantined.Load() == 1 })
	if got := r.server.Holds().Quarantines; len(got) != 2 || got[1].Network.String() != "127.0.0.0/8" {
		t.Errorf("got %+v", got)
	}
	if !r.server.Release(here.Network) || r.server.Release(here.Network) {
		t.Error("it was not released, or twice")
	}
	r.client(t).asks("mn\r\n", "MN\r\n")
}

func TestQuarantinesEndByThemselves(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := &Server{Clock: func() time.Time { return now }}
	q := Quarantine{Network: netip.MustParsePrefix("fe80::/64"), Since: now, Until: now.Add(time.Hour)}
	if _, err := s.Quarantine(q); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		addr  string
		after time.Duration
		want  bool
	}{
		{"fe80::1", 0, true}, {"fe80::1%eth0", time.Hour - 1, true}, {"fe80::1", time.Hour, false}, {"10.0.0.1", 0, false},
	} {
		if got := s.holds.quarantines(netip.MustParseAddr(tc.addr), now.Add(tc.after)); got != tc.want {
			t.Errorf("%s after %v: got %t", tc.addr, tc.after, got)
		}
	}
	if s.holds.quarantines(netip.Addr{}, now) {
		t.Error("a unix socket is quarantined")
	}
	if now = now.Add(time.Hour); len(s.Holds().Quarantines) != 0 {
		t.Errorf("got %+v, want none any more", s.Holds())
	}
}

func TestNothingHeldIsNotLookedAt(t *testing.T) {
	x := newExchange(new(Limits), nil)
	req := &protocol.Request{Form: protocol.Form{Verb: protocol.Unknown}}
	if x.holdsUp(req) {
		t.Error("a request is held up, though nothing is frozen")
	}
}
