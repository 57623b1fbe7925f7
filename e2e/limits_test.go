package e2e_test

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// limitsPolicy has an identity for each limit, and one that has none.
const limitsPolicy = `version: 1
categories: 1
roles:
  all: {rules: [{allow: ["@rw"], keys: ["*"]}]}
identities:
  free: {match: [{listener: free}], roles: [all]}
  value: {match: [{listener: value}], roles: [all], limits: {value_max: 100B}}
  shorten: {match: [{listener: shorten}], roles: [all], limits: {ttl_max: 100s}}
  refuse: {match: [{listener: refuse}], roles: [all], limits: {ttl_max: 100s, ttl_over: deny}}
  keys: {match: [{listener: keys}], roles: [all], limits: {multiget_max: 2}}
  rate-classic: {match: [{listener: rate-classic}], roles: [all], limits: {rps: 10}}
  rate-meta: {match: [{listener: rate-meta}], roles: [all], limits: {rps: 10}}
  rate-binary: {match: [{listener: rate-binary}], roles: [all], limits: {rps: 10}}
  conns: {match: [{listener: conns}], roles: [all], limits: {conns: 2}}
  flight: {match: [{listener: flight}], roles: [all], limits: {inflight: 3}}
`

// limited is a site whose identities have limits, in front of its memcached.
type limited struct {
	*testing.T
	mc *testkit.Memcached
	d  *daemon
}

// wantFree fails the test unless a client without limits is served.
func (l limited) wantFree(speaks dialect) {
	l.Helper()
	free := l.d.dialAs(l.T, speaks, "free")
	free.want(l.T, free.set("free", "pear", 0), fine)
	free.want(l.T, free.get("free"), holds("free", "pear"))
	free.conn.Close()
}

// limitTests look at one limit each, in one dialect.
var limitTests = map[string]func(l limited, speaks dialect){
	"value": limited.wantValueMax, "shorten": limited.wantShorterTTL, "refuse": limited.wantRefusedTTL,
	"keys": limited.wantMultigetMax, "rate": limited.wantRate, "conns": limited.wantConns, "flight": limited.wantInFlight,
}

func TestLimits(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	mc := memcached(t)
	w := newTap(t, mc.Addr())
	names := []string{"free", "value", "shorten", "refuse", "keys", "rate-classic", "rate-meta", "rate-binary", "conns", "flight"}
	d := newPolicySite(t, w.addr(), limitsPolicy, names...).start(t)
	for name, test := range limitTests {
		for _, speaks := range dialects {
			t.Run(name+"/"+speaks.name, func(t *testing.T) {
				test(limited{t, mc, d}, speaks)
			})
		}
	}
	w.wantUnheard(t, "exact", "set too-large", "ms too-large", "ms too-long", " k3 ")
}

func (l limited) wantValueMax(speaks dialect) {
	c := l.d.dialAs(l.T, speaks, "value")
	most := strings.Repeat("x", 100)
	got := c.asks(c.set("exact", most, 0), c.set("too-large", most+"x", 0), c.get("exact"), c.get("too-large"))
	want := []answer{fine, {word: "value exceeds the limit"}, holds("exact", most), missed}
	if !slices.Equal(got, want) {
		l.Errorf("got %q, want %q", got, want)
	}
	large := strings.Repeat("x", 400_000) // is not waited for as a whole
	c.wantWord(l.T, c.set("too-large", large, 0), "value exceeds the limit")
	c.want(l.T, c.get("exact"), holds("exact", most))
	l.wantFree(speaks)
}

// metaTTL is the reply to a request for the seconds that an item has left.
var metaTTL = regexp.MustCompile(`^HD t(-?\d+)[ \r]`)

