package proxy

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// sifted is the policy error for clients who may read of several keys what they may
// read.
func sifted(mode string) *policy.Document {
	d := policies["error"]()
	d.Defaults.MultigetDenied = "miss"
	d.Defaults.Mode = mode
	return d
}

// TestDeniedKeysOfSeveralAreMissing: what is left of a read is what its client may
// read, in its order and as often as it asks; with nothing left it is denied whole.
func TestDeniedKeysOfSeveralAreMissing(t *testing.T) {
	for _, c := range []struct {
		in, want string
		sent     int // keys
	}{
		{"get app:a b\r\n", hit("app:a", 1) + "END\r\n", 1},
		{"get b app:a c app:b app:a\r\n", hit("app:a", 1) + hit("app:a", 1) + "END\r\n", 3},
		{"get shared:a b\r\n", "END\r\n", 1},
		{"get b c\r\n", protocol.AccessDenied, 0},
		{"get b\r\n", protocol.AccessDenied, 0},
		{"gat 5 shared:a app:a\r\n", hit("app:a", 1) + "END\r\n", 1}, // it touches what it may only read
		{"gat 5 shared:a b\r\n", protocol.AccessDenied, 0},
		{"mg b v\r\n", protocol.AccessDenied, 0},
		{"set b 0 0 1\r\nv\r\n", protocol.AccessDenied, 0},
	} {
		d := newDriver(t, sifted(""))
		d.hold(map[string]int{"app:a": 1, "b": 1, "c": 1})
		d.feed(c.in + "mn\r\n")
		if got := string(d.out); got != c.want+"MN\r\n" {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
		if len(d.sent) != c.sent {
			t.Errorf("%q: sent %q, want %d commands", c.in, d.sent, c.sent)
		}
	}
}

// TestSiftAgreesWithItsReference sifts random lists of keys under every mode.
func TestSiftAgreesWithItsReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	all := []string{"app:a", "app:b", "shared:a", "other:a", "b", "app", "secret:a"}
	dropped := 0
	for _, mode := range []string{"enforce", "audit", "learn", "off"} {
		doc := sifted(mode)
		id := doc.Identities["app"]
		id.Rules = append(id.Rules, policy.Rule{Deny: []string{"@read"}, Keys: fields("secret:* exact:app:b"), Mode: "enforce"})
		doc.Identities["app"] = id
		for range 500 {
			var keys, want []string
			denied := 0
			for range 1 + rng.IntN(8) {
				key := all[rng.IntN(len(all))]
				keys = append(keys, key)
				refused := key == "app:b" || strings.HasPrefix(key, "secret:")
				known := strings.HasPrefix(key, "app:") || strings.HasPrefix(key, "shared:")
				if refused || mode == "enforce" && !known {
					denied++
				} else {
					want = append(want, key)
				}
			}
			d := newDriver(t, doc)
			d.feed("get " + strings.Join(keys, " ") + "\r\n")
			var got []string
			for _, command := range d.sent {
				got = append(got, fields(command)[1])
			}
			answer := "END\r\n"
			if len(want) == 0 {
				answer = protocol.AccessDenied
			}
			if !slices.Equal(got, want) || string(d.out) != answer {
				t.Fatalf("mode %s, keys %q: read %q, answered %q; want %q and %q", mode, keys, got, d.out, want, answer)
			}
			if len(want) > 0 && denied > 0 {
				dropped++
			}
		}
	}
	if dropped < 200 {
		t.Errorf("only %d reads were sifted: the test says nothing", dropped)
	}
}

// TestSiftedKeysAreEachObserved: the auditor is told of every key that is dropped,
// and who learns of every one that is left.
func TestSiftedKeysAreEachObserved(t *testing.T) {
	d := newDriver(t, sifted(""))
	d.x.watch = true
	d.feed("get app:a b app:c d e\r\nget app:a app:b\r\n")
	for e, want := range map[event]int{evRequest: 2, evDenied: 3, evPermitted: 3, evLimited: 0} {
		if got := d.seen.events[e]; got != want {
			t.Errorf("event %d came %d times, want %d", e, got, want)
		}
	}
}

// TestLimitOfKeysIsOfThoseThatAreRead counts what a sifted read has left.
func TestLimitOfKeysIsOfThoseThatAreRead(t *testing.T) {
	doc := sifted("")
	id := doc.Identities["app"]
	id.Limits.MultigetMax = ref(2)
	doc.Identities["app"] = id
	d := held(t, doc, "get app:a b c d app:b\r\nget app:a app:b app:c d\r\n")
	if got, want := string(d.out), "END\r\n"+protocol.LimitKeys; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
