package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/slabgate/slabgate/auth"
)

// refUsers are the users that a match takes of a login by this mechanism.
func refUsers(m Match, mechanism string) (users []string) {
	if m.ASCII != nil && mechanism == "ascii" {
		users = append(users, *m.ASCII)
	}
	if m.SASL != nil && (mechanism != "ascii" || m.ASCII == nil) {
		users = append(users, *m.SASL)
	}
	return users
}

// refAsks are the proofs that a match asks for, each with whether f has it.
func refAsks(m Match, f auth.Facts) map[string]bool {
	asks := make(map[string]bool)
	if m.ASCII != nil || m.SASL != nil {
		asks["login"] = f.Login != nil && slices.Contains(refUsers(m, f.Login.Mechanism), f.Login.User)
	}
	if m.TLS != nil {
		asks["cert"] = f.Cert != nil && f.Cert.CN == *m.TLS.CN
	}
	if m.Unix != nil {
		asks["unix"] = f.Unix != nil && fmt.Sprint(f.Unix.UID) == *m.Unix.UID
	}
	if m.ServiceAccount != nil {
		asks["account"] = f.Account != nil && f.Account.Name == *m.ServiceAccount.Name
	}
	return asks
}

// refMatch is a match that holds: whose it is and what proofs it asks for.
type refMatch struct {
	name string
	asks map[string]bool
}

// refMatches lists the matches that hold for f.
func refMatches(doc *Document, f auth.Facts) (all []refMatch) {
	for n, id := range doc.Identities {
		for _, m := range id.Match {
			asks := refAsks(m, f)
			holds := m.Listener == nil || f.Listener == *m.Listener
			for _, has := range asks {
				holds = holds && has
			}
			if holds {
				all = append(all, refMatch{n, asks})
			}
		}
	}
	return all
}

// refLess reports whether b asks for all that a asks for, and more.
func refLess(a, b refMatch) bool {
	for proof := range a.asks {
		if !b.asks[proof] {
			return false
		}
	}
	return len(b.asks) > len(a.asks)
}

// refIdentify is Identify without its requirements, written as the rules are
// said: a match gives way to one that asks for the same and more, those that are
// left must agree, and the strongest proof that was given must count among them.
func refIdentify(doc *Document, f auth.Facts) (name string, ok bool) {
	all := refMatches(doc, f)
	names, counts := make(map[string]bool), make(map[string]bool)
	for _, m := range all {
		if slices.ContainsFunc(all, func(other refMatch) bool { return refLess(m, other) }) {
			continue
		}
		names[m.name] = true
		for proof := range m.asks {
			counts[proof] = true
		}
	}
	switch {
	case f.Login != nil && !counts["login"],
		f.Login == nil && f.Cert != nil && !counts["cert"],
		f.Login == nil && f.Cert == nil && f.Account != nil && !counts["account"]:
		return "", false
	}
	for n := range names {
		return n, len(names) == 1
	}
	name = doc.Defaults.Unauthenticated
	return name, name != ""
}

// TestIdentifyAgainstReference tries random matches on random facts.
func TestIdentifyAgainstReference(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	name := func() *string { return new(string("abc"[rnd.IntN(3)])) }
	identified, refused := 0, 0
	for range 4000 {
		doc := &Document{Version: 1, Categories: 1, Identities: make(map[string]IdentityDoc)}
		for _, n := range []string{"x", "y", "z"} {
			var id IdentityDoc
			for range 1 + rnd.IntN(2) {
				m := Match{Listener: name()}
				if rnd.IntN(3) == 0 {
					m.ASCII = name()
				}
				if rnd.IntN(3) == 0 {
					m.SASL = name()
				}
				if rnd.IntN(2) == 0 {
					m.TLS = &TLSMatch{CN: name()}
				}
				if rnd.IntN(3) == 0 {
					m.Unix = &UnixMatch{UID: new(strconv.Itoa(rnd.IntN(3)))}
				}
				if rnd.IntN(4) == 0 {
					m.ServiceAccount = &AccountMatch{Namespace: new("*"), Name: name()}
				}
				if rnd.IntN(3) > 0 && len(refAsks(m, auth.Facts{})) > 0 {
					m.Listener = nil
				}
				id.Match = append(id.Match, m)
			}
			doc.Identities[n] = id
		}
		if rnd.IntN(2) == 0 {
			doc.Defaults.Unauthenticated = "x"
		}
		p, list := Compile(doc)
		if list.Failed() {
			continue // two identities match the same clients
		}
		for range 20 {
			f := auth.Facts{Listener: *name(), TLS: true}
			if rnd.IntN(2) == 0 {
				f.Login = &auth.Login{User: *name(), Mechanism: []string{"ascii", "PLAIN", "SCRAM-SHA-256"}[rnd.IntN(3)]}
			}
			if rnd.IntN(2) == 0 {
				f.Cert = &auth.Cert{CN: *name()}
			}
			if rnd.IntN(2) == 0 {
				f.Unix = &auth.Peer{UID: uint32(rnd.IntN(3))}
			}
			if rnd.IntN(4) == 0 {
				f.Account = &auth.ServiceAccount{Name: *name()}
			}
			want, ok := refIdentify(doc, f)
			id, source, err := p.Identify(f)
			if ok != (err == nil) || ok && id.Name != want {
				t.Fatalf("facts %+v: got %v by %q, error %v, want %q %v", f, id, source, err, want, ok)
			}
			if ok {
				identified++
			} else {
				refused++
			}
		}
	}
	if identified < 2000 || refused < 2000 {
		t.Errorf("%d identified, %d refused; the test tries too little", identified, refused)
	}
}
