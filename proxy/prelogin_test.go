package proxy

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// loginRig is a rig whose clients have to log in.
func loginRig(t *testing.T, addr string, limits func(*Limits)) *rig {
	return startRig(t, addr, rigOptions{
		doc: logins(), users: usersOf(t, 1, "alice:sesame", "bob:open"), login: true, limits: limits,
	})
}

// TestNothingReachesMemcachedBeforeALogin sends every command of the table, alone
// and behind a wrong login, and looks at what memcached was sent.
func TestNothingReachesMemcachedBeforeALogin(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := loginRig(t, fake.Addr(), nil)
	before := fake.Received()
	for _, v := range protocol.Verbs() {
		for _, in := range []string{
			v.Name + " canary 0 0 6\r\ncanary\r\n",
			v.Name + " 0 canary\r\n",
			v.Name + "\r\n",
			v.Name + " noreply\r\n" + v.Name + " canary\r\nget canary\r\n",
		} {
			c := newClient(t, r.dial(t))
			c.send(in)
			if u, ok := c.Conn.(*net.UnixConn); ok {
				u.CloseWrite()
			}
			out, err := io.ReadAll(c.in)
			if err != nil {
				t.Fatalf("%q: %v", in, err)
			}
			for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\r\n"), "\r\n") {
				if line != "" && line+"\r\n" != protocol.Unauthenticated && line+"\r\n" != protocol.AuthBadToken {
					t.Errorf("%q: got %q", in, out)
				}
			}
			c.Close()
		}
	}
	if after := fake.Received(); !bytes.Equal(before, after) {
		t.Errorf("memcached was sent %q", after[len(before):])
	}
	if n := r.server.Metrics.Requests.Load(); n != 0 {
		t.Errorf("%d requests were served", n)
	}
}

func TestPlacesOfUnknownClientsAreBounded(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := loginRig(t, fake.Addr(), func(l *Limits) { l.MaxUnauthenticated, l.MaxPerSource = 2, 1 })
	first, second := r.client(t), r.client(t) // a socket's clients are not counted as one source
	first.asks("mn\r\n", "CLIENT_ERROR unauthenticated\r\n")
	second.asks("mn\r\n", "CLIENT_ERROR unauthenticated\r\n")
	r.client(t).wantsEnd()
	if n := r.server.Metrics.Refused.Load(); n != 1 {
		t.Errorf("%d clients were refused, want 1", n)
	}

	first.asks(login("alice", "sesame"), "STORED\r\n") // which gives its place back
	third := r.client(t)
	third.asks("mn\r\n", "CLIENT_ERROR unauthenticated\r\n")
	r.client(t).wantsEnd()

	second.Close()
	r.ends(t, EndClient)
	r.client(t).asks(login("bob", "open"), "STORED\r\n")
	first.asks("get alice:a\r\n", "END\r\n")
}

func TestPlacesOfOneSourceAreBounded(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{
		doc: logins(), users: usersOf(t, 1, "alice:sesame"), login: true, tcp: true,
		limits: func(l *Limits) { l.MaxUnauthenticated, l.MaxPerSource = 10, 1 },
	})
	dialFrom := func(addr string) *client {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}
		c, err := d.Dial("tcp", r.addr)
		if err != nil {
			t.Skipf("no such address here: %v", err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(10 * time.Second))
		return newClient(t, c)
	}
	here := dialFrom("127.0.0.1")
	here.asks("mn\r\n", "CLIENT_ERROR unauthenticated\r\n")
	inLine := dialFrom("127.0.0.1")
	others := []*client{dialFrom("127.0.0.1"), dialFrom("127.0.0.1")}
	dialFrom("127.0.0.1").wantsEnd() // a line of three is as long as it gets
	dialFrom("127.0.0.2").asks("mn\r\n", "CLIENT_ERROR unauthenticated\r\n")
	for _, c := range others {
		c.Close()
	}
	inLine.send("mn\r\n")
	here.asks(login("alice", "sesame"), "STORED\r\n")
	inLine.wants("CLIENT_ERROR unauthenticated\r\n")
}

// TestPlacesAreGivenBack makes many clients come and go in every way there is.
func TestPlacesAreGivenBack(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := loginRig(t, fake.Addr(), func(l *Limits) { l.MaxUnauthenticated, l.MaxPerSource = 1, 1 })
	for i, in := range []string{"", "quit\r\n", "\x80", "GET / HTTP/1.1\r\n", "mn\r\nmn\r\nmn\r\n", login("alice", "sesame"), login("alice", "no"), "set a 0 0 2000\r\n", "ge"} {
		c := r.client(t)
		c.send(in)
		if u, ok := c.Conn.(*net.UnixConn); ok {
			u.CloseWrite()
		}
		if _, err := io.ReadAll(c.in); err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		c.Close()
		testkit.Eventually(t, "the session to end", func() bool {
			return r.logs.FilterMessage("session ended").Len() == i+1
		})
	}
	if a := &r.server.listeners[0].admission; r.server.Metrics.Refused.Load() != 0 || a.all != 0 || len(a.sources) != 0 {
		t.Errorf("%d were refused, %d places are taken, %v", r.server.Metrics.Refused.Load(), a.all, a.sources)
	}
}

