package e2e_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// barred is a request that must not come through.
type barred struct {
	request string
	sent    string // what memcached would be sent of it
	word    string // of the reply, if it is not noAccess
}

// dump is one that nobody may make, whatever the policy says.
var dump = barred{"stats cachedump 1 5\r\n", "cachedump", "command not supported"}

// foreign are requests that no tenant may make, by dialect.
var foreign = map[string][]barred{
	"classic": {dump, {request: "verbosity 1\r\n", sent: "verbosity"}, {request: "stats\r\n", sent: "stats\r\n"}},
	"meta":    {{request: "me cart:1\r\n", sent: "me t/shop"}, {request: "slabs automove 0\r\n", sent: "automove"}},
	"binary":  {{request: packet(testkit.OpStat, "", ""), sent: "stats\r\n"}},
}

func TestTenantsExample(t *testing.T) {
	mc := memcached(t)
	for _, speaks := range dialects {
		t.Run(speaks.name, func(t *testing.T) {
			testkit.VerifyNoLeaks(t)
			talk(t, mc.Dial(t), "flush_all\r\n", "OK\r\n")
			w := newTap(t, mc.Addr())
			s := newPolicySite(t, w.addr(), example(t, "tenants.yaml"))
			d := s.start(t)
			shop := s.logIn(t, d, speaks, "shop", shopPassword)
			blog := s.logIn(t, d, speaks, "blog", blogPassword)

			shop.want(t, shop.set("cart:1", "apple", 60), fine)
			shop.want(t, shop.set("t/blog/0/x", "inside", 60), fine)
			blog.want(t, blog.get("cart:1"), missed)
			blog.want(t, blog.set("cart:1", "berry", 60), fine)
			shop.want(t, shop.get("cart:1"), holds("cart:1", "apple"))
			shop.want(t, shop.touch("cart:1", 120), holds("cart:1", "apple"))
			shop.want(t, shop.get("t/blog/0/x"), holds("t/blog/0/x", "inside"))
			wantTenantKeys(t, mc)

			shop.wantBarred(t, w, foreign[speaks.name])
			shop.want(t, shop.flush, fine)
			shop.want(t, shop.get("cart:1"), missed)
			blog.want(t, blog.get("cart:1"), holds("cart:1", "berry"))
			w.wantUnheard(t, "/cart:1", "flush_all")
		})
	}
}

// wantBarred fails the test unless every one of the requests is answered so, and
// memcached hears nothing of it.
func (s *speaker) wantBarred(t *testing.T, w *tap, list []barred) {
	t.Helper()
	for _, b := range list {
		s.wantWord(t, b.request, cmp.Or(b.word, noAccess))
		w.wantUnheard(t, "version\r\n", b.sent)
	}
}

// wantTenantKeys fails the test unless both tenants' carts are where their
// namespaces have them, under a generation that is a point in time.
func wantTenantKeys(t *testing.T, mc *testkit.Memcached) {
	t.Helper()
	for _, root := range []string{"t/shop/", "t/blog/"} {
		list := generationsOf(t, mc, root, "/cart:1")
		if len(list) != 1 {
			t.Fatalf("generations of %scart:1: got %q, want one; memcached has %q", root, list, keysOf(t, mc))
		}
		ms, _ := strconv.ParseInt(list[0], 10, 64)
		if at := time.UnixMilli(ms); time.Since(at) > time.Hour || time.Since(at) < 0 {
			t.Errorf("generation of %s: got %s, which is %v, want the time", root, list[0], at)
		}
	}
	if keys := keysOf(t, mc); slices.Contains(keys, "cart:1") {
		t.Errorf("memcached has the key as the client wrote it: %q", keys)
	}
}

// Replies that carry a key carry the client's, as it wrote it.
func TestTenantsReadTheirOwnKeys(t *testing.T) {
	s := newPolicySite(t, memcached(t).Addr(), example(t, "tenants.yaml"))
	d := s.start(t)
	text, binary := s.dial(t, d, ""), s.logIn(t, d, packets, "shop", shopPassword)
	talk(t, text, login("shop", shopPassword)+"set a 7 60 5\r\napple\r\n", "STORED\r\nSTORED\r\n")
	talk(t, text, "get a b\r\n", "VALUE a 7 5\r\napple\r\nEND\r\n")
	talk(t, text, "gat 60 b a\r\n", "VALUE a 7 5\r\napple\r\nEND\r\n")
	talk(t, text, "mg a k v\r\n", "VA 5 ka\r\napple\r\n")
	talk(t, text, "mg YQ== b k v\r\n", "VA 5 kYQ== b\r\napple\r\n")
	talk(t, text, "mg b k v\r\n", "EN kb\r\n")
	talk(t, text, "md a k q\r\nmd a k\r\n", "NF ka\r\n")
	talk(t, text, "ms a 5 k T60\r\napple\r\n", "HD ka\r\n")
	for _, request := range []string{
		packet(testkit.OpGetK, "a", ""), packet(testkit.OpGetKQ, "a", ""),
		string(testkit.Packet{Op: testkit.OpGATK, Extras: number(60), Key: "a"}.Bytes()),
		string(testkit.Packet{Op: testkit.OpGATKQ, Extras: number(60), Key: "a"}.Bytes()),
	} {
		binary.want(t, request, holds("a", "apple"))
	}
}

