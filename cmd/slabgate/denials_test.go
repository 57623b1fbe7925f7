package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/denials"
	"github.com/slabgate/slabgate/internal/testkit"
)

// openPolicy lets whoever comes to the listener app read and write web:.
const openPolicy = `version: 1
categories: 1
identities:
  web:
    match: [{listener: app}]
    rules:
      - {id: own, allow: ["@rw"], keys: ["prefix:web:"]}
`

// watched is a running site with an admin socket and a listener that anybody may
// use.
type watched struct {
	*running
	site
	dir string // of its sockets
}

func startWatched(t *testing.T, args ...string) *watched {
	t.Helper()
	return startWatchedWith(t, "", args...)
}

// startWatchedWith has more in its slabgate.yaml.
func startWatchedWith(t *testing.T, more string, args ...string) *watched {
	t.Helper()
	return startWatchedOf(t, testkit.StartFake(t, testkit.FakeOptions{}).Addr(), more, args...)
}

// startWatchedOf is in front of the memcached at an address.
func startWatchedOf(t *testing.T, memcached, more string, args ...string) *watched {
	t.Helper()
	s := newSite(t)
	dir, err := os.MkdirTemp("", "adm") // with a path that is short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s.edit(t, "slabgate.yaml", "unix:/nonexistent/mc.sock", memcached)
	s.edit(t, "slabgate.yaml", "upstreams:", "  - {name: app, address: \"unix:"+dir+"/app\", transport: plaintext}\nadmin: {socket: "+dir+"/admin}\nupstreams:")
	s.write(t, "slabgate.yaml", s.read(t, "slabgate.yaml")+more)
	s.write(t, "policy.yaml", openPolicy)
	return &watched{s.start(t, args...), s, dir}
}

// asks sends lines to the listener and reads as many answers.
func (w *watched) asks(t *testing.T, lines ...string) {
	t.Helper()
	c, err := net.Dial("unix", w.dir+"/app")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for _, line := range lines {
		fmt.Fprint(c, line+"\r\n")
		if _, err := in.ReadString('\n'); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
}

// ids are the ids of the denials, the latest first.
func (w *watched) ids(t *testing.T) (ids []string) {
	t.Helper()
	o := slabgate(t, "denials", "-o", "json", "--socket", w.dir+"/admin")
	var d admin.Denials
	if err := json.Unmarshal([]byte(o.out), &d); err != nil || o.code != exitOK {
		t.Fatalf("exit %d, %v: %s%s", o.code, err, o.out, o.err)
	}
	for _, e := range d.Denials {
		ids = append(ids, e.ID)
	}
	return ids
}

func TestDenialsOfARunningSlabgate(t *testing.T) {
	w := startWatched(t)
	w.call(t, "denials").want(t, exitOK, "DENIED  0 of 0 kinds")
	w.asks(t, "get other:1", "get other:2", "flush_all", "get web:1")
	ids := w.ids(t)
	if len(ids) != 2 {
		t.Fatalf("got the ids %q, want two", ids)
	}
	w.call(t, "denials").want(t, exitOK, "DENIED  3 of 2 kinds",
		"  "+ids[0]+"  web  flush_all    x1  not granted           last ",
		"  "+ids[1]+"  web  get other:2  x2  key not covered, own  last ", "more:  slabgate explain "+ids[0])
	w.call(t, "denials", "--group").want(t, exitOK, "DENIED  3 in 2 groups",
		"  web  own      x2  get        prefix:other:  "+ids[1], "  web  no rule  x1  flush_all                 "+ids[0])
	w.call(t, "denials", "--group", "-o", "json").want(t, exitOK, `"verbs": [`, `"prefix:other:"`)
	w.await(t, `"id":"`+ids[1]+`"`)
	w.stop(t)
	if _, err := os.Lstat(w.dir + "/admin"); !os.IsNotExist(err) {
		t.Errorf("the socket of a slabgate that has stopped: %v", err)
	}
}

func TestExplainOfADenial(t *testing.T) {
	w := startWatched(t)
	w.asks(t, "get other:1", "get other:2")
	id := w.ids(t)[0]
	o := w.call(t, "explain", strings.ToLower(id))
	o.want(t, exitOK, id+"  x2 since ", "  client  unix on app, without TLS, by listener", `deny  get other:2 as "web": no allow rule that names the command covers the key`,
		"  rule    own", `  fix     add "prefix:other:" to read: of identities.web.rules[0]`)
	var x explained
	o = w.call(t, "explain", id, "-o", "json")
	if err := json.Unmarshal([]byte(o.out), &x); err != nil || x.Denial.Count != 2 || x.Verdict != "deny" || len(x.Steps) != 1 {
		t.Errorf("%v: got %+v of %s%s", err, x, o.out, o.err)
	}

	w.edit(t, "policy.yaml", "prefix:web:", "prefix:other:")
	w.hangUp(t, `"msg":"reloaded"`)
	w.call(t, "explain", id).want(t, exitOK, "  then    deny: key not covered, own", `allow  get other:2 as "web"`)
	w.edit(t, "policy.yaml", "  web:\n", "  site:\n")
	before := strings.Count(w.log.String(), `"msg":"reloaded"`)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the second reload", func() bool { return strings.Count(w.log.String(), `"msg":"reloaded"`) > before })
	w.call(t, "explain", id).want(t, exitFindings, `the policy has no identity "web" any more`, "fix:   ")
	w.stop(t)
}

func TestFollowedDenials(t *testing.T) {
	w := startWatched(t)
	w.asks(t, "get other:1")
	ctx, cancel := context.WithCancel(t.Context())
	var out buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"denials", "--follow", "--socket", w.dir + "/admin"}, stdio{strings.NewReader(""), &out, &out})
	}()
	wait := func(text string) {
		t.Helper()
		testkit.Eventually(t, text, func() bool { return strings.Contains(out.String(), text) })
	}
	wait("web  get other:1  x1  key not covered, own\n")
	w.asks(t, "get other:2")
	wait("web  get other:2  x2  key not covered, own\n")
	w.stop(t)
	if c := <-code; c != exitOK {
		t.Errorf("exit code %d at slabgate's end, want %d: %s", c, exitOK, out.String())
	}
	cancel()
}