func TestLoginHasToComeInTime(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	short := func(l *Limits) { l.LoginTimeout = 100 * time.Millisecond }
	t.Run("silent", func(t *testing.T) {
		r := loginRig(t, fake.Addr(), short)
		r.client(t).wantsEnd()
		r.ends(t, EndLogin)
	})
	t.Run("dripping", func(t *testing.T) {
		r := loginRig(t, fake.Addr(), short)
		c := r.client(t)
		go func() {
			for range 5000 { // the time is not that of one read
				if _, err := c.Write([]byte("s")); err != nil {
					return
				}
				time.Sleep(2 * time.Millisecond)
			}
		}()
		c.wantsEnd()
		r.ends(t, EndLogin)
	})
	t.Run("unknown", func(t *testing.T) {
		r := startRig(t, fake.Addr(), rigOptions{doc: nobody(), limits: short})
		r.client(t).wantsEnd()
		cut := r.client(t)
		cut.send("\x80\x21")
		cut.wantsEnd()
		r.client(t).Close()
		r.ends(t, EndUnknown, EndUnknown, EndUnknown)
	})
	t.Run("in time", func(t *testing.T) {
		r := loginRig(t, fake.Addr(), func(l *Limits) { l.LoginTimeout = 500 * time.Millisecond })
		c := r.client(t)
		c.asks(login("alice", "sesame"), "STORED\r\n")
		time.Sleep(600 * time.Millisecond) // the limit does not outlive the login
		c.asks("get alice:a\r\n", "END\r\n")
	})
}

// TestLoginEndings tells every way in which a client that is not logged in ends.
func TestLoginEndings(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	for _, c := range []struct {
		in, out string
		end     End
	}{
		{"", "", EndClient},
		{"ge", "", EndClient},
		{"quit\r\n", "", EndQuit},
		{"\x80\x21", "", EndClient},
		{"\x81\x21", "", EndDialect},
		{"\x16\x03\x01", "", EndDialect},
		{"PRI * HTTP/2.0\r\n", "", EndLogin},
		{"set a 0 0 3\r\nabcdef\r\n", protocol.AuthBadEnd, EndLogin},
		{"set a 0 0 99999\r\n", protocol.Unauthenticated, EndLogin},
		{strings.Repeat("mn\r\n", 9), strings.Repeat(protocol.Unauthenticated, 3), EndLogin},
		{login("alice", "sesame"), protocol.Stored, EndClient},
		{login("alice", "sesame") + "quit\r\n", protocol.Stored, EndQuit},
	} {
		t.Run(c.in[:min(20, len(c.in))], func(t *testing.T) {
			r := loginRig(t, fake.Addr(), nil)
			cl := r.client(t)
			cl.send(c.in)
			cl.wants(c.out)
			if u, ok := cl.Conn.(*net.UnixConn); ok {
				u.CloseWrite()
			}
			cl.wantsEnd()
			r.ends(t, c.end)
		})
	}
}

func TestLoginsAreCounted(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := loginRig(t, fake.Addr(), nil)
	c := r.client(t)
	c.asks(login("alice", "wrong"), "CLIENT_ERROR authentication failure\r\n")
	c.asks("set a 0 0 5\r\nalice\r\n", "CLIENT_ERROR bad authentication token format\r\n")
	c.asks(login("alice", "sesame"), "STORED\r\n")
	m := r.server.Metrics
	if m.Logins.Load() != 1 || m.LoginFails.Load() != 1 {
		t.Errorf("%d logins and %d failures, want 1 and 1", m.Logins.Load(), m.LoginFails.Load())
	}
}

// TestSourceThatGuessesIsNotJudgedAnyMore shows that the answer stays the same.
func TestSourceThatGuessesIsNotJudgedAnyMore(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := loginRig(t, fake.Addr(), nil)
	for range 5 {
		c := r.client(t)
		for range 3 {
			c.asks(login("alice", "wrong"), "CLIENT_ERROR authentication failure\r\n")
		}
		c.wantsEnd()
	}
	reasons := map[string]int{}
	for _, e := range r.audit.all() {
		reasons[e.Reason]++
	}
	if reasons["wrong password"] < 10 || reasons["throttled"] == 0 || len(reasons) != 2 {
		t.Errorf("got reasons %v, want 10 of a wrong password and then throttled", reasons)
	}
}
