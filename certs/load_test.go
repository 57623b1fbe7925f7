package certs

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// breakage is one way of breaking a good rig and the codes that must come of it.
type breakage struct {
	name string
	do   func(t *testing.T, r *rig)
	want string
}

// TestLoadFiles breaks the files themselves.
func TestLoadFiles(t *testing.T) {
	runBreakages(t, []breakage{
		{"good pair", func(t *testing.T, r *rig) {}, ""},
		{"good bundle, key first", func(t *testing.T, r *rig) {
			r.bundle(t, bytesOf(t, r.Key), bytesOf(t, r.Cert))
		}, ""},
		{"good bundle, key last", func(t *testing.T, r *rig) {
			r.bundle(t, bytesOf(t, r.Cert), bytesOf(t, r.Key))
		}, ""},
		{"text around blocks", func(t *testing.T, r *rig) {
			r.Cert = r.file(t, []byte("Certificate:\n  Version: 3\n"), bytesOf(t, r.Cert), []byte("end\n"))
		}, ""},
		{"curve in front of key", func(t *testing.T, r *rig) {
			r.Key = r.file(t, block("EC PARAMETERS", "\x06\x08*\x86H\xce=\x03\x01\x07"), bytesOf(t, r.Key))
		}, ""},
		{"missing", func(t *testing.T, r *rig) { r.Cert = r.missing() }, "SG1310 cert"},
		{"all missing", func(t *testing.T, r *rig) { r.Cert, r.Key, r.ClientCA = r.missing(), r.missing(), r.missing() },
			"SG1310 cert, SG1310 client_ca, SG1310 key"},
		{"a directory", func(t *testing.T, r *rig) { r.ClientCA = r.dir }, "SG1312 client_ca"},
		{"too large", func(t *testing.T, r *rig) { r.Cert = r.file(t, make([]byte, maxFile+1)) }, "SG1312 cert"},
		{"world-readable key", func(t *testing.T, r *rig) { chmod(t, r.Key, 0o604) }, "SG1313 key"},
		{"half-written certificate", func(t *testing.T, r *rig) {
			whole := bytesOf(t, r.Cert)
			r.Cert = r.file(t, whole[:len(whole)/2])
		}, "SG1320 cert"},
		{"half-written second certificate", func(t *testing.T, r *rig) {
			whole := bytesOf(t, r.CAFile())
			r.Cert = r.file(t, bytesOf(t, r.Cert), whole[:len(whole)-10])
		}, "SG1320 cert"},
		{"torn block before a whole one", func(t *testing.T, r *rig) {
			whole := bytesOf(t, r.CAFile())
			r.ClientCA = r.file(t, whole[:len(whole)/2], []byte("\n"), whole)
		}, "SG1320 client_ca"},
		{"half-written key", func(t *testing.T, r *rig) {
			r.Key = r.file(t, bytesOf(t, r.Key)[:80])
		}, "SG1320 key"},
		{"empty certificate", func(t *testing.T, r *rig) { r.Cert = r.file(t) }, "SG1322 cert"},
		{"empty key", func(t *testing.T, r *rig) { r.Key = r.file(t) }, "SG1325 key"},
		{"empty CA", func(t *testing.T, r *rig) { r.ClientCA = r.file(t) }, "SG1322 client_ca"},
		{"CA is no PEM", func(t *testing.T, r *rig) { r.ClientCA = r.file(t, r.CA().Raw) }, "SG1322 client_ca"},
		{"bundle without key", func(t *testing.T, r *rig) { r.bundle(t, bytesOf(t, r.Cert)) }, "SG1325 bundle"},
		{"bundle without certificate", func(t *testing.T, r *rig) { r.bundle(t, bytesOf(t, r.Key)) }, "SG1322 bundle"},
		{"two keys", func(t *testing.T, r *rig) {
			r.Key = r.file(t, bytesOf(t, r.Key), bytesOf(t, r.Key))
		}, "SG1325 key"},
		{"key among public certificates", func(t *testing.T, r *rig) {
			r.Cert = r.file(t, bytesOf(t, r.Cert), bytesOf(t, r.Key))
		}, "SG1321 cert"},
		{"key of the CA", func(t *testing.T, r *rig) {
			r.ClientCA = r.file(t, bytesOf(t, r.ClientCA), bytesOf(t, r.Key))
		}, "SG1321 client_ca"},
		{"files swapped", func(t *testing.T, r *rig) {
			chmod(t, r.Cert, 0o600)
			r.Cert, r.Key = r.Key, r.Cert
		}, "SG1321 cert, SG1321 key"},
		{"unknown block", func(t *testing.T, r *rig) {
			r.ClientCA = r.file(t, block("X509 CRL", "x"), bytesOf(t, r.ClientCA))
		}, "SG1321 client_ca"},
		{"encrypted key", func(t *testing.T, r *rig) {
			r.Key = r.file(t, block("ENCRYPTED PRIVATE KEY", "x"))
		}, "SG1323 key"},
		{"key encrypted the old way", func(t *testing.T, r *rig) {
			r.Key = r.file(t, []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"+
				"DEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"))
		}, "SG1323 key"},
		{"certificate is noise", func(t *testing.T, r *rig) {
			r.Cert = r.file(t, block("CERTIFICATE", "noise"))
		}, "SG1324 cert"},
		{"key for agreement only", func(t *testing.T, r *rig) {
			key, err := ecdh.X25519().GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			r.Key = r.file(t, block("PRIVATE KEY", string(der)))
		}, "SG1324 key"},
		{"key is noise", func(t *testing.T, r *rig) { r.Key = r.file(t, block("EC PRIVATE KEY", "noise")) }, "SG1324 key"},
	})
}

