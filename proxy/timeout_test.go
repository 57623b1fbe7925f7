package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/testkit"
)

func TestSlowClientsAreLetGo(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	const short, long = 100 * time.Millisecond, 20 * time.Second
	for _, c := range []struct {
		name   string
		limits func(*Limits)
		in     string
		out    string
		drip   string // what it goes on to send, slowly
		end    End
	}{
		{"idle", func(l *Limits) { l.IdleTimeout, l.RequestTimeout = short, long }, "mn\r\n", "MN\r\n", "", EndIdle},
		{"idle from the start", func(l *Limits) { l.IdleTimeout, l.RequestTimeout = short, long }, "", "", "", EndIdle},
		{"in a line", func(l *Limits) { l.RequestTimeout = short }, "mn\r\nget a", "MN\r\n", "", EndSlow},
		{"in a value", func(l *Limits) { l.RequestTimeout = short }, "set a 0 0 10\r\nab", "", "", EndSlow},
		{"in a value that is skipped", func(l *Limits) { l.RequestTimeout = short }, "set a x 0 10\r\nab", "CLIENT_ERROR bad command line format\r\n", "", EndSlow},
		{"dripping a line", func(l *Limits) { l.RequestTimeout = short }, "get ", "", "a", EndSlow},
		{"dripping a value", func(l *Limits) { l.RequestTimeout = short }, "set a 0 0 100000\r\n", "", "x", EndSlow},
		{"dripping a value that is skipped", func(l *Limits) { l.RequestTimeout = short }, "set a x 0 100000\r\n", "CLIENT_ERROR bad command line format\r\n", "x", EndSlow},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := startRig(t, fake.Addr(), rigOptions{limits: c.limits})
			cl := r.client(t)
			cl.send(c.in)
			cl.wants(c.out)
			if c.drip != "" {
				go func() {
					for range 5000 {
						if _, err := cl.Write([]byte(c.drip)); err != nil {
							return
						}
						time.Sleep(2 * time.Millisecond)
					}
				}()
			}
			cl.wantsEnd()
			r.ends(t, c.end)
		})
	}
}

// TestClientThatDoesNotReadIsLetGo shows that it is not waited for.
func TestClientThatDoesNotReadIsLetGo(t *testing.T) {
	w := newWorld(t)
	for name, o := range map[string]rigOptions{
		"plain": {doc: policies["everything"]()},
		"tls":   {doc: policies["everything"](), tls: w.server, clients: w.app(t)},
	} {
		t.Run(name, func(t *testing.T) {
			fake := testkit.StartFake(t, testkit.FakeOptions{})
			o.limits = func(l *Limits) { l.WriteTimeout = 200 * time.Millisecond }
			r := startRig(t, fake.Addr(), o)
			c := r.client(t)
			c.asks("set a 0 0 1000000\r\n"+strings.Repeat("v", 1000000)+"\r\n", "STORED\r\n")
			c.send(strings.Repeat("get a\r\n", 20))
			r.ends(t, EndSlow)
		})
	}
}

func TestIdleClientsMayStayWithoutATimeout(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{limits: func(l *Limits) { l.RequestTimeout, l.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond }})
	c := r.client(t)
	c.asks("mn\r\n", "MN\r\n")
	time.Sleep(200 * time.Millisecond) // longer than every limit there is
	c.asks("mn\r\n", "MN\r\n")
}

// TestDeadlines tells when a read gives up.
func TestDeadlines(t *testing.T) {
	const idle, request = time.Hour, time.Minute
	begun := time.Now().Add(-50 * time.Second)
	expiry := time.Now().Add(5 * time.Second)
	for _, c := range []struct {
		name      string
		idle      time.Duration
		partial   time.Time
		fresh     bool
		inRequest bool
		cert      bool
		want      time.Time // zero is never
	}{
		{"between requests", idle, time.Time{}, false, false, false, time.Now().Add(idle)},
		{"between requests, after one", idle, begun, true, false, false, time.Now().Add(idle)},
		{"between requests, without a limit", 0, begun, true, false, false, time.Time{}},
		{"in a request that begins", idle, time.Time{}, false, true, false, time.Now().Add(request)},
		{"in a request that goes on", idle, begun, false, true, false, begun.Add(request)},
		{"in the request behind it", idle, begun, true, true, false, time.Now().Add(request)},
		{"with a certificate", 0, time.Time{}, false, false, true, expiry},
		{"with a certificate that lasts longer", 0, begun, false, true, true, expiry},
	} {
		limits := DefaultLimits()
		limits.IdleTimeout, limits.RequestTimeout = c.idle, request
		s := &session{server: new(Server), limits: &limits, partial: c.partial}
		s.x = newExchange(&limits, s)
		s.x.fresh = c.fresh
		if c.cert {
			s.facts.Cert = &auth.Cert{NotAfter: expiry}
		}
		got := s.deadline(c.inRequest)
		if got.IsZero() != c.want.IsZero() || got.Sub(c.want).Abs() > 10*time.Second {
			t.Errorf("%s: got %v, want about %v", c.name, got, c.want)
		}
	}
}

