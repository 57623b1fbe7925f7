package doctor

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/slabgate/slabgate/internal/host"
)

// perListener judges each listener that a test chooses.
func perListener(f *host.Facts, judge func(*host.SubjectListener) []Verdict) (found []Verdict) {
	for i := range f.Subject.Listeners {
		found = append(found, judge(&f.Subject.Listeners[i])...)
	}
	return found
}

func hasTLS(s *host.Subject) bool {
	return slices.ContainsFunc(s.Listeners, func(l host.SubjectListener) bool { return l.TLS })
}

func judgeCertificates(f *host.Facts) []Verdict {
	if f.Subject == nil || !hasTLS(f.Subject) {
		return skip("the configuration has no listener with TLS")
	}
	found := perListener(f, func(l *host.SubjectListener) (found []Verdict) {
		if !l.TLS {
			return nil
		}
		seen := Evidence{Source: l.CertFile}
		if l.Error != "" {
			return []Verdict{fail("listener "+l.Name, fmt.Sprintf("the certificate of listener %s is not usable: %s", l.Name, l.Error),
				Fix{Text: "put a certificate and its key there", Commands: []string{"slabgate check --config " + quote(f.Subject.Path)}}, seen)}
		}
		for i := range l.Chain {
			c := &l.Chain[i]
			seen.Text = fmt.Sprintf("%s, from %s to %s", c.Subject, c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly))
			for _, w := range certificateFaults(c, f.Time, i == 0) {
				found = append(found, fail("listener "+l.Name+" "+c.Subject, fmt.Sprintf("certificate %q of listener %s %s", c.Subject, l.Name, w.text),
					renewed(f.Subject, l, w.fix), seen).at(w.severity))
			}
		}
		return found
	})
	return orPass(found, "every certificate is good", Evidence{Source: f.Subject.Path})
}

// renewed is the fix of a certificate: the file, and then the reload that cuts no
// connection.
func renewed(s *host.Subject, l *host.SubjectListener, text string) Fix {
	return Fix{Text: text + ": put it at " + l.CertFile + ", then reload", Commands: []string{
		"openssl x509 -in " + quote(l.CertFile) + " -noout -subject -dates",
		"slabgate reload --config " + quote(s.Path),
	}}
}

type certificateFault struct {
	severity  Severity
	text, fix string
}

const day = 24 * time.Hour

// certificateFaults are what is wrong with one certificate of a chain. One that
// lives for days is renewed by a machine: what counts is the part of its life that
// is left.
func certificateFaults(c *host.Certificate, now time.Time, leaf bool) (found []certificateFault) {
	life, left := c.NotAfter.Sub(c.NotBefore), c.NotAfter.Sub(now)
	date := c.NotAfter.Format(time.DateOnly)
	const renew = "renew the certificate"
	switch {
	case left <= 0:
		found = append(found, certificateFault{Critical, "has expired on " + date, renew})
	case now.Before(c.NotBefore):
		found = append(found, certificateFault{Critical, "is not valid before " + c.NotBefore.Format(time.RFC3339), "set the clock, or have a certificate made that is valid now"})
	case left < min(7*day, life/10):
		found = append(found, certificateFault{High, fmt.Sprintf("expires on %s, in %d hours", date, int(left.Hours())), renew})
	case left < min(30*day, life/4):
		found = append(found, certificateFault{Medium, fmt.Sprintf("expires on %s, in %d days", date, int(left/day)), renew})
	}
	if leaf && c.Names == 0 {
		found = append(found, certificateFault{High, "has no subject alternative name, so that clients cannot tell whose it is", "have one made with the names that clients use"})
	}
	if weak := weakKey(c); weak != "" {
		found = append(found, certificateFault{High, weak, "have one made with an ECDSA P-256 key"})
	}
	return found
}

// leastBits are the sizes below which a key is weak.
var leastBits = map[string]int{"RSA": 2048, "ECDSA": 256}

func weakKey(c *host.Certificate) string {
	if least := leastBits[c.KeyType]; c.KeyBits > 0 && c.KeyBits < least {
		return fmt.Sprintf("has a weak key: %s of %d bits", c.KeyType, c.KeyBits)
	}
	selfSigned := c.Subject == c.Issuer // nobody relies on the signature of a root
	if !selfSigned && (strings.Contains(c.Signature, "SHA1") || strings.HasPrefix(c.Signature, "MD")) {
		return "is signed with a broken hash: " + c.Signature
	}
	return ""
}

// publicRoots are words in the names of authorities that anybody can get a
// certificate from, and systemBundles files that hold all of them.
var (
	publicRoots = []string{"Internet Security Research Group", "Let's Encrypt", "DigiCert", "GlobalSign", "Amazon Root CA", "Google Trust Services",
		"Sectigo", "USERTRUST", "COMODO", "Entrust", "Baltimore", "GoDaddy", "Go Daddy", "Starfield", "IdenTrust", "QuoVadis", "SwissSign", "Buypass", "SSL Corporation", "Actalis", "Microsoft RSA Root", "Microsoft ECC Root"}
	systemBundles = []string{"ca-certificates.crt", "ca-bundle.crt", "tls-ca-bundle.pem", "cert.pem", "ca-bundle.trust.crt"}
)

