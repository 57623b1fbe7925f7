package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/finding"
)

// FuzzLoad checks what a reload rests on: there is a Material exactly if no
// error was found, and never one whose key is not that of its certificate, by
// the judgement of crypto/tls. Besides, no byte of a file reaches a terminal
// unescaped.
//
// A file is text followed by one block that is whole, so that the fuzzer gets
// past PEM; without a body the text is all there is.
func FuzzLoad(f *testing.F) {
	seedLoad(f)
	now := time.Now
	f.Fuzz(func(t *testing.T, text, cert, key, ca []byte, bundled bool) {
		chain, secret := slices.Concat(text, body("CERTIFICATE", cert)), body("PRIVATE KEY", key)
		cas := source{key: "client_ca", holds: certificates, data: body("CERTIFICATE", ca)}
		sources := []source{
			{key: "cert", holds: certificates, data: chain},
			{key: "key", holds: keys, data: secret},
			cas,
		}
		if bundled {
			sources = []source{{key: "bundle", holds: certificates | keys, data: slices.Concat(chain, secret)}, cas}
		}
		var l finding.List
		m := assemble(Default(), sources, now, &l)
		if (m == nil) != l.Failed() {
			t.Fatalf("material %v with findings %v", m, l)
		}
		for _, f := range l {
			if f.Fix == "" || strings.ContainsFunc(f.String(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("finding %q has no fix or a control byte", f)
			}
		}
		if m != nil {
			checkMatches(t, m)
		}
	})
}

// seedLoad adds good files, and ones that are good apart from what they hold.
func seedLoad(f *testing.F) {
	f.Helper()
	r := newRig(f)
	key := der(bytesOf(f, r.Key))
	cert, ca, none := der(bytesOf(f, r.Cert)), r.CA().Raw, []byte{}
	_, otherFile := r.Server(f)
	other := bytesOf(f, otherFile)
	f.Add(none, cert, key, ca, false)
	f.Add(none, cert, key, ca, true)
	f.Add(none, cert, der(other), ca, false)
	f.Add(none, ca, key, cert, false)
	f.Add(certPEM(ca), cert, key, ca, false)
	f.Add(other, cert, none, ca, true)
	f.Add(other, cert, key, ca, true)
	f.Add(other[:len(other)/2], cert, key, ca, true)
	f.Add(none, none, none, none, true)
}

// body is a whole PEM block, or an empty file if there is nothing to put in it.
func body(kind string, der []byte) []byte {
	if len(der) == 0 {
		return []byte{}
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// der is the body of the first block of a file.
func der(file []byte) []byte {
	b, _ := pem.Decode(file)
	return b.Bytes
}

// checkMatches has crypto/tls compare key and certificate.
func checkMatches(t *testing.T, m *Material) {
	t.Helper()
	shown := m.Config().Certificates[0]
	secret, err := x509.MarshalPKCS8PrivateKey(shown.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(certPEM(shown.Certificate[0]), body("PRIVATE KEY", secret)); err != nil {
		t.Errorf("material with %v", err)
	}
}
