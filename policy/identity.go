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
	Subject  string      // its user, certificate name, process or account, not clipped; "" if there is none
	Identity string      // the identity found, if what it requires does not hold; one of them in a conflict
	Other    string      // another one in a conflict
}

// sourceWords is what proves who a client is, as it is called in a sentence.
var sourceWords = map[auth.Source]string{
	auth.SourceLogin:   "login",
	auth.SourceCert:    "certificate",
	auth.SourceUnix:    "process",
	auth.SourceAccount: "service account",
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
	if what := sourceWords[e.Source]; what != "" {
		text += fmt.Sprintf(" the %s of %q", what, clip(e.Subject))
	}
	if e.Kind == KindNeedLogin {
		text += "; a login is awaited"
	}
	return text
}

// found is the identities that one way of being matched leads to: none, one, or
// more than one.
type found struct{ id, other *Identity }

// add notes one more identity; nil is none.
func (w *found) add(id *Identity) {
	switch {
	case id == nil || id == w.id:
	case w.id == nil:
		w.id = id
	case w.other == nil:
		w.other = id
	}
}

// take returns the identity of w, unless it has more than the one it needs.
func (w found) take(source auth.Source) (*Identity, auth.Source, error) {
	if w.other != nil {
		return nil, "", &IdentifyError{Kind: KindConflict, Source: source, Identity: w.id.Name, Other: w.other.Name}
	}
	return w.id, source, nil
}

// Identify tells which identity a connection has and by what, from everything
// known of it. A login, a certificate or a token decides alone: one that matches
// nobody never makes the client an identity that asks for less. If these, or the
// process at the other end of a unix socket, disagree, only a match that asks for
// all of them decides. The error is an [*IdentifyError].
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
	proven, asked := at.proven()
	if given, subject := shown(f); given&^asked != 0 {
		return nil, "", &IdentifyError{Kind: p.loginHelps(f), Source: given.source(), Subject: subject}
	}
	switch {
	case proven.id != nil:
		return proven.take(asked.source())
	case at.listener.id != nil:
		return at.listener.take(auth.SourceListener)
	case at.address.id != nil:
		return at.address.take(auth.SourceAddress)
	case p.unauthenticated != nil:
		return p.unauthenticated, auth.SourceDefault, nil
	}
	e := &IdentifyError{Kind: p.loginHelps(f)}
	if f.Unix != nil {
		e.Source, e.Subject = auth.SourceUnix, peerSubject(f.Unix)
	}
	return nil, "", e
}

// matched is what every way of being matched leads to.
type matched struct {
	strong            [proofSets]found // by the proofs that the entries ask for
	listener, address found
}

// search returns which identities match f.
func (p *Policy) search(f *auth.Facts) (at matched) {
	for i := range p.entries {
		e := &p.entries[i]
		if !e.holds(f) || !e.holdsLogin(f.Login) {
			continue
		}
		switch ps := e.proofs(); {
		case ps != 0:
			at.strong[ps].add(e.id)
		case e.listener != "":
			at.listener.add(e.id)
		default:
			at.address.add(e.id)
		}
	}
	return at
}

// proven returns whom the proofs lead to, and which proofs lead there. An entry
// counts unless another that matches asks for all the same proofs and more.
func (at *matched) proven() (who found, asked proofs) {
	for ps := range proofSets {
		if hit := at.strong[ps]; hit.id != nil && !at.surpassed(ps) {
			who.add(hit.id)
			who.add(hit.other)
			asked |= ps
		}
	}
	return who, asked
}

// surpassed reports whether a match asks for all of ps and more.
func (at *matched) surpassed(ps proofs) bool {
	for more := range proofSets {
		if more != ps && more&ps == ps && at.strong[more].id != nil {
			return true
		}
	}
	return false
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
