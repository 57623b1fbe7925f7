package certs

import (
	"crypto/x509"
	"os"
	"slices"
)

// authorities makes every check of the CAs that client certificates come from.
func (k look) authorities(in contents) {
	if len(in.certs) == 0 {
		return // none were asked for, or it was said when the file was decoded
	}
	k.refuseDev(in)
	if systemRoot(in.path) {
		k.Errorf("SG1343", in.key, "name a file with the CA that issues your client certificates, and only that one",
			"%q is the system's list of public CAs: anybody can get a client certificate from those", in.path)
	}
	if most := 32; len(in.certs) > most {
		k.Warnf("SG1344", in.key, "leave only the CAs that issue your client certificates",
			"%q holds %d CAs: each of them can issue a certificate for any client", in.path, len(in.certs))
	}
	expired := 0
	for _, c := range in.certs {
		if k.authority(in, c) {
			expired++
		}
	}
	if expired == len(in.certs) {
		k.Errorf("SG1342", in.key, "put the CA's new certificate in it, then reload",
			"%q holds no CA that is valid now: no client certificate would pass", in.path)
	}
}

// authority checks one CA and reports whether it is outside its dates.
func (k look) authority(in contents, c *x509.Certificate) (expired bool) {
	k.weakKey(in, c)
	if !c.IsCA || !c.BasicConstraintsValid || (c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0) {
		k.Errorf("SG1340", in.key, "put in it the certificate of the CA, not one that the CA issued",
			"%q: certificate %s is not a CA's", in.path, name(c))
	}
	if k.now.After(c.NotAfter) || k.now.Before(c.NotBefore) {
		k.Warnf("SG1341", in.key, "renew or remove it, then reload",
			"%q: CA %s is valid from %s until %s only; it is now %s", in.path, name(c),
			date(c.NotBefore), date(c.NotAfter), date(k.now))
		return true
	}
	return false
}

// systemRoots are where distributions keep the CAs that browsers trust.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

// systemRoot reports whether path leads to one of them, under whatever name.
func systemRoot(path string) bool {
	info, err := os.Stat(path)
	return err == nil && slices.ContainsFunc(systemRoots, func(root string) bool {
		other, err := os.Stat(root)
		return err == nil && os.SameFile(info, other)
	})
}
