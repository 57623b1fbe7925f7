package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/xdg-go/scram"
)

// serverCert makes a certificate that a key signs itself.
func serverCert(t *testing.T, key crypto.Signer, algorithm x509.SignatureAlgorithm) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), SignatureAlgorithm: algorithm, DNSNames: []string{"cache"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestEndPointBinding: the server's idea of its binding is the client's.
func TestEndPointBinding(t *testing.T) {
	for algorithm, size := range map[x509.SignatureAlgorithm]int{
		x509.ECDSAWithSHA256: 32, x509.ECDSAWithSHA384: 48, x509.ECDSAWithSHA512: 64,
	} {
		leaf := serverCert(t, ecKey(t), algorithm).Leaf
		want, err := scram.NewTLSServerEndpointBinding(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
		if got := EndPointBinding(leaf); err != nil || len(got) != size || !bytes.Equal(got, want.Data) {
			t.Errorf("%s: got %x, want %x, %v", algorithm, got, want.Data, err)
		}
	}
	for _, algorithm := range []x509.SignatureAlgorithm{x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1} {
		if got := EndPointBinding(&x509.Certificate{Raw: []byte("x"), SignatureAlgorithm: algorithm}); len(got) != 32 {
			t.Errorf("%s: a binding of %d bytes, want 32", algorithm, len(got))
		}
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if got := EndPointBinding(serverCert(t, key, x509.PureEd25519).Leaf); got != nil {
		t.Errorf("Ed25519: got %x, want none", got)
	}
}

// TestSCRAMOverTLS: on real connections of either version both bindings hold,
// and one who passes a login on to another connection does not get in.
func TestSCRAMOverTLS(t *testing.T) {
	v := newTestVerifier(t, usersOf(t, 1, scramUser(t, "web", "pencil")))
	cert := serverCert(t, ecKey(t), x509.ECDSAWithSHA256)
	c := client{hash: SHA256, user: "web", password: "pencil"}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server, peer := handshake(t, cert, version)
		_, elsewhere := handshake(t, serverCert(t, ecKey(t), x509.ECDSAWithSHA256), version)
		ch := Channel{TLS: true, EndPoint: EndPointBinding(cert.Leaf)}
		var err error
		if ch.Exporter, err = server.ExportKeyingMaterial(ExporterLabel, nil, ExporterLength); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			state *tls.ConnectionState
			want  string
		}{{&peer, "ok"}, {&elsewhere, "wrong channel"}} {
			exported, errA := scram.NewTLSExporterBinding(tt.state)
			ended, errB := scram.NewTLSServerEndpointBinding(tt.state)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			for _, b := range []scram.ChannelBinding{exported, ended} {
				_, err := talk(t, v.begin(t, ch, "SCRAM-SHA-256-PLUS"), c.bound(t, b.Type, b.Data))
				if verdict(err) != tt.want {
					t.Errorf("%s, %s: %v, want %s", tls.VersionName(version), b.Type, err, tt.want)
				}
			}
		}
	}
}

// handshake returns what both ends know of a new connection.
func handshake(t *testing.T, cert tls.Certificate, version uint16) (server, peer tls.ConnectionState) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	s := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: version, SessionTicketsDisabled: true})
	p := tls.Client(b, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
	done := make(chan error, 1)
	go func() { done <- s.HandshakeContext(context.Background()) }()
	if err := p.HandshakeContext(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return s.ConnectionState(), p.ConnectionState()
}
