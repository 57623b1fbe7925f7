package proxy

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/testkit"
)

// Every file in testdata is a conversation, and shows one behaviour. Beside the
// steps, it may hold:
//
//	@policy NAME        one of the policies in policies_test.go; everything if missing
//	@login USER:PASS …  the listener takes logins, of these users
//	@by WAY …           how: ascii if missing, key_value, or mechanisms of SASL
//	@limit NAME N       one of the limits below
//	@version V          of the fake; it is not for memcached then
//	@not SERVER WHY     it is not for fake, or not for memcached
//	@unsplit WHY        it is not sent byte by byte
//	@direct             memcached itself, asked the same, says the same
//
// It is held with slabgate in front of the fake and in front of memcached, in
// clear and inside TLS, as written and byte by byte.
func TestConversations(t *testing.T) {
	w := newWorld(t)
	real := testkit.StartMemcached(t)
	for _, s := range testkit.LoadScripts(t, "testdata/*.txt") {
		v := venue{script: s, world: w, real: real}
		if users, ok := s.Directives["login"]; ok {
			v.users = usersOf(t, 1, fields(users)...)
		}
		t.Run(s.Name, v.run)
	}
}

// venue is one conversation and where it may be held.
type venue struct {
	script testkit.Script
	world  *world
	real   *testkit.Memcached
	users  *auth.Users // nil if the listener takes no logins
}

// statsReply answers the forms of stats that the fake has no figures for.
const statsReply = "STAT figure 1\r\nEND\r\n"

// fakeLines are answers of a memcached to what the fake does not know.
var fakeLines = map[string]string{
	"stats":                   statsReply,
	"stats items":             "END\r\n",
	"stats slabs":             statsReply,
	"stats sizes":             statsReply,
	"stats extstore":          "END\r\n",
	"stats conns":             statsReply,
	"stats reset":             "RESET\r\n",
	"verbosity 0":             "OK\r\n",
	"cache_memlimit 64":       "OK\r\n",
	"lru_crawler enable":      "OK\r\n",
	"lru_crawler sleep 100":   "OK\r\n",
	"slabs automove 1":        "OK\r\n",
	"slabs automove ratio .8": "OK\r\n",
}

func (v *venue) run(t *testing.T) {
	if _, ok := v.script.Directives["direct"]; ok {
		v.runDirect(t)
	}
	for _, server := range []string{"fake", "memcached"} {
		for _, transport := range []string{"plain", "tls"} {
			for _, how := range []string{"whole", "split"} {
				if v.excludes(server, how) {
					continue
				}
				t.Run(server+"/"+transport+"/"+how, func(t *testing.T) {
					r := startRig(t, v.start(t, server), v.options(t, transport))
					testkit.RunScript(t, r.dial(t), v.script, testkit.ScriptOptions{Split: how == "split"})
				})
			}
		}
	}
}

// excludes reports whether the script says that it is not for a server, or not to
// be sent byte by byte. In short mode the fake alone is.
func (v *venue) excludes(server, how string) bool {
	if testing.Short() && how == "split" && server != "fake" {
		return true
	}
	if _, fakes := v.script.Directives["version"]; fakes && server == "memcached" {
		return true
	}
	for not := range strings.SplitSeq(v.script.Directives["not"], "\n") {
		if name, _, _ := strings.Cut(not, " "); not != "" && name == server {
			return true
		}
	}
	_, whole := v.script.Directives["unsplit"]
	return whole && how == "split"
}

// start returns the address of an empty memcached of that kind.
func (v *venue) start(t *testing.T, server string) string {
	if server == "fake" {
		return testkit.StartFake(t, testkit.FakeOptions{Extra: fakeLines, Version: v.script.Directives["version"]}).Addr()
	}
	v.empty(t)
	return v.real.Addr()
}

// empty makes the one memcached forget what conversations before have left.
func (v *venue) empty(t *testing.T) {
	c := newClient(t, v.real.Dial(t))
	c.asks("flush_all\r\n", "OK\r\n")
	c.Close()
}

// options reads the script's directives.
func (v *venue) options(t *testing.T, transport string) rigOptions {
	name, ok := v.script.Directives["policy"]
	if !ok {
		name = "everything"
	}
	doc := policies[name]
	if doc == nil {
		t.Fatalf("%s: there is no policy %q", v.script.Name, name)
	}
	o := rigOptions{doc: doc(), limits: v.limit(t), users: v.users, listen: v.listen}
	if transport == "tls" {
		o.tls, o.clients = v.world.server, v.world.app(t)
	}
	return o
}