// TestLoadPair breaks the certificate that a listener shows.
func TestLoadPair(t *testing.T) {
	now := time.Now()
	runBreakages(t, []breakage{
		{"another key", func(t *testing.T, r *rig) { _, r.Key = r.Server(t) }, "SG1330 key"},
		{"another kind of key", func(t *testing.T, r *rig) {
			cert := r.Cert
			r.server(t, rsaKey(t, 2048), nil)
			r.Cert = cert
		}, "SG1330 key"},
		{"CA before leaf", func(t *testing.T, r *rig) {
			r.Cert = r.file(t, bytesOf(t, r.CAFile()), bytesOf(t, r.Cert))
		}, "SG1330 key, SG1335 cert, SG1336 cert, SG1337 cert"},
		{"chain with its root", func(t *testing.T, r *rig) {
			r.Cert = r.file(t, bytesOf(t, r.Cert), bytesOf(t, r.CAFile()))
		}, ""},
		{"chain of strangers", func(t *testing.T, r *rig) {
			other := r.authority(t, func(c *x509.Certificate) { c.Subject = r.CA().Subject })
			r.Cert = r.file(t, bytesOf(t, r.Cert), other)
		}, "SG1337 cert"},
		{"expired", func(t *testing.T, r *rig) {
			r.server(t, nil, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) })
		}, "SG1331 cert"},
		{"not yet valid", func(t *testing.T, r *rig) {
			r.server(t, nil, func(c *x509.Certificate) { c.NotBefore = now.Add(time.Hour) })
		}, "SG1331 cert"},
		{"expires in six days", func(t *testing.T, r *rig) {
			r.server(t, nil, lives(now.AddDate(0, 0, -30), now.AddDate(0, 0, 6)))
		}, "SG1332 cert"},
		{"expires in eight days", func(t *testing.T, r *rig) {
			r.server(t, nil, lives(now.AddDate(0, 0, -30), now.AddDate(0, 0, 8)))
		}, ""},
		{"short life, half over", func(t *testing.T, r *rig) {
			r.server(t, nil, lives(now.Add(-time.Hour), now.Add(time.Hour)))
		}, ""},
		{"short life, almost over", func(t *testing.T, r *rig) {
			r.server(t, nil, lives(now.Add(-time.Hour), now.Add(time.Minute)))
		}, "SG1332 cert"},
		{"RSA 1024", func(t *testing.T, r *rig) { r.server(t, rsaKey(t, 1024), nil) }, "SG1333 cert"},
		{"signed with SHA-1", func(t *testing.T, r *rig) {
			r.server(t, nil, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })
		}, "SG1334 cert"},
		{"RSA 2048", func(t *testing.T, r *rig) { r.server(t, rsaKey(t, 2048), nil) }, ""},
		{"Ed25519", func(t *testing.T, r *rig) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			r.server(t, key, nil)
		}, ""},
		{"for clients only", func(t *testing.T, r *rig) {
			r.server(t, nil, func(c *x509.Certificate) { c.ExtKeyUsage[0] = x509.ExtKeyUsageClientAuth })
		}, "SG1335 cert"},
		{"for encryption only", func(t *testing.T, r *rig) {
			r.server(t, nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })
		}, "SG1335 cert"},
		{"for anything", func(t *testing.T, r *rig) {
			r.server(t, nil, func(c *x509.Certificate) { c.KeyUsage, c.ExtKeyUsage = 0, nil })
		}, ""},
		{"no alternative name", func(t *testing.T, r *rig) {
			r.server(t, nil, func(c *x509.Certificate) { c.DNSNames = nil })
		}, "SG1336 cert"},
		{"a URI is a name", func(t *testing.T, r *rig) {
			r.server(t, nil, func(c *x509.Certificate) {
				c.DNSNames, c.URIs = nil, []*url.URL{{Scheme: "spiffe", Host: "td", Path: "/cache"}}
			})
		}, ""},
		{"development", func(t *testing.T, r *rig) {
			r.server(t, nil, func(c *x509.Certificate) { c.Subject.Organization = []string{"acme", devOrganization} })
		}, "SG1338 cert"},
		{"development, allowed", func(t *testing.T, r *rig) {
			r.Dev = true
			r.server(t, nil, func(c *x509.Certificate) { c.Subject.Organization = []string{devOrganization} })
		}, ""},
	})
}

