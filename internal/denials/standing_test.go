package denials

import (
	"fmt"
	"testing"
	"time"
)

// audited is a denial that was none.
func audited(identity, shape string, after time.Duration) Denial {
	d := denied(shape, after)
	d.Kind, d.Identity = WouldDeny, identity
	return d
}

// A client that is denied very much makes the ring forget what others would have
// been; their standing it does not touch.
func TestAFloodLeavesTheStandingOfOthers(t *testing.T) {
	r := New()
	r.Add(audited("trial", "prefix:a:", 0))
	id, _, _ := r.Add(audited("trial", "prefix:b:", time.Second))
	for i := range 2 * Most {
		r.Add(denied(fmt.Sprint(i), time.Minute))
	}
	for _, e := range r.List() {
		if e.Identity == "trial" {
			t.Fatal("the flood was too small to overwrite anything")
		}
	}
	of, others := r.Standings()
	s := of["trial"]
	if len(of) != 1 || s.Count != 2 || s.Last.ID != id || s.Last.Shape != "prefix:b:" || string(s.Last.Sample.Key) != "prefix:b:" || others.Count != 0 {
		t.Errorf("got %+v, others %+v", of, others)
	}
	if e, ok := r.Find(id); !ok || e.Sample.Line != "get prefix:b:" {
		t.Errorf("by its id: got %+v, %v", e, ok)
	}
	if r.Total() != 2*Most+2 {
		t.Errorf("%d in all, want %d", r.Total(), 2*Most+2)
	}
	if now := start.Add(time.Hour); !s.Lately(now, time.Hour) || s.Lately(now.Add(2*time.Second), time.Hour) || others.Lately(now, time.Hour) {
		t.Error("what is lately is not told right")
	}
}

func TestStandingsKeepNothingOfOthers(t *testing.T) {
	r := New()
	d := audited("trial", "key", 0)
	r.Add(d)
	copy(d.Sample.Key, "xxx")
	of, _ := r.Standings()
	r.Add(audited("trial", "kay", 1))
	if s := of["trial"]; string(s.Last.Sample.Key) != "key" {
		t.Errorf("got the key %q, want what it was", s.Last.Sample.Key)
	}
}

// Identities that find no room are counted together: somebody has to know that not
// everything is known.
func TestStandingsAreBounded(t *testing.T) {
	r := New()
	for i := range MostStandings + 3 {
		r.Add(audited(fmt.Sprint("id", i), "k", time.Duration(i)))
	}
	r.Add(audited("id0", "k", time.Hour))
	of, others := r.Standings()
	if len(of) != MostStandings || of["id0"].Count != 2 || others.Count != 3 || others.Last.Identity != fmt.Sprint("id", MostStandings+2) {
		t.Errorf("got %d, id0 %d, others %+v", len(of), of["id0"].Count, others)
	}
	r.Keep(func(identity string) bool { return identity == "id0" })
	if of, others = r.Standings(); len(of) != 1 || others.Count != 3 {
		t.Errorf("got %d after all but one were forgotten, others %d", len(of), others.Count)
	}
}
