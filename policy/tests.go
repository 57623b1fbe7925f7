package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/protocol"
)

// RunTests asks every question of doc.Tests, at now, in Unix seconds, unless the
// test says when, and returns an error for each that is not answered as expected.
// What only a mode lets through counts as denied, and so does a command that parse
// refuses, because it never reaches the policy. The request that parse returns is
// used until the next call.
func (p *Policy) RunTests(doc *Document, now int64, parse func(cmd string) (*protocol.Request, error)) finding.List {
	var out finding.List
	for i := range doc.Tests {
		t, path := &doc.Tests[i], fmt.Sprintf("tests[%d]", i)
		got := p.runTest(t, now, parse)
		if got.outcome != t.Expect {
			out.Errorf(codeTestFailed, path, "correct the test or the rules; slabgate explain shows each rule",
				"%s: %q is expected to be %s and is %s: %s", t.As, clip(t.Cmd), pastOf(t.Expect), pastOf(got.outcome), got.why)
			continue
		}
		for _, also := range [...]struct {
			key  string
			want *string
			is   string
		}{{"upstream_key", t.UpstreamKey, got.key}, {"effect", t.Effect, got.effect}} {
			if also.want != nil && *also.want != also.is {
				out.Errorf(codeTestFailed, path+"."+also.key, "correct the test or the namespace",
					"%s: %s of %q is expected to be %q and is %q", t.As, also.key, clip(t.Cmd), clip(*also.want), clip(also.is))
			}
		}
	}
	return out
}

// answer is what comes of one test.
type answer struct {
	outcome, why string
	key          string // the first key as memcached gets it; "" if none goes there
	effect       string // what it does beside
}

// runTest answers one test.
func (p *Policy) runTest(t *Test, now int64, parse func(string) (*protocol.Request, error)) answer {
	id, facts, ok := p.asked(t.As)
	if !ok {
		return answer{outcome: expectDeny, why: "there is no such identity"}
	}
	req, err := parse(t.Cmd)
	if err != nil {
		return answer{outcome: expectDeny, why: fmt.Sprintf("it is refused before the policy is asked: %v", err)}
	}
	if !id.includes(&facts) {
		return answer{outcome: expectDeny, why: "no match of the identity includes that service account or certificate"}
	}
	if room, ok := id.keyRoom(&facts); ok && longestKey(req) > room {
		return answer{outcome: expectDeny, why: fmt.Sprintf("its namespace leaves %d bytes for a key", room)}
	}
	e := id.Explain(req, t.at(now))
	out := answer{outcome: expectDeny, why: e.Decision.Reason.Text()}
	if rule := e.Decision.Rule.String(); rule != "" {
		out.why += " (" + rule + ")"
	}
	if !e.Decision.Granted() {
		if e.Fix != "" {
			out.why += "; to allow it " + e.Fix
		}
		return out
	}
	out.outcome = expectAllow
	out.key, out.effect = id.upstream(req, &facts)
	return out
}

// generationDigits is how many digits a generation has until the year 2286.
const generationDigits = 13

// keyRoom is the longest key that is served in the namespace of a client, in bytes,
// and false if there is no such bound but memcached's.
func (id *Identity) keyRoom(f *auth.Facts) (int, bool) {
	root, err := id.Root(f)
	if err != nil || root == "" || id.HashOverlong {
		return 0, false
	}
	return protocol.MaxKey - len(root) - generationDigits - 1, true
}

func longestKey(req *protocol.Request) (n int) {
	for _, key := range req.Keys {
		n = max(n, len(key))
	}
	return n
}

// Fits reports whether the keys of req are short enough for the namespace of id, if
// that does not depend on the client, and the bytes that one may have.
func (id *Identity) Fits(req *protocol.Request) (room int, ok bool) {
	room, bound := id.keyRoom(&auth.Facts{})
	return room, !bound || longestKey(req) <= room
}

// at is when and how a test asks.
func (t *Test) at(now int64) *At {
	at := &At{Now: now, TLS: true}
	if t.At != nil {
		at.Now = int64(*t.At)
	}
	if t.TLS != nil {
		at.TLS = *t.TLS
	}
	at.From, _ = netip.ParseAddr(t.From) // that it can be read was checked
	return at
}

// upstream is what becomes of the first key of req in generation 0, and what req
// does to the generation.
func (id *Identity) upstream(req *protocol.Request, f *auth.Facts) (key, effect string) {
	root, err := id.Root(f)
	switch {
	case err != nil:
		return "", err.Error()
	case len(req.Keys) > 0 && root != "":
		return root + "0/" + string(req.Keys[0]), ""
	case len(req.Keys) > 0:
		return string(req.Keys[0]), ""
	case id.ScopedFlush && req.Verb.Category == protocol.CatFlush:
		return "", fmt.Sprintf("generation %s 0 -> 1", root[:len(root)-1])
	}
	return "", ""
}

// pastOf is allow or deny as it reads in a sentence.
func pastOf(outcome string) string {
	if outcome == expectAllow {
		return "allowed"
	}
	return "denied"
}

// asked is the identity that a test asks as, and what its client is taken to have
// proven: NAME, or NAME:NAMESPACE/NAME for one of its service accounts, or
// NAME:spiffe://DOMAIN/PATH for one of its certificates.
func (p *Policy) asked(as string) (*Identity, auth.Facts, bool) {
	name, account, given := strings.Cut(as, ":")
	id, ok := p.Find(name)
	var f auth.Facts
	switch {
	case given && strings.HasPrefix(account, "spiffe://"):
		f.Cert = &auth.Cert{URI: account}
	case given:
		space, of, slash := strings.Cut(account, "/")
		f.Account = &auth.ServiceAccount{Namespace: space, Name: of}
		ok = ok && slash
	}
	return id, f, ok
}

// As is the identity that a test would ask as: NAME, or NAME:NAMESPACE/NAME for one
// of its service accounts, or NAME:spiffe://DOMAIN/PATH for one of its certificates.
func (p *Policy) As(as string) (*Identity, error) {
	id, facts, ok := p.asked(as)
	switch {
	case id == nil:
		name, _, _ := strings.Cut(as, ":")
		return nil, fmt.Errorf("no identity is called %q", name)
	case !ok || !id.includes(&facts):
		return nil, fmt.Errorf("%q is no service account or certificate of identity %q; write %s:NAMESPACE/NAME or %s:spiffe://DOMAIN/PATH", as, id.Name, id.Name, id.Name)
	}
	return id, nil
}

// includes reports whether an account or a certificate that a test asks as is one of
// the identity's. A test that names none asks for whoever is.
func (id *Identity) includes(f *auth.Facts) bool {
	return f.Account == nil && f.Cert == nil || slices.ContainsFunc(id.entries, func(e entry) bool {
		if f.Cert != nil {
			return e.cert != nil && e.cert.uri != "" && matchURI(e.cert.uri, f.Cert.URI)
		}
		return e.account != nil && e.account.namespace.fits(f.Account.Namespace) && e.account.name.fits(f.Account.Name)
	})
}
