package proxy

import (
	"io"
	"slices"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// talks are clients of both dialects who share one memcached, and one model of it.
func talks(version string, o testkit.TalkOptions) (list []*testkit.Talk) {
	model := newModel(version)
	model.MetaReads = true
	for seed, binary := range []bool{false, true} {
		o.Binary = binary
		list = append(list, testkit.NewTalk(uint64(seed), model, o))
	}
	return list
}

// holdTalks has each client send pipelines in its turn, and compares what it reads.
func holdTalks(t *testing.T, r *rig, talks []*testkit.Talk, pipelines int) {
	t.Helper()
	var clients []*client
	for range talks {
		clients = append(clients, r.client(t))
	}
	for i := range pipelines {
		list := talks[i%len(talks)].Pipeline(1 + i%40)
		sent, want := testkit.Wire(list)
		c := clients[i%len(talks)]
		c.send(string(sent))
		got := make([]byte, len(want))
		n, err := io.ReadFull(c.in, got)
		if wrong := testkit.Compare(list, got[:n]); wrong != nil {
			t.Fatalf("pipeline %d, %q: %v (%v)", i, sent, wrong, err)
		}
	}
	if n := r.server.Metrics.UpstreamFails.Load(); n != 0 {
		t.Errorf("%d commands failed", n)
	}
}

// TestPipelinesShareAConnection holds random pipelines of two clients, one of
// lines and one of packets, whose commands take the same connection to a
// memcached of either age.
func TestPipelinesShareAConnection(t *testing.T) {
	pipelines := 2000
	if long() {
		pipelines = 50_000
	}
	for _, version := range []string{"1.6.18", "1.6.45"} {
		t.Run(version, func(t *testing.T) {
			fake := testkit.StartFake(t, testkit.FakeOptions{Version: version, Forgetful: true, Now: func() int64 { return testNow }})
			r := startRig(t, fake.Addr(), rigOptions{doc: policies["everything"](), upstream: oneLane})
			holdTalks(t, r, talks(version, testkit.TalkOptions{Proxied: true}), pipelines)
		})
	}
}

// TestPipelinesAgainstMemcached is TestPipelinesShareAConnection with the real one,
// without arithmetic and what depends on a clock.
func TestPipelinesAgainstMemcached(t *testing.T) {
	real := testkit.StartMemcached(t, "-o", "no_lru_crawler,no_lru_maintainer")
	r := startRig(t, real.Addr(), rigOptions{doc: policies["everything"](), upstream: oneLane})
	if info, _ := r.pool.Info(); info.Version != "1.6.18" {
		t.Skipf("SKIP: memcached %s gives out other CAS ids", info.Version)
	}
	skip := func(r testkit.Request) bool {
		grant := grants[packetShapes[r.Packet.Op].loud]
		return slices.Contains([]string{"ma", "incr", "decr"}, r.Verb) || r.Verb == "" && (grant == "incr" || grant == "decr")
	}
	holdTalks(t, r, talks("1.6.18", testkit.TalkOptions{Skip: skip}), 2000)
}
