package policy

import (
	"strings"
)

// Document is policy.yaml as written. Its keys are all that this version
// knows: a decoder refuses any other and asks [NotYet] what to say about it.
//
// A pointer or a slice that is nil was not written. An empty one was, and is
// refused, so a value that a template left out never widens a match or a rule.
type Document struct {
	Version    int                    `yaml:"version"`
	Categories int                    `yaml:"categories"`
	Defaults   Defaults               `yaml:"defaults,omitempty"`
	Roles      map[string]Role        `yaml:"roles,omitempty"`
	Identities map[string]IdentityDoc `yaml:"identities"`
	Tests      []Test                 `yaml:"tests,omitempty"`
}

// Defaults holds for every identity that does not say otherwise.
type Defaults struct {
	Mode            string `yaml:"mode,omitempty"`            // enforce (also if empty) or audit
	Unauthenticated string `yaml:"unauthenticated,omitempty"` // deny (also if empty) or the name of an identity
	DenyReply       string `yaml:"deny_reply,omitempty"`      // error (also if empty) or quiet
}

// Role is a bundle of rules that identities share.
type Role struct {
	Rules []Rule `yaml:"rules"`
}

// IdentityDoc is one identity: how a client becomes it and what it may do.
type IdentityDoc struct {
	Match     []Match  `yaml:"match"`                // one entry must hold
	WeakOK    bool     `yaml:"weak_ok,omitempty"`    // an address alone may be enough
	Require   Require  `yaml:"require,omitempty"`    // what must hold besides
	Roles     []string `yaml:"roles,omitempty"`      // names of roles whose rules apply
	Rules     []Rule   `yaml:"rules,omitempty"`      // rules of its own
	Mode      string   `yaml:"mode,omitempty"`       // overrides defaults.mode
	DenyReply string   `yaml:"deny_reply,omitempty"` // overrides defaults.deny_reply
}

// Match is one way to become an identity. Everything written in it must hold.
type Match struct {
	TLS            *TLSMatch     `yaml:"tls,omitempty"`             // a verified client certificate
	SASL           *string       `yaml:"sasl,omitempty"`            // user name of a SASL login, and of an ASCII login if ASCII is nil
	ASCII          *string       `yaml:"ascii,omitempty"`           // user name of an ASCII login
	Unix           *UnixMatch    `yaml:"unix,omitempty"`            // the process at the other end of a unix socket
	ServiceAccount *AccountMatch `yaml:"service_account,omitempty"` // the holder of a verified token
	Listener       *string       `yaml:"listener,omitempty"`        // name of the listener the client came to
	From           []string      `yaml:"from,omitempty"`            // networks in CIDR form; one must hold the client's address
}

// TLSMatch names a certificate. Everything written in it must hold.
type TLSMatch struct {
	URI *string  `yaml:"uri,omitempty"` // SPIFFE ID; * is one whole segment, ** at the end is one or more
	DNS []string `yaml:"dns,omitempty"` // one must be a DNS name of it; *. at the left is one label
	CN  *string  `yaml:"cn,omitempty"`  // common name, byte for byte
	Pin *string  `yaml:"pin,omitempty"` // sha256: and the hash of its SubjectPublicKeyInfo, in hex or base64
}

// UnixMatch names a process. Everything written in it must hold. Both are numbers
// in decimal digits by the time they are compiled; a file may have names.
type UnixMatch struct {
	UID *string `yaml:"uid,omitempty"` // effective user
	GID *string `yaml:"gid,omitempty"` // effective group, or one of the others it is in
}

// AccountMatch names a service account. Namespace and name must be written; a *
// at the end of either stands for any rest.
type AccountMatch struct {
	Namespace *string `yaml:"namespace,omitempty"`
	Name      *string `yaml:"name,omitempty"`
	Audience  *string `yaml:"audience,omitempty"` // one that its token was issued for, byte for byte
}

// Require is what must hold of a connection besides a match.
type Require struct {
	TLS    bool `yaml:"tls,omitempty"`    // it is inside TLS
	Secret bool `yaml:"secret,omitempty"` // it has completed a login
}

// Rule allows or denies commands, on keys if they name keys.
type Rule struct {
	ID    string   `yaml:"id,omitempty"`    // stable name for logs and metrics
	Allow []string `yaml:"allow,omitempty"` // groups and commands; exactly one of Allow and Deny is written
	Deny  []string `yaml:"deny,omitempty"`
	Read  []string `yaml:"read,omitempty"`  // patterns of keys it covers where they are read
	Write []string `yaml:"write,omitempty"` // and where they are written
	Keys  []string `yaml:"keys,omitempty"`  // short for both
}

// Test is one question with the answer the policy must give.
type Test struct {
	As     string `yaml:"as"`     // name of an identity
	Cmd    string `yaml:"cmd"`    // a command line without its data block
	Expect string `yaml:"expect"` // allow or deny
}

// notYet is every key of the language that this version refuses, by the end of
// its path, and what to do without it.
var notYet = map[string]string{
	"defaults.multiget_denied": "one key that is denied denies the whole command",
	"defaults.unknown_command": "unknown commands are always refused",
	"defaults.overlong_key":    "keys over 250 bytes are always refused",
	"rules.when":               "a rule holds always",
	"rules.mode":               "set mode for the identity instead",
	"namespace":                "name the keys of each identity in its rules",
	"namespaces":               "name the keys of each identity in its rules",
	"flush":                    `allow or deny "@flush" instead`,
	"upstream":                 "every identity shares the configured servers",
	"limits":                   "set limits for the process instead",
	"tests.upstream_key":       "a test asks for allow or deny only",
	"tests.effect":             "a test asks for allow or deny only",
}

// NotYet tells whether a key path that a decoder does not know, such as
// identities.web.namespace or roles.app.rules[0].when.tls, is part of the
// language but not of this version, and the sentence to say so with.
func NotYet(path string) (sentence string, ok bool) {
	parts := strings.Split(withoutIndexes(path), ".")
	if len(parts) > 1 && (parts[0] == "roles" || parts[0] == "identities") {
		parts = append(parts[:1], parts[2:]...) // a name is no key
	}
	for end := len(parts); end > 0; end-- {
		for _, start := range []int{end - 2, end - 1} {
			if start < 0 {
				continue
			}
			if instead, ok := notYet[strings.Join(parts[start:end], ".")]; ok {
				return "this version does not have `" + parts[end-1] + "`: " + instead, true
			}
		}
	}
	return "", false
}

// withoutIndexes drops every [n] of a key path.
func withoutIndexes(path string) string {
	var b strings.Builder
	for path != "" {
		before, after, found := strings.Cut(path, "[")
		b.WriteString(before)
		if !found {
			break
		}
		_, path, _ = strings.Cut(after, "]")
	}
	return b.String()
}
