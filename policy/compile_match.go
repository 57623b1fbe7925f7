package policy

import (
	"fmt"
	"net/netip"
	"strings"
)

// matches compiles the matches of id, whose document is doc.
func (c *compiler) matches(id *Identity, doc *IdentityDoc) {
	path := id.path + ".match"
	if len(doc.Match) == 0 && id.Name != c.unauthenticated() {
		c.out.Errorf(codeNoMatch, path, "say how a client becomes it, such as match: [{sasl: "+id.Name+"}]",
			"no client can become %q", clip(id.Name))
	}
	login := false
	for i := range doc.Match {
		e := c.match(fmt.Sprintf("%s[%d]", path, i), &doc.Match[i])
		e.id = id
		login = login || e.asksLogin()
		if e.weakest() && !doc.WeakOK {
			c.out.Errorf(codeWeak, e.path, "write weak_ok: true in "+id.path+", or add tls, sasl, ascii, unix or listener to the match",
				"an address alone proves little")
		}
		id.entries = append(id.entries, e)
	}
	if doc.Require.Secret && !login && len(doc.Match) > 0 {
		c.out.Errorf(codeSecret, id.path+".require.secret", "add an entry with sasl or ascii to match",
			"a login is required, and no match names one")
	}
}

// weakest reports whether e asks for nothing but an address.
func (e *entry) weakest() bool {
	return len(e.from) > 0 && !e.strong() && e.listener == ""
}

// strong reports whether e asks for something only its client can prove.
func (e *entry) strong() bool { return e.proofs() != 0 }

// match compiles one match.
func (c *compiler) match(path string, m *Match) entry {
	e := entry{path: path}
	if m.TLS == nil && m.SASL == nil && m.ASCII == nil && m.Unix == nil && m.ServiceAccount == nil && m.Listener == nil && m.From == nil {
		c.out.Errorf(codeEmptyMatch, path, "name tls, sasl, ascii, unix, listener or from", "a match that asks for nothing would match everyone")
	}
	if m.TLS != nil {
		e.cert = c.tlsMatch(path+".tls", m.TLS)
	}
	if m.Unix != nil {
		e.peer = c.unixMatch(path+".unix", m.Unix)
	}
	if m.ServiceAccount != nil {
		e.account = c.accountMatch(path+".service_account", m.ServiceAccount)
	}
	e.sasl = c.value(path+".sasl", m.SASL)
	e.ascii = c.value(path+".ascii", m.ASCII)
	if m.ASCII == nil {
		e.ascii = e.sasl // one user, in whichever way it logs in
	}
	e.listener = c.value(path+".listener", m.Listener)
	e.from = c.networks(path+".from", m.From)
	return e
}

// networks reads a list of networks.
func (c *compiler) networks(path string, written []string) (list []netip.Prefix) {
	c.notEmpty(path, written)
	for i, s := range written {
		if n, ok := c.network(fmt.Sprintf("%s[%d]", path, i), s); ok {
			list = append(list, n)
		}
	}
	return list
}

// tlsMatch compiles what a match asks of a certificate.
func (c *compiler) tlsMatch(path string, m *TLSMatch) *certMatch {
	if m.URI == nil && m.DNS == nil && m.CN == nil && m.Pin == nil {
		c.out.Errorf(codeEmptyMatch, path, "name uri, dns, cn or pin", "a match that asks nothing of a certificate would match any")
	}
	out := &certMatch{cn: c.value(path+".cn", m.CN), dns: m.DNS, pin: c.pin(path+".pin", m.Pin)}
	if m.URI != nil {
		out.uri = *m.URI
		if problem := checkURI(out.uri); problem != "" {
			c.out.Errorf(codeURI, path+".uri", "write a SPIFFE ID, such as spiffe://corp/ns/shop/sa/*", "%q %s", clip(out.uri), problem)
		}
	}
	c.notEmpty(path+".dns", m.DNS)
	for i, name := range m.DNS {
		if problem := checkDNS(name); problem != "" {
			c.out.Errorf(codeDNS, fmt.Sprintf("%s.dns[%d]", path, i), "write a name, such as web.corp or *.web.corp", "%q %s", clip(name), problem)
		}
	}
	return out
}

// value checks a name that a match compares byte for byte, and returns it.
func (c *compiler) value(path string, s *string) string {
	if s == nil {
		return ""
	}
	if *s == "" {
		c.out.Errorf(codeEmptyMatch, path, "write a name, or remove the key", "an empty name would ask for nothing")
	}
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	if strings.ContainsFunc(*s, control) || len(*s) > longestValue {
		c.out.Errorf(codeMatchValue, path, "write the name itself", "%q is too long for a name, or has control characters", clip(*s))
	}
	return *s
}

// notEmpty refuses a list that was written without anything in it.
func (c *compiler) notEmpty(path string, list []string) {
	if list != nil && len(list) == 0 {
		c.out.Errorf(codeEmptyMatch, path, "write what it is to hold, or remove the key", "an empty list would ask for nothing")
	}
}

// network reads a network in CIDR form.
func (c *compiler) network(path, s string) (netip.Prefix, bool) {
	n, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		fix := "write it as 10.2.3.0/24 or 2001:db8::/32"
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			fix = fmt.Sprintf("write %s", netip.PrefixFrom(a, a.BitLen()))
		}
		c.out.Errorf(codeNetwork, path, fix, "%q is not a network", clip(s))
	case n.Addr().Is4In6():
		c.out.Errorf(codeNetwork, path, "write it in IPv4 form", "%q is an IPv4 network in IPv6 form, which no address is in", clip(s))
	case n != n.Masked():
		c.out.Errorf(codeNetwork, path, fmt.Sprintf("write %s, or %s", n.Masked(), netip.PrefixFrom(n.Addr(), n.Addr().BitLen())),
			"%q has bits set outside its mask", clip(s))
	default:
		return n, true
	}
	return netip.Prefix{}, false
}
