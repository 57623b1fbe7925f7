package policy

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/slabgate/slabgate/protocol"
)

// chooser makes every choice of a random document or request.
type chooser interface{ IntN(n int) int }

// bytesChooser chooses by fuzzed bytes; when they end it chooses 0.
type bytesChooser struct{ left []byte }

func (b *bytesChooser) IntN(n int) int {
	if len(b.left) == 0 {
		return 0
	}
	c := int(b.left[0])
	b.left = b.left[1:]
	return c % n
}

// one returns a random element of list.
func one[T any](c chooser, list []T) T { return list[c.IntN(len(list))] }

// genKey makes a short key of few letters, so that patterns and keys meet.
func genKey(c chooser) string {
	if c.IntN(40) == 39 {
		return "slabgate/a"
	}
	b := make([]byte, 1+c.IntN(4))
	for i := range b {
		b[i] = "ab:"[c.IntN(3)]
	}
	return string(b)
}

// genPatterns makes one to three patterns.
func genPatterns(c chooser) []string {
	list := make([]string, 1+c.IntN(3))
	for i := range list {
		switch c.IntN(9) {
		case 8:
			list[i] = one(c, []string{"glob:a*b", "glob:?a", "glob:a?*:*b", "glob:*:a", "glob:*b*"})
		case 0:
			list[i] = "*"
		case 1, 2:
			list[i] = "exact:" + genKey(c)
		case 3:
			list[i] = genKey(c) + "*"
		default:
			list[i] = "prefix:" + genKey(c)
		}
	}
	return list
}

// genRule makes a rule that compiles.
func genRule(c chooser, words lexicon, names []string) Rule {
	for range 20 {
		var r Rule
		for range 1 + c.IntN(3) {
			r.Allow = append(r.Allow, one(c, names))
		}
		if c.IntN(3) == 0 {
			r.Allow, r.Deny = nil, r.Allow
		}
		var access protocol.Access
		for _, n := range append(slices.Clone(r.Allow), r.Deny...) {
			access |= words[n].allowed | words[n].denied
		}
		if access != 0 && (r.Deny == nil || c.IntN(3) > 0) {
			genLists(c, &r, access)
		}
		if c.IntN(4) == 0 {
			r.When = genWhen(c)
		}
		if c.IntN(4) == 0 {
			r.Mode = one(c, modeWords[:])
		}
		if rulesCompile(r) {
			return r
		}
	}
	return Rule{Allow: []string{"@stats"}}
}

// genWhen makes a condition.
func genWhen(c chooser) *When {
	w := &When{TLS: new(c.IntN(2) == 0)}
	if c.IntN(2) == 0 {
		w.From = []string{one(c, []string{"10.0.0.0/8", "10.1.0.0/16", "::/0"})}
	}
	if c.IntN(3) == 0 {
		w.Until = new(Instant(now + c.IntN(3) - 1))
	}
	return w
}

// genAt makes what a condition may ask of.
func genAt(c chooser) *At {
	return &At{Now: now, TLS: c.IntN(3) > 0, From: one(c, []netip.Addr{{}, netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("10.2.2.3"), netip.MustParseAddr("2001:db8::1")})}
}

// genLists gives r patterns for what its commands do to keys.
func genLists(c chooser, r *Rule, access protocol.Access) {
	if c.IntN(2) == 0 {
		r.Keys = genPatterns(c)
		return
	}
	if access&protocol.Reads != 0 {
		r.Read = genPatterns(c)
	}
	if access&protocol.Writes != 0 {
		r.Write = genPatterns(c)
	}
}

// rulesCompile reports whether an identity may have these rules.
func rulesCompile(rules ...Rule) bool {
	doc := &Document{Version: 1, Categories: 1, Identities: map[string]IdentityDoc{"x": {Match: []Match{{ASCII: new("x")}}, Rules: rules}}}
	_, list := Compile(doc)
	return !list.Failed()
}

