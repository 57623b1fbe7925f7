package policy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/protocol"
)

// languageVersion is the version of the policy language this package reads.
const languageVersion = 1

// compiler turns one document into a policy and notes everything wrong with it.
type compiler struct {
	doc   *Document
	words lexicon
	roles map[string][]*rule
	roots []string // of namespaces, up to what differs between clients
	out   finding.List
}

// Compile checks all of doc and makes a policy of it. The findings are about
// keys of doc, such as identities.web.rules[0].allow[1]; if one is an error the
// policy is nil. The policy shares doc's slices: doc must not change afterwards.
func Compile(doc *Document) (*Policy, finding.List) {
	c := &compiler{doc: doc, words: lexiconOf(doc.Categories), roles: make(map[string][]*rule)}
	c.head()
	for _, name := range sortedNames(doc.Roles) {
		path := "roles." + name
		c.checkName(path, "role", name)
		role := doc.Roles[name]
		c.roles[name] = c.rules(path, role.Rules)
		c.checkLimits(path+".limits", &role.Limits)
	}
	p := c.policy()
	c.sameMatches(p)
	c.tests()
	c.lint(p)
	if c.out.Failed() {
		return nil, c.out
	}
	return p, c.out
}

// head checks what stands above the roles.
func (c *compiler) head() {
	if c.doc.Version != languageVersion {
		c.out.Errorf(codeVersion, "version", fmt.Sprintf("write version: %d", languageVersion),
			"policy language version %d is not one that this version reads", c.doc.Version)
	}
	if c.doc.Categories < 1 || c.doc.Categories > protocol.CategoriesVersion {
		c.out.Errorf(codeCategories, "categories", fmt.Sprintf("write categories: %d", protocol.CategoriesVersion),
			"command table version %d is not one that this version has", c.doc.Categories)
	}
	d := c.doc.Defaults
	c.checkMode("defaults.mode", d.Mode)
	c.oneOf("defaults.deny_reply", d.DenyReply, replyError, replyQuiet)
	c.oneOf("defaults.multiget_denied", d.MultigetDenied, multigetError, multigetMiss)
	c.oneOf("defaults.unknown_command", d.UnknownCommand, unknownDeny, unknownForward)
	c.oneOf("defaults.overlong_key", d.OverlongKey, overlongError, overlongHash)
	if name := c.unauthenticated(); name != "" {
		if _, ok := c.doc.Identities[name]; !ok {
			c.out.Errorf(codeDefault, "defaults.unauthenticated",
				suggestion(name, sortedNames(c.doc.Identities), "write deny, or the name of an identity"),
				"there is no identity %q", clip(name))
		}
	}
	if len(c.doc.Identities) == 0 {
		c.out.Warnf(codeNoIdentities, "identities", "define an identity with a match and rules",
			"there are no identities, so every client is refused")
	}
}

// unauthenticated is the name of the identity of clients that are nobody else,
// or "" if they are refused.
func (c *compiler) unauthenticated() string {
	if name := c.doc.Defaults.Unauthenticated; name != unauthenticatedNo {
		return name
	}
	return ""
}

// checkName checks a name that shows up in logs, metrics and key paths.
func (c *compiler) checkName(path, what, name string) {
	ok := name != "" && len(name) <= longestName && name != unauthenticatedNo
	for i := range len(name) {
		ok = ok && isWordByte(name[i])
	}
	if !ok {
		c.out.Errorf(codeName, path, "use up to 64 letters, digits, dashes and underscores, and not the word deny",
			"%q can't be the name of a %s", clip(name), what)
	}
}

// policy compiles every identity.
func (c *compiler) policy() *Policy {
	p := &Policy{identities: make(map[string]*Identity)}
	for _, name := range sortedNames(c.doc.Identities) {
		id := c.identity(name)
		p.identities[name] = id
		p.entries = append(p.entries, id.entries...)
	}
	p.unauthenticated = p.identities[c.unauthenticated()]
	c.separate(p)
	return p
}

// separate makes sure that namespaces are apart from each other and from every
// identity that has none.
func (c *compiler) separate(p *Policy) {
	c.checkNamespaces(p)
	for _, name := range p.Identities() {
		doc := c.doc.Identities[name]
		c.namespaceGrants(p.identities[name], &doc)
	}
	c.wall(p)
	fixed := p.Roots()
	for _, id := range p.identities {
		id.fixedRoots = fixed
	}
}

// identity compiles one identity.
func (c *compiler) identity(name string) *Identity {
	doc, path := c.doc.Identities[name], "identities."+name
	c.checkName(path, "identity", name)
	c.checkMode(path+".mode", doc.Mode)
	c.oneOf(path+".deny_reply", doc.DenyReply, replyError, replyQuiet)
	d := &c.doc.Defaults
	id := &Identity{
		Name:          name,
		Upstream:      doc.Upstream,
		Mode:          c.mode(doc.Mode, d.Mode),
		Quiet:         firstOf(doc.DenyReply, d.DenyReply) == replyQuiet,
		RequireTLS:    doc.Require.TLS,
		RequireSecret: doc.Require.Secret,
		MissDenied:    d.MultigetDenied == multigetMiss,
		HashOverlong:  d.OverlongKey == overlongHash,
		Limits:        c.limits(path, &doc.Limits, doc.Roles),
		path:          path,
		categories:    c.doc.Categories,
	}
	if doc.Namespace != nil {
		id.template = c.namespace(path+".namespace", name, *doc.Namespace)
	}
	c.flush(id, &doc)
	c.matches(id, &doc)
	id.rules = append(c.rolesOf(path, doc.Roles), c.rules(path, doc.Rules)...)
	c.uniqueIDs(id)
	id.sortRules()
	id.indexOwn()
	id.Forwards = d.UnknownCommand == unknownForward && id.grantsAll()
	return id
}