// listen tells a listener by which ways it takes logins.
func (v *venue) listen(lc *ListenerConfig) {
	ways, ok := v.script.Directives["by"]
	if !ok && v.users != nil {
		ways = "ascii"
	}
	for _, way := range fields(ways) {
		switch way {
		case "ascii":
			lc.ASCIILogin = true
		case "key_value":
			lc.KeyValueLogin = true
		default:
			lc.SASL = append(lc.SASL, way)
		}
	}
}

// limitNames are the limits that @limit can set.
var limitNames = map[string]func(*Limits) *int{
	"max_in_flight": func(l *Limits) *int { return &l.MaxInFlight },
	"max_reply":     func(l *Limits) *int { return &l.MaxReply },
}

func (v *venue) limit(t *testing.T) func(*Limits) {
	text, ok := v.script.Directives["limit"]
	if !ok {
		return nil
	}
	name, value, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(value)
	if limitNames[name] == nil || err != nil {
		t.Fatalf("%s: there is no limit %q", v.script.Name, text)
	}
	return func(l *Limits) { *limitNames[name](l) = n }
}

// runDirect holds the conversation with memcached itself, so that its words and
// ours are known to be the same.
func (v *venue) runDirect(t *testing.T) {
	for _, how := range []string{"whole", "split"} {
		if v.excludes("", how) {
			continue
		}
		t.Run("direct/"+how, func(t *testing.T) {
			v.empty(t)
			var c net.Conn = v.real.Dial(t)
			testkit.RunScript(t, c, v.script, testkit.ScriptOptions{Split: how == "split"})
		})
	}
}

// TestStatisticsOfMemcachedInPackets asks memcached for figures that no
// conversation can know.
func TestStatisticsOfMemcachedInPackets(t *testing.T) {
	r := startRig(t, testkit.StartMemcached(t).Addr(), rigOptions{})
	c := r.client(t)
	c.wantsStatus(testkit.Packet{Op: testkit.OpSet, Key: "a", Extras: "\x00\x00\x00\x00\x00\x00\x00\x00", Value: "1"}, packetOK)
	for key, figure := range map[string]string{
		"": "curr_connections", "items": "items:1:number", "slabs": "total_malloced", "settings": "maxbytes",
	} {
		found, more := "", 0
		p := c.asksPacket(testkit.Packet{Op: testkit.OpStat, Key: key, Opaque: 7})
		for ; p.Key != ""; p = c.readsPacket() {
			if p.Opaque != 7 || p.Status != packetOK {
				t.Errorf("%q: got %s", key, p)
			}
			if more++; p.Key == figure {
				found = p.Value
			}
		}
		if found == "" || more < 5 {
			t.Errorf("%q: %s is %q, among %d figures", key, figure, found, more)
		}
		if want := (testkit.Packet{Reply: true, Op: testkit.OpStat, Opaque: 7}); p != want {
			t.Errorf("%q ends in %s, want %s", key, p, want)
		}
	}
}

// TestCASIdOfAPacketIsGoodForOneChange takes the id that each answer tells on to
// the next request.
func TestCASIdOfAPacketIsGoodForOneChange(t *testing.T) {
	for name, addr := range map[string]string{
		"fake": testkit.StartFake(t, testkit.FakeOptions{}).Addr(), "memcached": testkit.StartMemcached(t).Addr(),
	} {
		t.Run(name, func(t *testing.T) {
			c := startRig(t, addr, rigOptions{}).client(t)
			const noExtras, storeExtras, never = "", "\x00\x00\x00\x00\x00\x00\x00\x00", "\xff\xff\xff\xff"
			const one, nothing = "\x00\x00\x00\x00\x00\x00\x00\x01", "\x00\x00\x00\x00\x00\x00\x00\x00"
			var cas, old uint64
			for _, p := range []testkit.Packet{
				{Op: testkit.OpSet, Key: "a", Extras: storeExtras, Value: "1"},
				{Op: testkit.OpReplace, Key: "a", Extras: storeExtras, Value: "2"},
				{Op: testkit.OpSet, Key: "a", Extras: storeExtras, Value: "3"},
				{Op: testkit.OpAppend, Key: "a", Extras: noExtras, Value: "4"},
				{Op: testkit.OpPrepend, Key: "a", Extras: noExtras, Value: "2"},
				{Op: testkit.OpIncrement, Key: "a", Extras: one + nothing + never},
				{Op: testkit.OpDecrement, Key: "a", Extras: one + nothing + never},
				{Op: testkit.OpDelete, Key: "a"},
			} {
				if p.CAS = old; old != 0 {
					c.wantsStatus(p, packetExists)
				}
				p.CAS = cas
				old, cas = cas, c.wantsStatus(p, packetOK).CAS
			}
			if cas != 0 {
				t.Errorf("what was deleted has the CAS id %d", cas)
			}
		})
	}
}
