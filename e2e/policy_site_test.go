package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// policyConfig is the configuration of a site whose policy is what matters.
// @LISTENERS@ are listeners besides main.
const policyConfig = `version: 1
listeners:
  - name: main
    address: "127.0.0.1:0"
    transport: tls
    tls: {cert: @DIR@/server.pem, key: @DIR@/server-key.pem, client_ca: @DIR@/ca.pem, client_auth: request}
@LISTENERS@
upstreams:
  - {name: local, address: "@MC@"}
logins: {ascii: [memcached], sasl: [PLAIN], users: @DIR@/users.yaml}
policy: @DIR@/policy.yaml
state: @DIR@/state
admin: {socket: @DIR@/admin.sock}
limits: {max_per_source: 256}
log: {level: debug, format: json}
audit: {sinks: [{file: @DIR@/audit.jsonl}]}
`

// newPolicySite makes a site with a policy, a state folder and an admin socket,
// and with plaintext listeners of these names.
func newPolicySite(t *testing.T, mc, policy string, listeners ...string) *site {
	t.Helper()
	s := newSite(t, mc)
	if err := os.Mkdir(s.path("state"), 0o700); err != nil {
		t.Fatal(err)
	}
	var more strings.Builder
	for _, name := range listeners {
		fmt.Fprintf(&more, "  - {name: %s, address: \"127.0.0.1:0\", transport: plaintext}\n", name)
	}
	s.write(t, "slabgate.yaml", strings.Replace(policyConfig, "@LISTENERS@\n", more.String(), 1))
	s.write(t, "policy.yaml", policy)
	return s
}

// example is a worked example as it is shipped, with the given texts, each of
// which must be there, replaced.
func example(t *testing.T, name string, replace ...string) string {
	t.Helper()
	data, err := os.ReadFile("../deploy/examples/policies/" + name)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			t.Fatalf("%s does not hold %q", name, replace[i])
		}
		text = strings.ReplaceAll(text, replace[i], replace[i+1])
	}
	return text
}

// tap stands between slabgate and memcached, and keeps what slabgate sends.
type tap struct {
	*relay
	mu   sync.Mutex
	sent bytes.Buffer
}

// tapped is a connection to memcached whose bytes a tap keeps.
type tapped struct {
	net.Conn
	tap *tap
}

func (c tapped) Write(b []byte) (int, error) {
	c.tap.mu.Lock()
	c.tap.sent.Write(b)
	c.tap.mu.Unlock()
	return c.Conn.Write(b)
}

// newTap listens in front of a memcached until the test ends.
func newTap(t *testing.T, mc string) *tap {
	t.Helper()
	w := &tap{}
	w.relay = newRelay(t, func() (net.Conn, error) {
		c, err := net.Dial("tcp", mc)
		return tapped{c, w}, err
	})
	return w
}

// heard reports whether memcached was sent text.
func (w *tap) heard(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Contains(w.sent.Bytes(), []byte(text))
}

// wantUnheard fails the test if memcached was sent any of the texts, or was not
// sent what shows that the tap works.
func (w *tap) wantUnheard(t *testing.T, sure string, texts ...string) {
	t.Helper()
	if !w.heard(sure) {
		t.Errorf("memcached was not sent %q", sure)
	}
	for _, text := range texts {
		if w.heard(text) {
			t.Errorf("memcached was sent %q", text)
		}
	}
}

// dumped is a key in memcached's list of all keys.
var dumped = regexp.MustCompile(`(?m)^key=(\S+) `)

// keysOf asks memcached itself for its keys.
func keysOf(t *testing.T, mc *testkit.Memcached) (keys []string) {
	t.Helper()
	c, err := net.Dial("tcp", mc.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "lru_crawler metadump hash\r\n"); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for !bytes.HasSuffix(got, []byte("END\r\n")) {
		buf := make([]byte, 64<<10)
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, buf[:n]...)
	}
	for _, m := range dumped.FindAllSubmatch(got, -1) {
		key, err := url.PathUnescape(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// generationsOf returns the generations under which memcached has a key of a root,
// as the pattern says: it stands for what is after the generation.
func generationsOf(t *testing.T, mc *testkit.Memcached, root, rest string) (list []string) {
	t.Helper()
	form := regexp.MustCompile(`^` + regexp.QuoteMeta(root) + `(\d+)` + rest + `$`)
	for _, key := range keysOf(t, mc) {
		if m := form.FindStringSubmatch(key); m != nil {
			list = append(list, m[1])
		}
	}
	return list
}

// dialAs connects in a dialect to the listener called name.
func (d *daemon) dialAs(t *testing.T, speaks dialect, name string) *speaker {
	t.Helper()
	return speaks.speak(d.dialTo(t, name))
}

// logIn connects in a dialect over TLS, and logs in.
func (s *site) logIn(t *testing.T, d *daemon, speaks dialect, user, password string) *speaker {
	t.Helper()
	c := speaks.speak(s.dial(t, d, ""))
	if got := c.ask(c.login(user, password)); got.word != "ok" {
		t.Fatalf("%s: the login of %s: got %q", speaks.name, user, got)
	}
	return c
}

// askAdmin gets a page of the daemon's admin socket.
func (s *site) askAdmin(t *testing.T, page string) string {
	t.Helper()
	dial := func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", s.path("admin.sock")) }
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: patience}
	reply, err := client.Get("http://slabgate" + page)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s: got %s, %v: %s", page, reply.Status, err, body)
	}
	return string(body)
}
