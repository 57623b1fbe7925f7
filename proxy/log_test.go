package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
)

// canary is what no log may hold: it stands behind the part of a key that an
// audit may show, in values and in passwords.
const canary = "c4n4ry"

// lines are the messages that this package and the pool log.
var lines = []string{"session ended", "login refused", "server up", "server down", "connection burnt", "request denied"}

// TestLogsHoldNothingOfWhatClientsSend does everything wrong that can be done.
func TestLogsHoldNothingOfWhatClientsSend(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := loginRig(t, fake.Addr(), nil)
	key := strings.Repeat("k", 30) + canary
	before := []string{
		login("alice", canary), login(canary, "sesame"), "set " + canary + " 0 0 4\r\n" + canary[:4] + "\r\n", "get " + canary + "\r\n",
		"\x80" + canary, "GET /" + canary + " HTTP/1.1\r\n", canary, "set a 0 0 99999\r\n" + canary, "set a 0 0 2\r\n" + canary + "\r\n",
	}
	after := []string{
		"get " + key + "\r\n", "set " + key + " 0 0 6\r\n" + canary + "\r\n", "set alice:a 0 0 6\r\n" + canary + "\r\n", "get alice:a\r\n",
		"incr alice:a 1\r\n", canary + "\r\n", "get " + canary + "\t\r\n", "set alice:a 0 0 2\r\n" + canary + "\r\n", "stats " + canary + "\r\n",
		"set alice:" + canary + " 0 0 9\r\n" + canary, "set " + key + " 0 0 x\r\n", "delete " + key + " noreply\r\n", "delete alice:a " + canary + "\r\n",
	}
	for i, in := range append(before, after...) {
		c := newClient(t, r.dial(t))
		if i >= len(before) {
			c.asks(login("alice", "sesame"), "STORED\r\n")
		}
		c.send(in)
		c.Conn.(*net.UnixConn).CloseWrite()
		io.Copy(io.Discard, c.in)
		c.Close()
	}
	fake.CloseConns()
	c := newClient(t, r.dial(t))
	c.asks(login("alice", "sesame"), "STORED\r\n")
	fake.Inject(testkit.ErrorLine("SERVER_ERROR " + canary))
	c.send("get alice:" + canary + "\r\nmn\r\n")
	c.in.ReadString('M')
	c.Close()
	testkit.Eventually(t, "the sessions to end", func() bool {
		return r.logs.FilterMessage("session ended").Len() == len(before)+len(after)+1
	})

	for _, e := range r.logs.All() {
		if text := fmt.Sprint(e.Entry, e.ContextMap()); strings.Contains(text, canary) {
			t.Errorf("the log holds %s", text)
		}
		if !slices.Contains(lines, e.Message) {
			t.Errorf("the log says %q", e.Message)
		}
	}
	for _, e := range r.audit.all() {
		text, err := json.Marshal(e)
		if err != nil || strings.Contains(string(text), canary) {
			t.Errorf("the audit holds %s, %v", text, err)
		}
	}
}

func TestSessionHasOneLineThatSaysWhatItDid(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["error"](), tcp: true})
	c := r.client(t)
	c.asks("get app:a\r\nget b\r\nfoo\r\nset b 0 0 1 noreply\r\nx\r\n", "END\r\nCLIENT_ERROR access denied\r\nERROR\r\n")
	fake.CloseConns()
	fake.Inject(testkit.CloseBefore())
	c.asks("get app:a\r\nquit\r\n", "SERVER_ERROR upstream connection lost\r\n")
	c.wantsEnd()
	r.ends(t, EndQuit)
	e := r.logs.FilterMessage("session ended").All()[0]
	fields := e.ContextMap()
	for name, want := range map[string]any{
		"listener": "main", "identity": "app", "source": "listener", "end": "quit",
		"requests": int64(5), "malformed": int64(1), "denied": int64(2), "would_deny": int64(0), "upstream_failed": int64(1),
		"client": c.LocalAddr().String(),
	} {
		if fields[name] != want {
			t.Errorf("%s: got %v, want %v", name, fields[name], want)
		}
	}
	if e.Level != zap.InfoLevel {
		t.Errorf("it is a line of level %s", e.Level)
	}
	m := r.server.Metrics
	if m.Requests.Load() != 5 || m.Malformed.Load() != 1 || m.Denied.Load() != 2 || m.UpstreamFails.Load() != 1 || m.Accepted.Load() != 1 {
		t.Errorf("counted %d requests, %d malformed, %d denied, %d failures, %d clients",
			m.Requests.Load(), m.Malformed.Load(), m.Denied.Load(), m.UpstreamFails.Load(), m.Accepted.Load())
	}
}

func TestRefusedLoginIsLoggedAndAudited(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := loginRig(t, fake.Addr(), nil)
	c := r.client(t)
	c.asks(login("alice", "wrong"), "CLIENT_ERROR authentication failure\r\n")
	c.asks(login("zoe", "wrong"), "CLIENT_ERROR authentication failure\r\n")
	c.asks(login("alice", "sesame"), "STORED\r\n")
	entries := r.logs.FilterMessage("login refused").All()
	if len(entries) != 2 || entries[0].Level != zap.WarnLevel || entries[0].ContextMap()["mechanism"] != "ascii" {
		t.Errorf("the log says %v", entries)
	}
	var got []string
	for _, e := range r.audit.all() {
		got = append(got, string(e.Kind)+" "+e.Reason+" "+e.Listener+" "+e.Peer)
	}
	want := []string{"auth_fail wrong password main unix", "auth_fail unknown user main unix"}
	if !slices.Equal(got, want) {
		t.Errorf("got events %q, want %q", got, want)
	}
}