// genDoc makes a document with the identity x, two roles and up to six rules.
func genDoc(c chooser) *Document {
	words := newLexicon()
	names := words.names()
	rules := func() []Rule {
		list := make([]Rule, c.IntN(4))
		for i := range list {
			list[i] = genRule(c, words, names)
		}
		return list
	}
	id := IdentityDoc{Match: []Match{{ASCII: new("x")}}, Rules: rules()}
	if c.IntN(2) == 0 {
		id.Roles = []string{"r"}
	}
	if c.IntN(3) == 0 {
		id.Mode = one(c, modeWords[:])
	}
	doc := &Document{
		Version: 1, Categories: 1,
		Roles:      map[string]Role{"r": {Rules: rules()}},
		Identities: map[string]IdentityDoc{"x": id},
	}
	genNamespaces(c, doc)
	return doc
}

// genNamespaces gives some documents an identity with a namespace, whose root is
// a:, and x a way to see it, or a namespace of its own.
func genNamespaces(c chooser, doc *Document) {
	if c.IntN(3) > 0 {
		return
	}
	doc.Identities["tenant"] = IdentityDoc{Match: []Match{{ASCII: new("tenant")}}, Namespace: new("a:{identity}:")}
	id := doc.Identities["x"]
	switch c.IntN(5) {
	case 0:
		id.Namespaces = []string{"all"}
	case 1:
		id.Namespaces = []string{one(c, []string{"a:", "a:b", "a:a"})}
	case 2:
		id.Namespace = new("x:")
	}
	doc.Identities["x"] = id
}

// genParts makes the parts of a request that decide what it needs.
func genParts(c chooser) (has protocol.Part) {
	for _, part := range []protocol.Part{protocol.HasExptime, protocol.HasVivify, protocol.HasRecache, protocol.HasNewCAS} {
		if c.IntN(3) == 0 {
			has |= part
		}
	}
	return has
}

// genRequest makes a request of any command.
func genRequest(c chooser) *protocol.Request {
	v := one(c, protocol.Verbs())
	if c.IntN(2) == 0 {
		v = protocol.Verbs()[c.IntN(18)] // the commands about keys come first
	}
	req := &protocol.Request{Form: protocol.Form{Verb: v}}
	if v.Access != 0 {
		req.Has, req.Exptime = genParts(c), int32(c.IntN(3)-1)
		for range 1 + c.IntN(3)*c.IntN(2) {
			req.Keys = append(req.Keys, []byte(genKey(c)))
		}
	}
	return req
}

// describe writes a document and a request for a failure.
func describe(doc *Document, req *protocol.Request) string {
	s := ""
	for _, r := range append(slices.Clone(doc.Roles["r"].Rules), doc.Identities["x"].Rules...) {
		s += "  {" + (&rule{written: r}).String() + "}\n"
	}
	return fmt.Sprintf("roles %v, rules\n%s  %s %q exptime %d parts %b", doc.Identities["x"].Roles, s, req.Verb.Name, req.Keys, req.Exptime, req.Has)
}

// checkPair checks everything that holds of any identity and request.
func checkPair(t *testing.T, doc *Document, req *protocol.Request, at *At) Decision {
	t.Helper()
	p, list := Compile(doc)
	if list.Failed() {
		t.Fatalf("generated document does not compile: %s\n%s", brief(list), describe(doc, req))
	}
	id := mustFind(t, p, "x")
	got := id.Decide(req, at)
	if want := modelVerdict(doc, "x", req, at); got.Verdict != want {
		t.Fatalf("%s\nat %+v got %v: %+v, want %v", describe(doc, req), *at, got.Verdict, got, want)
	}
	checkExplained(t, doc, id, req, at, got)
	return got
}