func TestFlushOfARunningSlabgate(t *testing.T) {
	w := startWatched(t)
	w.call(t, "flush", "--namespace", "t/web").want(t, exitFindings, `the policy in force has no namespace "t/web"`, "fix:   ")
	w.edit(t, "policy.yaml", "  web:\n", "  web:\n    namespace: t/{identity}/\n")
	w.hangUp(t, `"msg":"reloaded"`)
	for _, name := range []string{"t/web", "t/web/", "web"} {
		w.call(t, "flush", "--namespace", name).want(t, exitOK, name+"  generation ", " -> ")
	}
	w.call(t, "flush", "--namespace", "t/other").want(t, exitFindings, `no namespace "t/other"`)
	w.call(t, "flush").want(t, exitUsage, `"namespace" not set`)
	w.stop(t)
}

func TestAskingSaysWhatIsWrong(t *testing.T) {
	s := newSite(t)
	s.call(t, "denials").want(t, exitUsage, "names no admin socket", "admin: {socket: /run/slabgate/admin.sock}")
	s.call(t, "denials", "--socket", s.path("none")).want(t, exitUnavailable, "no slabgate listens on "+s.path("none"), "fix:   start slabgate")
	s.call(t, "explain", "AAAAA", "--socket", s.path("none")).want(t, exitUnavailable, "no slabgate listens on")
	slabgate(t, "denials", "-c", s.path("nothing.yaml")).want(t, exitNoFile, "error SG1001")
	s.call(t, "denials", "-o", "xml").want(t, exitUsage, "want text or json")
	s.call(t, "denials", "--follow", "--group").want(t, exitUsage, "follow", "group")
	for _, args := range [][]string{
		{"explain"}, {"explain", "AAAAA", "--as", "web", "--cmd", "get a"}, {"explain", "--as", "web"}, {"explain", "AAAAA", "BBBBB"},
		{"explain", "--as", "web", "--cmd", "get a", "--socket", "/s"}, {"explain", "--cmd", "get a"},
	} {
		if o := s.call(t, args...); o.code != exitUsage || o.out != "" {
			t.Errorf("%q: got %+v, want exit %d", args, o, exitUsage)
		}
	}
}

func TestAskingForAnUnknownDenial(t *testing.T) {
	w := startWatched(t)
	w.call(t, "explain", "ZZZZZ").want(t, exitFindings, `no denial has the id "ZZZZZ"`, "slabgate denials lists the latest 1024")
	w.stop(t)
}

func TestRunRefusesAnAdminSocketItCannotBind(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	s := newSite(t)
	for socket, says := range map[string]string{
		s.path("policy.yaml"):                "is in the way and is no socket",
		filepath.Join(s.dir, "none", "sock"): "no such file",
	} {
		s.call(t, "run", "--allow-root", "--set", "admin.socket="+socket).want(t, exitPermission, "error SG1072", says, "name a path in admin.socket")
	}
}

func TestGroupDenials(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	entry := func(id, identity, rule, verb, shape string, n, last int64) denials.Entry {
		return denials.Entry{ID: id, Count: n, Last: at(last), Denial: denials.Denial{Identity: identity, Rule: rule, Verb: verb, Shape: shape}}
	}
	got := groupDenials([]denials.Entry{
		entry("A", "web", "own", "set", "prefix:b:", 1, 9), entry("B", "app", "", "flush_all", "", 5, 8),
		entry("C", "web", "own", "get", "prefix:a:", 3, 7), entry("D", "web", "own", "get", "prefix:b:", 2, 6),
	})
	if len(got) != 2 {
		t.Fatalf("got %d groups", len(got))
	}
	web, app := got[0], got[1]
	if web.Count != 6 || !web.Last.Equal(at(9)) || !slices.Equal(web.Verbs, []string{"get", "set"}) ||
		!slices.Equal(web.Shapes, []string{"prefix:a:", "prefix:b:"}) || !slices.Equal(web.IDs, []string{"A", "C", "D"}) {
		t.Errorf("got %+v", web)
	}
	if app.Count != 5 || app.Rule != "" || len(app.Shapes) != 0 {
		t.Errorf("got %+v", app)
	}
}

func TestAgo(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for d, want := range map[time.Duration]string{
		-time.Second: "last 0 s ago", 59 * time.Second: "last 59 s ago", time.Minute: "last 1 min ago",
		90 * time.Minute: "last 1 h ago", 50 * time.Hour: "last 2 d ago",
	} {
		if got := ago(now.Add(-d), now); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

// What a client sends must not move the cursor of whoever looks at it.
func TestDenialsAreShownAsText(t *testing.T) {
	e := &denials.Entry{}
	e.Sample.Line = "get \x1b[2J\xc2\x9b31m" + strings.Repeat("ä", commandWidth)
	if got := shown(e); strings.ContainsAny(got, "\x1b\u009b") || len([]rune(got)) != commandWidth || !strings.HasSuffix(got, "…") {
		t.Errorf("got %q", got)
	}
	if got := few([]string{"a", "b", "c", "d", "e", "f"}); got != "a b c d and 2 more" {
		t.Errorf("got %q", got)
	}
}
