package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/certs"
	"github.com/slabgate/slabgate/internal/finding"
)

// Login forms of the ASCII dialect. Both are a set, and a value with a space in
// it could be either, so that a configuration has at most one of them.
const (
	asciiMemcached = "memcached" // its value is "user password"
	asciiKeyValue  = "key_value" // its key is the user, its value the password
)

// absent are mechanisms that clients know and slabgate will not have, with the
// reason.
var absent = map[string]string{
	"CRAM-MD5":    "the server would have to keep what is as good as the password",
	"DIGEST-MD5":  "the server would have to keep what is as good as the password",
	"LOGIN":       "PLAIN does the same, by a standard",
	"OAUTHBEARER": "users log in by password here",
	"XOAUTH2":     "users log in by password here",
	"ANONYMOUS":   "it proves nothing",
	"GSSAPI":      "users log in by password here",
	"NTLM":        "users log in by password here",
}

// absentFix is what to use instead of an absent mechanism.
const absentFix = "use SCRAM-SHA-256, or PLAIN inside TLS"

// validateLogins checks that logins have a form, and somebody to log in.
func (c *Config) validateLogins(list *finding.List) {
	validateASCII(list, c.Logins.ASCII)
	validateSASL(list, c.Logins.SASL)
	switch key := c.Logins.wantUsers(); {
	case key != "" && c.Logins.Users == "":
		list.Errorf("SG1028", "logins.users", "write users: /etc/slabgate/users.yaml", "not set, but %s lets users log in", key)
	case key == "" && c.Logins.Users != "":
		list.Warnf("SG1035", "logins.users", "write sasl: [SCRAM-SHA-256, PLAIN] or ascii: [memcached], or delete users",
			"no user can log in: logins has no form that asks for a password")
	}
}

// wantUsers is the key that lets users log in, or "" if none does. EXTERNAL asks
// for a certificate and for no user.
func (l *Logins) wantUsers() string {
	switch {
	case len(l.ASCII) > 0:
		return "logins.ascii"
	case slices.ContainsFunc(l.SASL, asksPassword):
		return "logins.sasl"
	}
	return ""
}

// asksPassword reports whether a mechanism asks for a password.
func asksPassword(mechanism string) bool { return mechanism != auth.External }

// validateASCII checks the forms of the ASCII login.
func validateASCII(list *finding.List, forms []string) {
	for i, form := range forms {
		key := element("logins.ascii", i)
		switch {
		case !isASCIIForm(form):
			list.Errorf("SG1027", key, "write ascii: [memcached] or ascii: [key_value]", "%q is not a form of login", clip(form))
		case slices.Contains(forms[:i], form):
			list.Errorf("SG1065", key, "remove it", "%q is named twice", form)
		case slices.ContainsFunc(forms[:i], isASCIIForm):
			list.Errorf("SG1066", key, "keep one of the two",
				"memcached and key_value cannot be told apart: a password with a space would be a user and a password")
		}
	}
}

// isASCIIForm reports whether form is one that there is.
func isASCIIForm(form string) bool { return form == asciiMemcached || form == asciiKeyValue }

// validateSASL checks the names of mechanisms.
func validateSASL(list *finding.List, names []string) {
	for i, name := range names {
		key := element("logins.sasl", i)
		base, plus := strings.CutSuffix(name, "-PLUS")
		known := slices.Contains(auth.Mechanisms(), base)
		switch reason, refused := absent[strings.ToUpper(name)]; {
		case known && plus && strings.HasPrefix(base, "SCRAM-"):
			list.Errorf("SG1064", key, "write "+base, "%s comes with %s wherever there is TLS, and is not written", name, base)
		case refused:
			list.Errorf("SG1063", key, absentFix, "slabgate has no %s: %s", name, reason)
		case !known || plus:
			list.Errorf("SG1062", key, spelled(name), "%q is not a SASL mechanism that slabgate knows", clip(name))
		case slices.Contains(names[:i], name):
			list.Errorf("SG1065", key, "remove it", "%q is named twice", name)
		}
	}
}

// spelled is what to write instead of an unknown mechanism.
func spelled(name string) string {
	mechanisms := auth.Mechanisms()
	for _, m := range mechanisms {
		if strings.EqualFold(m, name) {
			return fmt.Sprintf("write %s, in capitals", m)
		}
	}
	known := make([]string, len(mechanisms))
	for i, m := range mechanisms {
		known[i] = strings.ToLower(strings.ReplaceAll(m, "-", "_")) // as nearest compares
	}
	if i := slices.Index(known, nearest(name, known)); i >= 0 {
		return "did you mean " + mechanisms[i] + "?"
	}
	return "the mechanisms are " + strings.Join(mechanisms, ", ")
}

// offers reports whether a client of l can use a configured mechanism.
func (l *Listener) offers(mechanism string) bool {
	switch mechanism {
	case auth.External:
		return l.TLS != nil && l.TLS.ClientAuth != "none"
	case auth.Plain:
		return l.Transport != "plaintext" || l.PlainInClear || strings.HasPrefix(l.Address, "unix:")
	}
	return true
}

// warnOfNoSASL warns of a listener where none of the mechanisms can be used: its
// clients would be told that there is no login. It reports whether it did.
func (c *Config) warnOfNoSASL(list *finding.List, l *Listener, key string) bool {
	sasl := c.Logins.SASL
	if len(sasl) == 0 || slices.ContainsFunc(sasl, l.offers) {
		return false
	}
	fix := "add SCRAM-SHA-256 to logins.sasl"
	if slices.Contains(sasl, auth.Plain) {
		fix += ", or give the listener TLS or a unix socket"
	}
	list.Warnf("SG1061", key, fix, "no SASL login is offered here: PLAIN wants TLS or a unix socket, EXTERNAL a client certificate")
	return true
}

// warnOfNoProof warns of a listener where a client can prove nothing: only a
// policy that matches the listener or the address itself lets anyone in.
func (c *Config) warnOfNoProof(list *finding.List, l *Listener, key string) {
	certificates := l.TLS != nil && l.TLS.ClientAuth == certs.Default().ClientAuth
	if certificates || c.Logins.Users != "" && c.takesPassword(l) {
		return
	}
	where := key
	if l.TLS != nil {
		where = key + ".tls.client_auth"
	}
	list.Warnf("SG1029", where, "write client_auth: require, or logins: {sasl: [SCRAM-SHA-256, PLAIN], users: users.yaml}",
		"a client here need not prove who it is, and cannot log in")
}

// takesPassword reports whether some form of login with a password is open on l.
func (c *Config) takesPassword(l *Listener) bool {
	offered := func(m string) bool { return asksPassword(m) && l.offers(m) }
	return len(c.Logins.ASCII) > 0 || slices.ContainsFunc(c.Logins.SASL, offered)
}