// TestEqualDenialsAreOneEventAndACount shows how a client that is denied all the
// time is written down.
func TestEqualDenialsAreOneEventAndACount(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["error"]()})
	c := r.client(t)
	c.send(strings.Repeat("get other:key-that-is-long\r\n", 5) + "delete other:a\r\nget z\r\nset z 0 0 1 noreply\r\nx\r\nflush_all\r\nmn\r\n")
	c.wants(strings.Repeat("CLIENT_ERROR access denied\r\n", 8) + "MN\r\n")
	want := []audit.Event{
		{Kind: audit.Deny, Verb: "get", Key: `"other:key-that-i"…`},
		{Kind: audit.Deny, Verb: "delete", Key: `"other:a"`},
		{Kind: audit.Deny, Verb: "set", Key: `"z"`},
		{Kind: audit.Deny, Verb: "flush_all"},
	}
	checkEvents(t, r.audit.all(), want)
	c.Close()
	r.ends(t, EndClient)
	checkEvents(t, r.audit.all(), append(want, audit.Event{Kind: audit.Deny, Verb: "get", Count: 5})) // besides the first
}

// checkEvents compares what the events of app are about.
func checkEvents(t *testing.T, got, want []audit.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d events, want %d: %+v", len(got), len(want), got)
	}
	for i, e := range got {
		w := want[i]
		if e.Kind != w.Kind || e.Verb != w.Verb || e.Key != w.Key || e.Count != w.Count || e.Identity != "app" || e.Listener != "main" || e.Peer != "unix" {
			t.Errorf("event %d: got %+v, want %+v", i, e, w)
		}
	}
}

func TestAuditModeIsWrittenDown(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["audit"]()})
	c := r.client(t)
	c.asks("get other:a\r\nget other:b\r\nget app:a\r\n", "END\r\nEND\r\nEND\r\n")
	c.Close()
	r.ends(t, EndClient)
	checkEvents(t, r.audit.all(), []audit.Event{
		{Kind: audit.WouldDeny, Verb: "get", Key: `"other:a"`},
		{Kind: audit.WouldDeny, Verb: "get", Count: 1}, // besides the first
	})
	if m := r.server.Metrics; m.WouldDeny.Load() != 2 || m.Denied.Load() != 0 {
		t.Errorf("counted %d that would be denied and %d that were", m.WouldDeny.Load(), m.Denied.Load())
	}
}

// TestKindsOfDenialsAreBounded gives a session more kinds of denials than it
// keeps apart.
func TestKindsOfDenialsAreBounded(t *testing.T) {
	var ds denied
	firsts := 0
	for round := range 3 {
		for i := range 3 * maxDenials {
			if ds.add(denial{kind: audit.Deny, verb: "v" + itoa(i), reason: policy.ReasonNoRule}) {
				firsts++
				if round > 0 {
					t.Errorf("denial %d is a first one in round %d", i, round)
				}
			}
		}
	}
	if len(ds) != maxDenials+1 || firsts != maxDenials+1 {
		t.Errorf("%d kinds are kept, %d were first ones; want %d", len(ds), firsts, maxDenials+1)
	}
	total := int64(0)
	for _, n := range ds {
		total += n
	}
	if total != 9*maxDenials || ds[denial{kind: audit.Deny, verb: "other"}] != 6*maxDenials {
		t.Errorf("%d denials are counted, %d of them as others", total, ds[denial{kind: audit.Deny, verb: "other"}])
	}
}

// TestPanicEndsOneSession makes one session panic and looks after the others.
func TestPanicEndsOneSession(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["error"](), panics: 3})
	r.audit.panics = func(e audit.Event) bool { return e.Key == `"boom"` }
	other := r.client(t)
	other.asks("set app:a 0 0 1\r\n1\r\n", "STORED\r\n")
	for range 3 {
		c := r.client(t)
		c.send("get app:a\r\nget boom\r\nget app:a\r\n")
		c.wantsEnd()
		other.asks("get app:a\r\n", "VALUE app:a 0 1\r\n1\r\nEND\r\n")
	}
	r.ends(t, EndBug, EndBug, EndBug)
	if n := r.logs.FilterField(zap.String("end", string(EndBug))).FilterLevelExact(zap.ErrorLevel).Len(); n != 3 {
		t.Errorf("%d panics were logged as errors", n)
	}
}

func TestReasonsOfRefusedLoginsAreAClosedSet(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&auth.DeniedError{Reason: auth.ReasonPassword}, "wrong password"},
		{fmt.Errorf("verify: %w", &auth.DeniedError{Reason: auth.ReasonExpired}), "expired secret"},
		{auth.ErrThrottled, "throttled"},
		{auth.ErrBusy, "busy"},
		{auth.ErrPanic, "refused"},
		{&policy.IdentifyError{Subject: canary}, "refused"},
	} {
		if got := reasonOf(c.err); got != c.want {
			t.Errorf("%v: got %q, want %q", c.err, got, c.want)
		}
	}
}
