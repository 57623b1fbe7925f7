package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

func TestShakenOf(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, "ok"},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, "not_tls"},
		{fmt.Errorf("reading: %w", context.DeadlineExceeded), "timeout"},
		{errHandshakeBytes, "too_long"},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "unknown_ca"},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, "expired"},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.IncompatibleUsage}}, "bad_certificate"},
		{errors.New("certs: client certificate CN=x has no extended key usage clientAuth"), "bad_certificate"},
		{errors.New("tls: client didn't provide a certificate"), "no_certificate"},
		{errors.New("tls: client offered only unsupported versions: [302 301]"), "bad_version"},
		{errors.New("tls: no cipher suite supported by both client and server"), "no_common_cipher"},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, "refused_by_client"},
		{&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, "client_gone"},
		{io.EOF, "client_gone"},
		{errors.New("tls: something new"), "other"},
	} {
		if got := shakenOf(tt.err); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.err, got, tt.want)
		}
	}
}

// TestShakenOfWhatTheLibrarySays holds the texts that are looked for against a
// handshake that ends so.
func TestShakenOfWhatTheLibrarySays(t *testing.T) {
	w := newWorld(t)
	for want, change := range map[string]func(server, client *tls.Config){
		"no_certificate": func(server, _ *tls.Config) { server.ClientAuth = tls.RequireAndVerifyClientCert },
		"bad_version":    func(_, client *tls.Config) { client.MinVersion, client.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
		"no_common_cipher": func(server, client *tls.Config) {
			server.MinVersion = tls.VersionTLS12
			client.MaxVersion, client.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
		},
		"refused_by_client": func(_, client *tls.Config) { client.ServerName = "other.test" },
	} {
		server, client := w.server.Clone(), w.stranger()
		change(server, client)
		here, there := connected(t)
		var talked sync.WaitGroup
		talked.Go(func() {
			tls.Client(there, client).Handshake()
			there.Close()
		})
		err := tls.Server(here, server).Handshake()
		if got := shakenOf(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
		here.Close()
		talked.Wait()
	}
}

// connected returns two ends of a connection that nothing waits long for.
func connected(t *testing.T) (here, there net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if there, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if here, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{here, there} {
		c.SetDeadline(time.Now().Add(10 * time.Second))
	}
	return here, there
}
