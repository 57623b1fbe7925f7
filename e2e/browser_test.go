package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A crowd: so many clients without TLS, of so many identities, each of which is
// denied something once. One more identity comes with TLS, and would be denied.
const (
	crowdClients    = 1000
	crowdIdentities = 199
)

// seen is what a reader sees of the page in one look.
type seen struct {
	Title    string
	Sections map[string]struct {
		Text, Verdict string
		Rows          [][]string
		Commands      []string
	}
	Plots    int
	Stale    bool
	Wrong    []string
	Overflow int
}

// app is the name of an identity of the crowd.
func app(i int) string { return fmt.Sprintf("app-%03d", i%crowdIdentities) }

// crowdPolicy tells the crowd apart by address.
func crowdPolicy() string {
	var b strings.Builder
	b.WriteString(`version: 1
categories: 1
identities:
  trial:
    match: [{tls: {uri: "spiffe://test/blog"}}]
    mode: audit
    rules: [{id: own, allow: ["@rw"], keys: ["prefix:trial:"]}]
`)
	for i := range crowdIdentities {
		fmt.Fprintf(&b, "  %s:\n    weak_ok: true\n    match: [{from: [\"127.2.%d.0/24\"]}]\n    rules: [{id: own, allow: [\"@read\"], keys: [\"prefix:%s:\"]}]\n", app(i), i, app(i))
	}
	return b.String()
}

// asks asks on a connection and compares the start of the answer.
func asks(t *testing.T, c net.Conn, line, want string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, line+"\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.HasPrefix(got, want) {
		t.Fatalf("%s: got %q, %v, want %q", line, got, err, want)
	}
}

// comes has the crowd come, and stay until the test ends.
func (s *site) comes(t *testing.T, d *daemon) {
	t.Helper()
	for i := range crowdClients {
		from := net.IPv4(127, 2, byte(i%crowdIdentities), byte(1+i/crowdIdentities))
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: patience}
		c, err := dialer.Dial("tcp", d.addr(t, "plain"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		asks(t, c, "get "+app(i)+":1", "END")
		if i < crowdIdentities {
			asks(t, c, "get other:1", "CLIENT_ERROR")
		}
	}
	asks(t, s.dial(t, d, "blog"), "get other:1", "END")
}

// picturesDir is where pictures of the page are left for people: the folder that
// SLABGATE_PICTURES names, or else one at the root of the tree that git ignores.
func picturesDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SLABGATE_PICTURES")
	if dir == "" {
		dir = filepath.Join("..", "pictures")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// browserTime bounds all looks at a page.
const browserTime = 3 * time.Minute

// needBrowser returns what opens the page at an address in a browser, in each of its
// looks, or skips the test.
func needBrowser(t *testing.T) (look func(url string) map[string]seen) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIP: node is not installed: apt-get install nodejs npm")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("SKIP: chromium is not installed: apt-get install chromium")
	}
	modules := nodeModules(t, "playwright-core")
	return func(url string) map[string]seen {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), browserTime)
		defer cancel()
		cmd := exec.CommandContext(ctx, node, clientSource("playwright_page.js"), url, chromium, picturesDir(t))
		cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("the browser: %v\n%s", err, said.String())
		}
		views := map[string]seen{}
		if err := json.Unmarshal(out, &views); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return views
	}
}

// TestPageOfACrowdInABrowser: whoever opens it, and has never seen slabgate, reads
// who is left on plaintext, what breaks if that is refused, and what to type.
func TestPageOfACrowdInABrowser(t *testing.T) {
	look := needBrowser(t)
	s := newSite(t, memcached(t).Addr())
	s.write(t, "policy.yaml", crowdPolicy())
	s.edit(t, "slabgate.yaml", "reload:", "admin: {http: \"127.0.0.1:0\", socket: @DIR@/admin.sock}\nreload:")
	d := s.start(t)
	s.comes(t, d)
	var served struct{ Address string }
	if err := json.Unmarshal([]byte(d.await(t, "admin http served").raw), &served); err != nil {
		t.Fatal(err)
	}
	views := look("http://" + served.Address + "/")
	if len(views) != 4 {
		t.Errorf("it was looked at in %d ways, want 4", len(views))
	}
	for name, v := range views {
		t.Run(name, func(t *testing.T) {
			plots := 3
			if name == "plain" { // without JavaScript
				plots = 0
			}
			if len(v.Wrong) > 0 || v.Plots != plots || v.Stale || v.Overflow > 0 || !strings.HasPrefix(v.Title, "slabgate ") {
				t.Errorf("%q: %d plots, stale %v, %d pixels too wide, and wrong: %q", v.Title, v.Plots, v.Stale, v.Overflow, v.Wrong)
			}
			v.tellsWhoIsOnPlaintext(t)
			v.tellsWhatBreaks(t)
			v.tellsWhatIsDenied(t)
		})
	}
	if t.Failed() {
		return
	}
	s.typesWhatItSays(t, views["wide"])
}

