package proxy

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"os"
	"strconv"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
)

// byProcess matches a process by the numbers of its user and group; -1 is any.
func byProcess(uid, gid int) policy.Match {
	m := new(policy.UnixMatch)
	if uid >= 0 {
		m.UID = ref(strconv.Itoa(uid))
	}
	if gid >= 0 {
		m.GID = ref(strconv.Itoa(gid))
	}
	return policy.Match{Unix: m}
}

// TestProcessIsKnownByItsUser connects as the test's own process does.
func TestProcessIsKnownByItsUser(t *testing.T) {
	w := newWorld(t)
	mc := testkit.StartMemcached(t)
	uid, gid, none := os.Geteuid(), os.Getegid(), policy.Require{}
	for _, c := range []struct {
		name  string
		match policy.Match
		o     rigOptions
		known bool
	}{
		{"its user", byProcess(uid, -1), rigOptions{}, true},
		{"its group", byProcess(-1, gid), rigOptions{}, true},
		{"both", byProcess(uid, gid), rigOptions{}, true},
		{"both, inside TLS", byProcess(uid, gid), rigOptions{tls: w.server, clients: w.stranger()}, true},
		{"another user", byProcess(uid+1, -1), rigOptions{}, false},
		{"another user of its group", byProcess(uid+1, gid), rigOptions{}, false},
		{"another group", byProcess(-1, gid+4321), rigOptions{}, false},
		{"its user in another group", byProcess(uid, gid+4321), rigOptions{}, false},
		{"its user, over TCP", byProcess(uid, gid), rigOptions{tcp: true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.doc = named(c.match, none)
			r := startRig(t, mc.Addr(), c.o)
			cl := r.client(t)
			if !c.known {
				cl.asks("get a\r\n", "CLIENT_ERROR unauthenticated\r\n")
				cl.wantsEnd()
				r.ends(t, EndUnknown)
				return
			}
			cl.asks("set a 0 0 1\r\n1\r\n", "STORED\r\n")
			cl.asks("get a\r\n", "VALUE a 0 1\r\n1\r\nEND\r\n")
			r.wantsIdentity(t, cl, "app", "unix")
		})
	}
}

// TestProcessAndLogin shows an identity that asks for both, and that a login does
// not make a process somebody else.
func TestProcessAndLogin(t *testing.T) {
	both := byProcess(os.Geteuid(), -1)
	both.SASL = ref("alice")
	stranger := byProcess(os.Geteuid()+1, -1)
	stranger.SASL = ref("alice")
	for _, c := range []struct {
		name string
		doc  *policy.Document
		want uint16
	}{
		{"the right two", named(both, policy.Require{}), packetOK},
		{"the login of another process", named(stranger, policy.Require{}), packetAuth},
		{"a login as somebody else", weaklyBy(byProcess(os.Geteuid(), -1)), packetAuth},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := lateRig(t, rigOptions{doc: c.doc})
			r.client(t).wantsStatus(plainPacket("alice", "sesame"), c.want)
		})
	}
}

// TestProcessIsLookedAtAgain shows that a reload ends the session of a process
// that is nobody any more.
func TestProcessIsLookedAtAgain(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	o := rigOptions{doc: named(byProcess(os.Geteuid(), -1), policy.Require{})}
	r := startRig(t, fake.Addr(), o)
	c := r.client(t)
	c.asks("mn\r\n", "MN\r\n")
	r.server.Swap(o.snapshot(t, o.doc))
	c.asks("mn\r\n", "MN\r\n")
	r.server.Swap(o.snapshot(t, named(byProcess(os.Geteuid()+1, -1), policy.Require{})))
	c.wantsEnd()
	r.ends(t, EndRevoked)
}

// pinOf is the pin of the certificate that clients of config show.
func pinOf(t *testing.T, config *tls.Config) *string {
	t.Helper()
	leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return ref("sha256:" + base64.StdEncoding.EncodeToString(sum[:]))
}

func TestCertificateIsKnownByItsPin(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	spec := testkit.ClientSpec{URI: []string{appURI}}
	pinned, other := w.client(t, spec), w.client(t, spec) // of one name, with a key each
	pin := policy.Match{TLS: &policy.TLSMatch{Pin: pinOf(t, pinned)}}
	both := byURI(appURI)
	both.TLS.Pin = pin.TLS.Pin
	elsewhere := byURI(appURI + "2")
	elsewhere.TLS.Pin = pin.TLS.Pin
	for _, c := range []struct {
		name    string
		match   policy.Match
		clients *tls.Config
		known   bool
	}{
		{"its pin", pin, pinned, true},
		{"its pin and name", both, pinned, true},
		{"its pin and another name", elsewhere, pinned, false},
		{"another key of its name", both, other, false},
		{"another key", pin, other, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := startRig(t, fake.Addr(), rigOptions{doc: named(c.match, policy.Require{}), tls: w.server, clients: c.clients})
			cl := r.client(t)
			if !c.known {
				cl.asks("mn\r\n", "CLIENT_ERROR unauthenticated\r\n")
				return
			}
			cl.asks("mn\r\n", "MN\r\n")
			r.wantsIdentity(t, cl, "app", "certificate")
		})
	}
}
