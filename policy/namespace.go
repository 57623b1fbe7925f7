package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/protocol"
)

// A namespace is a root that is put before the keys of an identity, and a
// generation after it: the key k of the identity shop is t/shop/7/k to memcached.
// No root begins another one, so that no client can reach the keys of another by
// choosing its own.

// reservedRoot is where slabgate keeps what it has to remember of namespaces.
const reservedRoot = "slabgate/"

// longestRoot bounds a root, in bytes: behind it there must be room for a
// generation and a key.
const longestRoot = 128

// separators end the segments of a template. No value that is put into one holds
// any of them.
const separators = "/:|"

// attribute is what a template may put in place of a word in braces: part of what
// a client has proven.
type attribute struct {
	word    string // k8s.name, or tls.uri
	segment int    // of the path of a URI, the first being 0
}

// value is what f has for it.
func (a *attribute) value(f *auth.Facts) (string, bool) {
	switch {
	case f.Account != nil && a.word == attrSpace:
		return f.Account.Namespace, isRootPart(f.Account.Namespace)
	case f.Account != nil && a.word == attrName:
		return f.Account.Name, isRootPart(f.Account.Name)
	case f.Cert == nil || a.word != attrURI:
		return "", false
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(f.Cert.URI, "spiffe://"), "/")
	parts := strings.Split(path, "/")
	if a.segment >= len(parts) {
		return "", false
	}
	return parts[a.segment], isRootPart(parts[a.segment])
}

const (
	attrIdentity = "identity"
	attrURI      = "tls.uri"
	attrSpace    = "k8s.namespace"
	attrName     = "k8s.name"
)

// isRootPart reports whether s may stand in a root: it can't be taken for more than
// one segment, nor for none.
func isRootPart(s string) bool {
	for i := range len(s) {
		if !isWordByte(s[i]) && s[i] != '.' {
			return false
		}
	}
	return s != ""
}

// segment is a piece of a template up to a separator.
type segment struct {
	text string     // with its separator; the separator alone if there is an attribute
	attr *attribute // put before it; nil if there is none
}

// template is the namespace of an identity as it is written, in pieces.
type template []segment

// root is what is put before the keys of a client, and false if what it has proven
// does not say.
func (t template) root(f *auth.Facts) (string, bool) {
	var b strings.Builder
	for i := range t {
		if t[i].attr != nil {
			v, ok := t[i].attr.value(f)
			if !ok {
				return "", false
			}
			b.WriteString(v)
		}
		b.WriteString(t[i].text)
	}
	return b.String(), b.Len() <= longestRoot
}

// fixed reports whether every client of the identity has the same root.
func (t template) fixed() bool {
	return !slices.ContainsFunc(t, func(s segment) bool { return s.attr != nil })
}

// mayBegin reports whether a root of t can be the beginning of one of other.
func (t template) mayBegin(other template) bool {
	if len(t) > len(other) {
		return false
	}
	for i := range t {
		if !t[i].mayEqual(&other[i]) {
			return false
		}
	}
	return true
}

// mayEqual reports whether two segments can be the same bytes.
func (s *segment) mayEqual(other *segment) bool {
	if s.attr == nil && other.attr == nil {
		return s.text == other.text
	}
	last := func(x *segment) byte { return x.text[len(x.text)-1] }
	if last(s) != last(other) {
		return false
	}
	for _, x := range [...]*segment{s, other} {
		if x.attr == nil && !isRootPart(x.text[:len(x.text)-1]) {
			return false
		}
	}
	return true
}

// namespace compiles what is written at path for the identity of that name.
func (c *compiler) namespace(path, name, written string) template {
	t, reserved, fault := parseTemplate(written, name)
	if fault != nil {
		c.out.Errorf(codeNamespace, path, fault.fix, "the namespace %q %s", clip(written), fault.problem)
		return nil
	}
	if strings.HasPrefix(reserved, reservedRoot) {
		c.out.Errorf(codeNamespace, path, namespaceFix, "%q is where slabgate keeps its own records", reservedRoot)
		return nil
	}
	c.roots = append(c.roots, reserved)
	return t
}

