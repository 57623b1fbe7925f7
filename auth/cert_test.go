package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A general name as it stands in a certificate.
func uriName(s string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagURI, Bytes: []byte(s)}
}

func dnsName(s string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagDNS, Bytes: []byte(s)}
}

func names(list ...asn1.RawValue) []asn1.RawValue { return list }

func uri(list ...string) (all []asn1.RawValue) {
	for _, s := range list {
		all = append(all, uriName(s))
	}
	return all
}

func dns(list ...string) (all []asn1.RawValue) {
	for _, s := range list {
		all = append(all, dnsName(s))
	}
	return all
}

// cn is a subject with these common names.
func cn(list ...any) (all []pkix.AttributeTypeAndValue) {
	for _, v := range list {
		all = append(all, pkix.AttributeTypeAndValue{Type: oidCommonName, Value: v})
	}
	return all
}

var notAfter = time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)

// sanExtension encodes names; nil without any.
func sanExtension(t testing.TB, list []asn1.RawValue) []pkix.Extension {
	t.Helper()
	if len(list) == 0 {
		return nil
	}
	value, err := asn1.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return []pkix.Extension{{Id: oidSAN, Value: value}}
}

// bare is a certificate as the parser leaves it, without the parser's own
// refusals, so that ours are seen.
func bare(t testing.TB, list []asn1.RawValue, subject []pkix.AttributeTypeAndValue) *x509.Certificate {
	t.Helper()
	leaf := &x509.Certificate{NotAfter: notAfter, Extensions: sanExtension(t, list)}
	leaf.Subject.Names = subject
	for _, n := range list {
		if n.Class == asn1.ClassContextSpecific && n.Tag == tagURI {
			leaf.URIs = append(leaf.URIs, &url.URL{})
		}
		if n.Class == asn1.ClassContextSpecific && n.Tag == tagDNS {
			leaf.DNSNames = append(leaf.DNSNames, "")
		}
	}
	return leaf
}

// signer makes real certificates.
type signer struct{ key *ecdsa.PrivateKey }

func newSigner(t testing.TB) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key}
}

// parsed is a signed and parsed certificate, or nil if crypto/x509 does not make
// or read it.
func (s signer) parsed(t testing.TB, list []asn1.RawValue, subject []pkix.AttributeTypeAndValue) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber:    big.NewInt(1),
		NotAfter:        notAfter,
		Subject:         pkix.Name{ExtraNames: subject},
		ExtraExtensions: sanExtension(t, list),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &s.key.PublicKey, s.key)
	if err != nil {
		return nil
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return leaf
}

const id = "spiffe://td.example/ns/web/sa/front"

