package learn

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/protocol"
)

// request parses one whole request. It belongs to the test.
func request(t testing.TB, in string) *protocol.Request {
	t.Helper()
	var p protocol.Parser
	req, n, err := p.Next([]byte(in))
	if err != nil || n != len(in) {
		t.Fatalf("%q: took %d bytes, %v", in, n, err)
	}
	return req
}

// find is the use of a command on keys of a shape, and whether there is one.
func find(uses []Use, command, shape string) (Use, bool) {
	for _, u := range uses {
		if u.Command == command && u.Shape == shape {
			return u, true
		}
	}
	return Use{}, false
}

func TestRecorderCountsByCommandAndShape(t *testing.T) {
	var r Recorder
	before := time.Now()
	for _, in := range []string{
		"get user:1\r\n", "get user:2 user:3 other:a\r\n", "mg user:1 v\r\n", "set user:1 0 0 5\r\nvalue\r\n",
		"set user:9 0 0 2\r\nva\r\n", "flush_all\r\n", "flush_all 10\r\n", "get build\r\n",
	} {
		r.Add("shop", request(t, in))
	}
	r.Add("blog", request(t, "get user:1\r\n"))
	all := r.All()
	if len(all) != 2 || len(all["blog"]) != 1 {
		t.Fatalf("got %v, want uses of shop and one of blog", all)
	}
	for _, want := range []Use{
		{Command: "get", Shape: "prefix:user:", Count: 3, Keys: 3},
		{Command: "get", Shape: "prefix:other:", Count: 1, Keys: 3},
		{Command: "get", Shape: "exact:build", Count: 1, Keys: 1},
		{Command: "mg", Shape: "prefix:user:", Count: 1, Keys: 1},
		{Command: "set", Shape: "prefix:user:", Count: 2, Keys: 1, Value: 5},
		{Command: "flush_all", Count: 2},
	} {
		got, ok := find(all["shop"], want.Command, want.Shape)
		if !ok {
			t.Errorf("%s %q is not among %+v", want.Command, want.Shape, all["shop"])
			continue
		}
		if got.First.Before(before) || got.Last.Before(got.First) || got.Last.After(time.Now()) {
			t.Errorf("%s %q: first %v, last %v", want.Command, want.Shape, got.First, got.Last)
		}
		got.First, got.Last = time.Time{}, time.Time{}
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// TestRecorderIsBounded: what has no room of its own is counted all the same.
func TestRecorderIsBounded(t *testing.T) {
	var r Recorder
	for i := range 2 * maxShapes {
		r.Add("shop", request(t, fmt.Sprintf("get p%d:1\r\n", i)))
	}
	uses, total := r.All()["shop"], int64(0)
	for _, u := range uses {
		total += u.Count
	}
	rest, ok := find(uses, "get", anything)
	if len(uses) != maxShapes+1 || total != 2*maxShapes || !ok || rest.Count != maxShapes {
		t.Errorf("%d uses of %d requests, %d of any shape; want %d, %d, %d", len(uses), total, rest.Count, maxShapes+1, 2*maxShapes, maxShapes)
	}
	r.Add("shop", request(t, "get p0:1\r\n"))
	if u, _ := find(r.All()["shop"], "get", "prefix:p0:"); u.Count != 2 {
		t.Errorf("a shape that is known counts %d, want 2", u.Count)
	}
	for i := range 2 * maxIdentities {
		r.Add(fmt.Sprintf("id%d", i), request(t, "get a:1\r\n"))
	}
	all, total := r.All(), int64(0)
	for _, uses := range all {
		for _, u := range uses {
			if u.Shape == "prefix:a:" {
				total += u.Count
			}
		}
	}
	if len(all) != maxIdentities+1 || total != 2*maxIdentities {
		t.Errorf("%d identities with %d requests, want %d with %d", len(all), total, maxIdentities+1, 2*maxIdentities)
	}
	for identity, uses := range all {
		if len(uses) > maxShapes+2*len(protocol.Verbs()) {
			t.Errorf("%s has %d uses", identity, len(uses))
		}
	}
}

// TestRecorderKeepsNothingOfARequest: neither a key as it is nor the bytes it was in.
func TestRecorderKeepsNothingOfARequest(t *testing.T) {
	var r Recorder
	in := []byte("set user:secret 0 0 6\r\nhidden\r\n")
	var p protocol.Parser
	req, _, err := p.Next(in)
	if err != nil {
		t.Fatal(err)
	}
	r.Add("shop", req)
	for i := range in {
		in[i] = 'X'
	}
	text := fmt.Sprintf("%+v", r.All())
	for _, never := range []string{"secret", "hidden", "XX"} {
		if strings.Contains(text, never) {
			t.Errorf("%q is in %s", never, text)
		}
	}
	if !strings.Contains(text, "prefix:user:") {
		t.Errorf("the shape is not in %s", text)
	}
}

func TestNoRecorderKeepsNothing(t *testing.T) {
	var r *Recorder
	r.Add("shop", request(t, "get a\r\n"))
	if got := r.All(); got == nil || len(got) != 0 {
		t.Errorf("got %v, want an empty map", got)
	}
}

// TestAllIsACopy: it changes with nothing that comes after.
func TestAllIsACopy(t *testing.T) {
	var r Recorder
	r.Add("shop", request(t, "get a:1\r\n"))
	first := r.All()
	r.Add("shop", request(t, "get a:1\r\n"))
	if first["shop"][0].Count != 1 {
		t.Errorf("a copy counts %d, want 1", first["shop"][0].Count)
	}
	first["shop"][0].Count = 100
	if u := r.All()["shop"][0]; u.Count != 2 {
		t.Errorf("the recorder counts %d, want 2", u.Count)
	}
}

// TestRecorderForManyGoroutines: none of what they add at once is lost.
func TestRecorderForManyGoroutines(t *testing.T) {
	var r Recorder
	const each, goroutines = 500, 8
	var all sync.WaitGroup
	for g := range goroutines {
		rng := rand.New(rand.NewPCG(uint64(g), 1))
		reqs := []*protocol.Request{request(t, "get a:1\r\n"), request(t, "set b:1 0 0 1\r\nv\r\n"), request(t, "flush_all\r\n")}
		all.Go(func() {
			for i := range each {
				r.Add(fmt.Sprintf("id%d", rng.IntN(4)), reqs[rng.IntN(len(reqs))])
				if i%100 == 0 {
					r.All()
				}
			}
		})
	}
	all.Wait()
	total := int64(0)
	for _, uses := range r.All() {
		for _, u := range uses {
			total += u.Count
		}
	}
	if total != each*goroutines {
		t.Errorf("%d requests are counted, want %d", total, each*goroutines)
	}
}
