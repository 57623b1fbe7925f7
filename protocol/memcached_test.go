package protocol

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// commandCount is how many random commands each dialect is tried with.
const commandCount = 20_000

// TestMetaCommandsHaveOneReply sends random commands to a real memcached, many
// at a time. Each has exactly one reply, which carries its opaque.
func TestMetaCommandsHaveOneReply(t *testing.T) {
	eachMemcached(t, true, testMetaReplies)
}

func testMetaReplies(t *testing.T, l *link) {
	knows := FeaturesOf(l.version())
	src := rand.New(rand.NewPCG(1, 2))
	verbs, keys := servedVerbs(), randomKeys()
	seen := map[string]int{}
	for sent := 0; sent < commandCount; {
		var batch []*Command
		var wire []byte
		first := src.Uint64()
		for i := range uint64(1 + src.IntN(100)) {
			c := randomCommand(src, verbs, keys, knows)
			batch = append(batch, c)
			wire = AppendMeta(wire, c, first+i)
		}
		l.send(wire)
		for i, c := range batch {
			r, _ := l.reply(ParseMeta, c, first+uint64(i))
			if r.Status.Failed() {
				t.Errorf("%s %q: status %d", c.Verb.Name, c.Key, r.Status)
			}
			seen[fmt.Sprint(c.Verb.Name, " ", r.Status)]++
		}
		l.settled()
		sent += len(batch)
	}
	if len(seen) < 28 { // a hit and a miss of each
		t.Errorf("saw only %d pairs of command and status: %v", len(seen), seen)
	}
}

// TestClassicCommandsHaveOneReply does the same in the classic dialect, one at a
// time.
func TestClassicCommandsHaveOneReply(t *testing.T) {
	eachMemcached(t, false, testClassicReplies)
}

func testClassicReplies(t *testing.T, l *link) {
	src := rand.New(rand.NewPCG(3, 4))
	verbs, keys := servedVerbs(), randomKeys()
	for i := range commandCount {
		c := randomCommand(src, verbs, keys, 0)
		if !c.FitsClassic() {
			continue
		}
		l.send(AppendClassic(nil, c))
		l.reply(ParseClassic, c, 0)
		if i%100 == 0 {
			l.settled()
		}
	}
	l.settled()
}

// TestDialectsAgree sends the same random commands in both dialects, to a
// memcached each: the replies are the same.
func TestDialectsAgree(t *testing.T) {
	meta, classic := newLink(t, testkit.StartMemcached(t)), newLink(t, testkit.StartMemcached(t))
	src := rand.New(rand.NewPCG(5, 6))
	var verbs []*Verb
	for _, name := range classicCommands() {
		verbs = append(verbs, verbNamed(name))
	}
	keys := randomKeys()
	counted := map[string]bool{} // keys whose value may be padded or not, as memcached finds time
	for i := range uint64(commandCount / 4) {
		c := randomCommand(src, verbs, keys, 0)
		switch c.Verb.Name {
		case "append", "prepend":
			if counted[string(c.Key)] {
				continue
			}
		case "incr", "decr":
			counted[string(c.Key)] = true
		}
		if c.Exptime > 0 && c.Exptime < 3600 {
			c.Exptime = 3600 // so that no item's time comes on one side first
		}
		meta.send(AppendMeta(nil, c, i))
		classic.send(AppendClassic(nil, c))
		one, oneValue := meta.reply(ParseMeta, c, i)
		other, otherValue := classic.reply(ParseClassic, c, 0)
		one.Trailer, other.Trailer, one.told, other.told = "", "", 0, 0
		one.Proven = false
		if one != other || !bytes.Equal(oneValue, otherValue) {
			t.Fatalf("command %d, %s: meta gives %+v %.100q, classic %+v %.100q",
				i, bytes.TrimSpace(AppendClassic(nil, c)), one, oneValue, other, otherValue)
		}
	}
}

// TestItemSizeLimitIsMemcacheds: the largest item that the parser lets through
// is the largest that memcached stores.
func TestItemSizeLimitIsMemcacheds(t *testing.T) {
	l := newLink(t, testkit.StartMemcached(t, "-m", "128"))
	for _, row := range []struct {
		key   int // bytes
		flags uint32
		size  int // the largest value
	}{
		{1, 0, 1048516}, {1, 1, 1048512}, {250, 0, 1048267}, {250, 1 << 31, 1048263},
	} {
		for _, over := range []int{0, 1} {
			size := row.size + over
			in := fmt.Appendf(nil, "set %s %d 0 %d\r\n", strings.Repeat("k", row.key), row.flags, size)
			in = append(append(in, bytes.Repeat([]byte("v"), size)...), "\r\n"...)
			var p Parser
			_, n, err := p.Next(in)
			for taken := n; taken < len(in); taken += n {
				_, n, _ = p.Next(in[taken:])
			}
			want := "STORED\r\n"
			if over > 0 {
				want = "SERVER_ERROR object too large for cache\r\n"
			}
			if (err == nil) != (over == 0) {
				t.Errorf("%.30q: the parser says %v", in, err)
			}
			l.send(in)
			if got := l.take(len(want)); string(got) != want {
				t.Errorf("%.30q: memcached says %q, want %q", in, got, want)
			}
			l.settled()
		}
	}
}

// TestKeylessCommandsHaveReplies sends every command about no key, and reads its
// reply to the end.
func TestKeylessCommandsHaveReplies(t *testing.T) {
	m := testkit.StartMemcached(t)
	tried := map[*Verb]bool{}
	for _, line := range []string{
		"stats", "stats items", "stats slabs", "stats sizes", "stats settings", "stats extstore", "stats conns", "stats reset",
		"flush_all", "flush_all 0", "flush_all 1000", "flush_all -5", "verbosity 0", "cache_memlimit 65", "cache_memlimit 0",
		"slabs reassign 1 2", "slabs reassign -1 5", "slabs reassign 1 1", "slabs automove 0", "slabs automove 9", "slabs automove ratio 0.8",
		"slabs automove window 30", "lru mode segmented", "lru mode flat", "lru tune 10 25 0.1 2.0", "lru tune 90 90 9 9", "lru temp_ttl -1",
		"lru temp_ttl 60", "lru_crawler disable", "lru_crawler enable", "lru_crawler sleep 100", "lru_crawler sleep 4294967295", "lru_crawler tocrawl 5",
		"lru_crawler crawl 1,2", "lru_crawler crawl all", "lru_crawler crawl 4294967295", "extstore item_age 5", "extstore max_frag 0.9",
		"me missing", "me bWlzc2luZw== b",
	} {
		r, err := ParseLine([]byte(line))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		tried[r.Verb] = true
		l := newLink(t, m)
		l.alone(r)
		l.settled()
	}
	for _, v := range Verbs() {
		if v.Route == RouteKeyless && v.packet.read == nil && !tried[v] {
			t.Errorf("%s was not tried", v.Name)
		}
	}
}