// identities is the table of who a certificate says its holder is. An empty want
// is a refusal.
var identities = []struct {
	name    string
	san     []asn1.RawValue
	subject []pkix.AttributeTypeAndValue
	withCN  bool
	want    *Cert
}{
	{"SPIFFE ID", uri(id), nil, false, &Cert{URI: id, DNS: []string{}}},
	{"trust domain alone", uri("spiffe://td.example"), nil, false, &Cert{URI: "spiffe://td.example", DNS: []string{}}},
	{"case of the path is kept", uri("spiffe://td/Web"), nil, false, &Cert{URI: "spiffe://td/Web", DNS: []string{}}},
	{"all characters of a path", uri("spiffe://t_d-1.x/aZ09-._/b"), nil, false, &Cert{URI: "spiffe://t_d-1.x/aZ09-._/b", DNS: []string{}}},
	{"dots that are no dot segment", uri("spiffe://td/..."), nil, false, &Cert{URI: "spiffe://td/...", DNS: []string{}}},
	{"two SPIFFE IDs", uri(id, "spiffe://td.example/other"), nil, false, nil},
	{"the same twice", uri(id, id), nil, false, nil},
	{"SPIFFE ID and another URI", uri(id, "urn:example:a"), nil, false, nil},
	{"dot segments", uri("spiffe://td/a/../b"), nil, false, nil},
	{"one dot", uri("spiffe://td/a/./b"), nil, false, nil},
	{"dot segment at the end", uri("spiffe://td/a/.."), nil, false, nil},
	{"dots for a trust domain", uri("spiffe://../a"), nil, false, nil},
	{"escaped dots", uri("spiffe://td/%2e%2e/b"), nil, false, nil},
	{"escaped slash", uri("spiffe://td/a%2Fb"), nil, false, nil},
	{"escaped letter", uri("spiffe://td/%61"), nil, false, nil},
	{"upper-case host", uri("spiffe://TD/a"), nil, false, nil},
	{"upper-case scheme", uri("SPIFFE://td/a"), nil, false, nil},
	{"mixed scheme", uri("Spiffe://td/a"), nil, false, nil},
	{"port", uri("spiffe://td:443/a"), nil, false, nil},
	{"empty port", uri("spiffe://td:/a"), nil, false, nil},
	{"user", uri("spiffe://admin@td/a"), nil, false, nil},
	{"user and password", uri("spiffe://a:b@td/a"), nil, false, nil},
	{"empty user", uri("spiffe://@td/a"), nil, false, nil},
	{"query", uri("spiffe://td/a?x=y"), nil, false, nil},
	{"empty query", uri("spiffe://td/a?"), nil, false, nil},
	{"fragment", uri("spiffe://td/a#b"), nil, false, nil},
	{"empty fragment", uri("spiffe://td/a#"), nil, false, nil},
	{"slash at the end", uri("spiffe://td/a/"), nil, false, nil},
	{"slash alone", uri("spiffe://td/"), nil, false, nil},
	{"two slashes", uri("spiffe://td/a//b"), nil, false, nil},
	{"no trust domain", uri("spiffe:///a"), nil, false, nil},
	{"no slashes", uri("spiffe:td/a"), nil, false, nil},
	{"one slash", uri("spiffe:/td/a"), nil, false, nil},
	{"scheme alone", uri("spiffe:"), nil, false, nil},
	{"backslash", uri(`spiffe://td/a\b`), nil, false, nil},
	{"wildcard", uri("spiffe://td/*"), nil, false, nil},
	{"space", uri("spiffe://td/a b"), nil, false, nil},
	{"newline at the end", uri(id + "\n"), nil, false, nil},
	{"NUL at the end", uri(id + "\x00"), nil, false, nil},
	{"NUL inside", uri("spiffe://td/a\x00b"), nil, false, nil},
	{"DEL", uri("spiffe://td/a\x7f"), nil, false, nil},
	{"not ASCII", uri("spiffe://td/\u00fc"), nil, false, nil},
	{"brackets", uri("spiffe://[::1]/a"), nil, false, nil},
	{"longest", uri("spiffe://td/" + strings.Repeat("a", 2036)), nil, false, &Cert{URI: "spiffe://td/" + strings.Repeat("a", 2036), DNS: []string{}}},
	{"longer", uri("spiffe://td/" + strings.Repeat("a", 2037)), nil, false, nil},
	{"longest trust domain", uri("spiffe://" + strings.Repeat("a", 255)), nil, false, &Cert{URI: "spiffe://" + strings.Repeat("a", 255), DNS: []string{}}},
	{"longer trust domain", uri("spiffe://" + strings.Repeat("a", 256)), nil, false, nil},

	{"URN", uri("urn:example:web"), nil, false, &Cert{URI: "urn:example:web", DNS: []string{}}},
	{"https", uri("https://id.example/web-1"), nil, false, &Cert{URI: "https://id.example/web-1", DNS: []string{}}},
	{"https with a port", uri("https://id.example:8443/web"), nil, false, &Cert{URI: "https://id.example:8443/web", DNS: []string{}}},
	{"https with a user", uri("https://admin@id.example/"), nil, false, nil},
	{"https with a query", uri("https://id.example/?a"), nil, false, nil},
	{"https with a fragment", uri("https://id.example/#"), nil, false, nil},
	{"https with an escape", uri("https://id.example/%61"), nil, false, nil},
	{"https with dot segments", uri("https://id.example/a/../b"), nil, false, nil},
	{"upper-case HTTPS", uri("HTTPS://id.example/"), nil, false, nil},
	{"https with a newline", uri("https://id.example/\n"), nil, false, nil},
	{"no scheme", uri("web"), nil, false, nil},
	{"empty scheme", uri("://td/a"), nil, false, nil},
	{"empty URI", uri(""), nil, false, nil},
	{"something in front of a SPIFFE ID", uri("x-spiffe://td/a"), nil, false, &Cert{URI: "x-spiffe://td/a", DNS: []string{}}},
	{"space in front of a SPIFFE ID", uri(" spiffe://td/a"), nil, false, nil},

	{"DNS", dns("web.example"), nil, false, &Cert{DNS: []string{"web.example"}}},
	{"DNS in capitals", dns("WEB.Example"), nil, false, &Cert{DNS: []string{"web.example"}}},
	{"several DNS, in order", dns("b.example", "A.example"), nil, false, &Cert{DNS: []string{"b.example", "a.example"}}},
	{"DNS wildcard", dns("*.example"), nil, false, &Cert{DNS: []string{"*.example"}}},
	{"DNS and URI", names(dnsName("web.example"), uriName(id)), nil, false, &Cert{URI: id, DNS: []string{"web.example"}}},
	{"good DNS does not excuse a bad URI", names(dnsName("web.example"), uriName("spiffe://td/a?b")), nil, false, nil},
	{"good URI does not excuse a bad DNS", names(uriName(id), dnsName("a\x00b")), nil, false, nil},
	{"empty DNS", dns(""), nil, false, nil},
	{"DNS with a NUL", dns("web.example\x00.evil.example"), nil, false, nil},
	{"DNS with a newline", dns("web.example\n"), nil, false, nil},
	{"DNS with a space", dns("web .example"), nil, false, nil},
	{"DNS with DEL", dns("web\x7f"), nil, false, nil},
	{"DNS not ASCII", dns("w\u00e9b.example"), nil, false, nil},
	{"DNS with the Kelvin sign", dns("\u212aube.example"), nil, false, nil},
	{"second DNS is bad", dns("web.example", "a\tb"), nil, false, nil},

	{"nothing", nil, nil, false, nil},
	{"other kinds of names only", names(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, Bytes: []byte("web@example")}), nil, false, nil},
	{"CN not asked for", nil, cn("web"), false, nil},
	{"CN", nil, cn("web"), true, &Cert{CN: "web", DNS: []string{}}},
	{"CN beside a SPIFFE ID", uri(id), cn("admin"), true, &Cert{URI: id, CN: "admin", DNS: []string{}}},
	{"CN beside a SPIFFE ID, not asked for", uri(id), cn("admin"), false, &Cert{URI: id, DNS: []string{}}},
	{"CN with a space", nil, cn("My App"), true, &Cert{CN: "My App", DNS: []string{}}},
	{"CN not ASCII", nil, cn("j\u00fcrgen"), true, &Cert{CN: "j\u00fcrgen", DNS: []string{}}},
	{"two CNs", nil, cn("web", "admin"), true, nil},
	{"two CNs, not asked for", uri(id), cn("web", "admin"), false, &Cert{URI: id, DNS: []string{}}},
	{"two CNs beside a SPIFFE ID", uri(id), cn("web", "admin"), true, nil},
	{"the same CN twice", nil, cn("web", "web"), true, nil},
	{"empty CN", nil, cn(""), true, nil},
	{"empty CN beside a SPIFFE ID", uri(id), cn(""), true, nil},
	{"CN with a newline", nil, cn("web\n"), true, nil},
	{"CN with a NUL", nil, cn("web\x00admin"), true, nil},
	{"CN with a control sequence", nil, cn("web\x1b[2J"), true, nil},
	{"CN with an invisible character", nil, cn("web\u200b"), true, nil},
	{"CN with an override", nil, cn("web\u202e"), true, nil},
	{"CN with a bad control, not asked for", uri(id), cn("web\n"), false, &Cert{URI: id, DNS: []string{}}},
	{"CN that is a number", nil, cn(7), true, nil},
	{"CN asked for and missing", uri(id), nil, true, &Cert{URI: id, DNS: []string{}}},
	{"no name though asked for CN", nil, nil, true, nil},
}