// checkExplained checks that an explanation is of the decision: its steps bear
// the decision out and its fix would change it.
func checkExplained(t *testing.T, doc *Document, id *Identity, req *protocol.Request, at *At, d Decision) {
	t.Helper()
	e := id.Explain(req, at)
	if e.Decision != d {
		t.Fatalf("%s\nexplained as %+v, decided as %+v", describe(doc, req), e.Decision, d)
	}
	if len(e.Steps) != len(id.rules) {
		t.Fatalf("%s\n%d steps for %d rules", describe(doc, req), len(e.Steps), len(id.rules))
	}
	seen := make(map[Outcome]bool)
	for _, s := range e.Steps {
		seen[s.Outcome] = true
	}
	bad := d.Reason == ReasonDenyRule && !seen[OutcomeDenies]
	bad = bad || d.Reason == ReasonRule && seen[OutcomeDenies]
	bad = bad || d.Reason == ReasonNotGranted && seen[OutcomeAllows]
	bad = bad || d.Reason == ReasonRule && !seen[OutcomeAllows] && !seen[OutcomeAllowsPart]
	if hopeless := d.Reason == ReasonNamespace && e.Fix == ""; bad || d.Granted() != (e.Fix == "") && !hopeless {
		t.Fatalf("%s\ndecision %+v does not follow from %+v, fix %q", describe(doc, req), d, e.Steps, e.Fix)
	}
	if e.Fix != "" {
		checkFix(t, doc, id, req, at)
	}
}

// checkFix makes the edits that an explanation proposes and checks that they
// leave a document that compiles and allows the request.
func checkFix(t *testing.T, doc *Document, id *Identity, req *protocol.Request, at *At) {
	t.Helper()
	edits := id.edits(new(demands).of(req, now), req, at)
	changed := applyEdits(doc, edits)
	p, list := Compile(changed)
	if list.Failed() {
		t.Fatalf("%s\nthe fix %q does not compile: %s", describe(doc, req), joinEdits(edits), brief(list))
	}
	if got := mustFind(t, p, "x").Decide(req, at); !got.Granted() {
		t.Fatalf("%s\nafter the fix %q: %+v\n%s", describe(doc, req), joinEdits(edits), got, describe(changed, req))
	}
}

// applyEdits returns doc with the edits made.
func applyEdits(doc *Document, edits []edit) *Document {
	id := doc.Identities["x"]
	sets := map[string][]Rule{"roles.r": slices.Clone(doc.Roles["r"].Rules), "identities.x": slices.Clone(id.Rules)}
	for _, e := range edits {
		if e.rule != nil {
			sets[e.at] = append(sets[e.at], *e.rule)
		}
		if e.list == "namespaces" {
			id.Namespaces = append(slices.Clone(id.Namespaces), e.value)
		}
		for owner, rules := range sets {
			for i := range rules {
				if e.rule == nil && e.at == fmt.Sprintf("%s.rules[%d]", owner, i) {
					applyEdit(&rules[i], e)
				}
			}
		}
	}
	for owner, rules := range sets {
		sets[owner] = slices.DeleteFunc(rules, func(r Rule) bool { return r.Allow == nil && r.Deny == nil })
	}
	id.Rules = sets["identities.x"]
	changed := &Document{
		Version: 1, Categories: 1,
		Roles:      map[string]Role{"r": {Rules: sets["roles.r"]}},
		Identities: maps.Clone(doc.Identities),
	}
	changed.Identities["x"] = id
	return changed
}

// applyEdit changes one rule; one that is taken out is left without names.
func applyEdit(r *Rule, e edit) {
	lists := map[string]*[]string{"allow": &r.Allow, "deny": &r.Deny, "read": &r.Read, "write": &r.Write}
	list := lists[e.list]
	switch {
	case e.list == "mode":
		r.Mode = ""
	case e.list == "":
		*r = Rule{}
	case e.remove:
		*list = slices.DeleteFunc(slices.Clone(*list), func(s string) bool { return s == e.value })
	default:
		*list = append(slices.Clone(*list), e.value)
	}
}

