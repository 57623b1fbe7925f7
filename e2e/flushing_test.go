package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// twoTenants gives each of two listeners a namespace of its own.
const twoTenants = `version: 1
categories: 1
roles:
  tenant: {rules: [{allow: ["@rw"], keys: ["*"]}]}
identities:
  shop: {match: [{listener: shop}], roles: [tenant], namespace: "t/{identity}/", flush: scoped}
  blog: {match: [{listener: blog}], roles: [tenant], namespace: "t/{identity}/", flush: scoped}
`

// tenantKeys is how many keys the clients of both tenants use.
const tenantKeys = 8

// writer is a client of a tenant. Its values say who wrote them, and as which of
// its writes.
type writer struct {
	*speaker
	tenant *tenant
	index  int          // in tenant.writers
	stored atomic.Int64 // number of its last write that was answered
	lost   atomic.Int64 // number of its last write that a flush has swept away: none up to it may be read
	flush  bool         // it flushes now and then
}

// tenant is what the clients of one namespace share.
type tenant struct {
	name    string
	writers []*writer
	flushes atomic.Int64
	found   atomic.Int64 // values that were read
}

// Tenants share memcached and the names of their keys. Each finds what it stored
// itself, and nothing that it stored before its last flush.
func TestTenantsThatFlushNeverMeet(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	ops := 20_000
	if long() {
		ops = 1_000_000
	}
	s := newPolicySite(t, memcached(t, "-m", "1024").Addr(), twoTenants, "shop", "blog")
	d := s.start(t)
	shop, blog := &tenant{name: "shop"}, &tenant{name: "blog"}
	for _, tn := range []*tenant{shop, blog} {
		for i, speaks := range dialects {
			w := &writer{speaker: d.dialAs(t, speaks, tn.name), tenant: tn, index: i, flush: tn == shop}
			tn.writers = append(tn.writers, w)
		}
	}
	var done sync.WaitGroup
	for _, w := range append(shop.writers, blog.writers...) {
		done.Go(func() {
			if err := w.work(ops / 6); err != nil {
				t.Errorf("%s of %s: %v", w.name, w.tenant.name, err)
			}
		})
	}
	done.Wait()
	t.Logf("%d flushes; shop found %d values, blog %d", shop.flushes.Load(), shop.found.Load(), blog.found.Load())
	if shop.flushes.Load() == 0 || shop.found.Load() == 0 || blog.found.Load() == 0 {
		t.Error("nothing was tested")
	}
}

// work writes, reads and flushes until it has made so many requests.
func (w *writer) work(ops int) error {
	for n := range ops {
		turn := n / 2
		back := turn - turn%3 // of one of its last three writes
		var err error
		switch {
		case w.flush && n%16 == 15:
			err = w.sweep()
		case n%2 == 0:
			err = w.write(keyOf(turn), int64(n)+1)
		default:
			err = w.readBack(keyOf(back))
		}
		if err != nil {
			return fmt.Errorf("request %d: %w", n, err)
		}
	}
	return nil
}

// keyOf is the key of a writer's write of that number.
func keyOf(turn int) string { return fmt.Sprintf("key:%d", turn%tenantKeys) }

func (w *writer) write(key string, n int64) error {
	if got := w.ask(w.set(key, fmt.Sprintf("%s %d %d", w.tenant.name, w.index, n), 0)); got.word != "ok" {
		return fmt.Errorf("set: got %q", got)
	}
	w.stored.Store(n)
	return nil
}

// sweep flushes. Once that is answered, no value may be read any more whose write
// was answered before the flush was asked for.
func (w *writer) sweep() error {
	all := w.tenant.writers
	before := make([]int64, len(all))
	for i, other := range all {
		before[i] = other.stored.Load()
	}
	if got := w.ask(w.dialect.flush); got.word != "ok" {
		return fmt.Errorf("flush: got %q", got)
	}
	w.tenant.flushes.Add(1)
	for i, other := range all {
		raise(&other.lost, before[i])
	}
	return nil
}

// raise makes n at least to.
func raise(n *atomic.Int64, to int64) {
	for {
		was := n.Load()
		if was >= to || n.CompareAndSwap(was, to) {
			return
		}
	}
}

