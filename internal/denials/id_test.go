package denials

import (
	"fmt"
	"strings"
	"testing"
)

func TestIDsStayTheSame(t *testing.T) {
	id, _, _ := New().Add(denied("prefix:a:", 0))
	again, _, _ := New().Add(denied("prefix:a:", 5))
	if id != again || len(id) != minID || strings.Trim(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "" {
		t.Errorf("got %q and %q, want one id of %d characters", id, again, minID)
	}
}

// What two denials are equal in must not run together.
func TestIDsTellPartsApart(t *testing.T) {
	a, b := kind{identity: "ab", verb: "c"}, kind{identity: "a", verb: "bc"}
	if a.longID() == b.longID() {
		t.Errorf("both are %s", a.longID())
	}
}

func TestAnIDIsReadAsAPersonTypesIt(t *testing.T) {
	r := New()
	for i := range 200 {
		id, _, _ := r.Add(denied(fmt.Sprint(i), 0))
		typed := strings.NewReplacer("0", "o", "1", "l").Replace(strings.ToLower(id))
		if e, ok := r.Find(typed); !ok || e.ID != id {
			t.Fatalf("%s finds %q, want %s", typed, e.ID, id)
		}
	}
	if _, ok := r.Find(""); ok {
		t.Error("nothing finds something")
	}
}

func TestShortID(t *testing.T) {
	const long = "ABCDEFGHJK"
	taken := map[string]bool{}
	for _, want := range []string{"ABCDE", "ABCDEF", "ABCDEFG"} {
		got := shortID(long, func(id string) bool { return taken[id] })
		if got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		taken[got] = true
	}
}

// TestTwoDenialsNeverShareAnID looks for two whose ids begin alike.
func TestTwoDenialsNeverShareAnID(t *testing.T) {
	seen := map[string]string{}
	for i := range 100_000 {
		shape := fmt.Sprint(i)
		d := denied(shape, 0)
		k := d.of()
		short := k.longID()[:minID]
		other, found := seen[short]
		if !found {
			seen[short] = shape
			continue
		}
		r := New()
		a, _, _ := r.Add(denied(other, 0))
		b, _, _ := r.Add(denied(shape, 0))
		if a != short || len(b) != minID+1 || !strings.HasPrefix(b, short) {
			t.Errorf("got %s and %s, want %s and one longer", a, b, short)
		}
		if e, _ := r.Find(b); e.Shape != shape {
			t.Errorf("%s finds %s, want %s", b, e.Shape, shape)
		}
		return
	}
	t.Fatal("no two begin alike")
}
