package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/proxy"
)

// stays connects to the listener app and stays there, after one request.
func (w *watched) stays(t *testing.T, line string) *bufio.ReadWriter {
	t.Helper()
	c, err := net.Dial("unix", w.dir+"/app")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriterSize(c, 0))
	w.says(t, s, line)
	return s
}

// says asks and returns the first line of the answer.
func (w *watched) says(t *testing.T, s *bufio.ReadWriter, line string) string {
	t.Helper()
	fmt.Fprint(s, line+"\r\n")
	s.Flush()
	answer, err := s.ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return strings.TrimSpace(answer)
}

// statusNow is the status of the daemon.
func (w *watched) statusNow(t *testing.T) *status.Document {
	t.Helper()
	o := w.call(t, "status", "-o", "json")
	d := new(status.Document)
	if err := json.Unmarshal([]byte(o.out), d); err != nil || o.code != exitOK {
		t.Fatalf("exit %d, %v: %s%s", o.code, err, o.out, o.err)
	}
	return d
}

// clientsNow is the clients of the daemon.
func (w *watched) clientsNow(t *testing.T, args ...string) (list []proxy.ClientInfo) {
	t.Helper()
	o := w.call(t, append([]string{"clients", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(o.out), &list); err != nil || o.code != exitOK {
		t.Fatalf("exit %d, %v: %s%s", o.code, err, o.out, o.err)
	}
	return list
}

func TestStatusOfARunningSlabgate(t *testing.T) {
	w := startWatched(t)
	w.asks(t, "get other:1", "flush_all", "flush_all")
	w.stays(t, "get web:1")
	if !eventually(func() bool {
		d := w.statusNow(t)
		return d.Upstream.Up && d.Traffic.Total.Requests == 4 && d.Clients.Total == 1
	}) {
		t.Fatalf("got %+v", w.statusNow(t))
	}
	d := w.statusNow(t)
	switch {
	case d.Schema != status.Schema, d.Build.Version != release, d.Config.Generation != 1, d.Config.Reload != nil:
		t.Errorf("got %+v", d)
	case len(d.Listeners) != 2, d.Listeners[1].Clients != 1, d.Listeners[1].Name != "app":
		t.Errorf("got the listeners %+v", d.Listeners)
	case len(d.Certificates) != 2, d.Certificates[0].Days < 5, d.Certificates[0].Subject == "", d.Certificates[0].Usage != "server", d.Certificates[1].Usage != "ca":
		t.Errorf("got the certificates %+v", d.Certificates)
	case d.Upstream.Version == "", d.Upstream.RoundTrip <= 0:
		t.Errorf("got the upstream %+v", d.Upstream)
	case !d.Plaintext.Breaks.Safe, d.Clients.Groups[0].Identity != "web", d.Clients.Groups[0].Transport != "unix":
		t.Errorf("got %+v, %+v", d.Plaintext, d.Clients)
	case len(d.Warnings) == 0:
		t.Error("a development certificate is no warning")
	}
	g := d.Denials.Groups
	if len(g) != 2 || g[0].Command != "flush_all" || g[0].Count != 2 || g[1].Fix != `add "prefix:other:" to read: of identities.web.rules[0]` {
		t.Errorf("got the denials %+v", g)
	}
	w.call(t, "status").want(t, exitOK, "slabgate "+release, "upstream ok ", "PLAINTEXT LEFT  0 clients", "DENIED  3 in 2 groups",
		"         fix  add \"prefix:other:\"", "CLIENTS  1  unix 1", "  web                  unix           1 ")
	w.stop(t)
}

func TestStatusTellsOfReloads(t *testing.T) {
	w := startWatched(t)
	w.edit(t, "policy.yaml", "@rw", "@nonsense")
	w.hangUp(t, `"msg":"reload refused"`)
	d := w.statusNow(t)
	if r := d.Config.Reload; r == nil || r.Taken || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "@nonsense") || d.Config.Generation != 1 {
		t.Errorf("refused: got %+v, %+v", d.Config, r)
	}
	w.edit(t, "policy.yaml", "@nonsense", "@read")
	w.hangUp(t, `"msg":"reloaded"`)
	if c := w.statusNow(t).Config; c.Reload == nil || !c.Reload.Taken || c.Generation != 2 || !c.Loaded.Equal(c.Reload.Time) || c.Digest == d.Config.Digest {
		t.Errorf("taken: got %+v, %+v", c, c.Reload)
	}
	w.stop(t)
}

func TestStatusTellsThatMemcachedIsDown(t *testing.T) {
	w := startWatched(t, "--set", "upstreams.local.address=unix:/nonexistent/mc.sock")
	var d *status.Document
	if !eventually(func() bool { d = w.statusNow(t); return !d.Upstream.Checked.IsZero() }) || d.Upstream.Up || d.Upstream.Error == "" {
		t.Errorf("got %+v", d.Upstream)
	}
	w.call(t, "status").want(t, exitOK, "upstream DOWN ")
	w.stop(t)
}

// Plaintext over TCP is what is left to be done: who came, even if it is gone, and
// what refusing it would break.
func TestStatusTellsWhoIsLeftOnPlaintext(t *testing.T) {
	w := startWatched(t)
	w.stop(t)
	w.edit(t, "slabgate.yaml", "unix:"+w.dir+"/app", "127.0.0.1:0")
	w.running = w.start(t)
	c, err := net.Dial("tcp", w.statusNow(t).Listeners[1].Address)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "quit\r\n")
	var p status.Plaintext
	if !eventually(func() bool { p = w.statusNow(t).Plaintext; return p.Total == 1 && p.Connections == 0 }) {
		t.Fatalf("got %+v", p)
	}
	c.Close()
	if s := p.Clients[0]; s.Address != "127.0.0.1" || s.Identity != "web" || s.Dialect != "ascii" || p.Breaks.Total != 1 || p.Breaks.Safe {
		t.Errorf("got %+v, %+v", s, p.Breaks)
	}
	w.call(t, "status").want(t, exitOK, "enforcing now would break 1: web", "  127.0.0.1 ")
	w.call(t, "clients").want(t, exitOK, "ID  IDENTITY")
	w.call(t, "clients", "--plaintext").want(t, exitOK, "PLAINTEXT  1 client since 20", "\n127.0.0.1  web       ascii    0      1    0     ")
	w.call(t, "clients", "--plaintext", "-o", "csv").want(t, exitOK, "address,identity,dialect,connections,requests,denied,first_seen,last_seen\n127.0.0.1,web,ascii,0,1,0,20")
	w.call(t, "clients", "--plaintext", "-o", "json").want(t, exitOK, `"since": "20`, `"address": "127.0.0.1"`)
	w.call(t, "clients", "--plaintext", "--denied").want(t, exitOK, "PLAINTEXT  0 clients")
	w.stop(t)
}