// TestDecideAgainstModel compares a hundred thousand decisions, or ten million,
// with what the model says.
func TestDecideAgainstModel(t *testing.T) {
	docs, each := 2000, 50
	if long() {
		docs = 200000
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	reasons := make(map[Reason]int)
	for range docs {
		doc := genDoc(rnd)
		p, list := Compile(doc)
		if list.Failed() {
			t.Fatalf("generated document does not compile: %s", brief(list))
		}
		id := mustFind(t, p, "x")
		for range each {
			req, at := genRequest(rnd), genAt(rnd)
			got := id.Decide(req, at)
			if want := modelVerdict(doc, "x", req, at); got.Verdict != want {
				t.Fatalf("%s\nat %+v got %v: %+v, want %v", describe(doc, req), *at, got.Verdict, got, want)
			}
			reasons[got.Reason]++
		}
	}
	for _, r := range []Reason{ReasonRule, ReasonConn, ReasonDenyRule, ReasonNoRule, ReasonNotGranted, ReasonKeyNotCovered, ReasonNamespace, ReasonTrial} {
		if reasons[r] < docs*each/200 {
			t.Errorf("reason %v came up %d times; the test tries too little of it", r, reasons[r])
		}
	}
}

// TestExplainFollowsDecide checks random explanations and applies their fixes.
func TestExplainFollowsDecide(t *testing.T) {
	docs := 500
	if long() {
		docs = 20000
	}
	rnd := rand.New(rand.NewPCG(7, 8))
	for range docs {
		doc := genDoc(rnd)
		for range 5 {
			checkPair(t, doc, genRequest(rnd), genAt(rnd))
		}
	}
}

// TestRulesAreMonotonic checks that one more deny rule never allows more, and
// one more allow rule never denies more, wherever it is put.
func TestRulesAreMonotonic(t *testing.T) {
	rounds := 1000
	if long() {
		rounds = 20000
	}
	rnd := rand.New(rand.NewPCG(9, 10))
	words := newLexicon()
	names := words.names()
	for range rounds {
		doc := genDoc(rnd)
		added := genRule(rnd, words, names)
		more := *doc
		id := doc.Identities["x"]
		id.Rules = slices.Insert(slices.Clone(id.Rules), rnd.IntN(len(id.Rules)+1), added)
		more.Identities = maps.Clone(doc.Identities)
		more.Identities["x"] = id
		before, after := compileX(t, doc), compileX(t, &more)
		for range 20 {
			req, at := genRequest(rnd), genAt(rnd)
			was, is := before.Decide(req, at).Verdict, after.Decide(req, at).Verdict
			if harder := hardness[is] - hardness[was]; harder != 0 && harder < 0 != (added.Allow != nil) {
				t.Fatalf("%s\n%v, and %v after one more rule: {%s}", describe(doc, req), was, is, &rule{written: added})
			}
		}
	}
}

// TestOrderNeverMatters checks that rules in another order decide the same.
func TestOrderNeverMatters(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 12))
	for range 1000 {
		doc := genDoc(rnd)
		turned := *doc
		id := doc.Identities["x"]
		id.Rules = slices.Clone(id.Rules)
		slices.Reverse(id.Rules)
		turned.Identities = maps.Clone(doc.Identities)
		turned.Identities["x"] = id
		a, b := compileX(t, doc), compileX(t, &turned)
		for range 20 {
			req, at := genRequest(rnd), genAt(rnd)
			x, y := a.Decide(req, at), b.Decide(req, at)
			if x.Verdict != y.Verdict || x.Granted() != y.Granted() {
				t.Fatalf("%s\ngot %+v, and %+v with its rules turned round", describe(doc, req), x, y)
			}
		}
	}
}

// compileX returns the identity x of a document without errors.
func compileX(t *testing.T, doc *Document) *Identity {
	t.Helper()
	p, list := Compile(doc)
	if list.Failed() {
		t.Fatalf("does not compile: %s", brief(list))
	}
	return mustFind(t, p, "x")
}

// FuzzDecide checks every property of one pair on a document and a request made
// of the fuzzed bytes.
func FuzzDecide(f *testing.F) {
	rnd := rand.New(rand.NewPCG(13, 14))
	for range 50 {
		seed := make([]byte, 80)
		for i := range seed {
			seed[i] = byte(rnd.IntN(256))
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		c := &bytesChooser{in}
		req := genRequest(c)
		checkPair(t, genDoc(c), req, genAt(c))
	})
}