// namespaceFix shows what a namespace may be.
const namespaceFix = `write text and {identity} between slashes, such as "t/{identity}/"`

// parseTemplate cuts a namespace into segments. reserved is the text before its
// first brace: nobody else may reach what begins with it.
func parseTemplate(written, name string) (t template, reserved string, fault *patternFault) {
	rest := written
	for rest != "" {
		end := strings.IndexAny(rest, separators)
		if end < 0 {
			return nil, "", &patternFault{codeNamespace, "does not end in one of " + strings.Join(strings.Split(separators, ""), " "), namespaceFix}
		}
		s, fault := parseSegment(rest[:end], rest[end:end+1], name)
		if fault != nil {
			return nil, "", fault
		}
		t, rest = append(t, s), rest[end+1:]
	}
	reserved, _, _ = strings.Cut(written, "{")
	switch {
	case reserved == "":
		return nil, "", &patternFault{codeNamespace, "does not begin with text of its own", namespaceFix}
	case t.length() > longestRoot:
		return nil, "", &patternFault{codeNamespace, fmt.Sprintf("is longer than %d bytes", longestRoot), "shorten it: it counts against the 250 bytes of a key"}
	}
	return t, reserved, nil
}

// length is the least a root has, in bytes.
func (t template) length() (n int) {
	for i := range t {
		n += len(t[i].text)
	}
	return n
}

// parseSegment reads the text before one separator.
func parseSegment(text, separator, name string) (segment, *patternFault) {
	word, open := strings.CutPrefix(text, "{")
	word, closed := strings.CutSuffix(word, "}")
	switch {
	case !open && !closed && isRootPart(text):
		return segment{text: text + separator}, nil
	case !open || !closed:
		return segment{}, &patternFault{codeNamespace, fmt.Sprintf("has %q, which is neither a name nor one word in braces", clip(text)), namespaceFix}
	case word == attrIdentity:
		return segment{text: name + separator}, nil
	case word == attrSpace || word == attrName:
		return segment{text: separator, attr: &attribute{word: word}}, nil
	}
	if number, ok := strings.CutPrefix(word, attrURI+"["); ok && len(number) == 2 && number[0] >= '0' && number[0] <= '9' && number[1] == ']' {
		return segment{text: separator, attr: &attribute{word: attrURI, segment: int(number[0] - '0')}}, nil
	}
	return segment{}, &patternFault{codeNamespace, fmt.Sprintf("has %q, which stands for nothing", "{"+clip(word)+"}"),
		"write {identity}, {tls.uri[1]}, {k8s.namespace} or {k8s.name}"}
}

// checkNamespaces refuses namespaces of which one begins another: what a client
// of the shorter writes could be read by one of the longer. Two that are the same
// word for word are meant to be shared.
func (c *compiler) checkNamespaces(p *Policy) {
	var all []*Identity
	for _, name := range p.Identities() {
		if id := p.identities[name]; id.template != nil {
			all = append(all, id)
		}
	}
	for i, a := range all {
		for _, b := range all[i+1:] {
			same := a.template.fixed() && b.template.fixed() && len(a.template) == len(b.template)
			if same || !a.template.mayBegin(b.template) && !b.template.mayBegin(a.template) {
				continue
			}
			c.out.Errorf(codeNamespaces, b.path+".namespace", "give each a segment of its own, such as t/{identity}/",
				"a key of it can be one of %s.namespace as well", a.path)
		}
	}
	for _, id := range all {
		c.checkAttributes(id)
	}
}

// checkAttributes refuses a namespace for which some match proves too little.
func (c *compiler) checkAttributes(id *Identity) {
	for _, s := range id.template {
		for i := range id.entries {
			e := &id.entries[i]
			if s.attr == nil || e.gives(s.attr) {
				continue
			}
			c.out.Errorf(codeNamespace, id.path+".namespace", "use {identity}, or let every match name what the namespace is made of",
				"%s says nothing of {%s}", e.path, s.attr.word)
		}
	}
}

// segmentsOf is how many segments the path of a URI has at least that fits a pattern.
func segmentsOf(uri string) int {
	_, path, ok := strings.Cut(strings.TrimPrefix(uri, "spiffe://"), "/")
	switch {
	case !ok:
		return 0
	case strings.HasSuffix(path, "**"): // there may be more
		return 10
	}
	return strings.Count(path, "/") + 1
}

