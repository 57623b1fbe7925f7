package auth

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"
)

// Mechanisms that are none of SCRAM.
const (
	Plain    = sasl.Plain
	External = sasl.External
)

// maxMechanism bounds the name of a mechanism, in bytes. RFC 4422 §3.1 has
// shorter ones only.
const maxMechanism = 32

// mechanism is one way to log in by SASL.
type mechanism struct {
	name    string
	setting string // what switches it on in a configuration
	hash    Hash   // of SCRAM, otherwise empty
	plus    bool   // SCRAM that binds the login to its TLS connection
	usable  func(*Channel) bool
}

// mechanisms is every way to log in by SASL, in the order they are offered:
// strongest first, those that also prove who the server is ahead of all.
var mechanisms = []mechanism{
	{"SCRAM-SHA-512-PLUS", "SCRAM-SHA-512", SHA512, true, (*Channel).bound},
	{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", SHA256, true, (*Channel).bound},
	{"SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", SHA1, true, (*Channel).bound},
	{"SCRAM-SHA-512", "SCRAM-SHA-512", SHA512, false, (*Channel).any},
	{"SCRAM-SHA-256", "SCRAM-SHA-256", SHA256, false, (*Channel).any},
	{"SCRAM-SHA-1", "SCRAM-SHA-1", SHA1, false, (*Channel).any},
	{Plain, Plain, "", false, (*Channel).private},
	{External, External, "", false, (*Channel).certified},
}

// Mechanisms returns the names a configuration may list, strongest first. Those
// of SCRAM switch their -PLUS form on as well.
func Mechanisms() []string {
	var names []string
	for _, m := range mechanisms {
		if m.name == m.setting {
			names = append(names, m.name)
		}
	}
	return names
}

// mechanismOf is the mechanism called name, in any case, or nil. The names are
// ASCII, and nothing else is taken for it: other letters fold to ASCII ones too.
func mechanismOf(name string) *mechanism {
	if len(name) > maxMechanism || strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }) {
		return nil
	}
	name = strings.ToUpper(name)
	i := slices.IndexFunc(mechanisms, func(m mechanism) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return &mechanisms[i]
}

// MechanismName is the registered name of a mechanism that this package has, given
// in any case, and false for every other name: a closed set, for logs.
func MechanismName(name string) (string, bool) {
	m := mechanismOf(name)
	if m == nil {
		return "", false
	}
	return m.name, true
}

// Channel is what a connection is to a login.
type Channel struct {
	TLS          bool
	Local        bool       // a unix socket
	PlainInClear bool       // the listener takes passwords in clear all the same
	Cert         bool       // there is a verified client certificate
	Source       netip.Addr // invalid for a unix socket

	// Channel bindings of the TLS connection, nil if there is none: tls-exporter
	// (RFC 9266) and tls-server-end-point (RFC 5929 §4). They are kept and must
	// not change.
	Exporter []byte
	EndPoint []byte
}

// any holds of every channel: what SCRAM sends over it helps nobody to log in.
func (c *Channel) any() bool { return true }

// bound reports whether a login can be bound to the channel.
func (c *Channel) bound() bool { return c.TLS && len(c.Exporter)+len(c.EndPoint) > 0 }

// private reports whether a password may pass.
func (c *Channel) private() bool { return c.TLS || c.Local || c.PlainInClear }

// certified reports whether the channel itself says who the client is.
func (c *Channel) certified() bool { return c.Cert }

// Offer is what one connection may log in by. It is a value that does not
// change, cheap to copy. The zero Offer accepts nothing.
type Offer struct {
	accepted []string
	listed   []string
	channel  Channel
}

// NewOffer says which of the configured mechanisms, named as [Mechanisms] has
// them, are accepted on a connection and which of these are shown to a client.
// The difference is what would lead clients astray:
//
//   - EXTERNAL is never shown, as common clients give up when they see it beside
//     PLAIN alone;
//   - inside TLS, SCRAM without channel binding is not shown beside PLAIN.
func NewOffer(configured []string, users *Users, ch Channel) Offer {
	o := Offer{channel: ch}
	plain := slices.Contains(configured, Plain)
	for i := range mechanisms {
		m := &mechanisms[i]
		if !slices.Contains(configured, m.setting) || !m.usable(&ch) || !users.Supports(m.name) {
			continue
		}
		o.accepted = append(o.accepted, m.name)
		if m.name == External || ch.TLS && plain && m.hash != "" && !m.plus {
			continue
		}
		o.listed = append(o.listed, m.name)
	}
	return o
}

// List returns what a client is shown, strongest first. The caller owns it.
func (o Offer) List() []string { return slices.Clone(o.listed) }

// Accepts reports whether a login by a mechanism may begin. The case of the name
// does not matter.
func (o Offer) Accepts(name string) bool {
	m := mechanismOf(name)
	return m != nil && slices.Contains(o.accepted, m.name)
}

// bindable reports whether the client was shown a mechanism with channel binding.
func (o Offer) bindable() bool {
	return slices.ContainsFunc(mechanisms, func(m mechanism) bool { return m.plus && slices.Contains(o.listed, m.name) })
}

// InitialResponse is what a client sent with the name of a mechanism, for
// [Exchange.Next]. The binary protocol can't tell an empty response from none;
// it is none but for EXTERNAL, whose empty response has a meaning.
func InitialResponse(mechanism string, data []byte) []byte {
	if len(data) > 0 {
		return data
	}
	if m := mechanismOf(mechanism); m != nil && m.name == External {
		return []byte{}
	}
	return nil
}
