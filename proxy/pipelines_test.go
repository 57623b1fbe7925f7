package proxy

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// long reports whether the long form of the long tests is asked for.
func long() bool { return os.Getenv("SLABGATE_LONG") == "1" }

// forbidden is a key that the clients of pipelines may not touch.
const forbidden = "user:1"

// parley is a client that sends random pipelines, some requests of which are
// denied, and the model of all that it must read.
type parley struct {
	*rand.Rand
	kind    parleyKind
	driver  *driver
	model   *testkit.Model // of what allowed makes
	allowed *testkit.Talk
	denied  *testkit.Talk
	denials *reference // answers each request with its denial
}

// parleyKind is one of the kinds of parleys there are.
type parleyKind struct {
	binary, quiet, newer bool // dialect, style of denials, age of memcached
	spaced               bool // its client has a namespace, which it flushes now and then
}

func (k parleyKind) policy() *policy.Document {
	doc := app(rule("@rw me", "*"), policy.Rule{Deny: []string{"@rw", "me"}, Keys: []string{"user:*"}})
	if k.quiet {
		doc.Defaults.DenyReply = "quiet"
	}
	if k.spaced {
		id := doc.Identities["app"]
		id.Namespace, id.Flush = ref("t/{identity}/"), "scoped"
		doc.Identities["app"] = id
	}
	return doc
}

// names reports whether a request is about the forbidden key.
func names(r testkit.Request) bool {
	return r.Packet.Key == forbidden || slices.Contains(r.Args, forbidden)
}

// skips reports whether a client of this kind does not ask for r: what memcached tells
// of an item counts the bytes of its whole name.
func (k parleyKind) skips(r testkit.Request) bool { return names(r) || k.spaced && r.Verb == "me" }

func newParley(t testing.TB, seed uint64, k parleyKind, id *policy.Identity) *parley {
	p := &parley{Rand: rand.New(rand.NewPCG(seed, 3)), kind: k, driver: driverOf(t, id)}
	if k.spaced {
		p.driver.inSpace(loneSpaces(t), "t/app/")
	}
	version := "1.6.18"
	if k.newer {
		version = "1.6.45"
		p.driver.x.parser.Knows = protocol.FeatureNewCAS | protocol.FeatureDrop
	}
	p.driver.x.version, p.driver.memcached = version, newModel(version)
	p.model = newModel(version)
	p.model.MetaReads = true
	p.allowed = testkit.NewTalk(seed, p.model, testkit.TalkOptions{Binary: k.binary, Proxied: true, Skip: k.skips})
	p.denied = testkit.NewTalk(seed, newModel(version), testkit.TalkOptions{
		Binary: k.binary, Proxied: true, Skip: func(r testkit.Request) bool { return !names(r) },
	})
	p.denials = newReference(fuzzPolicy{prefix: "nothing has it", quiet: k.quiet, newer: k.newer})
	p.denials.maxItem = protocol.DefaultMaxItem
	return p
}

// pipeline is a number of requests, the last of which is always answered.
func (p *parley) pipeline() []testkit.Exchange {
	list := p.allowed.Pipeline(1 + p.IntN(15))
	if p.kind.spaced && p.IntN(10) == 0 {
		list = append(append(list, p.flush()), p.allowed.Pipeline(1+p.IntN(5))...)
	}
	for range p.IntN(4) {
		req := p.denied.Pipeline(1)[0].Request
		p.denials.out.Reset()
		p.denials.run(string(req.Bytes()))
		denied := testkit.Exchange{Request: req, Want: []byte(p.denials.out.String())}
		list = slices.Insert(list, p.IntN(len(list)), denied)
	}
	return list
}

// flush is one of the client's namespace, which is everything to the model.
func (p *parley) flush() testkit.Exchange {
	req := testkit.Request{Verb: "flush_all", Quiet: p.IntN(2) == 0}
	want := p.model.Answer(req)
	if !p.kind.binary {
		return testkit.Exchange{Request: req, Want: want}
	}
	packet := testkit.Packet{Op: testkit.OpFlush, Opaque: p.Uint32()}
	if req.Quiet {
		packet.Op = testkit.OpFlushQ
		return testkit.Exchange{Request: testkit.Request{Packet: packet}}
	}
	reply := testkit.Packet{Reply: true, Op: packet.Op, Opaque: packet.Opaque}
	return testkit.Exchange{Request: testkit.Request{Packet: packet}, Want: reply.Bytes()}
}

// hold sends a pipeline, cut and carried out in a random way, and returns what
// its client has read.
func (p *parley) hold(sent []byte) (got []byte) {
	d := p.driver
	d.out, d.sent, d.turns = d.out[:0], d.sent[:0], d.turns[:0]
	d.x.limits.MaxInFlight = []int{1, 2, 3, 7, 128}[p.IntN(5)]
	d.pieces, d.stream = 1+p.IntN(9), nil
	if p.IntN(4) == 0 {
		d.stream = allStreamed
	}
	d.drop = p.IntN(4) == 0
	for len(sent) > 0 {
		n := len(sent)
		if p.IntN(2) == 0 {
			n = 1 + p.IntN(n)
		}
		d.feed(string(sent[:n]))
		sent = sent[n:]
	}
	return d.out
}

// TestPipelinesAgreeWithTheModel holds random pipelines of each dialect: what a
// client reads is what the model of memcached says, to the byte and in order,
// whatever its requests leave unanswered; a request that is denied is answered
// with its denial alone, and nothing of it goes upstream. A client with a namespace
// reads the same, with everything gone that it has flushed, and reaches nothing
// else.
func TestPipelinesAgreeWithTheModel(t *testing.T) {
	pipelines := 20_000
	if long() {
		pipelines = 1_000_000
	}
	const each = 50 // pipelines of a parley
	var ids [16]*policy.Identity
	kind := func(i int) parleyKind {
		return parleyKind{binary: i&1 > 0, quiet: i&2 > 0, newer: i&4 > 0, spaced: i&8 > 0}
	}
	for i := range ids {
		ids[i] = appOf(t, kind(i).policy())
	}
	for seed := range pipelines / each {
		i := seed % len(ids)
		p := newParley(t, uint64(seed), kind(i), ids[i])
		for range each {
			list := p.pipeline()
			sent, _ := testkit.Wire(list)
			err := testkit.Compare(list, p.hold(sent))
			if err != nil || p.driver.x.end != "" || p.driver.err != nil {
				t.Errorf("%v; end %q, error %v", err, p.driver.x.end, p.driver.err)
			}
			for _, command := range p.driver.sent {
				if strings.Contains(command, forbidden) || kind(i).spaced && !strings.Contains(command, " t/app/") {
					t.Errorf("%q was carried out", command)
				}
			}
			if t.Failed() {
				t.Fatalf("seed %d, %+v, sent %q", seed, kind(i), sent)
			}
		}
	}
}
