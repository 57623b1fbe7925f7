package e2e_test

import (
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// defaultsPolicy is a policy whose defaults matter: @DEFAULTS@.
const defaultsPolicy = `version: 1
categories: 1
defaults: {@DEFAULTS@}
identities:
  own: {match: [{listener: own}], rules: [{allow: ["@rw"], keys: ["prefix:own:"]}]}
  quiet: {match: [{listener: quiet}], rules: [{allow: ["@rw"], keys: ["prefix:own:"]}], deny_reply: quiet}
  all: {match: [{listener: all}], rules: [{allow: ["@all"], keys: ["*"]}], namespaces: [all]}
  walled: {match: [{listener: walled}], rules: [{allow: ["@all"], keys: ["*"]}]}
  shop: {match: [{listener: shop}], rules: [{allow: ["@rw"], keys: ["*"]}], namespace: "t/{identity}/", flush: scoped}
`

// startDefaults starts a site with defaults, and taps what it sends.
func startDefaults(t *testing.T, defaults string) (*site, *daemon, *testkit.Memcached, *tap) {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	mc := memcached(t)
	w := newTap(t, mc.Addr())
	s := newPolicySite(t, w.addr(), strings.Replace(defaultsPolicy, "@DEFAULTS@", defaults, 1), "own", "quiet", "all", "walled", "shop")
	return s, s.start(t), mc, w
}

func TestDeniedKeysOfSeveralLookLikeMisses(t *testing.T) {
	s, d, mc, w := startDefaults(t, "multiget_denied: miss")
	talk(t, mc.Dial(t), "set own:a 0 0 1\r\na\r\nset own:b 0 0 1\r\nb\r\nset other:c 0 0 1\r\nc\r\n", strings.Repeat("STORED\r\n", 3))
	own, quiet := d.dialAs(t, classic, "own"), d.dialAs(t, classic, "quiet")
	for _, verb := range []string{"get", "gets", "gat 60", "gats 60"} {
		own.want(t, verb+" own:a other:c own:b\r\n", holds("own:a,own:b", "a,b"))
		own.want(t, verb+" other:c own:missing\r\n", missed)
		own.want(t, verb+" other:c own:b other:c\r\n", holds("own:b", "b"))
		own.wantWord(t, verb+" other:c other:d\r\n", noAccess)
		own.wantWord(t, verb+" other:c\r\n", noAccess)
		quiet.want(t, verb+" own:a other:c\r\n", holds("own:a", "a"))
		quiet.want(t, verb+" other:c other:d\r\n", missed)
	}
	for _, speaks := range []dialect{meta, packets} {
		c := d.dialAs(t, speaks, "own")
		c.wantWord(t, c.get("other:c"), noAccess)
		c.want(t, c.get("own:a"), holds("own:a", "a"))
	}
	w.wantUnheard(t, "own:missing", "other:")
	if code, said := s.call(t, "", "denials", "-c", s.path("slabgate.yaml")); code != 0 || !strings.Contains(said, "other:c") {
		t.Errorf("slabgate denials: exit %d: %s", code, said)
	}
}

func TestDeniedKeysOfSeveralDenyAllOfThem(t *testing.T) {
	_, d, _, w := startDefaults(t, "multiget_denied: error")
	own, quiet := d.dialAs(t, classic, "own"), d.dialAs(t, classic, "quiet")
	own.want(t, "get own:a\r\n", missed)
	own.wantWord(t, "get own:b other:c\r\n", noAccess)
	quiet.want(t, "get own:b other:c\r\n", missed)
	w.wantUnheard(t, "own:a", "own:b", "other:")
}

// longest is as long as a key can be, and room is what the namespace t/shop/ and a
// generation leave of it.
const (
	longest = 250
	room    = longest - len("t/shop/1764128710042/")
)

func TestOverlongKeysAreHashed(t *testing.T) {
	_, d, mc, w := startDefaults(t, "overlong_key: hash")
	for _, speaks := range dialects {
		t.Run(speaks.name, func(t *testing.T) {
			c := d.dialAs(t, speaks, "shop")
			long, other := strings.Repeat("k", longest-1)+"1", strings.Repeat("k", longest-1)+"2"
			for key, value := range map[string]string{long: "5", other: "7", strings.Repeat("k", room): "1", strings.Repeat("k", room+1): "2"} {
				c.want(t, c.get(key), missed)
				c.want(t, c.set(key, value, 60), fine)
			}
			c.want(t, c.get(long), holds(long, "5"))
			c.want(t, c.touch(other, 120), holds(other, "7"))
			c.want(t, c.incr(long), answer{word: "ok", value: "6"})
			c.want(t, c.get(strings.Repeat("k", room)), holds(strings.Repeat("k", room), "1"))
			c.want(t, c.get(strings.Repeat("k", room+1)), holds(strings.Repeat("k", room+1), "2"))
			c.want(t, c.remove(long), fine)
			c.want(t, c.get(long), missed)
			c.want(t, c.get(other), holds(other, "7"))
			if n := len(generationsOf(t, mc, "t/shop/", "#[0-9a-f]{64}")); n != 2 {
				t.Errorf("memcached has %d hashed keys, want 2: %q", n, keysOf(t, mc))
			}
			c.want(t, c.flush, fine)
			c.want(t, c.get(other), missed)
			talk(t, mc.Dial(t), "flush_all\r\n", "OK\r\n")

			all := d.dialAs(t, speaks, "all") // without a namespace there is room
			all.want(t, all.set(long, "9", 0), fine)
			all.want(t, all.get(long), holds(long, "9"))
			all.want(t, all.remove(long), fine)
		})
	}
	if !w.heard(strings.Repeat("k", longest-1) + "1") {
		t.Error("a key that has room is not sent as it is")
	}
}

// A key can't be made that is another one's hash.
func TestHashedKeysMeetNoOther(t *testing.T) {
	_, d, mc, _ := startDefaults(t, "overlong_key: hash")
	long := strings.Repeat("k", longest)
	c := d.dialAs(t, classic, "shop")
	c.want(t, c.set(long, "apple", 0), fine)
	var hashed string
	for _, key := range keysOf(t, mc) {
		if _, hash, ok := strings.Cut(key, "#"); ok {
			hashed = hash
		}
	}
	if len(hashed) != 64 {
		t.Fatalf("memcached has %q, want a hashed key", keysOf(t, mc))
	}
	for _, key := range []string{hashed, "#" + hashed, "../#" + hashed} {
		c.want(t, c.get(key), missed)
		c.want(t, c.set(key, "pear", 0), fine)
	}
	c.want(t, c.get(long), holds(long, "apple"))
}

func TestOverlongKeysAreRefused(t *testing.T) {
	_, d, _, w := startDefaults(t, "overlong_key: error")
	for _, speaks := range dialects {
		t.Run(speaks.name, func(t *testing.T) {
			c := d.dialAs(t, speaks, "shop")
			fits := strings.Repeat("k", room)
			c.want(t, c.set(fits, "apple", 0), fine)
			c.want(t, c.get(fits), holds(fits, "apple"))
			if got := c.ask(c.get(fits + "+")); got.word == "ok" || got.word == "miss" {
				t.Errorf("a key that is a byte too long: got %q", got)
			}
			c.want(t, c.get(fits), holds(fits, "apple"))
		})
	}
	w.wantUnheard(t, strings.Repeat("k", room), "k+")
}

// unknownLines are commands that slabgate does not know.
var unknownLines = []string{"frobnicate 1 2\r\n", "mx some:key v\r\n", "GET some:key\r\n"}

func TestUnknownCommandsAreForwarded(t *testing.T) {
	_, d, _, w := startDefaults(t, "unknown_command: forward")
	all := d.dialAs(t, classic, "all")
	for _, line := range unknownLines {
		for _, name := range []string{"own", "walled", "shop"} { // lack @all, or could reach a namespace
			d.dialAs(t, classic, name).wantWord(t, line, "ERROR")
		}
		w.wantUnheard(t, "version\r\n", line)
		got := all.asks(all.set("some:key", "apple", 0), line, all.get("some:key"))
		if got[0] != fine || got[1].word != "ERROR" || got[2] != holds("some:key", "apple") {
			t.Errorf("%q: got %q", line, got)
		}
		if !w.heard(line) {
			t.Errorf("%q: memcached was not asked", line)
		}
	}
	binary := d.dialAs(t, packets, "all")
	if got := binary.ask(packet(0x55, "", "")); !strings.Contains(got.word, "status=0x81") {
		t.Errorf("an unknown opcode: got %q, want status 0x81", got)
	}
}

func TestUnknownCommandsAreRefused(t *testing.T) {
	_, d, _, w := startDefaults(t, "unknown_command: deny")
	for _, name := range []string{"all", "own"} {
		c := d.dialAs(t, classic, name)
		for _, line := range unknownLines {
			c.wantWord(t, line, "ERROR")
		}
		c.want(t, c.get("own:a"), missed)
	}
	w.wantUnheard(t, "own:a", "frobnicate", "mx ", "GET ")
}
