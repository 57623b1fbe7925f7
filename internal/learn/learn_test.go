package learn

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/slabgate/slabgate/protocol"
)

// request parses a command line, without a data block.
func request(t *testing.T, line string) *protocol.Request {
	t.Helper()
	req, err := protocol.ParseLine([]byte(line))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return req
}

// learned writes what was learned of an identity, one use after the other.
func learned(r *Recorder, identity string) string {
	var list []string
	for _, u := range r.All()[identity] {
		list = append(list, fmt.Sprintf("%s %s x%d value %d keys %d", u.Command, u.Shape, u.Count, u.Value, u.Keys))
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

func TestAdd(t *testing.T) {
	var r Recorder
	for _, line := range []string{"get user:1", "get user:2 cart:1", "set user:1 0 0 5", "set user:9 0 0 3", "flush_all", "get plain"} {
		r.Add("web", request(t, line))
	}
	r.Add("shop", request(t, "incr n:1 1"))
	want := "flush_all  x1 value 0 keys 0; get exact:plain x1 value 0 keys 1; get prefix:cart: x1 value 0 keys 2; " +
		"get prefix:user: x2 value 0 keys 2; set prefix:user: x2 value 5 keys 1"
	if got := learned(&r, "web"); got != want {
		t.Errorf("web: got %s\nwant %s", got, want)
	}
	if got, want := learned(&r, "shop"), "incr prefix:n: x1 value 0 keys 1"; got != want {
		t.Errorf("shop: got %s, want %s", got, want)
	}
	for _, u := range r.All()["web"] {
		if u.First.IsZero() || u.Last.Before(u.First) {
			t.Errorf("%+v: the times are wrong", u)
		}
	}
}

func TestNilRecorderKeepsNothing(t *testing.T) {
	var r *Recorder
	r.Add("web", request(t, "get a"))
	if all := r.All(); all == nil || len(all) != 0 {
		t.Errorf("got %v, want an empty map", all)
	}
}

// TestBounds checks that no client makes a recorder remember more than it may, and
// that what finds no room is counted all the same.
func TestBounds(t *testing.T) {
	var r Recorder
	const many = 4 * maxShapes
	for i := range many {
		r.Add("web", request(t, fmt.Sprintf("get p%d:1", i)))
		r.Add(fmt.Sprintf("id%d", i), request(t, "get a:1"))
	}
	all := r.All()
	if n := len(all); n > maxIdentities+1 {
		t.Errorf("%d identities are remembered, want %d at most", n, maxIdentities+1)
	}
	if n := len(all["web"]); n > maxShapes+1 {
		t.Errorf("%d shapes are remembered, want %d at most", n, maxShapes+1)
	}
	var web, others int64
	for identity, uses := range all {
		for _, u := range uses {
			if identity == "web" {
				web += u.Count
			} else {
				others += u.Count
			}
		}
	}
	if web != many || others != many {
		t.Errorf("%d and %d requests are counted, want %d each", web, others, many)
	}
}

func TestConcurrentAdds(t *testing.T) {
	var r Recorder
	const goroutines, each = 8, 500
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				r.Add("web", request(t, "get user:1"))
				r.All()
			}
		})
	}
	wg.Wait()
	if got, want := learned(&r, "web"), fmt.Sprintf("get prefix:user: x%d value 0 keys 1", goroutines*each); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
