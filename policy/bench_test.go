package policy

import (
	"fmt"
	"testing"
)

// benchIdentity may read as many prefixes as asked, each of 45 bytes or so.
func benchIdentity(b *testing.B, prefixes int) *Identity {
	r := Rule{Allow: []string{"@rw"}}
	for i := range prefixes {
		r.Keys = append(r.Keys, fmt.Sprintf("prefix:tenant-%05d:service:component:cache:", i))
	}
	p, list := Compile(&Document{Version: 1, Categories: 1, Identities: map[string]IdentityDoc{
		"x": {Match: []Match{{ASCII: new("x")}}, Rules: []Rule{r}},
	}})
	if list.Failed() {
		b.Fatal(brief(list))
	}
	return mustFind(b, p, "x")
}

// benchDecide decides on one key that is covered and one that is not.
func benchDecide(b *testing.B, prefixes int) {
	id := benchIdentity(b, prefixes)
	hit := mustParse(b, fmt.Sprintf("get tenant-%05d:service:component:cache:1", prefixes-1))
	miss := mustParse(b, fmt.Sprintf("get tenant-%05d:service:component:cash:1", prefixes/2))
	for _, bb := range []struct {
		name string
		want Verdict
	}{{"hit", Allow}, {"miss", Deny}} {
		req := hit
		if bb.want == Deny {
			req = miss
		}
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := id.Decide(req, at); got.Verdict != bb.want {
					b.Fatalf("got %+v, want %v", got, bb.want)
				}
			}
		})
	}
}

func BenchmarkDecide3(b *testing.B)     { benchDecide(b, 3) }
func BenchmarkDecide100(b *testing.B)   { benchDecide(b, 100) }
func BenchmarkDecide1000(b *testing.B)  { benchDecide(b, 1000) }
func BenchmarkDecide10000(b *testing.B) { benchDecide(b, 10000) }

func BenchmarkIdentify1000(b *testing.B) {
	doc := &Document{Version: 1, Categories: 1, Identities: make(map[string]IdentityDoc)}
	for i := range 1000 {
		name := fmt.Sprintf("id-%d", i)
		doc.Identities[name] = IdentityDoc{Match: []Match{{ASCII: &name}, {TLS: &TLSMatch{URI: new("spiffe://corp/ns/" + name)}}}}
	}
	p, list := Compile(doc)
	if list.Failed() {
		b.Fatal(brief(list))
	}
	f := factsOf(b, "uri=spiffe://corp/ns/id-500")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.Identify(f); err != nil {
			b.Fatal(err)
		}
	}
}