// What found no room is said.
func TestPlaintextTellsWhatIsForgotten(t *testing.T) {
	var out strings.Builder
	if err := printPlaintext(&out, &status.SincePlaintext{Forgotten: 7}); err != nil || !strings.HasSuffix(out.String(), "\nand 7 more, forgotten for want of room\n") {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestClientsOfARunningSlabgate(t *testing.T) {
	w := startWatched(t)
	w.stays(t, "get web:1")
	w.stays(t, "get other:1")
	if !eventually(func() bool { l := w.clientsNow(t); return len(l) == 2 && l[0].Requests == 1 && l[1].Requests == 1 }) {
		t.Fatalf("got %+v", w.clientsNow(t))
	}
	if l := w.clientsNow(t, "--denied"); len(l) != 1 || l[0].ID != "c2" || l[0].Denied != 1 {
		t.Errorf("denied: got %+v", l)
	}
	w.call(t, "clients", "--plaintext").want(t, exitOK, "PLAINTEXT  0 clients since 20") // unix sockets are none
	w.call(t, "clients").want(t, exitOK, "ID  IDENTITY  PEER  TRANSPORT  DIALECT  AGE", "c1  web       unix  unix       ascii ")
	w.call(t, "clients", "-o", "csv").want(t, exitOK, "id,identity,peer,listener,transport,", "\nc2,web,unix,app,unix,,ascii,listener,,")
	w.call(t, "clients", "-o", "xml").want(t, exitUsage, `"xml" is not known`)
	w.stop(t)
}

func TestCSVIsNoFormula(t *testing.T) {
	for in, want := range map[string]string{"": "", "web": "web", "=1+1": "'=1+1", "@x": "'@x", "-a": "'-a", "a=1": "a=1"} {
		if got := harmless(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
