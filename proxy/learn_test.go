package proxy

import (
	"fmt"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// TestModeLearnLearnsWhatItLetsThrough: what rules grant and what they do not, and
// nothing that a rule denies that is enforced; in no other mode anything.
func TestModeLearnLearnsWhatItLetsThrough(t *testing.T) {
	for _, mode := range []string{"learn", "audit", "enforce", "off"} {
		doc := app(rule("@read", "app:*"), policy.Rule{Deny: []string{"@store", "@read"}, Keys: fields("secret:*"), Mode: "enforce"})
		doc.Defaults.MultigetDenied = "miss"
		id := doc.Identities["app"]
		id.Mode = mode
		doc.Identities["app"] = id
		fake := testkit.StartFake(t, testkit.FakeOptions{})
		r := startRig(t, fake.Addr(), rigOptions{doc: doc})
		c := r.client(t)
		c.asks("set secret:1 0 0 1\r\nv\r\nget secret:1\r\n", protocol.AccessDenied+protocol.AccessDenied)
		c.asks("get app:1\r\n", "END\r\n")
		c.asks("get app:1 secret:2 app:2\r\n", "END\r\n")
		c.asks("set other:1 0 0 1 noreply\r\nv\r\nget other:2\r\nmn\r\n", map[bool]string{
			true: protocol.AccessDenied + "MN\r\n", false: "END\r\nMN\r\n",
		}[mode == "enforce"])
		got := map[string]int64{}
		for _, u := range r.server.Learned.All()["app"] {
			got[u.Command+" "+u.Shape] = u.Count
		}
		want := map[string]int64{}
		if mode == "learn" {
			want = map[string]int64{"get prefix:app:": 3, "set prefix:other:": 1, "get prefix:other:": 1}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("mode %s: learned %v, want %v", mode, got, want)
		}
	}
}
