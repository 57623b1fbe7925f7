// Package policy says what an identity may do: it decides whether one request
// is allowed, explains why, and tells which identity a connection has.
//
// It is pure: the same document, request and time give the same answer. It
// reads no file, clock or connection, checks no password or certificate,
// answers no client and writes nothing down.
package policy

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/protocol"
)

// Policy is a compiled [Document]. It never changes, so any number of
// goroutines may use it, and a request that holds one is decided by it alone.
type Policy struct {
	identities      map[string]*Identity
	entries         []entry   // every match of every identity
	unauthenticated *Identity // nil to refuse
}

// Identity is one identity of a policy, compiled. Its fields are only read.
type Identity struct {
	Name          string
	Upstream      string // name of the memcached it reaches; "" for the only one
	Mode          Mode   // what comes of what is not allowed
	Quiet         bool   // a denial looks like a miss where it can
	RequireTLS    bool   // its connections must be inside TLS
	RequireSecret bool   // and must have completed a login
	MissDenied    bool   // keys that are denied are missing from a read of several; else it is denied as a whole
	HashOverlong  bool   // a key too long for its namespace is stored by its hash; else it is refused
	Forwards      bool   // commands that slabgate does not know are sent to memcached
	ScopedFlush   bool   // flush_all concerns its namespace alone
	Limits        Limits

	path         string // in the document
	categories   int    // version of the command table
	template     template
	walls        []string // roots of namespaces that it may not reach, none of them beginning another
	openRoots    []string // what of them it may reach
	fixedRoots   []string // the namespaces that do not depend on the client, to suggest
	allRoots     bool     // it may reach all of them
	flushAllowed bool     // flush_all needs no rule
	flushDenied  bool     // flush_all is denied whatever the rules say
	rules        []*rule  // of its roles, then its own, as written
	deny         []*rule  // the same, by what they do, without those that are off
	allow        []*rule
	own          map[*protocol.Verb]*ownRules
	entries      []entry // its matches
}

// entry is one match of an identity, compiled. What is empty was not written.
type entry struct {
	id       *Identity
	path     string
	sasl     string // user of a SASL login
	ascii    string // user of an ASCII login
	cert     *certMatch
	peer     *peerMatch
	account  *accountMatch
	listener string
	from     []netip.Prefix
}

// certMatch is what a match asks of a certificate.
type certMatch struct {
	uri, cn string
	dns     []string
	pin     string // 32 bytes
}

// Find returns the identity called name.
func (p *Policy) Find(name string) (*Identity, bool) {
	id, ok := p.identities[name]
	return id, ok
}

// Identities returns the name of every identity, sorted.
func (p *Policy) Identities() []string {
	return sortedNames(p.identities)
}

// Rules returns the name of every rule, each once, in no order.
func (p *Policy) Rules() []RuleRef {
	seen := make(map[RuleRef]bool)
	for _, id := range p.identities {
		for _, r := range id.rules {
			seen[r.ref] = true
		}
	}
	return slices.Collect(maps.Keys(seen))
}

// sortedNames returns the keys of m, sorted.
func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// holds reports whether every part of e that is not the login holds.
func (e *entry) holds(f *auth.Facts) bool {
	if e.cert != nil && (f.Cert == nil || !e.cert.holds(f.Cert)) {
		return false
	}
	if e.peer != nil && (f.Unix == nil || !e.peer.holds(f.Unix)) {
		return false
	}
	if e.account != nil && (f.Account == nil || !e.account.holds(f.Account)) {
		return false
	}
	if e.listener != "" && e.listener != f.Listener {
		return false
	}
	return len(e.from) == 0 || containsAddr(e.from, f.Addr)
}

// asksLogin reports whether a part of e is a login, of either dialect.
func (e *entry) asksLogin() bool { return e.sasl != "" || e.ascii != "" }

// holdsLogin reports whether the part of e that is the login holds.
func (e *entry) holdsLogin(l *auth.Login) bool {
	if !e.asksLogin() {
		return true
	}
	if l == nil {
		return false
	}
	user := e.sasl
	if l.Mechanism == loginASCII {
		user = e.ascii
	}
	return user != "" && user == l.User
}

// loginASCII is the mechanism of a login of the ASCII dialect. Every other one
// is of SASL.
const loginASCII = "ascii"

// holds reports whether every part of m holds of c.
func (m *certMatch) holds(c *auth.Cert) bool {
	if m.uri != "" && !matchURI(m.uri, c.URI) {
		return false
	}
	if m.cn != "" && m.cn != c.CN {
		return false
	}
	if m.pin != "" && m.pin != string(c.Pin[:]) {
		return false
	}
	return len(m.dns) == 0 || matchAnyDNS(m.dns, c.DNS)
}

// matchAnyDNS reports whether any name fits any pattern.
func matchAnyDNS(patterns, names []string) bool {
	for _, name := range names {
		fits := func(pattern string) bool { return matchDNS(pattern, name) }
		if slices.ContainsFunc(patterns, fits) {
			return true
		}
	}
	return false
}

// containsAddr reports whether a network holds addr. An IPv4 address is one
// whether or not it comes in IPv6 form; an address that is not valid, as a
// unix socket has, is in no network.
func containsAddr(networks []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap()
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}