// readBack reads a key that w has written, and looks at whose value it has.
func (w *writer) readBack(key string) error {
	lost := make([]int64, len(w.tenant.writers))
	for i, other := range w.tenant.writers {
		lost[i] = other.lost.Load()
	}
	got := w.ask(w.get(key))
	if got.word == "miss" && w.flush {
		return nil
	}
	var name string
	var index int
	var n int64
	_, err := fmt.Sscan(got.value, &name, &index, &n)
	switch {
	case got.word != "ok" || got.key != key || err != nil || index < 0 || index >= len(lost):
		return fmt.Errorf("get %s: got %q", key, got)
	case name != w.tenant.name:
		return fmt.Errorf("get %s: got %q, which is another tenant's", key, got)
	case n <= lost[index]:
		return fmt.Errorf("get %s: got %q, and a flush has swept away what was stored up to %d", key, got, lost[index])
	}
	w.tenant.found.Add(1)
	return nil
}

// The test above would see a value that it may not.
func TestStaleValuesAreToldFromNewOnes(t *testing.T) {
	s := newPolicySite(t, memcached(t).Addr(), twoTenants, "shop", "blog")
	d := s.start(t)
	w := &writer{speaker: d.dialAs(t, classic, "shop"), tenant: &tenant{name: "shop"}}
	w.tenant.writers = []*writer{w}
	if err := w.write("key:0", 1); err != nil {
		t.Fatal(err)
	}
	if err := w.readBack("key:0"); err != nil {
		t.Fatal(err)
	}
	raise(&w.lost, w.stored.Load())
	if err := w.readBack("key:0"); err == nil || !strings.Contains(err.Error(), "swept away") {
		t.Errorf("got %v, want it to be told", err)
	}
	w.tenant.name = "blog"
	if err := w.readBack("key:0"); err == nil || !strings.Contains(err.Error(), "another tenant's") {
		t.Errorf("got %v, want it to be told", err)
	}
}

// silentFlushes are flushes without a reply, and delayed ones that are due at once,
// by dialect.
var silentFlushes = map[string][]string{
	"classic": {"flush_all noreply\r\n", "flush_all 0 noreply\r\n", "flush_all -1 noreply\r\n"},
	"meta":    {"flush_all noreply\r\n"},
	"binary": {
		packet(testkit.OpFlushQ, "", ""),
		string(testkit.Packet{Op: testkit.OpFlushQ, Extras: number(0)}.Bytes()),
	},
}

// A flush holds for what its client sends after it, in the same breath too.
func TestFlushIsInForceForWhatFollows(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	s := newPolicySite(t, memcached(t).Addr(), twoTenants, "shop", "blog")
	d := s.start(t)
	flushes := 0
	for _, speaks := range dialects {
		c, blog := d.dialAs(t, speaks, "shop"), d.dialAs(t, speaks, "blog")
		for _, value := range []string{"apple", strings.Repeat("large", 150_000)} {
			blog.want(t, blog.set("a", value, 0), fine)
			got := c.asks(c.set("a", value, 0), c.get("a"), c.dialect.flush, c.get("a"), c.set("a", "pear", 0), c.get("a"))
			want := []answer{fine, holds("a", value), fine, missed, fine, holds("a", "pear")}
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %.200q, want %.200q", speaks.name, got, want)
			}
			flushes++
			for _, flush := range silentFlushes[speaks.name] {
				if got := c.asks(c.set("a", value, 0), flush+c.get("a")); got[0] != fine || got[1] != missed {
					t.Errorf("%s: %q: got %.200q, want a miss", speaks.name, flush, got)
				}
				flushes++
			}
			blog.want(t, blog.get("a"), holds("a", value))
		}
	}
	s.recorded(t, "flush", flushes)
}

func TestDelayedFlush(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	s := newPolicySite(t, memcached(t).Addr(), twoTenants, "shop", "blog")
	d := s.start(t)
	shop, blog := d.dialAs(t, classic, "shop"), d.dialAs(t, packets, "blog")
	blog.want(t, blog.set("a", "berry", 0), fine)
	shop.want(t, shop.set("a", "apple", 0), fine)
	shop.want(t, "flush_all 600\r\n", fine)
	shop.want(t, shop.get("a"), holds("a", "apple"))
	shop.want(t, "flush_all 1\r\n", fine)
	eventually(t, func() string { return "the flush" }, func() bool { return shop.ask(shop.get("a")) == missed })
	blog.want(t, blog.get("a"), holds("a", "berry"))
	s.recorded(t, "flush", 2)
}
