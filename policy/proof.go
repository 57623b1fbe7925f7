package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/auth"
)

// proofs is a set of things that only a client itself can show.
type proofs uint8

const (
	proofLogin proofs = 1 << iota
	proofCert
	proofUnix
	proofAccount
	proofSets // how many sets there are
)

// proofSources is how a client is known by a proof, the strongest first.
var proofSources = [...]struct {
	proof  proofs
	source auth.Source
}{
	{proofLogin, auth.SourceLogin},
	{proofCert, auth.SourceCert},
	{proofUnix, auth.SourceUnix},
	{proofAccount, auth.SourceAccount},
}

// source is the strongest of ps as a source, or "" if there is none.
func (ps proofs) source() auth.Source {
	for _, s := range proofSources {
		if ps&s.proof != 0 {
			return s.source
		}
	}
	return ""
}

// proofs returns what e asks for that only its client can show.
func (e *entry) proofs() (ps proofs) {
	for _, p := range [...]struct {
		proof proofs
		asked bool
	}{
		{proofLogin, e.asksLogin()},
		{proofCert, e.cert != nil},
		{proofUnix, e.peer != nil},
		{proofAccount, e.account != nil},
	} {
		if p.asked {
			ps |= p.proof
		}
	}
	return ps
}

// shown is the strongest proof that the client of f has gone out of its way to
// give, with what that says of it. It must count for something. A process is not
// among them: whoever comes to a unix socket is one.
func shown(f *auth.Facts) (ps proofs, subject string) {
	switch {
	case f.Login != nil:
		return proofLogin, f.Login.User
	case f.Cert != nil:
		return proofCert, certSubject(f.Cert)
	case f.Account != nil:
		return proofAccount, f.Account.Namespace + "/" + f.Account.Name
	}
	return 0, ""
}

// certSubject is what a certificate is called in a log line.
func certSubject(c *auth.Cert) string {
	switch {
	case c.URI != "":
		return c.URI
	case len(c.DNS) > 0:
		return c.DNS[0]
	}
	return c.CN
}

// peerSubject is what a process is called in a log line.
func peerSubject(p *auth.Peer) string {
	return fmt.Sprintf("uid=%d gid=%d groups=%d", p.UID, p.GID, p.Groups)
}

// peerMatch is what a match asks of a process.
type peerMatch struct{ uid, gid idMatch }

// idMatch is the number of a user or group, if one was written.
type idMatch struct {
	written bool
	id      uint32
}

// holds reports whether every part of m holds of p.
func (m *peerMatch) holds(p *auth.Peer) bool {
	if m.uid.written && m.uid.id != p.UID {
		return false
	}
	return !m.gid.written || m.gid.id == p.GID || slices.Contains(p.Groups, m.gid.id)
}

// accountMatch is what a match asks of a service account.
type accountMatch struct {
	namespace, name namePattern
	audience        string
}

// holds reports whether every part of m holds of a.
func (m *accountMatch) holds(a *auth.ServiceAccount) bool {
	return m.namespace.fits(a.Namespace) && m.name.fits(a.Name) &&
		(m.audience == "" || slices.Contains(a.Audiences, m.audience))
}

// namePattern is a whole name, or the beginning of one.
type namePattern struct {
	text   string
	prefix bool
}

// fits reports whether p covers name.
func (p namePattern) fits(name string) bool {
	if p.prefix {
		return strings.HasPrefix(name, p.text)
	}
	return name == p.text
}
