package main

import (
	"bytes"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// server answers one client: it reads want and sends reply. What it read is in
// got once the client is gone.
type server struct {
	addr string
	got  chan string
}

func serve(t *testing.T, l net.Listener, size int, reply string) server {
	t.Helper()
	s := server{l.Addr().String(), make(chan string, 1)}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			s.got <- err.Error()
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		buf := make([]byte, size)
		n, err := c.Read(buf)
		for err == nil && n < size {
			var more int
			more, err = c.Read(buf[n:])
			n += more
		}
		c.Write([]byte(reply)) // a client that has left is what the test sees
		s.got <- string(buf[:n])
	}()
	return s
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestSendsOneCommandAndPrintsTheFirstLine(t *testing.T) {
	for _, tc := range []struct {
		args              []string
		sent, reply, want string
	}{
		{[]string{"get", "cart:1"}, "get cart:1\r\n", "VALUE cart:1 0 5\r\napple\r\nEND\r\n", "VALUE cart:1 0 5\n"},
		{[]string{"-data", "apple", "set", "cart:1", "0", "60", "5"}, "set cart:1 0 60 5\r\napple\r\n", "STORED\r\n", "STORED\n"},
		{[]string{"flush_all"}, "flush_all\r\n", "CLIENT_ERROR access denied\r\n", "CLIENT_ERROR access denied\n"},
	} {
		t.Run(tc.args[len(tc.args)-1], func(t *testing.T) {
			testkit.VerifyNoLeaks(t)
			s := serve(t, listen(t), len(tc.sent), tc.reply)
			var out bytes.Buffer
			if err := run(append([]string{"-addr", s.addr}, tc.args...), &out); err != nil {
				t.Fatal(err)
			}
			if got := <-s.got; got != tc.sent || out.String() != tc.want {
				t.Errorf("sent %q and printed %q, want %q and %q", got, out.String(), tc.sent, tc.want)
			}
		})
	}
}

func TestShowsItsCertificate(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	pki := testkit.NewPKI(t)
	certFile, keyFile := pki.Server(t)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	leaf := pki.Client(t, testkit.ClientSpec{CN: "shop"})
	config := &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pki.Pool(), ClientAuth: tls.RequireAndVerifyClientCert}
	dial := func(args ...string) (string, error) {
		s := serve(t, tls.NewListener(listen(t), config), len("version\r\n"), "VERSION 1.6.45\r\n")
		var out bytes.Buffer
		err := run(append(append([]string{"-addr", s.addr}, args...), "version"), &out)
		<-s.got
		return out.String(), err
	}
	if got, err := dial("-ca", pki.CAFile(), "-cert", leaf.CertFile, "-key", leaf.KeyFile); err != nil || got != "VERSION 1.6.45\n" {
		t.Errorf("with a certificate: got %q, %v", got, err)
	}
	if got, err := dial("-ca", pki.CAFile()); err == nil || got != "" {
		t.Errorf("without a certificate: got %q, %v, want an error", got, err)
	}
	if got, err := dial(); err == nil || got != "" {
		t.Errorf("without TLS: got %q, %v, want an error", got, err)
	}
	if got, err := dial("-ca", testkit.NewPKI(t).CAFile(), "-cert", leaf.CertFile, "-key", leaf.KeyFile); err == nil || got != "" {
		t.Errorf("of a server that another CA certified: got %q, %v, want an error", got, err)
	}
}

func TestErrors(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	closed := l.Addr().String()
	l.Close()
	for _, tc := range []struct {
		args []string
		says string
	}{
		{[]string{"-addr", closed, "version"}, "refused"},
		{[]string{"-addr", "nothing", "version"}, "missing port"},
		{[]string{"-addr", closed, "-ca", "/nonexistent/ca.pem"}, "/nonexistent/ca.pem"},
		{[]string{"-addr", closed, "-ca", empty}, "no certificate in " + empty},
		{[]string{"-addr", closed, "-ca", pkiFile(t), "-cert", empty, "-key", empty}, "certificate"},
	} {
		var out bytes.Buffer
		if err := run(tc.args, &out); err == nil || !strings.Contains(err.Error(), tc.says) || out.Len() > 0 {
			t.Errorf("%q: got %v and printed %q, want an error with %q", tc.args, err, out.String(), tc.says)
		}
	}
	s := serve(t, listen(t), 1, "no line end")
	var out bytes.Buffer
	if err := run([]string{"-addr", s.addr, "version"}, &out); err == nil || out.Len() > 0 {
		t.Errorf("a torn reply: got %v and printed %q, want an error", err, out.String())
	}
	<-s.got
}

func pkiFile(t *testing.T) string { return testkit.NewPKI(t).CAFile() }