func TestTenantsNeedTLSAndALogin(t *testing.T) {
	s := newPolicySite(t, memcached(t).Addr(), example(t, "tenants.yaml"), "plain")
	d := s.start(t)
	talk(t, d.dialPlain(t), "get cart:1\r\n", "CLIENT_ERROR unauthenticated\r\n")
	talk(t, s.dial(t, d, "shop"), "get cart:1\r\n", "CLIENT_ERROR unauthenticated\r\n")
}

// allowedReads are requests of the reader's example that are allowed, by dialect.
// There is nothing but catalog:1.
var allowedReads = map[string][]string{
	"classic": {"get catalog:1\r\n", "gets catalog:1\r\n", "get catalog:1 build-id\r\n"},
	"meta":    {"mg catalog:1 k v\r\n", "mg catalog:1 k v t c\r\n"},
	"binary":  {packet(testkit.OpGetK, "catalog:1", "")},
}

// deniedReads are those that are not. What they name is denied alone, so that
// memcached must not have heard of it.
var deniedReads = map[string][]string{
	"classic": {
		"get catalog:denied secret:2\r\n", "gets secret:2\r\n", "gat 60 catalog:denied\r\n", "set catalog:denied 0 0 1\r\nx\r\n",
		"delete catalog:denied\r\n", "touch catalog:denied 60\r\n", "get build-id2\r\n", "incr catalog:denied 1\r\n",
	},
	"meta": {
		"mg secret:2 v\r\n", "mg catalog:denied v N30\r\n", "mg c2VjcmV0OjI= b v\r\n", "mg catalog:denied v T60\r\n",
		"ms catalog:denied 1\r\nx\r\n", "md catalog:denied\r\n", "ma catalog:denied\r\n", "mg build-id2 v\r\n",
	},
	"binary": {
		packets.get("secret:2"), packets.touch("catalog:denied", 60), packets.set("catalog:denied", "x", 0),
		packets.remove("catalog:denied"), packets.incr("catalog:denied"), packets.get("build-id2"),
	},
}

func TestReaderExample(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	mc := memcached(t)
	talk(t, mc.Dial(t), "set catalog:1 0 0 5\r\npears\r\nset secret:2 0 0 1\r\ns\r\n", "STORED\r\nSTORED\r\n")
	w := newTap(t, mc.Addr())
	s := newPolicySite(t, w.addr(), example(t, "reader.yaml"))
	s.leafs["reports"] = s.pki.Client(t, testkit.ClientSpec{URI: []string{"spiffe://corp/ns/reports/sa/etl"}}).TLS
	d := s.start(t)
	for _, speaks := range dialects {
		t.Run(speaks.name, func(t *testing.T) {
			c := speaks.speak(s.dial(t, d, "reports"))
			for _, request := range allowedReads[speaks.name] {
				c.want(t, request, holds("catalog:1", "pears"))
			}
			for _, request := range deniedReads[speaks.name] {
				c.want(t, request, missed)
			}
			c.wantWord(t, c.flush, noAccess)
			c.want(t, c.get("catalog:1"), holds("catalog:1", "pears"))
		})
	}
	w.wantUnheard(t, "catalog:1", "denied", "secret", "c2VjcmV0OjI=", "build-id2", "flush_all")
	many := "get" + strings.Repeat(" catalog:1", 101) + "\r\n"
	classic.speak(s.dial(t, d, "reports")).wantWord(t, many, "too many keys in one request")
}

// operatorsUntil is when the example's maintenance ends.
var operatorsUntil = time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)