// flush compiles what flush_all means to id.
func (c *compiler) flush(id *Identity, doc *IdentityDoc) {
	path := id.path + ".flush"
	c.oneOf(path, doc.Flush, flushScoped, flushUpstream, flushDeny)
	if doc.Flush == flushScoped && doc.Namespace == nil {
		c.out.Errorf(codeFlush, path, "give it a namespace, or write upstream or deny", "an identity without a namespace has nothing that could be flushed alone")
	}
	id.flushAllowed, id.flushDenied = doc.Flush == flushScoped, doc.Flush == flushDeny
	id.ScopedFlush = doc.Namespace != nil && doc.Flush != flushUpstream
}

// rolesOf returns the rules of the named roles of the identity at path.
func (c *compiler) rolesOf(path string, names []string) []*rule {
	var rules []*rule
	for i, name := range names {
		at := fmt.Sprintf("%s.roles[%d]", path, i)
		of, ok := c.roles[name]
		if !ok {
			c.out.Errorf(codeRole, at, suggestion(name, sortedNames(c.doc.Roles), "define it under roles"),
				"there is no role %q", clip(name))
		}
		if slices.Contains(names[:i], name) {
			c.out.Errorf(codeRoleTwice, at, "remove it", "the role %q is listed twice", clip(name))
			continue
		}
		rules = append(rules, of...)
	}
	return rules
}

// uniqueIDs checks that no two rules of id share a name.
func (c *compiler) uniqueIDs(id *Identity) {
	seen := make(map[string]*rule)
	for _, r := range id.rules {
		if r.ref.ID == "" {
			continue
		}
		if other, ok := seen[r.ref.ID]; ok && other != r {
			c.out.Errorf(codeIDTwice, r.ref.Path+".id", "give one of them another id",
				"in %s the rule %s has the id %q too", id.path, other.ref.Path, clip(r.ref.ID))
		}
		seen[r.ref.ID] = r
	}
}

// tests checks that every test can be run.
func (c *compiler) tests() {
	for i, t := range c.doc.Tests {
		path := fmt.Sprintf("tests[%d]", i)
		name, _, _ := strings.Cut(t.As, ":")
		if _, ok := c.doc.Identities[name]; !ok {
			c.out.Errorf(codeTest, path+".as", suggestion(name, sortedNames(c.doc.Identities), "write the name of an identity"),
				"there is no identity %q", clip(name))
		}
		if _, err := netip.ParseAddr(t.From); t.From != "" && err != nil {
			c.out.Errorf(codeTest, path+".from", "write an address, such as 10.2.3.4", "%q is not an address", clip(t.From))
		}
		if strings.TrimSpace(t.Cmd) == "" {
			c.out.Errorf(codeTest, path+".cmd", `write a command line, such as "get user:1"`, "there is no command")
		}
		if t.Expect != expectAllow && t.Expect != expectDeny {
			c.out.Errorf(codeTest, path+".expect", "write allow or deny", "%q is neither allow nor deny", clip(t.Expect))
		}
	}
}

// suggestion is the fix for an unknown name: the nearest known one, or else.
func suggestion(name string, known []string, otherwise string) string {
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("write %q, or %s", near, strings.TrimPrefix(otherwise, "write "))
	}
	return otherwise
}

// firstOf returns the first string that is not empty.
func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// matchShape is everything of a match but its networks, for one of its logins
// and one of its DNS names. Of two matches with the same shape a client can fit
// both if their networks overlap.
type matchShape struct {
	sasl, ascii   string // one of them at most
	uri, cn, dns  string
	pin, listener string
	peer          peerMatch
	account       accountMatch
	anywhere      bool // it names no networks
}

// sameMatches refuses two identities that the same clients would be: which of
// them came first must not decide.
func (c *compiler) sameMatches(p *Policy) {
	seen := make(map[matchShape][]*entry)
	for i := range p.entries {
		e := &p.entries[i]
		told := make(map[*Identity]bool)
		for _, s := range e.shapes() {
			for _, other := range seen[s] {
				if other.id == e.id || told[other.id] || !overlap(e, other) {
					continue
				}
				told[other.id] = true
				c.out.Errorf(codeSameMatch, e.path, "match each client in one identity only",
					"%s matches the same clients", other.path)
			}
			seen[s] = append(seen[s], e)
		}
	}
}

// shapes returns a shape for each login and each DNS name of e, or one if it has
// none of either.
func (e *entry) shapes() []matchShape {
	s := matchShape{listener: e.listener, anywhere: len(e.from) == 0}
	names := []string{""}
	if e.cert != nil {
		s.uri, s.cn, s.pin = e.cert.uri, e.cert.cn, e.cert.pin
		if len(e.cert.dns) > 0 {
			names = e.cert.dns
		}
	}
	if e.peer != nil {
		s.peer = *e.peer
	}
	if e.account != nil {
		s.account = *e.account
	}
	all := make(map[matchShape]bool)
	for _, s.dns = range names {
		if e.sasl != "" {
			all[s.withLogin(e.sasl, "")] = true
		}
		if e.ascii != "" || e.sasl == "" {
			all[s.withLogin("", e.ascii)] = true
		}
	}
	return slices.Collect(maps.Keys(all))
}

// withLogin is s for one login.
func (s matchShape) withLogin(sasl, ascii string) matchShape {
	s.sasl, s.ascii = sasl, ascii
	return s
}

// overlap reports whether an address can be in the networks of both, or
// neither names any.
func overlap(a, b *entry) bool {
	for _, n := range a.from {
		if slices.ContainsFunc(b.from, n.Overlaps) {
			return true
		}
	}
	return len(a.from) == 0 && len(b.from) == 0
}