func TestFromCertificate(t *testing.T) {
	s := newSigner(t)
	for _, tt := range identities {
		want := tt.want
		if want != nil {
			want.NotAfter = notAfter
		}
		leaves := map[string]*x509.Certificate{
			"bare":   bare(t, tt.san, tt.subject),
			"parsed": s.parsed(t, tt.san, tt.subject),
		}
		for kind, leaf := range leaves {
			if leaf == nil {
				if want != nil {
					t.Errorf("%s: crypto/x509 refuses what we are to accept", tt.name)
				}
				continue
			}
			if want != nil {
				want.Pin = sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
			}
			got, err := FromCertificate(leaf, tt.withCN)
			if (err == nil) != (want != nil) || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: got %+v, %v; want %+v", tt.name, kind, got, err, want)
			}
			if err != nil && (len(err.Error()) > 400 || strings.ContainsAny(err.Error(), "\x00\n\x1b\u202e")) {
				t.Errorf("%s: the error is long or raw: %q", tt.name, err)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "auth: ") {
				t.Errorf("%s: error %q", tt.name, err)
			}
		}
	}
}

// TestPinIsOfTheKey shows that another certificate of one key has the same pin,
// and one of another key has not.
func TestPinIsOfTheKey(t *testing.T) {
	a, b := newSigner(t), newSigner(t)
	pinOf := func(s signer, names []asn1.RawValue) [32]byte {
		c, err := FromCertificate(s.parsed(t, names, nil), false)
		if err != nil {
			t.Fatal(err)
		}
		return c.Pin
	}
	der, err := x509.MarshalPKIXPublicKey(&a.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	one, renewed, other := pinOf(a, uri(id)), pinOf(a, dns("web.example")), pinOf(b, uri(id))
	if one != sha256.Sum256(der) || renewed != one || other == one {
		t.Errorf("key a has pins %x and %x, want %x; key b has %x", one, renewed, sha256.Sum256(der), other)
	}
}

func TestMalformedAlternativeNames(t *testing.T) {
	good := sanExtension(t, uri(id))[0]
	compound := uriName(id)
	compound.IsCompound = true
	with := func(exts ...pkix.Extension) *x509.Certificate {
		return &x509.Certificate{Extensions: exts, URIs: []*url.URL{{}}}
	}
	value := func(b []byte) pkix.Extension { return pkix.Extension{Id: oidSAN, Value: b} }
	tests := []struct {
		name string
		leaf *x509.Certificate
		ok   bool
	}{
		{"good", with(good), true},
		{"among others", with(pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: []byte("x")}, good), true},
		{"two extensions", with(good, good), false},
		{"bytes behind", with(value(append(append([]byte{}, good.Value...), 0))), false},
		{"cut", with(value(good.Value[:len(good.Value)-1])), false},
		{"empty", with(value(nil)), false},
		{"no sequence", with(value([]byte{4, 1, 'x'})), false},
		{"constructed name", with(sanExtension(t, names(compound))[0]), false},
		{"fewer than parsed", with(), false},
		{"more than parsed", &x509.Certificate{Extensions: []pkix.Extension{good}}, false},
		{"DNS more than parsed", &x509.Certificate{Extensions: sanExtension(t, dns("a.example"))}, false},
	}
	for _, tt := range tests {
		got, err := FromCertificate(tt.leaf, false)
		if (err == nil) != tt.ok || tt.ok && got.URI != id || !tt.ok && got != nil {
			t.Errorf("%s: got %+v, %v; want ok %t", tt.name, got, err, tt.ok)
		}
	}
}

