package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// prefixCounts are how many prefixes a policy is measured with.
var prefixCounts = []int{3, 100, 1_000, 10_000}

// prefixPolicy has the identity x, which may use keys of n prefixes, each of 45
// bytes or so and in a rule with nine others.
func prefixPolicy(tb testing.TB, n int) *policy.Identity {
	tb.Helper()
	user := "x"
	id := policy.IdentityDoc{Match: []policy.Match{{SASL: &user}}}
	for i := range n {
		if i%10 == 0 {
			id.Rules = append(id.Rules, policy.Rule{Allow: []string{"@rw"}})
		}
		last := &id.Rules[len(id.Rules)-1]
		last.Keys = append(last.Keys, "prefix:"+prefixAt(i))
	}
	p, list := policy.Compile(&policy.Document{
		Version: 1, Categories: protocol.CategoriesVersion, Identities: map[string]policy.IdentityDoc{"x": id},
	})
	if list.Failed() {
		tb.Fatal(firstOf(list))
	}
	found, _ := p.Find("x")
	return found
}

// firstOf is the first finding, of what may be thousands.
func firstOf(list finding.List) finding.Finding { return list[0] }

// prefixAt is one prefix.
func prefixAt(i int) string { return fmt.Sprintf("tenant-%05d:service:component:cache:", i) }

// lookUp is a request and the answer to it.
type lookUp struct {
	name string
	req  *protocol.Request
	want policy.Verdict
}

// lookUps are a key that the last of n prefixes covers, and one in the middle that
// differs from a prefix near its end.
func lookUps(tb testing.TB, n int) []lookUp {
	tb.Helper()
	miss := strings.Replace(prefixAt(n/2), "cache", "cash", 1)
	list := []lookUp{{"hit", nil, policy.Allow}, {"miss", nil, policy.Deny}}
	for i, key := range []string{prefixAt(n - 1), miss} {
		req, err := protocol.ParseLine([]byte("get " + key + "1"))
		if err != nil {
			tb.Fatal(err)
		}
		list[i].req = req
	}
	return list
}

// BenchmarkPolicy measures what one decision costs, by the number of prefixes.
func BenchmarkPolicy(b *testing.B) {
	for _, n := range prefixCounts {
		id := prefixPolicy(b, n)
		for _, l := range lookUps(b, n) {
			b.Run(fmt.Sprintf("prefixes=%d/%s", n, l.name), func(b *testing.B) {
				at := policy.At{Now: 1782864000, TLS: true}
				b.ReportAllocs()
				for b.Loop() {
					if d := id.Decide(l.req, &at); d.Verdict != l.want {
						b.Fatalf("got %+v, want %v", d, l.want)
					}
				}
			})
		}
	}
}

// TestPolicyDoesNotAllocate checks that no decision does, however many prefixes
// there are.
func TestPolicyDoesNotAllocate(t *testing.T) {
	for _, n := range prefixCounts {
		id := prefixPolicy(t, n)
		at := policy.At{Now: 1782864000, TLS: true}
		for _, l := range lookUps(t, n) {
			var d policy.Decision
			if allocs := testing.AllocsPerRun(100, func() { d = id.Decide(l.req, &at) }); allocs != 0 || d.Verdict != l.want {
				t.Errorf("%d prefixes, %s: got %v after %v allocations, want %v and none", n, l.name, d.Verdict, allocs, l.want)
			}
		}
	}
}
