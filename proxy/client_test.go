package proxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/testkit"
)

// client is a person at a telnet prompt.
type client struct {
	net.Conn
	t  testing.TB
	in *bufio.Reader
}

func newClient(t testing.TB, c net.Conn) *client {
	return &client{Conn: c, t: t, in: bufio.NewReader(c)}
}

func (r *rig) client(t testing.TB) *client {
	t.Helper()
	return newClient(t, r.dial(t))
}

// send sends text as it is. That the proxy has hung up shows when it is read.
func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("send %.64q: %v", text, err)
	}
}

// wants reads exactly what it wants, and stops at the first wrong byte.
func (c *client) wants(want string) {
	c.t.Helper()
	got := make([]byte, 0, len(want))
	for i := range len(want) {
		b, err := c.in.ReadByte()
		if err != nil {
			c.t.Fatalf("got %.200q, then %v, want %.200q", got, err, want)
		}
		got = append(got, b)
		if b != want[i] {
			rest, _ := c.in.Peek(c.in.Buffered())
			c.t.Fatalf("got %.200q, want %.200q", append(got, rest...), want)
		}
	}
}

// asks sends a request and reads the answer.
func (c *client) asks(request, want string) {
	c.t.Helper()
	c.send(request)
	c.wants(want)
}

// wantsEnd reads the end of the connection, and nothing before it, and hangs up.
func (c *client) wantsEnd() {
	c.t.Helper()
	got, err := io.ReadAll(c.in)
	if errors.Is(err, os.ErrDeadlineExceeded) || len(got) > 0 {
		c.t.Fatalf("got %.200q, then %v, want the end of the connection", got, err)
	}
	c.Close()
}

// world is a certificate authority with a server's certificate.
type world struct {
	pki    *testkit.PKI
	server *tls.Config
	known  *tls.Config // of the client app; made when it is first asked for
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{pki: testkit.NewPKI(t)}
	w.server = w.newServer(t)
	return w
}

// newServer is what a listener serves with, under a certificate of its own.
func (w *world) newServer(t testing.TB) *tls.Config {
	t.Helper()
	certFile, keyFile := w.pki.Server(t, "slabgate.test")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates:           []tls.Certificate{pair},
		ClientCAs:              w.pki.Pool(),
		ClientAuth:             tls.VerifyClientCertIfGiven,
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
	}
}

// client is what a client with such a certificate dials with.
func (w *world) client(t testing.TB, spec testkit.ClientSpec) *tls.Config {
	t.Helper()
	return w.pki.ClientTLS(&w.pki.Client(t, spec).TLS, "slabgate.test")
}

// stranger is what a client without a certificate dials with.
func (w *world) stranger() *tls.Config { return w.pki.ClientTLS(nil, "slabgate.test") }

// appURI names the client that the tests' policies call app.
const appURI = "spiffe://corp/ns/shop/sa/app"

func (w *world) app(t testing.TB) *tls.Config {
	t.Helper()
	if w.known == nil {
		w.known = w.client(t, testkit.ClientSpec{URI: []string{appURI}})
	}
	return w.known
}

// usersOf makes users from "name:password" pairs; a name alone is disabled.
func usersOf(t testing.TB, generation uint64, pairs ...string) *auth.Users {
	t.Helper()
	var list []auth.User
	for _, pair := range pairs {
		name, password, ok := strings.Cut(pair, ":")
		if !ok {
			password = "never used"
		}
		record, err := auth.NewRecord(auth.Secret(password), auth.MinIterations, testRand{})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, auth.User{Name: name, Disabled: !ok, Secrets: []auth.StoredSecret{{Record: record}}})
	}
	users, found := auth.NewUsers(list, generation)
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return users
}

// testRand is a source of salts that are all alike.
type testRand struct{}

func (testRand) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(i)
	}
	return len(b), nil
}

// login is the set that logs a client in.
func login(user, password string) string {
	token := user + " " + password
	return "set auth 0 0 " + itoa(len(token)) + "\r\n" + token + "\r\n"
}
