package policy

// Document is policy.yaml as written. Its keys are all there are: a decoder
// refuses any other.
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
	Mode            string `yaml:"mode,omitempty"`            // enforce (also if empty), audit, learn or off
	Unauthenticated string `yaml:"unauthenticated,omitempty"` // deny (also if empty) or the name of an identity
	DenyReply       string `yaml:"deny_reply,omitempty"`      // error (also if empty) or quiet
	MultigetDenied  string `yaml:"multiget_denied,omitempty"` // error (also if empty) or miss
	UnknownCommand  string `yaml:"unknown_command,omitempty"` // deny (also if empty) or forward
	OverlongKey     string `yaml:"overlong_key,omitempty"`    // error (also if empty) or hash
}

// Role is a bundle of rules and limits that identities share.
type Role struct {
	Rules  []Rule    `yaml:"rules"`
	Limits LimitsDoc `yaml:"limits,omitempty"`
}

// IdentityDoc is one identity: how a client becomes it and what it may do.
type IdentityDoc struct {
	Match      []Match   `yaml:"match"`                // one entry must hold
	WeakOK     bool      `yaml:"weak_ok,omitempty"`    // an address alone may be enough
	Require    Require   `yaml:"require,omitempty"`    // what must hold besides
	Roles      []string  `yaml:"roles,omitempty"`      // names of roles whose rules and limits apply
	Rules      []Rule    `yaml:"rules,omitempty"`      // rules of its own
	Namespace  *string   `yaml:"namespace,omitempty"`  // what is put before its keys: t/{identity}/
	Namespaces []string  `yaml:"namespaces,omitempty"` // of others that it may see as they are, or all
	Flush      string    `yaml:"flush,omitempty"`      // what flush_all means: scoped, upstream or deny
	Upstream   string    `yaml:"upstream,omitempty"`   // name of the memcached it reaches
	Mode       string    `yaml:"mode,omitempty"`       // overrides defaults.mode
	DenyReply  string    `yaml:"deny_reply,omitempty"` // overrides defaults.deny_reply
	Limits     LimitsDoc `yaml:"limits,omitempty"`     // override those of its roles
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
	When  *When    `yaml:"when,omitempty"`  // what must hold of the connection and the time
	Mode  string   `yaml:"mode,omitempty"`  // overrides the identity's, for this rule
}

// When is what must hold for a rule to count. Everything written in it must.
type When struct {
	TLS   *bool    `yaml:"tls,omitempty"`   // the connection is inside TLS, or is not
	From  []string `yaml:"from,omitempty"`  // networks in CIDR form; one must hold the client's address
	Until *Instant `yaml:"until,omitempty"` // it is before this
}

// LimitsDoc is how much clients of an identity may ask for. What is nil is not
// limited, or as the roles have it.
type LimitsDoc struct {
	Conns       *int   `yaml:"conns,omitempty"`        // connections at once
	InFlight    *int   `yaml:"inflight,omitempty"`     // requests at once
	RPS         *int   `yaml:"rps,omitempty"`          // requests a second
	BytesIn     *Rate  `yaml:"bytes_in,omitempty"`     // of requests
	BytesOut    *Rate  `yaml:"bytes_out,omitempty"`    // of replies
	ValueMax    *Bytes `yaml:"value_max,omitempty"`    // a value that is stored
	TTLMax      *Span  `yaml:"ttl_max,omitempty"`      // until an item expires
	TTLOver     string `yaml:"ttl_over,omitempty"`     // clamp (also if empty) or deny what is longer
	MultigetMax *int   `yaml:"multiget_max,omitempty"` // keys of one request
}

// Test is one question with the answer the policy must give.
type Test struct {
	As          string   `yaml:"as"`                     // name of an identity; one of service accounts with :NAMESPACE/NAME
	Cmd         string   `yaml:"cmd"`                    // a command line without its data block
	Expect      string   `yaml:"expect"`                 // allow or deny
	TLS         *bool    `yaml:"tls,omitempty"`          // asked inside TLS; so it is if not written
	From        string   `yaml:"from,omitempty"`         // address it is asked from
	At          *Instant `yaml:"at,omitempty"`           // when; now if not written
	UpstreamKey *string  `yaml:"upstream_key,omitempty"` // the first key as memcached gets it, of generation 0
	Effect      *string  `yaml:"effect,omitempty"`       // what it does beside: generation t/shop 0 -> 1
}