func (v seen) tellsWhoIsOnPlaintext(t *testing.T) {
	t.Helper()
	plain := v.Sections["Plaintext left"]
	if text := plain.Text; !strings.Contains(text, "1000 clients in 24 hours, 1000 connections now") || !strings.Contains(text, "and 800 more") {
		t.Errorf("plaintext: got %.200q", text)
	}
	config := slices.IndexFunc(plain.Commands, func(c string) bool { return strings.HasSuffix(c, "/slabgate.yaml") })
	types := slices.Delete(slices.Clone(plain.Commands), max(0, config), config+1)
	if len(plain.Rows) != 200 || !slices.Equal(types, []string{
		"mode: enforce", "slabgate check", "slabgate reload", "slabgate check", "systemctl restart slabgate", "slabgate clients --plaintext -o csv",
	}) {
		t.Fatalf("plaintext: %d rows, and the commands %q", len(plain.Rows), plain.Commands)
	}
	addresses := map[string]bool{}
	for _, row := range plain.Rows {
		addresses[row[0]] = true
		if !strings.HasPrefix(row[0], "127.2.") || !strings.HasPrefix(row[1], "app-") || row[2] != "ascii" || row[3] != "1" {
			t.Errorf("got the client %q", row)
		}
	}
	if len(addresses) != 200 {
		t.Errorf("got %d addresses, want 200", len(addresses))
	}
}

func (v seen) tellsWhatBreaks(t *testing.T) {
	t.Helper()
	verdict := v.Sections["Plaintext left"].Verdict
	for _, want := range []string{
		fmt.Sprintf("Enforcing now would break %d.", crowdClients+1), "Without TLS: " + app(0) + ", ", app(crowdIdentities-1) + ".", "Would be denied: trial.",
	} {
		if !strings.Contains(verdict, want) {
			t.Errorf("no %q in the verdict %q", want, verdict)
		}
	}
}

func (v seen) tellsWhatIsDenied(t *testing.T) {
	t.Helper()
	denied := v.Sections["Denied"]
	if len(denied.Rows) != crowdIdentities+1 || !strings.Contains(denied.Text, "200 in 200 groups") {
		t.Fatalf("denied: %d rows, %.200q", len(denied.Rows), denied.Text)
	}
	who := map[string]bool{}
	for _, row := range denied.Rows {
		who[row[0]] = true
		served := strings.Contains(row[3], "(audit: served)")
		fix := fmt.Sprintf(`add "prefix:other:" to read: of identities.%s.rules[0]`, row[0])
		if row[2] != "1" || row[4] != fix || !strings.HasPrefix(row[5], "slabgate explain ") || served != (row[0] == "trial") {
			t.Errorf("got the denial %q", row)
		}
	}
	if len(who) != crowdIdentities+1 {
		t.Errorf("got %d identities, want %d", len(who), crowdIdentities+1)
	}
}

// typesWhatItSays types the commands that stand on the page, on the host.
func (s *site) typesWhatItSays(t *testing.T, v seen) {
	t.Helper()
	typed := func(command string) string {
		args := strings.Fields(command)[1:]
		code, said := s.call(t, "", append(args, "--socket", s.path("admin.sock"))...)
		if code != 0 {
			t.Errorf("%s: exit %d: %s", command, code, said)
		}
		return said
	}
	if said := typed("slabgate clients --plaintext -o csv"); strings.Count(said, "\n") != 1+crowdClients {
		t.Errorf("%d lines, want %d: %.200s", strings.Count(said, "\n"), 1+crowdClients, said)
	}
	for _, row := range v.Sections["Denied"].Rows[:3] {
		if said := typed(row[5]); !strings.Contains(said, row[4]) {
			t.Errorf("%s does not say %s:\n%s", row[5], row[4], said)
		}
	}
}