// gives reports whether every client that e matches has the attribute.
func (e *entry) gives(a *attribute) bool {
	if a.word == attrURI {
		return e.cert != nil && a.segment < segmentsOf(e.cert.uri)
	}
	return e.account != nil
}

// grants compiles the roots that an identity may reach without having them as its
// namespace.
func (c *compiler) namespaceGrants(id *Identity, doc *IdentityDoc) {
	path := id.path + ".namespaces"
	if doc.Namespaces != nil && doc.Namespace != nil {
		c.out.Errorf(codeNamespaces, path, "remove one of them", "an identity with a namespace sees nothing but that")
	}
	id.allRoots = slices.Equal(doc.Namespaces, []string{"all"})
	if id.allRoots {
		return
	}
	for i, root := range doc.Namespaces {
		known := func(reserved string) bool { return strings.HasPrefix(root, reserved) }
		if !slices.ContainsFunc(c.roots, known) {
			c.out.Errorf(codeNamespaces, fmt.Sprintf("%s[%d]", path, i), suggestion(root, c.roots, `write the beginning of a namespace, or "all" alone`),
				"no namespace begins with %q", clip(root))
		}
		id.openRoots = append(id.openRoots, root)
	}
}

// wall gives every identity without a namespace the roots that it may not reach.
// Nobody reaches what slabgate keeps there, be it for another policy.
func (c *compiler) wall(p *Policy) {
	for _, id := range p.identities {
		switch {
		case id.template != nil:
		case id.allRoots:
			id.walls = []string{reservedRoot}
		default:
			id.walls = shortest(append(slices.Clone(c.roots), reservedRoot))
			// What a command that is not known does to which keys is not known either.
			id.Forwards = id.Forwards && len(c.roots) == 0
		}
	}
}

// walled reports whether key is in a namespace that id may not see.
func (id *Identity) walled(key []byte) bool {
	for _, w := range id.walls {
		if len(key) >= len(w) && string(key[:len(w)]) == w {
			return !slices.ContainsFunc(id.openRoots, func(root string) bool {
				return len(key) >= len(root) && string(key[:len(root)]) == root
			})
		}
	}
	return false
}

// behindWall returns the first of the keys that id may not see, or -1.
func (id *Identity) behindWall(req *protocol.Request) int {
	if len(id.walls) == 0 {
		return -1
	}
	return slices.IndexFunc(req.Keys, id.walled)
}

// HasNamespace reports whether the keys of id have something put before them.
func (id *Identity) HasNamespace() bool { return id.template != nil }

// Root is what is put before the keys of a client that has become id, before the
// generation; "" if id has no namespace. It is an error if what the client has
// proven does not say.
func (id *Identity) Root(f *auth.Facts) (string, error) {
	if id.template == nil {
		return "", nil
	}
	root, ok := id.template.root(f)
	if !ok {
		return "", fmt.Errorf("policy: what the client has proven makes no namespace of identity %q", id.Name)
	}
	return root, nil
}

// Roots returns the namespaces that do not depend on who the client is, sorted
// and each once.
func (p *Policy) Roots() []string {
	var roots []string
	for _, name := range p.Identities() {
		if t := p.identities[name].template; t != nil && t.fixed() {
			root, _ := t.root(&auth.Facts{})
			roots = append(roots, root)
		}
	}
	slices.Sort(roots)
	return slices.Compact(roots)
}

// HasNamespaces reports whether any identity has a namespace.
func (p *Policy) HasNamespaces() bool {
	for _, id := range p.identities {
		if id.template != nil {
			return true
		}
	}
	return false
}

// IsRoot reports whether root can be the namespace of a client of some identity.
func (p *Policy) IsRoot(root string) bool {
	t, _, fault := parseTemplate(root, "")
	if fault != nil || len(root) > longestRoot {
		return false
	}
	for _, id := range p.identities {
		if id.template != nil && len(id.template) == len(t) && t.mayBegin(id.template) {
			return true
		}
	}
	return false
}
