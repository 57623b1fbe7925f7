package policy

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/protocol"
)

// shortText is a short random text of few letters, so that many are prefixes of others.
func shortText(rnd *rand.Rand) string {
	var b strings.Builder
	for range rnd.IntN(6) {
		b.WriteByte("ab:\xff"[rnd.IntN(4)])
	}
	return b.String()
}

// TestIndexFindsTheFirstRule holds that the index of random rules finds what going
// through them does.
func TestIndexFindsTheFirstRule(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var rules []*rule
		for range rnd.IntN(8) {
			rules = append(rules, &rule{read: newKeySet(randomPatterns(rnd)), write: newKeySet(randomPatterns(rnd))})
		}
		for _, access := range []protocol.Access{protocol.Reads, protocol.Writes} {
			x, d := newIndex(rules, access), demand{access: access}
			for range 50 {
				key := []byte(shortText(rnd))
				want := 0
				for want < len(rules) && !rules[want].covers(&d, key) {
					want++
				}
				if got := x.covering(key); got != want {
					t.Fatalf("key %q of %d rules: got rule %d, want %d; prefixes %q", key, len(rules), got, want, x.prefixes)
				}
			}
		}
	}
}

func randomPatterns(rnd *rand.Rand) (list []pattern) {
	for range rnd.IntN(5) {
		kind := patternPrefix
		switch rnd.IntN(8) {
		case 0, 1:
			kind = patternExact
		case 2:
			kind = patternAll
		}
		if p := shortText(rnd); p != "" || kind == patternAll {
			list = append(list, pattern{kind: kind, text: p})
		}
	}
	return list
}

// TestEveryCommandIsIndexed holds that an entry says what all rules say.
func TestEveryCommandIsIndexed(t *testing.T) {
	id := mustFind(t, mustCompile(t, head+web(`rules: [
  {allow: [get, "@store"], keys: ["prefix:a:"]}, {allow: ["@rw"], read: ["*"], write: ["exact:b"]},
  {deny: [delete], keys: ["prefix:a:"]}, {deny: ["@flush"]}, {allow: [stats]}]`)), "web")
	for _, v := range protocol.Verbs() {
		d := demand{verb: v, need: v.Category}
		own := id.ownOf(&d)
		if own == nil {
			t.Errorf("%s has no entry", v.Name)
			continue
		}
		if got, want := len(own.allow), len(naming(id.allow, &d)); got != want {
			t.Errorf("%s: %d allow rules, want %d", v.Name, got, want)
		}
		if got, want := len(own.deny), len(naming(id.deny, &d)); got != want {
			t.Errorf("%s: %d deny rules, want %d", v.Name, got, want)
		}
	}
	if d := (demand{verb: protocol.ByGrant("mg")[0], need: protocol.CatVivify}); id.ownOf(&d) != nil {
		t.Error("what a flag adds is taken for what the command is there for")
	}
}
