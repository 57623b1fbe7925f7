// Package certs turns the key and certificate files of a listener into the
// *tls.Config that clients meet.
//
// It reads each file once, checks all of it, and hands out nothing if any of it
// is wrong: what is in use stays in use. It watches no file and swaps no
// pointer, which is up to its caller, and it does not know which identity a
// name in a certificate means.
package certs

import (
	"crypto/tls"
	"maps"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/internal/finding"
)

// Config names the files of one TLS listener and what it asks of clients.
type Config struct {
	Bundle     string // key and chain in one PEM file; or Cert and Key
	Cert       string // chain, leaf first
	Key        string
	ClientCA   string // CAs that client certificates must come from
	ClientAuth string // none, request or require
	MinVersion string // "1.3" or "1.2"
	CommonName bool   // the common name of a client certificate may name its holder
	Dev        bool   // accept what `slabgate cert dev` wrote; from `run --dev`, never from a file
}

// Default is the configuration of a listener that only names its files.
func Default() Config {
	return Config{ClientAuth: "require", MinVersion: "1.3"}
}

// clientAuths says what each client_auth asks of a handshake. A certificate
// that is presented is always verified.
var clientAuths = map[string]tls.ClientAuthType{
	"none":    tls.NoClientCert,
	"request": tls.VerifyClientCertIfGiven,
	"require": tls.RequireAndVerifyClientCert,
}

// minVersions are the protocol versions that min_version may name.
var minVersions = map[string]uint16{
	"1.2": tls.VersionTLS12,
	"1.3": tls.VersionTLS13,
}

// Validate reports everything that is wrong with c without looking at a file.
func (c Config) Validate() finding.List {
	var l finding.List
	c.validateFiles(&l)
	if _, ok := clientAuths[c.ClientAuth]; !ok {
		l.Errorf("SG1302", "client_auth", "write client_auth: require",
			"%q is none of %s", clip(c.ClientAuth), words(clientAuths))
	}
	if _, ok := minVersions[c.MinVersion]; !ok {
		l.Errorf("SG1304", "min_version", `write min_version: "1.3"`,
			"%q is none of %s", clip(c.MinVersion), words(minVersions))
	}
	if c.MinVersion == "1.2" {
		l.Warnf("SG1306", "min_version", `write min_version: "1.3" once every client can`,
			"TLS 1.2 is accepted, which the default does not")
	}
	if c.CommonName {
		l.Warnf("SG1307", "common_name", "issue certificates with a URI or DNS name, then remove common_name",
			"a common name may name a client, which the default does not take: authorities do not always check it")
	}
	asks := clientAuths[c.ClientAuth] != tls.NoClientCert
	if asks && c.ClientCA == "" {
		l.Errorf("SG1303", "client_ca", "write client_ca: with the file of the CAs that issue client certificates",
			"not set, but client_auth: %s has to verify certificates", c.ClientAuth)
	}
	if c.ClientAuth == "none" && c.ClientCA != "" {
		l.Warnf("SG1305", "client_ca", "remove client_ca, or write client_auth: request",
			"never read, because client_auth: none asks for no certificate")
	}
	return l
}

// validateFiles wants a bundle or a cert with its key, and not both.
func (c Config) validateFiles(l *finding.List) {
	const fix = "write bundle: alone, or cert: and key: together"
	switch {
	case c.Bundle != "" && c.Cert+c.Key != "":
		l.Errorf("SG1301", "bundle", fix, "set, and so is cert or key: which one counts is not clear")
	case c.Bundle != "":
	case c.Cert+c.Key == "":
		l.Errorf("SG1301", "bundle", fix, "not set, and neither are cert and key")
	case c.Cert == "":
		l.Errorf("SG1301", "cert", fix, "not set, but key is")
	case c.Key == "":
		l.Errorf("SG1301", "key", fix, "not set, but cert is")
	}
}

// words lists the keys of a table for a message.
func words[V any](table map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(table)), ", ")
}

// clip cuts what somebody else wrote before it is quoted in a message.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most]
	}
	return s
}