// TestLoadAuthorities breaks the CAs that client certificates come from.
func TestLoadAuthorities(t *testing.T) {
	ended := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	runBreakages(t, []breakage{
		{"two", func(t *testing.T, r *rig) {
			r.ClientCA = r.file(t, bytesOf(t, r.CAFile()), r.authority(t, func(c *x509.Certificate) {}))
		}, ""},
		{"a leaf", func(t *testing.T, r *rig) { r.ClientCA = r.Cert }, "SG1340 client_ca"},
		{"a leaf among CAs", func(t *testing.T, r *rig) {
			r.ClientCA = r.file(t, bytesOf(t, r.CAFile()), bytesOf(t, r.Cert))
		}, "SG1340 client_ca"},
		{"CA that may not sign", func(t *testing.T, r *rig) {
			r.ClientCA = r.file(t, r.authority(t, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }))
		}, "SG1340 client_ca"},
		{"one of two expired", func(t *testing.T, r *rig) {
			r.ClientCA = r.file(t, bytesOf(t, r.CAFile()), r.authority(t, ended))
		}, "SG1341 client_ca"},
		{"all expired", func(t *testing.T, r *rig) {
			r.ClientCA = r.file(t, r.authority(t, ended))
		}, "SG1341 client_ca, SG1342 client_ca"},
		{"too many", func(t *testing.T, r *rig) {
			r.ClientCA = r.file(t, []byte(strings.Repeat(string(bytesOf(t, r.CAFile())), 33)))
		}, "SG1344 client_ca"},
		{"development", func(t *testing.T, r *rig) {
			r.ClientCA = r.file(t, r.authority(t, func(c *x509.Certificate) { c.Subject = devSubject("CA") }))
		}, "SG1338 client_ca"},
		{"never read without client_auth", func(t *testing.T, r *rig) {
			r.ClientAuth, r.ClientCA = "none", r.missing()
		}, "SG1305 client_ca"},
	})
}

// TestLoadPublicRoots uses the public CAs of this machine, under another name.
func TestLoadPublicRoots(t *testing.T) {
	for _, path := range systemRoots {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		r := newRig(t)
		r.ClientCA = filepath.Join(r.dir, "ca.pem")
		if err := os.Symlink(path, r.ClientCA); err != nil {
			t.Fatal(err)
		}
		m, l := Load(r.Config)
		if m != nil || !strings.Contains(codes(l), "SG1343 client_ca") {
			t.Errorf("client_ca links to %s: got %v, %v, want SG1343", path, m, l)
		}
		return
	}
	t.Skip("this machine has no public CAs")
}