// FuzzFromCertificate checks that whatever stands in a certificate is refused or
// returned byte for byte (DNS names: but for the case), and that what is returned
// keeps to a grammar without anything a reader could take for something else.
func FuzzFromCertificate(f *testing.F) {
	for _, tt := range identities {
		for _, n := range tt.san {
			f.Add(string(n.Bytes), "web.example", "web")
			f.Add(id, string(n.Bytes), "")
		}
	}
	spiffe := regexp.MustCompile(`^spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)*$`)
	other := regexp.MustCompile(`^[a-z][a-z0-9+.-]*:[!$&'()*+,./0-9:;=A-Z_a-z~-]+$`)
	printable := regexp.MustCompile(`^[!-@\[-~]+$`) // ASCII without space and capitals
	f.Fuzz(func(t *testing.T, u, d, c string) {
		got, err := FromCertificate(bare(t, names(uriName(u), dnsName(d)), cn(c)), true)
		if err != nil {
			if got != nil || len(err.Error()) > 600 {
				t.Errorf("%q: got %v with an error of %d bytes", u, got, len(err.Error()))
			}
			return
		}
		if got.URI != u || len(got.DNS) != 1 || !strings.EqualFold(got.DNS[0], d) || got.CN != c {
			t.Errorf("%q %q %q: got %+v", u, d, c, got)
		}
		if !spiffe.MatchString(u) && (!other.MatchString(u) || strings.HasPrefix(strings.ToLower(u), "spiffe:")) {
			t.Errorf("URI %q accepted", u)
		}
		for _, segment := range strings.Split(u, "/") {
			if segment == "." || segment == ".." {
				t.Errorf("URI %q accepted with a dot segment", u)
			}
		}
		if !printable.MatchString(got.DNS[0]) {
			t.Errorf("DNS name %q accepted", got.DNS[0])
		}
		if strings.ContainsAny(c, "\x00\r\n\t\x1b\x7f") || c == "" {
			t.Errorf("common name %q accepted", c)
		}
	})
}