// wantTTL fails the test unless memcached says that an item expires in so many
// seconds, of which a few may have passed; -1 is never.
func (l limited) wantTTL(key string, want int) {
	l.Helper()
	c, err := net.Dial("tcp", l.mc.Addr())
	if err != nil {
		l.Fatal(err)
	}
	defer c.Close()
	reply, err := firstLine(c, "mg "+key+" t\r\n")
	m := metaTTL.FindStringSubmatch(reply)
	if m == nil {
		l.Fatalf("the expiry of %s: got %q, %v", key, reply, err)
	}
	if got, _ := strconv.Atoi(m[1]); got > want || got < want-20 && want > 0 {
		l.Errorf("the expiry of %s: got %d, want %d", key, got, want)
	}
}

// makers make an item called made that never expires, by dialect.
var makers = map[string][]string{
	"classic": {"add made 0 0 1\r\n1\r\n", "set made 7 0 1\r\n1\r\n"},
	"meta":    {"ms made 1\r\n1\r\n", "ms made 1 ME\r\n1\r\n", "mg made N0 v\r\n", "ma made N0 J1 v\r\n"},
	"binary": {
		string(testkit.Packet{Op: testkit.OpAdd, Extras: number(0) + number(0), Key: "made", Value: "1"}.Bytes()),
		string(testkit.Packet{Op: testkit.OpIncrement, Extras: number(0) + number(1) + number(0) + number(1) + number(0), Key: "made"}.Bytes()),
	},
}

func (l limited) wantShorterTTL(speaks dialect) {
	c, free := l.d.dialAs(l.T, speaks, "shorten"), l.d.dialAs(l.T, speaks, "free")
	for _, ttl := range []int{0, 101, 1_000_000, 2_000_000_000} { // never, relative, and a point in time
		c.want(l.T, c.set("ttl", "x", ttl), fine)
		l.wantTTL("ttl", 100)
		free.want(l.T, free.set("ttl", "y", 0), fine)
		l.wantTTL("ttl", -1)
		c.want(l.T, c.touch("ttl", ttl), holds("ttl", "y"))
		l.wantTTL("ttl", 100)
	}
	for _, request := range makers[speaks.name] {
		free.ask(free.remove("made"))
		c.wantWord(l.T, request, "ok")
		l.wantTTL("made", 100)
	}
	c.want(l.T, c.set("ttl", "x", 50), fine)
	l.wantTTL("ttl", 50)
	free.want(l.T, free.set("ttl", "x", 3000), fine)
	l.wantTTL("ttl", 3000)
}

func (l limited) wantRefusedTTL(speaks dialect) {
	c := l.d.dialAs(l.T, speaks, "refuse")
	c.want(l.T, c.set("ttl", "x", 100), fine)
	for _, ttl := range []int{0, 101, 1_000_000, 2_000_000_000} {
		c.wantWord(l.T, c.set("too-long", "x", ttl), "expiry exceeds the limit")
		c.wantWord(l.T, c.touch("ttl", ttl), "expiry exceeds the limit")
	}
	free := l.d.dialAs(l.T, speaks, "free")
	free.ask(free.remove("made"))
	for _, request := range makers[speaks.name] {
		c.wantWord(l.T, request, "expiry exceeds the limit")
	}
	free.want(l.T, free.get("made"), missed)
	c.want(l.T, c.get("too-long"), missed)
	l.wantTTL("ttl", 100)
	l.wantFree(speaks)
}

// Only the classic dialect can name several keys in one request.
func (l limited) wantMultigetMax(speaks dialect) {
	c := l.d.dialAs(l.T, speaks, "keys")
	c.want(l.T, c.set("k1", "a", 0), fine)
	c.want(l.T, c.set("k2", "b", 0), fine)
	if speaks.name == "classic" {
		for _, verb := range []string{"get", "gets", "gat 60", "gats 60"} {
			c.wantWord(l.T, verb+" k1 k2 k3\r\n", "too many keys in one request")
			c.want(l.T, verb+" k1 k2\r\n", holds("k1,k2", "a,b"))
		}
	}
	got := c.asks(c.get("k1"), c.get("k2"), c.get("k1"))
	if want := []answer{holds("k1", "a"), holds("k2", "b"), holds("k1", "a")}; !slices.Equal(got, want) {
		l.Errorf("one after the other: got %q, want %q", got, want)
	}
	l.wantFree(speaks)
}