func TestOperatorsExample(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	mc := memcached(t)
	w := newTap(t, mc.Addr())
	s := newPolicySite(t, w.addr(), example(t, "operators.yaml", "memcache-admin", fmt.Sprint(os.Getgid())), "stats", "plain")
	s.edit(t, "slabgate.yaml", `{name: plain, address: "127.0.0.1:0"`, fmt.Sprintf(`{name: plain, address: "unix:%s?mode=0666"`, s.path("app.sock")))
	if err := os.Chmod(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d := s.start(t)
	for _, speaks := range dialects {
		t.Run(speaks.name, func(t *testing.T) {
			ops := speaks.speak(s.dialUnix(t))
			ops.want(t, ops.set("any:key", "5", 0), fine)
			ops.want(t, ops.get("any:key"), holds("any:key", "5"))
			ops.want(t, ops.incr("any:key"), answer{word: "ok", value: "6"})
			if speaks.name != "binary" {
				talk(t, ops.conn, "verbosity 0\r\n", "OK\r\n")
				talk(t, ops.conn, "me any:nothing\r\n", "EN\r\n")
			}
			flushed := map[bool]string{true: "ok", false: noAccess}[time.Now().Before(operatorsUntil)]
			ops.wantWord(t, ops.flush, flushed)
			if left := generationsOf(t, mc, "", "any:key"); flushed == "ok" {
				ops.want(t, ops.get("any:key"), missed)
			} else if len(left) != 0 {
				t.Errorf("memcached has %q", left)
			}
			metrics := d.dialAs(t, speaks, "stats")
			metrics.wantWord(t, metrics.get("denied:1"), noAccess)
			metrics.wantWord(t, metrics.set("denied:1", "x", 0), noAccess)
			metrics.wantWord(t, metrics.flush, noAccess)
		})
	}
	ops, metrics := s.dialUnix(t), d.dialTo(t, "stats")
	for _, request := range []string{"debugitem lock x\r\n", "misbehave\r\n", "shutdown\r\n", "shutdown graceful\r\n"} {
		if reply, err := firstLine(ops, request); err != nil || !strings.Contains(reply, "ERROR") {
			t.Errorf("%q: got %q, %v, want an error", request, reply, err)
		}
	}
	for _, request := range []string{"stats\r\n", "stats conns\r\n", "stats items\r\n"} {
		reply, err := firstLine(metrics, request)
		if err != nil || !strings.HasPrefix(reply, "STAT ") && !strings.HasPrefix(reply, "END") {
			t.Errorf("%q: got %.80q, %v, want statistics", request, reply, err)
		}
	}
	w.wantUnheard(t, "any:key", "denied:1", "shutdown", "debugitem", "misbehave")
}

// dialUnix connects to the site's unix socket.
func (s *site) dialUnix(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", s.path("app.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// enforced are requests that the migration's one enforced rule denies.
var enforced = map[string][]barred{
	"classic": {dump, {request: "flush_all\r\n", sent: "flush_all"}, {request: "verbosity 1\r\n", sent: "verbosity"}},
	"meta":    {{request: "flush_all 0\r\n", sent: "flush_all"}, {request: "me anything\r\n", sent: "me anything"}},
	"binary":  {{request: packets.flush, sent: "flush_all"}},
}

func TestMigrationExample(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	mc := memcached(t)
	w := newTap(t, mc.Addr())
	s := newPolicySite(t, w.addr(), example(t, "migration.yaml", "10.0.0.0/8", "127.0.0.0/8"), "plain")
	s.leafs["web"] = s.pki.Client(t, testkit.ClientSpec{DNS: []string{"web.corp"}}).TLS
	d := s.start(t)
	for _, speaks := range dialects {
		t.Run(speaks.name, func(t *testing.T) {
			legacy, web := d.dialAs(t, speaks, "plain"), speaks.speak(s.dial(t, d, "web"))
			legacy.want(t, legacy.set("page:1", "5", 60), fine)
			legacy.want(t, legacy.get("page:1"), holds("page:1", "5"))
			legacy.want(t, legacy.incr("page:1"), answer{word: "ok", value: "6"})
			web.want(t, web.set("sess:1", "mine", 60), fine)
			web.want(t, web.get("page:1"), holds("page:1", "6"))
			legacy.want(t, legacy.remove("page:1"), fine)
			legacy.wantBarred(t, w, enforced[speaks.name])
			if speaks.name == "classic" { // nothing grants that, and it is learned
				talk(t, legacy.conn, "stats reset\r\n", "RESET\r\n")
			}
			legacy.conn.Close()
			web.conn.Close()
		})
	}
	s.wantMigrationTold(t, d)
}

// wantMigrationTold fails the test unless the operator sees what happened: what
// was denied, what would be, and what was learned.
func (s *site) wantMigrationTold(t *testing.T, d *daemon) {
	t.Helper()
	code, said := s.call(t, "", "denials", "-c", s.path("slabgate.yaml"))
	for _, text := range []string{"legacy", "flush_all", "legacy-flush", "web", "get page:1", "(audit: served)"} {
		if code != 0 || !strings.Contains(said, text) {
			t.Errorf("slabgate denials: exit %d, want %q in:\n%s", code, text, said)
		}
	}
	d.awaitCount(t, "session ended", 2*len(dialects))
	if got, want := strings.Count(d.text(), `"would_deny":1`), len(dialects); got != want {
		t.Errorf("%d sessions of web say that one request would be denied, want %d:\n%s", got, want, d.text())
	}
	s.recorded(t, "would_deny", len(dialects))
	learned := s.askAdmin(t, "/learned")
	for _, text := range []string{`"stats:reset"`, `"prefix:page:"`, `"set"`, `"ms"`, `"ma"`, `"incr"`} {
		if !strings.Contains(learned, text) {
			t.Errorf("learned does not hold %q: %s", text, learned)
		}
	}
	if strings.Contains(learned, "sess:") || !json.Valid([]byte(learned)) {
		t.Errorf("learned holds what web asked for: %s", learned)
	}
}
