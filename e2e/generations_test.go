package e2e_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// agreement is how long two slabgates usually take to agree. It is printed, and
// no test depends on it.
const agreement = time.Second

func TestTwoSlabgatesAgreeOnAFlush(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	mc := memcached(t)
	one := newPolicySite(t, mc.Addr(), twoTenants, "shop", "blog")
	two := newPolicySite(t, mc.Addr(), twoTenants, "shop", "blog")
	here, there := one.start(t), two.start(t)
	for i, speaks := range dialects {
		from, to := here, there
		if i%2 == 1 {
			from, to = there, here
		}
		flusher, reader := from.dialAs(t, speaks, "shop"), to.dialAs(t, speaks, "shop")
		other := to.dialAs(t, speaks, "blog")
		other.want(t, other.set("a", "berry", 0), fine)
		flusher.want(t, flusher.set("a", "apple", 0), fine)
		reader.want(t, reader.get("a"), holds("a", "apple"))

		flusher.want(t, flusher.flush, fine)
		flushed := time.Now()
		flusher.want(t, flusher.get("a"), missed)
		eventually(t, func() string { return speaks.name + ": the other slabgate to know of the flush" },
			func() bool { return reader.ask(reader.get("a")) == missed })
		took := time.Since(flushed)
		t.Logf("%s: known to the other after %v; usually within %v: %v", speaks.name, took, agreement, took < agreement)

		reader.want(t, reader.set("a", "pear", 0), fine)
		flusher.want(t, flusher.get("a"), holds("a", "pear"))
		other.want(t, other.get("a"), holds("a", "berry"))
	}
}

// loss is something that goes away between a flush and the next request, and what
// must still be there afterwards: what the flush swept away never is.
type loss struct {
	name string
	lose func(t *testing.T, s *site, mc *testkit.Memcached, d *daemon) *daemon
	kept bool // what was stored after the flush is
}

var losses = []loss{
	{"slabgate", func(t *testing.T, s *site, _ *testkit.Memcached, d *daemon) *daemon {
		return s.restart(t, d)
	}, true},
	{"slabgate by force", func(t *testing.T, s *site, _ *testkit.Memcached, d *daemon) *daemon {
		d.signal(t, syscall.SIGKILL)
		d.wantExit(t, -1)
		return s.start(t)
	}, true},
	{"the state", func(t *testing.T, s *site, _ *testkit.Memcached, d *daemon) *daemon {
		s.loseState(t)
		return s.restart(t, d)
	}, true},
	{"memcached's record", func(t *testing.T, s *site, mc *testkit.Memcached, d *daemon) *daemon {
		loseRecords(t, mc)
		return s.restart(t, d)
	}, false}, // another slabgate may have flushed
	{"both records", func(t *testing.T, s *site, mc *testkit.Memcached, d *daemon) *daemon {
		s.loseState(t)
		loseRecords(t, mc)
		return s.restart(t, d)
	}, false},
	{"memcached", func(t *testing.T, _ *site, mc *testkit.Memcached, d *daemon) *daemon {
		mc.Restart(t)
		return d
	}, false},
	{"everything", func(t *testing.T, s *site, mc *testkit.Memcached, d *daemon) *daemon {
		s.loseState(t)
		mc.Restart(t)
		return s.restart(t, d)
	}, false},
}

func TestFlushedValuesNeverComeBack(t *testing.T) {
	for _, l := range losses {
		t.Run(l.name, func(t *testing.T) {
			testkit.VerifyNoLeaks(t)
			mc := memcached(t)
			s := newPolicySite(t, mc.Addr(), twoTenants, "shop", "blog")
			d := s.start(t)
			c := d.dialAs(t, classic, "shop")
			for range 3 {
				c.want(t, c.set("old", "apple", 0), fine)
				c.want(t, c.flush, fine)
			}
			c.want(t, c.set("new", "berry", 0), fine)
			before := generationsOf(t, mc, "t/shop/", "/(?:old|new)")
			if len(before) != 4 {
				t.Fatalf("memcached has %q, want three old values and a new one", keysOf(t, mc))
			}
			d = l.lose(t, s, mc, d)

			c = d.dialAs(t, classic, "shop")
			eventually(t, func() string { return "memcached to be reached" },
				func() bool { return c.ask(c.get("nothing")) == missed })
			c.want(t, c.get("old"), missed)
			c.want(t, c.get("new"), map[bool]answer{true: holds("new", "berry"), false: missed}[l.kept])
			c.want(t, c.flush, fine)
			c.want(t, c.get("new"), missed)
			c.want(t, c.set("last", "pear", 0), fine)
			c.want(t, c.get("last"), holds("last", "pear"))
			after := generationsOf(t, mc, "t/shop/", "/last")
			if len(after) != 1 || after[0] <= slices.Max(before) {
				t.Errorf("generation: got %q, want one above %q", after, before)
			}
		})
	}
}

// restart ends the daemon as an operator does, and starts the site anew.
func (s *site) restart(t *testing.T, d *daemon) *daemon {
	t.Helper()
	d.signal(t, syscall.SIGTERM)
	d.wantExit(t, 0)
	return s.start(t)
}

// loseState removes the file of generations, which must be there.
func (s *site) loseState(t *testing.T) {
	t.Helper()
	if err := os.Remove(s.path("state/generations")); err != nil {
		t.Fatal(err)
	}
}

// loseRecords makes memcached lose what slabgate keeps in it, which must be there.
func loseRecords(t *testing.T, mc *testkit.Memcached) {
	t.Helper()
	talk(t, mc.Dial(t), "delete slabgate/generation/t/shop/\r\ndelete slabgate/flushes\r\n", "DELETED\r\nDELETED\r\n")
}

// flushLine is what slabgate flush prints.
var flushLine = regexp.MustCompile(`^t/shop  generation (\d+) -> (\d+)\n$`)

func TestOperatorFlushesANamespace(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	mc := memcached(t)
	s := newPolicySite(t, mc.Addr(), twoTenants, "shop", "blog")
	d := s.start(t)
	for i, speaks := range dialects {
		shop, blog := d.dialAs(t, speaks, "shop"), d.dialAs(t, speaks, "blog")
		shop.want(t, shop.set("a", "apple", 0), fine)
		blog.want(t, blog.set("a", "berry", 0), fine)
		code, said := s.call(t, "", "flush", "--namespace", "t/shop", "-c", s.path("slabgate.yaml"))
		m := flushLine.FindStringSubmatch(said)
		if code != 0 || m == nil || m[1] >= m[2] {
			t.Fatalf("slabgate flush: exit %d: %q", code, said)
		}
		shop.want(t, shop.get("a"), missed)
		blog.want(t, blog.get("a"), holds("a", "berry"))
		shop.want(t, shop.set("a", "pear", 0), fine)
		if now := generationsOf(t, mc, "t/shop/", "/a"); !slices.Contains(now, m[2]) {
			t.Errorf("generations of the key: got %q, want %s among them", now, m[2])
		}
		s.recorded(t, "flush", i+1)
		if want := `"namespace":"t/shop/","flushed":"` + m[1] + " → " + m[2] + `"`; !strings.Contains(s.read(t, "audit.jsonl"), want) {
			t.Errorf("the audit does not hold %s:\n%s", want, s.read(t, "audit.jsonl"))
		}
	}
	code, said := s.call(t, "", "flush", "--namespace", "t/nobody", "-c", s.path("slabgate.yaml"))
	if code == 0 || !strings.Contains(said, "t/nobody") {
		t.Errorf("a namespace that is none: exit %d: %s", code, said)
	}
	s.recorded(t, "flush", len(dialects))
}
