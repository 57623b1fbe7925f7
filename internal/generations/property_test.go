package generations

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// world is two slabgates in front of one memcached to which anything may happen.
type world struct {
	t      *testing.T
	r      *rand.Rand
	cache  *cache
	gates  []*slabgate
	roots  []string
	highs  map[string]uint64 // by slabgate and root: the highest that was in force there
	told   map[string]bool   // by root and generation: a flush that memcached was told
	beyond map[string]uint64 // by root: what the generation must be above once all is quiet
	forget bool              // files and memcached's records may be lost
}

// step is one thing that happens to one of the slabgates, or to memcached.
type step struct {
	name  string
	loses bool // what is known
	do    func(w *world, g *slabgate, root string)
}

var steps = []step{
	{"use", false, func(w *world, g *slabgate, root string) { g.use(root) }},
	{"flush", false, (*world).flush},
	{"flush", false, (*world).flush},
	{"flush at", false, (*world).flushAt},
	{"look", false, func(_ *world, g *slabgate, _ string) { g.lookAt(1) }},
	{"look", false, func(_ *world, g *slabgate, _ string) { g.lookAt(1) }},
	{"restart", false, func(_ *world, g *slabgate, _ string) { g.restart() }},
	{"lose the file", true, (*world).loseFile},
	{"lose all", true, (*world).loseAll},
	{"memcached restarts", true, func(w *world, _ *slabgate, _ string) { w.cache.clear() }},
	{"record evicted", true, func(w *world, _ *slabgate, root string) { w.cache.put(recordKey+root, "") }},
	{"record spoilt", true, func(w *world, _ *slabgate, root string) { w.cache.put(recordKey+root, "x") }},
	{"flushes evicted", false, func(w *world, _ *slabgate, _ string) { w.cache.put(recentKey, "") }},
	{"flushes spoilt", false, func(w *world, _ *slabgate, _ string) { w.cache.put(recentKey, "\n") }},
	{"memcached down", false, func(w *world, _ *slabgate, _ string) { w.cache.setDown(true) }},
	{"memcached up", false, func(w *world, _ *slabgate, _ string) { w.cache.setDown(false) }},
	{"memcached up", false, func(w *world, _ *slabgate, _ string) { w.cache.setDown(false) }},
}

// flush flushes. Whatever was in force anywhere must go by it.
func (w *world) flush(g *slabgate, root string) {
	before := w.highest(root)
	_, to, err := g.Flush(context.Background(), root)
	w.beyond[root] = max(w.beyond[root], before)
	if got := g.use(root).Generation(); got < to || to == 0 {
		w.t.Errorf("flush to %d, but in force is %d", to, got)
	}
	if err != nil {
		return
	}
	flush := fmt.Sprint(root, to)
	if w.told[flush] {
		w.t.Errorf("two flushes of %s went to %d", root, to)
	}
	w.told[flush] = true
}

func (w *world) flushAt(g *slabgate, root string) {
	if err := g.FlushAt(root, g.cfg.Now()); err != nil {
		w.t.Error(err)
	}
}

// loseFile ends a slabgate and starts it again without its file. What memcached was
// not told by then would be lost, so it is told before.
func (w *world) loseFile(g *slabgate, _ string) {
	for _, root := range w.roots {
		if g.agree(context.Background(), g.use(root)) != nil {
			return
		}
	}
	w.removeFile(g)
}

// loseAll lets memcached lose its records at the same time. A flush that only the
// file knew of is lost with it, but nothing goes back.
func (w *world) loseAll(g *slabgate, _ string) {
	clear(w.beyond)
	w.cache.clear()
	w.removeFile(g)
}

func (w *world) removeFile(g *slabgate) {
	if err := g.Close(); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Remove(g.cfg.File); err != nil {
		w.t.Fatal(err)
	}
	g.open()
}

// highest is the highest generation that clients have used.
func (w *world) highest(root string) (most uint64) {
	for i := range w.gates {
		most = max(most, w.highs[fmt.Sprint(i, root)])
	}
	return most
}

// check looks at what is in force.
func (w *world) check(what string) {
	w.t.Helper()
	for i, g := range w.gates {
		for _, root := range w.roots {
			n := g.use(root)
			key := fmt.Sprint(i, root)
			now := n.Generation()
			if now < w.highs[key] {
				w.t.Fatalf("%s: slabgate %d went back from %d to %d", what, i, w.highs[key], now)
			}
			w.highs[key] = now
			if want := fmt.Sprint(root, now, "/"); string(n.Prefix()) != want {
				w.t.Fatalf("%s: prefix %q, want %q", what, n.Prefix(), want)
			}
		}
	}
}

// quiet lets everything settle, and checks that it is as it must be.
func (w *world) quiet() {
	w.t.Helper()
	w.cache.setDown(false)
	w.cache.flaky = nil
	for range 3 {
		for _, g := range w.gates {
			g.lookAt(1)
		}
	}
	w.check("quiet")
	for _, root := range w.roots {
		want := w.gates[0].use(root).Generation()
		for _, g := range w.gates {
			g.want("quiet", root, want, w.cache)
			if n := len(g.todo); n != 0 {
				w.t.Errorf("quiet: %d namespaces are unfinished", n)
			}
		}
		if want <= w.beyond[root] {
			w.t.Errorf("quiet: %s is at %d, but was flushed at %d", root, want, w.beyond[root])
		}
	}
}

func (w *world) run(times int) {
	for i := range times {
		s := steps[w.r.IntN(len(steps))]
		g := w.gates[w.r.IntN(len(w.gates))]
		if s.loses && !w.forget {
			continue
		} else if s.loses {
			time.Sleep(2 * time.Millisecond) // what is lost is older than what comes
		}
		s.do(w, g, w.roots[w.r.IntN(len(w.roots))])
		w.check(fmt.Sprint("step ", i, ", ", s.name))
		if w.t.Failed() {
			return
		}
		if i%40 == 39 {
			w.quiet()
			w.cache.flaky = w.flaky()
		}
	}
}

// flaky is a memcached of which replies are lost, in one of two stretches.
func (w *world) flaky() *rand.Rand {
	if w.r.IntN(2) == 0 {
		return nil
	}
	return w.r
}

// TestAnythingMayHappen checks after each of many random steps that no generation
// went back in any slabgate, and after each quiet time that all agree and that no
// flush was lost. Where all that is known may be lost the clocks are right.
func TestAnythingMayHappen(t *testing.T) {
	for _, tt := range []struct {
		name   string
		clocks [2]*hands // of each slabgate
		forget bool
	}{
		{"right clocks", [2]*hands{{}, {}}, true},
		{"one clock is ahead", [2]*hands{{ms: noon}, {ms: noon + 5000}}, false},
		{"clocks stand still", [2]*hands{{ms: noon, broken: true}, {ms: noon + 3, broken: true}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			testkit.VerifyNoLeaks(t)
			for seed := range uint64(6) {
				w := &world{
					t: t, r: rand.New(rand.NewPCG(seed, 1)), cache: newCache(), roots: []string{"t/a/", "t/b/"},
					highs: map[string]uint64{}, told: map[string]bool{}, beyond: map[string]uint64{}, forget: tt.forget,
				}
				for i := range 2 {
					w.gates = append(w.gates, startBy(t, w.cache, tt.clocks[i]))
				}
				w.run(400)
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}
