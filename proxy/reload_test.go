package proxy

import (
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/testkit"
)

// gate lets every request to a fake wait until open is closed. asked gets each
// as it comes.
type gate struct {
	asked chan string
	open  chan struct{}
}

func holdRequests(fake *testkit.Fake) *gate {
	g := &gate{asked: make(chan string, 100), open: make(chan struct{})}
	fake.OnRequest(func(_ int, req []byte) testkit.Fault {
		g.asked <- string(req)
		<-g.open
		return testkit.Fault{}
	})
	return g
}

func TestReloadThatDropsAnIdentityEndsItsSessions(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	o := rigOptions{doc: policies["everything"](), tls: w.server, clients: w.app(t)}
	r := startRig(t, fake.Addr(), o)
	idle, reading, waiting := r.client(t), r.client(t), r.client(t)
	idle.asks("mn\r\n", "MN\r\n")
	reading.asks("mn\r\nset a 0 0 5\r\nab", "MN\r\n")
	g := holdRequests(fake)
	waiting.send("get a\r\n")
	<-g.asked

	r.server.Swap(o.snapshot(t, nobody()))
	idle.wantsEnd()
	reading.wantsEnd()
	waiting.wantsEnd() // at once: memcached has not answered yet
	close(g.open)
	r.ends(t, EndRevoked, EndRevoked, EndRevoked)
	for _, e := range r.audit.all() {
		if e.Kind != audit.Revoke || e.Identity != "app" {
			t.Errorf("got event %+v, want that app was revoked", e)
		}
	}
	if n := len(r.audit.all()); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
	c := r.client(t)
	c.asks("get a\r\n", "CLIENT_ERROR unauthenticated\r\n")
	c.wantsEnd()
}

// TestReloadEndsASessionThatIsWriting shows that a client that does not read is
// cut off as well, and that nobody waits for it.
func TestReloadEndsASessionThatIsWriting(t *testing.T) {
	w := newWorld(t)
	for name, o := range map[string]rigOptions{
		"plain": {doc: policies["everything"]()},
		"tls":   {doc: policies["everything"](), tls: w.server, clients: w.app(t)},
	} {
		t.Run(name, func(t *testing.T) {
			fake := testkit.StartFake(t, testkit.FakeOptions{})
			r := startRig(t, fake.Addr(), o)
			c := r.client(t)
			c.asks("set a 0 0 1000000\r\n"+strings.Repeat("v", 1000000)+"\r\n", "STORED\r\n")
			c.send(strings.Repeat("get a\r\n", 20))
			if _, err := c.in.Peek(1); err != nil { // it has begun
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
			r.server.Swap(o.snapshot(t, nobody()))
			r.ends(t, EndRevoked)
			io.Copy(io.Discard, c) // what the kernel holds may still come
		})
	}
}

func TestReloadThatDropsAUserEndsItsSessions(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	for _, c := range []struct {
		name  string
		users []string // of the new file; nil is no file at all
		end   bool
	}{
		{"kept", []string{"alice:sesame", "bob:open"}, false},
		{"with another password", []string{"alice:other"}, true},
		{"removed", []string{"bob:open"}, true},
		{"disabled", []string{"alice", "bob:open"}, true},
		{"with the whole file", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := rigOptions{doc: logins(), users: usersOf(t, 1, "alice:sesame", "bob:open"), login: true}
			r := startRig(t, fake.Addr(), o)
			cl := r.client(t)
			cl.asks(login("alice", "sesame"), "STORED\r\n")
			o.users = nil
			if c.users != nil {
				o.users = usersOf(t, 2, c.users...)
			}
			r.server.Swap(o.snapshot(t, o.doc))
			if !c.end {
				cl.asks("get alice:a\r\n", "END\r\n")
				return
			}
			cl.wantsEnd()
			r.ends(t, EndRevoked)
		})
	}
}

// TestReloadBeforeALogin shows that a login is judged by what is in force then.
func TestReloadBeforeALogin(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	o := rigOptions{doc: logins(), users: usersOf(t, 1, "alice:sesame"), login: true}
	r := startRig(t, fake.Addr(), o)
	c := r.client(t)
	c.asks(login("bob", "open"), "CLIENT_ERROR authentication failure\r\n")
	o.users = usersOf(t, 2, "bob:open")
	r.server.Swap(o.snapshot(t, o.doc))
	c.asks(login("alice", "sesame"), "CLIENT_ERROR authentication failure\r\n")
	c.asks(login("bob", "open"), "STORED\r\n")
}