// numbered are so many reads, each of a key of its own, and the replies if all are
// served.
func (s *speaker) numbered(n int) (requests []string, served []answer) {
	for i := range n {
		key := fmt.Sprintf("numbered:%d", i)
		requests = append(requests, s.get(key))
		served = append(served, holds(key, fmt.Sprint(i)))
	}
	return requests, served
}

// store stores what numbered reads.
func (l limited) store(n int) {
	free := l.d.dialAs(l.T, classic, "free")
	for i := range n {
		free.want(l.T, free.set(fmt.Sprintf("numbered:%d", i), fmt.Sprint(i), 0), fine)
	}
	free.conn.Close()
}

// rateWord is what a client reads that asks too often.
const rateWord = "request rate limit exceeded"

// Every dialect has an identity of its own here, that has not asked for anything
// before: a second's requests may come at once.
func (l limited) wantRate(speaks dialect) {
	const rate = 10
	l.store(2 * rate)
	name := "rate-" + speaks.name
	c, other := l.d.dialAs(l.T, speaks, name), l.d.dialAs(l.T, speaks, name)
	requests, served := c.numbered(2 * rate)
	if got := c.asks(requests...); l.servedOf(got, served) < rate || !slices.Equal(got[:rate], served[:rate]) {
		l.Errorf("the first %d are not served: got %q", rate, got)
	}
	if n := l.servedOf(other.asks(requests...), served); n >= rate {
		l.Errorf("another connection of the identity is served %d requests in the same second", n)
	}
	l.wantFree(speaks)
	eventually(l.T, func() string { return "a request to be served again" }, func() bool {
		return other.ask(other.get("numbered:0")) == holds("numbered:0", "0")
	})
}

// servedOf counts the replies that are those wanted. Some are not, and these must
// be that of the limit; the last must be.
func (l limited) servedOf(got, served []answer) (n int) {
	l.Helper()
	for i := range got {
		switch got[i] {
		case served[i]:
			n++
		case answer{word: rateWord}:
		default:
			l.Errorf("request %d: got %q", i, got[i])
		}
	}
	if got[len(got)-1].word != rateWord {
		l.Errorf("the last of %d requests is not refused", len(got))
	}
	return n
}

func (l limited) wantInFlight(speaks dialect) {
	const most = 3
	l.store(most + 2)
	c := l.d.dialAs(l.T, speaks, "flight")
	requests, served := c.numbered(most + 2)
	for range 3 { // what was answered is not in flight any more
		got := c.asks(requests...)
		over := answer{word: "too many requests in flight"}
		if want := append(served[:most:most], over, over); !slices.Equal(got, want) {
			l.Errorf("got %q, want %q", got, want)
		}
	}
	c.want(l.T, c.get("numbered:4"), holds("numbered:4", "4"))
	l.wantFree(speaks)
}

func (l limited) wantConns(speaks dialect) {
	first, second := l.d.dialAs(l.T, speaks, "conns"), l.d.dialAs(l.T, speaks, "conns")
	eventually(l.T, func() string { return "two connections to be served" }, func() bool {
		for _, c := range []**speaker{&first, &second} {
			if (*c).ask((*c).set("mine", "apple", 0)) != fine {
				*c = l.d.dialAs(l.T, speaks, "conns") // those of the test before have not gone yet
				return false
			}
		}
		return true
	})
	third := l.d.dialAs(l.T, speaks, "conns")
	third.wantWord(l.T, third.get("mine"), "too many connections")
	third.wantGone(l.T)
	for _, c := range []*speaker{first, second} {
		c.want(l.T, c.get("mine"), holds("mine", "apple"))
	}
	l.wantFree(speaks)
	first.conn.Close()
	eventually(l.T, func() string { return "a place to become free" }, func() bool {
		c := l.d.dialAs(l.T, speaks, "conns")
		return c.ask(c.get("mine")) == holds("mine", "apple")
	})
}