// TestPipelineWithoutAPauseIsNotSlow sends requests so that each piece ends in
// the middle of one, for longer than a request may take.
func TestPipelineWithoutAPauseIsNotSlow(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes longer than a request may; see TestDeadlines")
	}
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	const limit = time.Second
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["error"](), limits: func(l *Limits) { l.RequestTimeout = limit }})
	for _, request := range []string{
		"get app:a\r\n",
		"set app:a 0 0 2\r\nxx\r\n",
		"set other:a 0 0 2000\r\n" + strings.Repeat("x", 2000) + "\r\n",
	} {
		c := r.client(t)
		half := len(request) / 2
		c.send(request[:half])
		for start := time.Now(); time.Since(start) < limit+limit/4; time.Sleep(limit / 50) {
			c.send(request[half:] + request[:half])
			line, err := c.in.ReadString('\n')
			if err != nil || line == "" {
				t.Fatalf("%.20q: got %q, then %v", request, line, err)
			}
		}
	}
}

func TestEndOfAnError(t *testing.T) {
	here, there := net.Pipe()
	there.Close()
	defer here.Close()
	_, closed := here.Read(make([]byte, 1))
	for _, c := range []struct {
		err  error
		want End
	}{
		{ended(EndQuit, nil), EndQuit},
		{ended(EndSlow, closed), EndSlow},
		{closed, EndClient},
		{net.ErrClosed, EndClient},
	} {
		if got := endOf(c.err); got != c.want {
			t.Errorf("%v: got %q, want %q", c.err, got, c.want)
		}
	}
	if got := ended(EndSlow, closed).Error(); got != "proxy: slow: EOF" {
		t.Errorf("got %q", got)
	}
	if got := ended(EndQuit, nil).Error(); got != "proxy: quit" {
		t.Errorf("got %q", got)
	}
}

// TestExpiryIsJudgedByTheServersClock asks around the present of a clock.
func TestExpiryIsJudgedByTheServersClock(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["no-delete"](), clock: func() time.Time { return time.Unix(testNow, 999) }})
	c := r.client(t)
	for _, step := range []struct {
		exptime int
		want    string
	}{
		{testNow - 1, "CLIENT_ERROR access denied\r\n"},
		{testNow, "CLIENT_ERROR access denied\r\n"},
		{testNow + 1, "NOT_FOUND\r\n"},
		{2592000, "NOT_FOUND\r\n"},
		{2592001, "CLIENT_ERROR access denied\r\n"},
	} {
		c.asks("touch a "+itoa(step.exptime)+"\r\n", step.want)
	}
}

// TestReadsThatAreStreamedAreNotSlow is the same for replies that a goroutine
// carries out: what is there of the next request is as old as it is.
func TestReadsThatAreStreamedAreNotSlow(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes longer than a request may; see TestDeadlines")
	}
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	const limit = time.Second
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["everything"](), limits: func(l *Limits) { l.RequestTimeout = limit }})
	c := r.client(t)
	value := strings.Repeat("v", 300_000)
	c.asks(fmt.Sprintf("set big 0 0 %d\r\n%s\r\n", len(value), value), "STORED\r\n")
	request := "get big\r\n"
	half := len(request) / 2
	c.send(request[:half])
	for start := time.Now(); time.Since(start) < limit+limit/4; time.Sleep(limit / 50) {
		c.send(request[half:] + request[:half])
		c.wants(fmt.Sprintf("VALUE big 0 %d\r\n%s\r\nEND\r\n", len(value), value))
	}
}

// TestPartsOfARecordAreNoSignOfLife sends TLS that never comes to an end.
func TestPartsOfARecordAreNoSignOfLife(t *testing.T) {
	w := newWorld(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["everything"](), tls: w.server, clients: w.app(t),
		limits: func(l *Limits) { l.IdleTimeout = 300 * time.Millisecond }})
	raw, err := r.connect(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	newClient(t, tls.Client(raw, r.tls)).asks("mn\r\n", "MN\r\n")
	_, err = raw.Write([]byte{23, 3, 3, 0x40, 0}) // a record of 16 KiB
	for end := time.Now().Add(20 * time.Second); err == nil && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		_, err = raw.Write([]byte{0})
	}
	if err == nil {
		t.Error("it is still here")
	}
	r.ends(t, EndIdle)
}
