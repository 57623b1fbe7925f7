package proxy

import (
	"fmt"
	"slices"
	"testing"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/testkit"
)

// TestDenialsAreRemembered shows what an operator can look at, over all clients.
func TestDenialsAreRemembered(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["error"](), tcp: true})
	var last string
	for range 3 {
		c := r.client(t)
		c.asks("get app:a other:1\r\nget other:2\r\nset z 0 60 1 noreply\r\nx\r\nflush_all 5\r\nget app:a\r\n",
			"CLIENT_ERROR access denied\r\nCLIENT_ERROR access denied\r\nCLIENT_ERROR access denied\r\nEND\r\n")
		last = c.LocalAddr().String()
	}
	var got []string
	ids := map[string]string{}
	for _, e := range r.server.Denials.List() {
		got = append(got, fmt.Sprintf("%s %s %s %s %q x%d: %s", e.Kind, e.Identity, e.Reason, e.Shape, e.Sample.Key, e.Count, e.Sample.Line))
		ids[e.Verb] = e.ID
		if s := e.Sample; s.Peer != last || s.Listener != "main" || s.Source != "listener" || s.TLS || s.Addr.String() != "127.0.0.1" || e.Last.IsZero() {
			t.Errorf("the sample is %+v, want the last client's", s)
		}
	}
	want := []string{
		`deny app not_granted  "" x3: flush_all 5`,
		`deny app key_not_covered exact:z "z" x3: set z 0 60 1`,
		`deny app key_not_covered prefix:other: "other:2" x6: get other:2`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	r.wantsIDs(t, ids)
}

// wantsIDs wants each id in one line of the log, and in each session's event.
func (r *rig) wantsIDs(t *testing.T, ids map[string]string) {
	t.Helper()
	logged := r.logs.FilterMessage("request denied")
	if logged.Len() != len(ids) {
		t.Errorf("%d denials are logged, want %d", logged.Len(), len(ids))
	}
	for verb, id := range ids {
		if logged.FilterField(zap.String("id", id)).FilterField(zap.String("verb", verb)).FilterField(zap.String("identity", "app")).Len() != 1 {
			t.Errorf("%s of %s is not in the log once", id, verb)
		}
		n := 0
		for _, e := range r.audit.all() {
			if e.ID == id && e.Verb == verb {
				n++
			}
		}
		if n != 3 {
			t.Errorf("%s of %s is in %d events, want 3", id, verb, n)
		}
	}
}

func TestWhatWouldBeDeniedIsRememberedAsThat(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["audit"]()})
	r.client(t).asks("get other:a\r\n", "END\r\n")
	if l := r.server.Denials.List(); len(l) != 1 || l[0].Kind != "would_deny" || l[0].Sample.Peer != "unix" || l[0].Sample.Addr.IsValid() {
		t.Errorf("got %+v", l)
	}
}

// A server that remembers nothing denies all the same.
func TestDenialsNeedNotBeRemembered(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["error"](), forgets: true})
	r.client(t).asks("get other:a\r\n", "CLIENT_ERROR access denied\r\n")
	if e := r.audit.all(); len(e) != 1 || e[0].ID != "" {
		t.Errorf("got %+v, want one event without an id", e)
	}
}
