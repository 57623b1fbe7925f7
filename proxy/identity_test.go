package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
)

// identityCase is a client, and who it is found to be.
type identityCase struct {
	name     string
	doc      *policy.Document
	spec     *testkit.ClientSpec // nil is a client without a certificate
	plain    bool                // without TLS
	unix     bool
	cn       bool   // common names count
	identity string // "" if nobody
	source   string
	end      End // how it ends if it is nobody
}

// named is a policy of one identity, app, that may do everything.
func named(match policy.Match, require policy.Require) *policy.Document {
	d := app(rule("@all", "*"))
	doc := d.Identities["app"]
	doc.Match, doc.Require = []policy.Match{match}, require
	doc.WeakOK = match.From != nil
	d.Identities["app"] = doc
	return d
}

func byURI(uri string) policy.Match  { return policy.Match{TLS: &policy.TLSMatch{URI: &uri}} }
func byDNS(name string) policy.Match { return policy.Match{TLS: &policy.TLSMatch{DNS: []string{name}}} }
func byCN(name string) policy.Match  { return policy.Match{TLS: &policy.TLSMatch{CN: &name}} }
func from(network string) policy.Match {
	return policy.Match{From: []string{network}}
}

// guest is a policy for clients that nobody knows.
func guest() *policy.Document {
	d := nobody()
	d.Defaults.Unauthenticated = "app"
	return d
}

// twice is a policy in which a certificate is two identities.
func twice() *policy.Document {
	d := named(byURI(appURI), policy.Require{})
	d.Identities["other"] = policy.IdentityDoc{Match: []policy.Match{byURI("spiffe://corp/ns/shop/sa/*")}}
	return d
}

func identityCases() []identityCase {
	app := &testkit.ClientSpec{URI: []string{appURI}, CN: "app"}
	web := &testkit.ClientSpec{DNS: []string{"Web.corp"}, CN: "app"}
	old := &testkit.ClientSpec{CN: "app"}
	tlsToo, none := policy.Require{TLS: true}, policy.Require{}
	return []identityCase{
		{name: "a URI", doc: named(byURI(appURI), none), spec: app, identity: "app", source: "certificate"},
		{name: "a URI of any account", doc: named(byURI("spiffe://corp/ns/shop/sa/*"), none), spec: app, identity: "app", source: "certificate"},
		{name: "another URI", doc: named(byURI(appURI+"2"), none), spec: app, end: EndUnknown},
		{name: "a DNS name", doc: named(byDNS("web.corp"), none), spec: web, identity: "app", source: "certificate"},
		{name: "any DNS name of a domain", doc: named(byDNS("*.corp"), none), spec: web, identity: "app", source: "certificate"},
		{name: "another DNS name", doc: named(byDNS("app"), none), spec: web, end: EndUnknown},
		{name: "a common name that counts", doc: named(byCN("app"), none), spec: old, cn: true, identity: "app", source: "certificate"},
		{name: "a common name that does not count", doc: named(byCN("app"), none), spec: web, end: EndUnknown},
		{name: "nothing but a common name that does not count", doc: named(byCN("app"), none), spec: old, end: EndHandshake},
		{name: "two URIs", doc: named(byURI(appURI), none), spec: &testkit.ClientSpec{URI: []string{appURI, appURI + "2"}}, end: EndHandshake},
		{name: "two identities", doc: twice(), spec: app, end: EndUnknown},
		{name: "no certificate", doc: named(byURI(appURI), none), end: EndUnknown},
		{name: "a certificate of a server", doc: named(byURI(appURI), none), end: EndHandshake,
			spec: &testkit.ClientSpec{URI: []string{appURI}, EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}},
		{name: "a certificate that has expired", doc: named(byURI(appURI), none), end: EndHandshake,
			spec: &testkit.ClientSpec{URI: []string{appURI}, NotAfter: time.Now().Add(-time.Minute)}},
		{name: "a listener", doc: everything("main"), plain: true, identity: "anyone", source: "listener"},
		{name: "a listener, despite a certificate of nobody", doc: everything("main"), spec: app, end: EndUnknown},
		{name: "another listener", doc: everything("other"), plain: true, end: EndUnknown},
		{name: "an address", doc: named(from("127.0.0.0/8"), none), plain: true, identity: "app", source: "address"},
		{name: "an address of another network", doc: named(from("10.0.0.0/8"), none), plain: true, end: EndUnknown},
		{name: "an address, of a socket that has none", doc: named(from("0.0.0.0/0"), none), plain: true, unix: true, end: EndUnknown},
		{name: "TLS, which is required", doc: named(byURI(appURI), tlsToo), spec: app, identity: "app", source: "certificate"},
		{name: "no TLS, which is required", doc: named(policy.Match{Listener: ref("main")}, tlsToo), plain: true, end: EndUnknown},
		{name: "nothing at all, which is enough", doc: guest(), plain: true, identity: "app", source: "unauthenticated"},
	}
}

