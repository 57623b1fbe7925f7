package proxy

import "github.com/slabgate/slabgate/policy"

// policies are what a conversation's @policy names.
var policies = map[string]func() *policy.Document{
	"everything": func() *policy.Document { return app(rule("@all", "*")) },
	"error":      func() *policy.Document { return app(rule("@rw", "app:*"), rule("@read", "shared:*")) },
	"quiet":      quietly(false),
	"audit":      quietly(true),
	"no-delete":  func() *policy.Document { return app(rule("@read @touch @store @arith", "*")) },
	"only-read":  func() *policy.Document { return app(rule("@read", "*")) },
	"no-secrets": func() *policy.Document {
		return app(rule("@rw", "*"), policy.Rule{Deny: []string{"@rw"}, Keys: []string{"secret:*"}})
	},
	"no-rule":     func() *policy.Document { return app() },
	"stats":       func() *policy.Document { return app(rule("@rw", "*"), rule("@stats", "")) },
	"stats-conns": func() *policy.Document { return app(rule("@rw", "*"), rule("stats:conns", "")) },
	"flush":       func() *policy.Document { return app(rule("@rw", "*"), rule("@flush", "")) },
	"settings":    func() *policy.Document { return app(rule("@rw", "*"), rule("@settings", "")) },
	"me":          func() *policy.Document { return app(rule("@rw", "*"), rule("me", "app:*")) },
	"nobody":      func() *policy.Document { return nobody() },
	"login":       func() *policy.Document { return logins() },
	"sasl":        func() *policy.Document { return saslLogins() },
	"weak":        func() *policy.Document { return weakly() },
}

func rule(allow, keys string) policy.Rule {
	r := policy.Rule{Allow: fields(allow)}
	if keys != "" {
		r.Keys = fields(keys)
	}
	return r
}

// app is a policy of one identity, which a client has by its certificate, or by
// the listener if that speaks no TLS.
func app(rules ...policy.Rule) *policy.Document {
	return &policy.Document{
		Version: 1, Categories: 1,
		Identities: map[string]policy.IdentityDoc{"app": {
			Match: []policy.Match{{Listener: ref("main")}, {TLS: &policy.TLSMatch{URI: ref(appURI)}}},
			Rules: rules,
		}},
	}
}

// quietly is the policy error with denials that look like misses, or with
// denials that are only written down.
func quietly(audit bool) func() *policy.Document {
	return func() *policy.Document {
		d := app(rule("@rw", "app:*"), rule("@read", "shared:*"))
		d.Defaults.DenyReply = "quiet"
		if audit {
			d.Defaults = policy.Defaults{Mode: "audit"}
		}
		return d
	}
}

// nobody is a policy that knows none of the tests' clients.
func nobody() *policy.Document {
	d := app(rule("@all", "*"))
	doc := d.Identities["app"]
	doc.Match = []policy.Match{{Listener: ref("elsewhere")}}
	d.Identities["app"] = doc
	return d
}

// logins is a policy of users: each may do everything with keys of its name.
func logins() *policy.Document {
	d := &policy.Document{Version: 1, Categories: 1, Identities: map[string]policy.IdentityDoc{}}
	for _, name := range []string{"alice", "bob", "off"} {
		d.Identities[name] = policy.IdentityDoc{
			Match: []policy.Match{{ASCII: ref(name)}},
			Rules: []policy.Rule{rule("@rw", name+":*")},
		}
	}
	return d
}

// saslLogins is logins for users who log in by SASL.
func saslLogins() *policy.Document {
	d := logins()
	for name, doc := range d.Identities {
		doc.Match = []policy.Match{{SASL: ref(name)}}
		d.Identities[name] = doc
	}
	return d
}
