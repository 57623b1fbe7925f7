package denials

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

var start = time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)

// denied is a denial of app's, told apart by its shape.
func denied(shape string, after time.Duration) Denial {
	return Denial{
		Kind: "deny", Identity: "app", Verb: "get", Reason: "key_not_covered", Shape: shape,
		Sample: Sample{Line: "get " + shape, Key: []byte(shape), Now: start.Add(after)},
	}
}

func TestEqualDenialsAreOneEntry(t *testing.T) {
	base := denied("prefix:a:", 0)
	same := base
	same.Sample = Sample{Peer: "10.0.0.1:1", Line: "get a:2", Key: []byte("a:2"), TLS: true, Now: start.Add(time.Second)}
	r := New()
	id, _, _ := r.Add(base)
	if again, _, _ := r.Add(same); again != id {
		t.Errorf("got the id %s for an equal denial, want %s", again, id)
	}
	for i, change := range []func(*Denial){
		func(d *Denial) { d.Kind = "would_deny" }, func(d *Denial) { d.Identity = "web" }, func(d *Denial) { d.Verb = "set" },
		func(d *Denial) { d.Rule = "own" }, func(d *Denial) { d.Reason = "deny_rule" }, func(d *Denial) { d.Shape = "prefix:b:" },
	} {
		d := base
		change(&d)
		if other, first, _ := r.Add(d); other == id || !first {
			t.Errorf("change %d: got the id %s, first %v, want another id and a first one", i, other, first)
		}
	}
	e, ok := r.Find(id)
	if !ok || e.Count != 2 || !e.First.Equal(start) || !e.Last.Equal(start.Add(time.Second)) {
		t.Errorf("got %+v, %v", e, ok)
	}
	if s := e.Sample; s.Peer != "10.0.0.1:1" || s.Line != "get a:2" || string(s.Key) != "a:2" || !s.TLS {
		t.Errorf("got the sample %+v, want the latest", s)
	}
}

func TestADenialIsToldOncePerWindow(t *testing.T) {
	r := New()
	for _, step := range []struct {
		after  time.Duration
		first  bool
		merged int64
	}{
		{0, true, 0}, {time.Second, false, 0}, {Window - 1, false, 0}, {Window, true, 2}, {Window + 1, false, 0},
		{3 * Window, true, 1}, {5 * Window, true, 0}, {4 * Window, false, 0},
	} {
		_, first, merged := r.Add(denied("k", step.after))
		if first != step.first || merged != step.merged {
			t.Errorf("after %v: got first %v, %d merged, want %v, %d", step.after, first, merged, step.first, step.merged)
		}
	}
}

func TestARingKeepsNothingOfItsCaller(t *testing.T) {
	r := New()
	d := denied("key", 0)
	id, _, _ := r.Add(d)
	copy(d.Sample.Key, "xxx")
	mine, _ := r.Find(id)
	r.Add(denied("key", 1))
	later := denied("key", 2)
	later.Sample.Key = []byte("kay")
	r.Add(later)
	if string(mine.Sample.Key) != "key" {
		t.Errorf("got the key %q, want what it was", mine.Sample.Key)
	}
	if e := r.List()[0]; string(e.Sample.Key) != "kay" {
		t.Errorf("got the key %q, want the latest", e.Sample.Key)
	}
}

func TestTheLongestUnseenIsOverwritten(t *testing.T) {
	r := New()
	var ids []string
	for i := range Most {
		id, _, _ := r.Add(denied(fmt.Sprint(i), 0))
		ids = append(ids, id)
	}
	r.Add(denied("0", 1)) // seen again
	r.Add(denied("one more", 2))
	if _, ok := r.Find(ids[1]); ok || r.Overwritten() != 1 || len(r.List()) != Most {
		t.Errorf("the second of %d is there: %v; %d overwritten, %d kept", Most, ok, r.Overwritten(), len(r.List()))
	}
	for _, i := range []int{0, 2, Most - 1} {
		if _, ok := r.Find(ids[i]); !ok {
			t.Errorf("%d is gone", i)
		}
	}
	if _, first, merged := r.Add(denied("1", 3)); !first || merged != 0 {
		t.Errorf("one that was overwritten: got first %v, %d merged, want a first one", first, merged)
	}
}

// reference is a ring as simple as it can be: all that is remembered, the latest
// last.
type reference struct {
	entries     []Entry
	overwritten int64
	forgotten   int64 // denials that were counted in what was overwritten
}

