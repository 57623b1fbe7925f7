package certs

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/slabgate/slabgate/internal/finding"
)

// look is one inspection of what a load has read, at one instant.
type look struct {
	Config
	*finding.List
	now time.Time
}

// pair is the chain that a listener shows and the key to it. In a bundle both
// come from one file.
type pair struct{ chain, secret contents }

// pairChecks are made of every chain that has a certificate in it.
var pairChecks = []func(look, pair){
	look.match, look.validity, look.strength, look.order, look.usage, look.names, look.dev,
}

// pair makes every check of the server's own certificate.
func (k look) pair(p pair) {
	if len(p.chain.certs) == 0 {
		return // said when the file was decoded
	}
	for _, check := range pairChecks {
		check(k, p)
	}
}

// match wants the key to be that of the first certificate.
func (k look) match(p pair) {
	if len(p.secret.keys) != 1 {
		return
	}
	chain, pub := p.chain.certs, p.secret.keys[0].Public()
	at := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return samePublic(pub, c.PublicKey) })
	if at == 0 {
		return
	}
	fix := "name the key that this certificate was requested with; if both were just replaced, reload once both are in place"
	if at > 0 {
		fix = fmt.Sprintf("put certificate %d, %s, first: the key is its", at+1, name(chain[at]))
	}
	k.Errorf("SG1330", p.secret.key, fix, "the key in %q does not match certificate %s in %q",
		p.secret.path, name(chain[0]), p.chain.path)
}

// validity wants every certificate of the chain to be valid now, and warns
// before the first of them is the end of it.
func (k look) validity(p pair) {
	for _, c := range p.chain.certs {
		what := fmt.Sprintf("%q: certificate %s", p.chain.path, name(c))
		switch {
		case k.now.After(c.NotAfter):
			k.Errorf("SG1331", p.chain.key, "renew it, then reload",
				"%s expired on %s; it is now %s", what, date(c.NotAfter), date(k.now))
		case k.now.Before(c.NotBefore):
			k.Errorf("SG1331", p.chain.key, "wait, or set this host's clock right: timedatectl status",
				"%s is not valid before %s; it is now %s", what, date(c.NotBefore), date(k.now))
		case c.NotAfter.Sub(k.now) < notice(c):
			k.Warnf("SG1332", p.chain.key, "renew it, then reload",
				"%s expires on %s", what, date(c.NotAfter))
		}
	}
}

// notice is how long before its end a certificate is warned about: seven days,
// or the last tenth of one that lives for two weeks at most. A machine renews
// those, and a warning that is always there is read by nobody.
func notice(c *x509.Certificate) time.Duration {
	const week = 7 * 24 * time.Hour
	if life := c.NotAfter.Sub(c.NotBefore); life <= 2*week {
		return life / 10
	}
	return week
}

// strength wants keys and signatures that are not within reach of a guess.
func (k look) strength(p pair) {
	for _, c := range p.chain.certs {
		k.weakKey(p.chain, c)
		if weakSignatures[c.SignatureAlgorithm] && !selfIssued(c) {
			k.Errorf("SG1334", p.chain.key, "have it issued again with SHA-256",
				"%q: certificate %s is signed with %s, which can be forged", p.chain.path, name(c), c.SignatureAlgorithm)
		}
	}
}

// weakKey refuses a certificate for a key that is too weak.
func (k look) weakKey(in contents, c *x509.Certificate) {
	if why := weakness(c.PublicKey); why != "" {
		k.Errorf("SG1333", in.key, "make a new key: openssl ecparam -name prime256v1 -genkey -noout, and have it certified",
			"%q: certificate %s has %s", in.path, name(c), why)
	}
}

// order wants each certificate to be issued by the one that follows it.
func (k look) order(p pair) {
	chain := p.chain.certs
	for i := range len(chain) - 1 {
		if !issuedBy(chain[i], chain[i+1]) {
			k.Errorf("SG1337", p.chain.key, "write the server's certificate first and after each the one that issued it",
				"%q: certificate %d, %s, is not issued by the one that follows it, %s",
				p.chain.path, i+1, name(chain[i]), name(chain[i+1]))
		}
	}
}

// usage wants a certificate that clients accept from a server.
func (k look) usage(p pair) {
	c := p.chain.certs[0]
	signs := c.KeyUsage == 0 || c.KeyUsage&x509.KeyUsageDigitalSignature != 0
	serves := len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 ||
		slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
	if !signs || !serves {
		k.Errorf("SG1335", p.chain.key, "have it issued with key usage digitalSignature and extended key usage serverAuth",
			"%q: certificate %s is not for servers", p.chain.path, name(c))
	}
}

// names warns of a certificate that no client can match with where it dialled.
func (k look) names(p pair) {
	c := p.chain.certs[0]
	if len(c.DNSNames)+len(c.IPAddresses)+len(c.URIs) == 0 {
		k.Warnf("SG1336", p.chain.key, "have it issued with the host names that clients dial as subject alternative names",
			"%q: certificate %s has no subject alternative name, so clients refuse it", p.chain.path, name(c))
	}
}

// dev refuses what was made for trying things out.
func (k look) dev(p pair) { k.refuseDev(p.chain) }

// refuseDev refuses a file with a development certificate in it.
func (k look) refuseDev(in contents) {
	if k.Dev || !slices.ContainsFunc(in.certs, isDev) {
		return
	}
	k.Errorf("SG1338", in.key, "name a certificate of your own CA, or for a trial: slabgate run --dev",
		"%q holds a development certificate of organization %q", in.path, devOrganization)
}