func TestReloadChangesTheNextRequest(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	o := rigOptions{doc: policies["everything"]()}
	r := startRig(t, fake.Addr(), o)
	c := r.client(t)
	c.asks("get b\r\n", "END\r\n")
	for _, step := range []struct {
		policy, want string
	}{
		{"error", "CLIENT_ERROR access denied\r\n"},
		{"quiet", "END\r\n"},
		{"no-rule", "CLIENT_ERROR access denied\r\n"},
		{"only-read", "END\r\n"},
	} {
		r.server.Swap(o.snapshot(t, policies[step.policy]()))
		c.asks("get b\r\n", step.want)
	}
}

// TestReloadMayMakeAClientSomebodyElse shows that a session goes on under the
// name that its client has now.
func TestReloadMayMakeAClientSomebodyElse(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	o := rigOptions{doc: policies["everything"]()}
	r := startRig(t, fake.Addr(), o)
	c := r.client(t)
	c.asks("get b\r\n", "END\r\n")
	r.server.Swap(o.snapshot(t, everything("main")))
	c.asks("get b\r\n", "END\r\n")
	c.Close()
	r.ends(t, EndClient)
	if got := r.logs.FilterMessage("session ended").All()[0].ContextMap()["identity"]; got != "anyone" {
		t.Errorf("it ended as %q, want anyone", got)
	}
}

// TestNobodySlipsThroughAReload lets clients come while the policy keeps
// changing, and looks that none is left that the last policy does not know.
func TestNobodySlipsThroughAReload(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	o := rigOptions{doc: logins(), users: usersOf(t, 1, "alice:sesame", "bob:open"), login: true,
		limits: func(l *Limits) { l.MaxUnauthenticated = 1000 }}
	r := startRig(t, fake.Addr(), o)
	without := logins()
	delete(without.Identities, "alice")
	with, gone := o.snapshot(t, o.doc), o.snapshot(t, without)

	var coming sync.WaitGroup
	for range 40 {
		c := r.client(t)
		coming.Go(func() { c.send(login("alice", "sesame")) })
	}
	for range 50 {
		r.server.Swap(with)
		r.server.Swap(gone)
	}
	coming.Wait()
	testkit.Eventually(t, "nobody to be alice any more", func() bool {
		known := 0
		for _, s := range r.server.all() {
			s.mu.Lock()
			if s.known {
				known++
			}
			s.mu.Unlock()
		}
		return known == 0
	})
}

// TestReloadMidLoadIsOneOrTheOther swaps two policies under a client that asks
// for a key of each at once: each answer is wholly that of one of them.
func TestReloadMidLoadIsOneOrTheOther(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	o := rigOptions{doc: policies["everything"]()}
	r := startRig(t, fake.Addr(), o)
	c := r.client(t)
	c.asks("set a:k 0 0 1\r\nA\r\nset b:k 0 0 1\r\nB\r\n", "STORED\r\nSTORED\r\n")
	snaps := []*Snapshot{
		o.snapshot(t, app(rule("@read", "a:*"))),
		o.snapshot(t, app(rule("@read", "b:*"))),
	}
	r.server.Swap(snaps[1])
	stop := make(chan struct{})
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				r.server.Swap(snaps[i%2])
			}
		}
	})
	for range 500 {
		c.send("get a:k b:k\r\nget a:k\r\n")
		c.wants("CLIENT_ERROR access denied\r\n")
		switch line, err := c.in.ReadString('\n'); {
		case err != nil:
			t.Fatal(err)
		case strings.HasPrefix(line, "VALUE"):
			c.wants("A\r\nEND\r\n")
		case line != "CLIENT_ERROR access denied\r\n":
			t.Fatalf("got %q", line)
		}
	}
	close(stop)
	swapping.Wait()
}

// TestReloadChangesWhatNewClientsMayHold: those that are here keep what they came
// under.
func TestReloadChangesWhatNewClientsMayHold(t *testing.T) {
	o := rigOptions{}
	r := startRig(t, testkit.StartFake(t, testkit.FakeOptions{}).Addr(), o)
	r.client(t).asks("mn\r\n", "MN\r\n")
	o.limits = func(l *Limits) { l.MaxInFlight, l.LoginTimeout = 7, time.Hour }
	r.server.Swap(o.snapshot(t, o.doc))
	r.client(t).asks("mn\r\n", "MN\r\n")
	var got []int
	for _, s := range r.server.all() {
		got = append(got, s.limits.MaxInFlight)
	}
	slices.Sort(got)
	if want := DefaultLimits().MaxInFlight; !slices.Equal(got, []int{7, want}) {
		t.Errorf("in flight at once: %v, want 7 for the new one and %d for the old", got, want)
	}
}