func (m *reference) add(d Denial) {
	e := Entry{Denial: d, First: d.Sample.Now}
	i := slices.IndexFunc(m.entries, func(e Entry) bool { return e.of() == d.of() })
	if i >= 0 {
		e = m.entries[i]
		m.entries = slices.Delete(m.entries, i, i+1)
	} else if len(m.entries) == Most {
		m.overwritten++
		m.forgotten += m.entries[0].Count
		m.entries = slices.Delete(m.entries, 0, 1)
	}
	e.Count++
	e.Last, e.Sample = d.Sample.Now, d.Sample
	m.entries = append(m.entries, e)
}

// check compares a ring with the model, and its counts with what was added.
func (m *reference) check(t *testing.T, r *Ring, added int64) {
	t.Helper()
	list := r.List()
	if r.Total() != added {
		t.Fatalf("got %d in all, want %d", r.Total(), added)
	}
	if len(list) != len(m.entries) || r.Overwritten() != m.overwritten {
		t.Fatalf("got %d entries and %d overwritten, want %d and %d", len(list), r.Overwritten(), len(m.entries), m.overwritten)
	}
	sum := m.forgotten
	ids := map[string]bool{}
	for i, got := range list {
		want := m.entries[len(m.entries)-1-i]
		if got.of() != want.of() || got.Count != want.Count || !got.First.Equal(want.First) || !got.Last.Equal(want.Last) || got.Sample.Line != want.Sample.Line {
			t.Fatalf("entry %d: got %+v, want %+v", i, got, want)
		}
		if ids[got.ID] {
			t.Fatalf("two entries have the id %s", got.ID)
		}
		if found, ok := r.Find(got.ID); !ok || found.of() != got.of() {
			t.Fatalf("%s finds %+v, %v", got.ID, found, ok)
		}
		ids[got.ID] = true
		sum += got.Count
	}
	if sum != added || len(list) > Most {
		t.Fatalf("%d denials are counted in %d entries, want %d in %d at most", sum, len(list), added, Most)
	}
}

func TestARingIsItsModel(t *testing.T) {
	src := rand.New(rand.NewPCG(3, 4))
	r, m := New(), reference{}
	const denials = 6000
	for i := range denials {
		shape := fmt.Sprint(src.IntN(Most + src.IntN(1+Most)))
		d := denied(shape, time.Duration(i)*time.Second)
		d.Sample.Line = fmt.Sprint("get ", i)
		r.Add(d)
		m.add(d)
	}
	if m.overwritten == 0 {
		t.Fatal("nothing was overwritten: the test is too small")
	}
	m.check(t, r, denials)
}

// FuzzRing adds denials as told: a byte is the shape, and whether time passes.
func FuzzRing(f *testing.F) {
	f.Add([]byte("aab\x80\xffa"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, m := New(), reference{}
		told, now := int64(0), time.Duration(0)
		for i, b := range in {
			if b&0x80 != 0 {
				now += Window / 2
			}
			// Each byte stands for many kinds, so that a short input fills the ring.
			for n := range 40 {
				d := denied(fmt.Sprint(b&0x3f, " ", n), now)
				_, first, merged := r.Add(d)
				m.add(d)
				if first {
					told += 1 + merged
				}
				if !first && merged != 0 {
					t.Fatalf("byte %d: %d merged in one that is not told", i, merged)
				}
			}
		}
		m.check(t, r, int64(40*len(in)))
		if told > int64(40*len(in)) {
			t.Fatalf("%d denials are told of %d", told, 40*len(in))
		}
	})
}

func TestManyMayAddAtOnce(t *testing.T) {
	r := New()
	const each, workers = 2000, 8
	var wg sync.WaitGroup
	var mu sync.Mutex
	firsts := 0
	for range workers {
		wg.Go(func() {
			for i := range each {
				if _, first, _ := r.Add(denied(fmt.Sprint(i%100), 0)); first {
					mu.Lock()
					firsts++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	var sum int64
	for _, e := range r.List() {
		sum += e.Count
	}
	if sum != each*workers || firsts != 100 {
		t.Errorf("got %d denials and %d first ones, want %d and 100", sum, firsts, each*workers)
	}
}

func BenchmarkRepeatedDenial(b *testing.B) {
	r, d := New(), denied("prefix:user:", 0)
	b.ReportAllocs()
	for b.Loop() {
		r.Add(d)
	}
}