func TestClientIsWhoItsConnectionProves(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	for _, c := range identityCases() {
		t.Run(c.name, func(t *testing.T) {
			o := rigOptions{doc: c.doc, tcp: !c.unix, cn: c.cn}
			if !c.plain {
				o.tls, o.clients = w.server, w.stranger()
			}
			if c.spec != nil {
				o.clients = w.client(t, *c.spec)
			}
			r := startRig(t, fake.Addr(), o)
			cl := r.client(t)
			switch {
			case c.identity != "":
				cl.asks("mn\r\n", "MN\r\n")
				cl.Close()
				r.ends(t, EndClient)
			case c.end == EndUnknown:
				cl.asks("mn\r\n", "CLIENT_ERROR unauthenticated\r\n")
				cl.wantsEnd()
				r.ends(t, EndUnknown)
			default:
				cl.send("mn\r\n")
				cl.wantsEnd()
				r.ends(t, c.end)
			}
			fields := r.logs.FilterMessage("session ended").All()[0].ContextMap()
			if fields["identity"] != c.identity || fields["source"] != c.source {
				t.Errorf("got identity %q by %q, want %q by %q", fields["identity"], fields["source"], c.identity, c.source)
			}
		})
	}
}

// TestCertificateAndLoginBoth shows an identity that asks for both.
func TestCertificateAndLoginBoth(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	both := byURI(appURI)
	both.ASCII = ref("alice")
	users := usersOf(t, 1, "alice:sesame", "bob:open")
	for _, c := range []struct {
		name    string
		clients *tls.Config
		user    string
		want    string
	}{
		{"the right two", w.app(t), login("alice", "sesame"), "STORED\r\n"},
		{"the login of somebody else", w.app(t), login("bob", "open"), "CLIENT_ERROR authentication failure\r\n"},
		{"the certificate of somebody else", w.client(t, testkit.ClientSpec{URI: []string{appURI + "2"}}), login("alice", "sesame"), "CLIENT_ERROR unauthenticated\r\n"},
		{"no certificate", w.stranger(), login("alice", "sesame"), "CLIENT_ERROR unauthenticated\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := startRig(t, fake.Addr(), rigOptions{doc: named(both, policy.Require{}), users: users, login: true, tls: w.server, clients: c.clients})
			r.client(t).asks(c.user, c.want)
		})
	}
}

// TestSecretIsRequiredBesidesACertificate shows that a certificate which would be
// enough is not, if its identity requires a login.
func TestSecretIsRequiredBesidesACertificate(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	doc := named(byURI(appURI), policy.Require{Secret: true})
	id := doc.Identities["app"]
	id.Match = append(id.Match, policy.Match{ASCII: ref("alice")})
	doc.Identities["app"] = id
	r := startRig(t, fake.Addr(), rigOptions{doc: doc, users: usersOf(t, 1, "alice:sesame"), login: true, tls: w.server, clients: w.app(t)})
	c := r.client(t)
	c.asks("get a\r\n", "CLIENT_ERROR unauthenticated\r\n")
	c.asks(login("alice", "sesame"), "STORED\r\n")
	c.asks("get a\r\n", "END\r\n")
}
