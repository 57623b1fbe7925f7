package policy

import (
	"fmt"

	"github.com/slabgate/slabgate/auth"
)

// IdentifyKind is why a connection has no identity.
type IdentifyKind uint8

const (
	KindUnknown       IdentifyKind = iota // no identity matches, and nothing the client can still do would help
	KindNeedLogin                         // a login could still help
	KindConflict                          // more than one identity matches
	KindRequireTLS                        // only a connection inside TLS would do
	KindRequireSecret                     // its identity requires a login that this connection can't give
)

var identifyWords = [...]string{"unknown", "need_login", "conflict", "require_tls", "require_secret"}

// String is the word for k in logs, audit events and metrics.
func (k IdentifyKind) String() string { return wordOf(identifyWords[:], int(k)) }

// IdentifyError is why a connection has no identity.
type IdentifyError struct {
	Kind     IdentifyKind
	Source   auth.Source // what the client was known by; "" if by nothing
	Subject  string      // its user or certificate name, not clipped; "" if there is none
	Identity string      // the identity found, if what it requires does not hold; one of them in a conflict
	Other    string      // another one in a conflict
}

// Error tells an operator what happened. It is not for clients.
func (e *IdentifyError) Error() string {
	switch {
	case e.Kind == KindConflict:
		return fmt.Sprintf("policy: the connection matches both identity %q and %q", e.Identity, e.Other)
	case e.Kind == KindRequireTLS && e.Identity != "":
		return fmt.Sprintf("policy: identity %q requires TLS", e.Identity)
	case e.Kind == KindRequireTLS:
		return "policy: no identity matches without TLS"
	case e.Identity != "":
		return fmt.Sprintf("policy: identity %q requires a login", e.Identity)
	}
	text := "policy: no identity matches"
	if e.Source != "" {
		text += fmt.Sprintf(" the %s of %q", e.Source, clip(e.Subject))
	}
	if e.Kind == KindNeedLogin {
		text += "; a login is awaited"
	}
	return text
}

// tier is one way of being matched. The lower wins.
type tier int

const (
	tierBoth tier = iota // one match asks for the login and the certificate
	tierLogin
	tierCert
	tierListener
	tierAddress
	tiers
)

var tierSources = [tiers]auth.Source{
	auth.SourceLogin, auth.SourceLogin, auth.SourceCert, auth.SourceListener, auth.SourceAddress,
}

// found is the identities that one tier matches: none, one, or more than one.
type found struct{ id, other *Identity }

// Identify tells which identity a connection has and by what, from everything
// known of it. A login or a certificate decides alone: one that matches nobody
// never makes the client an identity that asks for less. If the two disagree,
// only a match that asks for both decides. The error is an [*IdentifyError].
func (p *Policy) Identify(f auth.Facts) (*Identity, auth.Source, error) {
	id, source, err := p.identify(&f)
	if err != nil {
		return nil, "", err
	}
	if id.RequireTLS && !f.TLS {
		return nil, "", &IdentifyError{Kind: KindRequireTLS, Source: source, Identity: id.Name}
	}
	if id.RequireSecret && f.Login == nil {
		e := &IdentifyError{Kind: p.loginHelps(&f), Source: source, Identity: id.Name}
		switch e.Kind {
		case KindUnknown:
			e.Kind = KindRequireSecret
		case KindRequireTLS:
			e.Identity = "" // it does not; its login does
		}
		return nil, "", e
	}
	return id, source, nil
}

// identify is Identify without what an identity requires.
func (p *Policy) identify(f *auth.Facts) (*Identity, auth.Source, error) {
	at := p.search(f)
	switch login, cert := at[tierLogin], at[tierCert]; {
	case at[tierBoth].id != nil:
		return at.take(tierBoth)
	case f.Login != nil && login.id == nil:
		return nil, "", &IdentifyError{Source: auth.SourceLogin, Subject: f.Login.User}
	case f.Login != nil && cert.id != nil && cert.id != login.id:
		return nil, "", &IdentifyError{Kind: KindConflict, Identity: login.id.Name, Other: cert.id.Name}
	case f.Login != nil && cert.other != nil:
		return at.take(tierCert)
	case f.Login != nil:
		return at.take(tierLogin)
	case f.Cert != nil && cert.id == nil:
		return nil, "", &IdentifyError{Kind: p.loginHelps(f), Source: auth.SourceCert, Subject: subject(f.Cert)}
	case f.Cert != nil:
		return at.take(tierCert)
	case at[tierListener].id != nil:
		return at.take(tierListener)
	case at[tierAddress].id != nil:
		return at.take(tierAddress)
	case p.unauthenticated != nil:
		return p.unauthenticated, auth.SourceDefault, nil
	}
	return nil, "", &IdentifyError{Kind: p.loginHelps(f)}
}

// foundAt is what every tier matches.
type foundAt [tiers]found

// take returns the identity of tier t, which has one, unless it has more.
func (at *foundAt) take(t tier) (*Identity, auth.Source, error) {
	if other := at[t].other; other != nil {
		return nil, "", &IdentifyError{Kind: KindConflict, Source: tierSources[t], Identity: at[t].id.Name, Other: other.Name}
	}
	return at[t].id, tierSources[t], nil
}

// search returns which identities match f, by tier.
func (p *Policy) search(f *auth.Facts) (at foundAt) {
	for i := range p.entries {
		e := &p.entries[i]
		if !e.holds(f) || !e.holdsLogin(f.Login) {
			continue
		}
		switch hit := &at[e.tier()]; {
		case hit.id == nil:
			hit.id = e.id
		case hit.id != e.id && hit.other == nil:
			hit.other = e.id
		}
	}
	return at
}

// tier is the strongest thing e asks for.
func (e *entry) tier() tier {
	switch {
	case e.asksLogin() && e.cert != nil:
		return tierBoth
	case e.asksLogin():
		return tierLogin
	case e.cert != nil:
		return tierCert
	case e.listener != "":
		return tierListener
	}
	return tierAddress
}

// loginHelps tells whether a connection without a login could have an identity
// after one: [KindNeedLogin] if it could, [KindRequireTLS] if it could inside TLS, else
// [KindUnknown]. It keeps a client from sending a password that can't help.
func (p *Policy) loginHelps(f *auth.Facts) IdentifyKind {
	kind := KindUnknown
	for i := range p.entries {
		e := &p.entries[i]
		if f.Login != nil || !e.asksLogin() || !e.holds(f) {
			continue
		}
		if !e.id.RequireTLS || f.TLS {
			return KindNeedLogin
		}
		kind = KindRequireTLS
	}
	return kind
}

// subject is what a certificate is called in a log line.
func subject(c *auth.Cert) string {
	switch {
	case c.URI != "":
		return c.URI
	case len(c.DNS) > 0:
		return c.DNS[0]
	}
	return c.CN
}