const mostCAs = 20

func judgeClientCAs(f *host.Facts) []Verdict {
	if f.Subject == nil || !slices.ContainsFunc(f.Subject.Listeners, func(l host.SubjectListener) bool { return len(l.ClientCAs) > 0 }) {
		return skip("no listener asks clients for a certificate")
	}
	found := perListener(f, func(l *host.SubjectListener) []Verdict { return judgeCAs(f, l) })
	return orPass(found, "clients' certificates come from dedicated authorities", Evidence{Source: f.Subject.Path})
}

func judgeCAs(f *host.Facts, l *host.SubjectListener) (found []Verdict) {
	own := Fix{
		Text:     "have an authority of your own for these clients, and put its certificate alone at " + l.CAFile,
		Commands: []string{"openssl crl2pkcs7 -nocrl -certfile " + quote(l.CAFile) + " | openssl pkcs7 -print_certs -noout", "slabgate reload --config " + quote(f.Subject.Path)},
	}
	say := func(part, text, seen string) {
		found = append(found, fail("listener "+l.Name+" "+part, "the client authorities of listener "+l.Name+" "+text, own, Evidence{Source: l.CAFile, Text: seen}))
	}
	if len(l.ClientCAs) > mostCAs || slices.Contains(systemBundles, path.Base(l.CAFile)) {
		say("bundle", fmt.Sprintf("are %d, as in a bundle of the system", len(l.ClientCAs)), "")
	}
	for i := range l.ClientCAs {
		c := &l.ClientCAs[i]
		if slices.ContainsFunc(publicRoots, func(word string) bool { return strings.Contains(c.Subject, word) }) {
			say(c.Subject, fmt.Sprintf("have a public one: %q", c.Subject), c.Subject)
			return found // one is enough to have to go, and a bundle has hundreds
		}
		if f.Time.After(c.NotAfter) {
			say(c.Subject, fmt.Sprintf("have one that has expired on %s: %q", c.NotAfter.Format(time.DateOnly), c.Subject), c.Subject)
		}
	}
	return found
}

func judgeTLS(f *host.Facts) []Verdict {
	if f.Subject == nil {
		return moot("there is no configuration of slabgate")
	}
	found := perListener(f, func(l *host.SubjectListener) []Verdict { return judgeListener(f, l) })
	found = append(found, judgeGodebug(f)...)
	return orPass(found, "no listener has weak TLS or takes passwords in the clear", Evidence{Source: f.Subject.Path})
}

func judgeListener(f *host.Facts, l *host.SubjectListener) (found []Verdict) {
	say := func(text, fix, config string) {
		found = append(found, fail("listener "+l.Name, "listener "+l.Name+" "+text, Fix{Text: fix, Config: config,
			Commands: []string{"slabgate check --config " + quote(f.Subject.Path), "slabgate reload --config " + quote(f.Subject.Path)}}, subjectEvidence(f.Subject, l.Name)))
	}
	if l.TLS && (l.MinVersion == "1.0" || l.MinVersion == "1.1") {
		say("accepts TLS "+l.MinVersion, "write min_version 1.3, or 1.2 for old clients", "tls:\n  min_version: \"1.3\"\n")
	}
	if l.Tickets {
		say("hands out session tickets, so that a session outlives its certificate", "upgrade to a slabgate that has none", "")
	}
	if l.TLS || strings.HasPrefix(l.Address, "unix:") {
		return found
	}
	if l.PlainClear || l.ASCIILogin {
		say("takes passwords in the clear", "give it TLS, or a unix socket instead of an address", "transport: tls\ntls:\n  cert: /etc/slabgate/tls/tls.crt\n  key: /etc/slabgate/tls/tls.key\n")
	}
	return found
}

// judgeGodebug looks at what weakens TLS behind the configuration's back.
func judgeGodebug(f *host.Facts) (found []Verdict) {
	p := server(f)
	if p == nil {
		return nil
	}
	for _, entry := range p.Environ {
		value, ok := strings.CutPrefix(entry, "GODEBUG=")
		if !ok {
			continue
		}
		for setting := range strings.SplitSeq(value, ",") {
			if name, _, _ := strings.Cut(setting, "="); slices.Contains(weakening, name) {
				found = append(found, fail("GODEBUG "+name, "GODEBUG of slabgate sets "+name+", which weakens TLS",
					guardFix(f, "UnsetEnvironment=GODEBUG"), procFile(p, "environ", "GODEBUG="+value)))
			}
		}
	}
	return found
}