// TestMaterial looks at what a good load tells beside the handshake.
func TestMaterial(t *testing.T) {
	r := newRig(t)
	end := r.CA().NotAfter
	r.server(t, nil, func(c *x509.Certificate) { c.NotAfter = end.Add(time.Hour) })
	r.Cert = r.file(t, bytesOf(t, r.Cert), bytesOf(t, r.CAFile()))
	m := mustLoad(t, r.Config)
	if m.Subject != `"CN=forged"` || !m.NotAfter.Equal(end) {
		t.Errorf("Subject, NotAfter = %s, %s, want %q, %s", m.Subject, m.NotAfter, "CN=forged", end)
	}
	if !regexp.MustCompile("^[0-9a-f]{64}$").MatchString(m.Digest) {
		t.Errorf("Digest = %q, want SHA-256 in hex", m.Digest)
	}
	if first := m.Config(); first != m.Config() {
		t.Error("Config() returned two configurations of one load")
	}
	again := mustLoad(t, r.Config)
	if again.Digest != m.Digest || again.Config() == m.Config() {
		t.Errorf("second load: digest %s, want %s and a configuration of its own", again.Digest, m.Digest)
	}
	r.ClientCA = r.file(t, bytesOf(t, r.ClientCA), []byte("\n"))
	if other := mustLoad(t, r.Config); other.Digest == m.Digest {
		t.Error("digest did not change with a byte of client_ca")
	}
}

// TestDigestKeepsFilesApart moves a byte from one file to the next.
func TestDigestKeepsFilesApart(t *testing.T) {
	a := digest([]source{{key: "cert", data: []byte("ab")}, {key: "key", data: []byte("c")}})
	b := digest([]source{{key: "cert", data: []byte("a")}, {key: "key", data: []byte("bc")}})
	if a == b {
		t.Errorf("digest = %s for both", a)
	}
}

// TestMessages looks at whole messages: file, subject and dates are in them,
// and nothing that a terminal would obey.
func TestMessages(t *testing.T) {
	r := newRig(t)
	end := time.Now().Add(-time.Minute).Truncate(time.Second)
	r.server(t, nil, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "\x1b[2J" + strings.Repeat("x", 100)}
		c.NotAfter = end
	})
	_, l := Load(r.Config)
	if len(l) != 1 {
		t.Fatalf("got %v, want one finding", l)
	}
	got := l[0].Problem
	for _, want := range []string{r.Cert, "CN=", end.UTC().Format(time.RFC3339)} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not contain %q", got, want)
		}
	}
	if strings.Contains(got, "\x1b") || strings.Contains(got, strings.Repeat("x", 64)) {
		t.Errorf("%q has a control byte or is not clipped", got)
	}
}

// bundle makes the rig serve from one file of parts.
func (r *rig) bundle(t testing.TB, parts ...[]byte) {
	t.Helper()
	r.Bundle = r.file(t, parts...)
	r.Cert, r.Key = "", ""
}

// lives sets the dates of a certificate.
func lives(from, until time.Time) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, until }
}

// mustLoad loads what has no fault.
func mustLoad(t testing.TB, c Config) *Material {
	t.Helper()
	m, l := Load(c)
	for _, f := range l {
		if f.Code != "SG1306" { // TLS 1.2 was asked for
			t.Fatalf("Load(%+v) = %v, %v, want a Material without findings", c, m, l)
		}
	}
	return m
}

// runBreakages breaks a new rig in every way of the table.
func runBreakages(t *testing.T, table []breakage) {
	t.Helper()
	for _, tc := range table {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			tc.do(t, r)
			m, l := Load(r.Config)
			if got := codes(l); got != tc.want {
				t.Errorf("Load(%+v) found %q, want %q:\n%v", r.Config, got, tc.want, l)
			}
			if (m == nil) != l.Failed() {
				t.Errorf("Load(%+v) = %v, want nil exactly if there is an error in %v", r.Config, m, l)
			}
			checkWords(t, l)
		})
	}
}

// TestInspect shows what files hold, also those that Load refuses.
func TestInspect(t *testing.T) {
	r := newRig(t)
	old := r.authority(t, lives(time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour)))
	r.ClientCA = r.file(t, bytesOf(t, r.CAFile()), old)
	if m, _ := Load(r.Config); m == nil {
		t.Log("Load refuses it, as it may")
	}
	chain, cas := Inspect(r.Config)
	if len(chain) == 0 || len(cas) != 2 || time.Now().Before(cas[1].NotAfter) {
		t.Errorf("%d in the chain, CAs %v", len(chain), cas)
	}
	if chain, cas := Inspect(Config{Cert: r.missing(), Key: r.missing(), ClientAuth: "none"}); len(chain)+len(cas) != 0 {
		t.Errorf("found %v and %v where there is nothing", chain, cas)
	}
}
