package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// ownItem is an item as one client calls it.
type ownItem struct {
	root, key  string
	generation uint64
}

// upstreamName is what memcached calls it.
func (n ownItem) upstreamName(t testing.TB) string {
	t.Helper()
	x := &exchange{space: space{root: n.root, prefix: []byte(n.root + strconv.FormatUint(n.generation, 10) + "/")}}
	verb := verbOf(t, "get")
	c := x.command(&protocol.Request{Form: protocol.Form{Verb: verb}, Prefix: x.space.prefix, Keys: [][]byte{[]byte(n.key)}}, 0)
	return fields(string(protocol.AppendMeta(nil, &c, mark)))[1]
}

// verbOf is a command of the classic dialect.
func verbOf(t testing.TB, name string) *protocol.Verb {
	t.Helper()
	var p protocol.Parser
	req, _, err := p.Next([]byte(name + " a\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	return req.Verb
}

// twoRoots are the namespaces of two identities, if a policy may have both.
func twoRoots(rng *rand.Rand) (roots []string, ok bool) {
	d := &policy.Document{Version: 1, Categories: 1, Identities: map[string]policy.IdentityDoc{}}
	for i := range 2 {
		root := ""
		for range 1 + rng.IntN(3) {
			root += pickOf(rng, "a", "b", "1", "12", "a.b") + pickOf(rng, "/", ":", "|")
		}
		roots = append(roots, root)
		d.Identities["id"+itoa(i)] = policy.IdentityDoc{
			Match: []policy.Match{{Listener: ref("l" + itoa(i))}}, Namespace: ref(root), Rules: []policy.Rule{rule("@rw", "*")},
		}
	}
	_, found := policy.Compile(d)
	return roots, found.Err() == nil && roots[0] != roots[1]
}

func pickOf[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// randomKey is made of what namespaces are made of.
func randomKey(rng *rand.Rand) (key string) {
	for range 1 + rng.IntN(6) {
		key += pickOf(rng, "a", "b", "1", "2", "12", "/", ":", "|", "#", ".")
	}
	if rng.IntN(4) == 0 {
		key += strings.Repeat("/", 250-len(key))
	}
	return key
}

// TestNoTwoClientsNameOneItem: what memcached gets is root, generation and key, which
// can be told apart again; so that no two namespaces of a policy, no two generations
// and no two keys ever meet, written out or hashed.
func TestNoTwoClientsNameOneItem(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	rounds, refused, hashed := 3000, 0, 0
	for range rounds {
		roots, ok := twoRoots(rng)
		if !ok {
			refused++
			continue
		}
		known := map[string]ownItem{}
		for range 40 {
			n := ownItem{pickOf(rng, roots...), randomKey(rng), pickOf(rng, uint64(0), 1, 2, 12, 121, 1764158400000)}
			name := n.upstreamName(t)
			if other, met := known[name]; met && other != n {
				t.Fatalf("roots %q: both %+v and %+v are %q", roots, other, n, name)
			}
			known[name] = n
			if !protocol.ValidKey([]byte(name)) {
				t.Fatalf("%+v is %q, which is no key", n, name)
			}
			head := n.root + strconv.FormatUint(n.generation, 10)
			switch {
			case name == head+"/"+n.key:
			case len(head)+1+len(n.key) > protocol.MaxKey && name == head+"#"+hashOf(n.key):
				hashed++
			default:
				t.Fatalf("%+v is %q", n, name)
			}
		}
	}
	if refused == 0 || refused > rounds*9/10 || hashed < 100 {
		t.Errorf("of %d policies %d were refused, %d keys were hashed: the test says nothing", rounds, refused, hashed)
	}
}

func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// FuzzNoTwoClientsNameOneItem is that for two keys of one namespace, and of two.
func FuzzNoTwoClientsNameOneItem(f *testing.F) {
	f.Add("a", "1/a", uint64(1), uint64(11))
	f.Add("a", "#"+hashOf("a"), uint64(1), uint64(1))
	f.Add(strings.Repeat("k", 250), hashOf(strings.Repeat("k", 250)), uint64(1), uint64(1))
	f.Fuzz(func(t *testing.T, a, b string, ga, gb uint64) {
		if !protocol.ValidKey([]byte(a)) || !protocol.ValidKey([]byte(b)) {
			return
		}
		one := ownItem{"t/a/", a, ga}
		for _, root := range []string{"t/a/", "t/b/", "t/a1/"} {
			other := ownItem{root, b, gb}
			if n := one.upstreamName(t); n == other.upstreamName(t) && one != other {
				t.Errorf("both %+v and %+v are %q", one, other, n)
			}
		}
	})
}

// budgetRequests are requests about one key, and how the key is written in each.
func budgetRequests() map[string]func(key string) string {
	all := map[string]func(string) string{}
	line := func(format string, write func(string) string) {
		all[format] = func(key string) string { return fmt.Sprintf(format, write(key)) }
	}
	plain := func(key string) string { return key }
	base64d := func(key string) string { return base64.StdEncoding.EncodeToString([]byte(key)) }
	for _, f := range []string{
		"get %s\r\n", "gets %s a\r\n", "gat 5 a %s\r\n", "touch %s 5\r\n", "delete %s\r\n", "incr %s 1\r\n",
		"set %s 0 0 1\r\nv\r\n", "append %s 0 0 1\r\nv\r\n", "cas %s 0 0 1 5\r\nv\r\n",
		"mg %s v k\r\n", "ms %s 1 k\r\nv\r\n", "md %s\r\n", "ma %s\r\n", "me %s\r\n",
	} {
		line(f, plain)
	}
	line("mg %s b k\r\n", base64d)
	line("ms %s 1 b\r\nv\r\n", base64d)
	for name, p := range map[string]testkit.Packet{
		"GETK": {Op: testkit.OpGetK}, "SET": setPacket(testkit.OpSet, 1), "DELETE": {Op: testkit.OpDelete},
		"TOUCH": {Op: testkit.OpTouch, Extras: "\x00\x00\x00\x05"},
	} {
		all[name] = func(key string) string { p.Key = key; return string(p.Bytes()) }
	}
	return all
}

// budget is an exchange of a client with a namespace, and the longest key that fits.
func budget(t testing.TB, overlong string) (d *driver, longest int) {
	doc := shop(policy.LimitsDoc{})
	doc.Defaults.OverlongKey = overlong
	d = newDriver(t, doc).inSpace(loneSpaces(t), "t/"+strings.Repeat("r", 100)+"/")
	return d, protocol.MaxKey - len(d.prefix())
}

// TestKeyBudget: a key that fills what its namespace has left of the 250 bytes is
// served. With one byte more it is refused as a key of 251 bytes is, or stored by its
// hash.
func TestKeyBudget(t *testing.T) {
	for name, request := range budgetRequests() {
		d, longest := budget(t, "")
		key := strings.Repeat("k", longest)
		if strings.Contains(name, " b") && longest > 186 {
			t.Fatalf("%d bytes of a key have no base64", longest)
		}
		d.feed(request(key))
		if len(d.sent) == 0 || !strings.Contains(strings.Join(d.sent, ""), " "+d.prefix()+key) {
			t.Errorf("%s, %d bytes: sent %q", name, longest, d.sent)
		}
		bare := newDriver(t, policies["everything"]())
		bare.feed(request(strings.Repeat("k", 251)))
		d, _ = budget(t, "")
		d.feed(request(key + "k"))
		want := string(bare.out)
		if strings.Contains(name, " b") {
			want = "CLIENT_ERROR error decoding key\r\n"
		}
		if name == strings.ToUpper(name) { // a packet with such a key is one that memcached would take
			want = ""
			if reply := readPacket(t, d.out); reply.Status != 4 || d.x.end != "" {
				t.Errorf("%s, %d bytes: got %v, end %q", name, longest+1, reply, d.x.end)
			}
		} else if string(d.out) != want || want == "" {
			t.Errorf("%s, %d bytes: got %q, want %q", name, longest+1, d.out, want)
		}
		if len(d.sent) > 0 {
			t.Errorf("%s, %d bytes: sent %q", name, longest+1, d.sent)
		}
	}
}

func readPacket(t testing.TB, b []byte) testkit.Packet {
	t.Helper()
	p, err := testkit.ReadPacket(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOverlongKeyIsStoredByItsHash(t *testing.T) {
	for name, request := range budgetRequests() {
		d, longest := budget(t, "hash")
		for _, key := range []string{strings.Repeat("k", longest), strings.Repeat("k", longest+1), strings.Repeat("k", 186)} {
			d.sent, d.out = nil, nil
			d.feed(request(key))
			want := d.prefix() + key
			if len(key) > longest {
				want = strings.TrimSuffix(d.prefix(), "/") + "#" + hashOf(key)
			}
			if sent := strings.Join(d.sent, ""); !strings.Contains(sent, " "+want+" ") && !strings.Contains(sent, " "+want+"\r\n") {
				t.Errorf("%s, %d bytes: sent %q, want %q", name, len(key), d.sent, want)
			}
			if strings.Contains(string(d.out), "t/rr") || len(d.out) == 0 {
				t.Errorf("%s, %d bytes: got %q", name, len(key), d.out)
			}
		}
	}
	d, _ := budget(t, "hash")
	key := strings.Repeat("k", 250)
	d.feed("set " + key + " 0 0 1\r\nv\r\nget a " + key + "\r\nmg " + key + " k v\r\n")
	if got, want := string(d.out), "STORED\r\nVALUE "+key+" 0 1\r\nv\r\nEND\r\nVA 1 k"+key+"\r\nv\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPrefixCountsForTheSizeOfAnItem: what is too large with its whole name is
// refused here.
func TestPrefixCountsForTheSizeOfAnItem(t *testing.T) {
	set := func(n int) string { return fmt.Sprintf("set a 0 0 %d\r\n%s\r\n", n, strings.Repeat("v", n)) }
	const room = 20 // less than the prefix
	bare := newDriver(t, policies["everything"]())
	bare.x.parser.MaxItem = 1000
	most := 0
	for n := 1000; n > 0 && most == 0; n-- {
		bare.out = nil
		if bare.feed(set(n)); string(bare.out) == "STORED\r\n" {
			most = n
		}
	}
	d, _ := budget(t, "")
	d.x.parser.MaxItem = 1000
	d.feed(set(most-room) + set(most-len(d.prefix())))
	if got, want := string(d.out), "SERVER_ERROR object too large for cache\r\nSTORED\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestGenerationChangesBetweenTurns: a turn is asked of one generation, whatever
// happens meanwhile; the next of the one that is in force then.
func TestGenerationChangesBetweenTurns(t *testing.T) {
	for name, stream := range map[string]func(int) bool{"batched": nil, "streamed": allStreamed} {
		d := newDriver(t, shop(policy.LimitsDoc{})).inSpace(loneSpaces(t), "t/app/")
		d.stream = stream
		old := d.prefix()
		d.feed("set a 0 0 1\r\nv\r\nget a\r\n")
		d.fault = func(i int, _ *protocol.Reply) {
			if i == 1 {
				d.spaces.Flush(context.Background(), "t/app/")
			}
		}
		d.feed("get a b a\r\nset b 0 0 1\r\nv\r\nget b a\r\n")
		d.fault = nil
		for _, command := range d.sent {
			if !strings.Contains(command, " "+old) {
				t.Errorf("%s: sent %q in a turn that began with %q", name, command, old)
			}
		}
		if d.prefix() == old {
			t.Fatalf("%s: nothing was flushed", name)
		}
		d.out, d.sent = nil, nil
		d.feed("get a b\r\nset a 0 0 1\r\nw\r\nget a\r\n")
		if got, want := string(d.out), "END\r\nSTORED\r\nVALUE a 0 1\r\nw\r\nEND\r\n"; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		for _, command := range d.sent {
			if !strings.Contains(command, " "+d.prefix()) {
				t.Errorf("%s: sent %q, want it in %q", name, command, d.prefix())
			}
		}
	}
}

// TestFlushAmongOthers: it concerns what comes after it, and nothing before.
func TestFlushAmongOthers(t *testing.T) {
	d := newDriver(t, shop(policy.LimitsDoc{})).inSpace(loneSpaces(t), "t/app/")
	big := "set big 0 0 70000\r\n" + strings.Repeat("v", 70000) + "\r\n"
	d.feed("set a 0 0 1\r\nv\r\n" + big + "get a\r\nflush_all\r\nget a big\r\nset a 0 0 1 noreply\r\nw\r\nflush_all noreply\r\nget a\r\nmn\r\n" + big + "mg big s\r\n")
	if got, want := string(d.out), "STORED\r\nSTORED\r\nVALUE a 0 1\r\nv\r\nEND\r\nOK\r\nEND\r\nEND\r\nMN\r\nSTORED\r\nHD s70000\r\n"; got != want {
		t.Errorf("got %.300q, want %q", got, want)
	}
	for _, command := range d.sent {
		if strings.Contains(command, "flush") || !strings.Contains(command, " t/app/") {
			t.Errorf("%.100q was carried out", command)
		}
	}
}
