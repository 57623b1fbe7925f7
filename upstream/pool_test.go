package upstream

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// TestLimits checks how many connections a pool makes, and how many it keeps.
func TestLimits(t *testing.T) {
	tests := []struct {
		shared, least, most int
		lanes, leases       int
	}{
		{1, 2, 64, 1, 59}, // and four for commands about no key
		{4, 2, 64, 4, 56},
		{8, 2, 4, 3, 1},
		{2, 0, 3, 2, 1},
		{2, 2, 2, 1, 1},
		{2, 1, 1, 1, 1},
	}
	for _, tt := range tests {
		r := startRig(t, "unix:/nowhere", func(c *Config) { c.Shared, c.PoolMin, c.PoolMax = tt.shared, tt.least, tt.most })
		if len(r.lanes) != tt.lanes || cap(r.slots) != tt.leases {
			t.Errorf("shared %d, pool %d to %d: %d lanes and %d leases, want %d and %d",
				tt.shared, tt.least, tt.most, len(r.lanes), cap(r.slots), tt.lanes, tt.leases)
		}
	}
	if r := startRig(t, "unix:/nowhere", func(c *Config) { c.Shared = 0 }); len(r.lanes) == 0 {
		t.Error("shared 0: no lanes")
	}
}

// TestLease checks that no more connections than the pool may have are leased,
// that who waits is served when one comes back, and that idle ones are closed
// down to the minimum.
func TestLease(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.PoolMin, c.PoolMax = 2, 6 })
	ctx := context.Background()
	var held []*conn
	for range 5 {
		c, err := r.lease(ctx)
		if err != nil {
			t.Fatalf("lease %d: %v", len(held), err)
		}
		held = append(held, c)
	}
	r.cfg.ConnectTimeout = 30 * time.Millisecond
	if _, err := r.lease(ctx); !errors.Is(err, ErrBusy) {
		t.Errorf("one lease too many: error %v, want %v", err, ErrBusy)
	}
	r.cfg.ConnectTimeout = hang
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := r.lease(gone); !errors.Is(err, ErrBusy) {
		t.Errorf("lease of one that left: error %v, want %v", err, ErrBusy)
	}

	served := make(chan *conn)
	go func() {
		c, _ := r.lease(ctx)
		served <- c
	}()
	r.giveBack(held[0], nil)
	if c := <-served; c != held[0] {
		t.Error("who waited did not get the connection that came back")
	}
	for _, c := range held {
		r.giveBack(c, nil)
	}
	testkit.Eventually(t, "two idle connections", func() bool { return fake.Conns() == 2 })
	if got, want := r.Stats(), (Stats{Open: 2, Idle: 2, Most: 6}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if len(r.idle) != 2 || r.m.Dials.Load() != 5 {
		t.Errorf("%d idle, %d dials; want 2 and 5", len(r.idle), r.m.Dials.Load())
	}
	r.wantFree()
	r.wantBurns(burns{})
}

// TestLeaseCrowd checks under load that the number of connections stays within
// the limit and that every lease ends.
func TestLeaseCrowd(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.PoolMin, c.PoolMax = 2, 5 })
	r.put("k", oracle("k"))
	var active atomic.Int64
	busy := func() {
		if n := active.Add(1); n > 4 {
			t.Errorf("%d streams at a time, want 4 at most", n)
		}
		time.Sleep(time.Millisecond)
		active.Add(-1)
	}
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for n := range 20 {
				s := &sink{onHead: busy}
				if (g+n)%5 == 0 {
					s.failHead = 1
				}
				c := cmd("get", "k")
				err := r.Stream(context.Background(), &c, s)
				if s.reply.Status != protocol.StatusValue || err == nil && string(s.value) != string(oracle("k")) {
					t.Errorf("status %d, error %v", s.reply.Status, err)
				}
			}
		})
	}
	testkit.Within(t, "sixteen clients", wg.Wait)
	if kept := len(r.idle); kept > 2 {
		t.Errorf("%d connections are kept, want 2 at most", kept)
	}
	r.wantFree()
	r.wantBurns(burns{metrics.BurnClient: 64})
}

// TestIdleLease checks that a leased connection that died, or on which something
// was said, is not leased again.
func TestIdleLease(t *testing.T) {
	tests := []struct {
		name   string
		happen func(*testkit.Fake)
		burnt  int64
	}{
		{"nothing", func(*testkit.Fake) {}, 0},
		{"closed", (*testkit.Fake).CloseConns, 2},
		{"bytes", func(f *testkit.Fake) { f.Say("OK\r\n") }, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake, r := startFake(t, testkit.FakeOptions{}, nil)
			one, _ := r.lease(context.Background())
			two, _ := r.lease(context.Background())
			r.giveBack(one, nil)
			r.giveBack(two, nil)
			for _, c := range r.idle {
				c.SetDeadline(time.Unix(1, 0)) // of its last command
			}
			tt.happen(fake)
			reply, status := r.Keyless(context.Background(), keyless(t, "flush_all"))
			if status != protocol.StatusOK || string(reply) != "OK\r\n" {
				t.Errorf("status %d, reply %q", status, reply)
			}
			r.wantBurns(burns{metrics.BurnIdle: tt.burnt})
			r.wantFree()
		})
	}
}

// TestCheck checks that a memcached passes only if it answers now.
func TestCheck(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.ConnectTimeout = 300 * time.Millisecond })
	ctx := context.Background()
	for range 3 {
		if err := r.Check(ctx); err != nil {
			t.Errorf("a memcached that answers: %v", err)
		}
	}
	fake.OnRequest(func(int, []byte) testkit.Fault { return testkit.Stall() })
	if err := r.Check(ctx); err == nil || !strings.HasPrefix(err.Error(), "upstream: ") {
		t.Errorf("a memcached that is silent on an idle connection: error %v", err)
	}
	if err := r.Check(ctx); err == nil {
		t.Error("a memcached that is silent on a new connection: no error")
	}
	fake.OnRequest(nil)
	testkit.Eventually(t, "memcached to pass", func() bool { return r.Check(ctx) == nil })
	fake.OnRequest(func(int, []byte) testkit.Fault { return testkit.ErrorLine("ERROR") })
	if err := r.Check(ctx); err == nil {
		t.Error("a memcached that says ERROR: no error")
	}
	r.wantBurns(burns{metrics.BurnTimeout: 1, metrics.BurnProof: 1})
	r.wantFree()
}

// keyless parses a command about no key.
func keyless(t *testing.T, line string) *protocol.Request {
	t.Helper()
	req, err := protocol.ParseLine([]byte(line))
	if err != nil {
		t.Fatalf("parse %q: %v", line, err)
	}
	return req
}

// TestKeyless checks which replies of commands about no key are passed on, and
// that a connection is burnt for any other.
func TestKeyless(t *testing.T) {
	long := strings.Repeat("STAT name "+strings.Repeat("v", 1000)+"\r\n", maxKeyless/1000)
	tests := []struct {
		name, line, reply string
		slow, burnt       bool
	}{
		{"stats", "stats", "STAT pid 1\r\nSTAT version 1.6.45\r\nEND\r\n", false, false},
		{"no stats", "stats slabs", "END\r\n", false, false},
		{"reset", "stats reset", "RESET\r\n", false, false},
		{"flush", "flush_all", "OK\r\n", false, false},
		{"flush with a delay", "flush_all 10", "OK\r\n", false, false},
		{"an error", "stats conns", "CLIENT_ERROR no\r\n", false, false},
		{"busy", "slabs reassign 1 2", "BUSY currently processing reassign request\r\n", false, false},
		{"large", "stats", strings.Repeat("STAT a "+strings.Repeat("v", 900)+"\r\n", 900) + "END\r\n", false, false},

		{"too long", "stats", long + "END\r\n", false, true},
		{"long line", "stats", "STAT a " + strings.Repeat("v", 3000) + "\r\nEND\r\n", false, true},
		{"value among stats", "stats", "STAT a 1\r\nVALUE k 0 1\r\n1\r\nEND\r\n", false, true},
		{"control byte", "stats", "STAT a \x1b[2J\r\nEND\r\n", false, true},
		{"line without CR", "stats", "STAT a 1\nEND\r\n", false, true},
		{"empty line", "stats", "\r\nEND\r\n", false, true},
		{"value for a flush", "flush_all", "VALUE k 0 1\r\n1\r\nEND\r\n", false, true},
		{"stored for a flush", "flush_all", "STORED\r\n", false, true},
		{"stats for a flush", "flush_all", "STAT a 1\r\n", false, true},
		{"no end", "stats", "STAT a 1\r\n", true, true},
		{"nothing", "flush_all", "", true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := testkit.FakeOptions{Extra: map[string]string{tt.line: tt.reply}}
			_, r := startFake(t, o, func(c *Config) {
				if tt.slow {
					c.RequestTimeout = 200 * time.Millisecond
				}
			})
			var reply []byte
			var status protocol.Status
			testkit.Within(t, "Keyless", func() { reply, status = r.Keyless(context.Background(), keyless(t, tt.line)) })
			if tt.burnt && (status != protocol.StatusLost || reply != nil) {
				t.Errorf("status %d, reply %.80q; want lost and none", status, reply)
			}
			if !tt.burnt && (status != protocol.StatusOK || string(reply) != tt.reply) {
				t.Errorf("status %d, reply %.80q; want %.80q", status, reply, tt.reply)
			}
			n := r.burns()
			if sum := n[metrics.BurnProof] + n[metrics.BurnTimeout]; (sum == 1) != tt.burnt {
				t.Errorf("burns %v, want one %v", n, tt.burnt)
			}
			r.wantFree()
		})
	}
}

// TestKeylessTwice checks that what a command about no key left behind is not
// taken for the reply to the next.
func TestKeylessTwice(t *testing.T) {
	o := testkit.FakeOptions{Extra: map[string]string{"flush_all": "OK\r\nRESET\r\n"}}
	_, r := startFake(t, o, nil)
	for range 3 {
		if reply, status := r.Keyless(context.Background(), keyless(t, "flush_all")); status != protocol.StatusOK || string(reply) != "OK\r\n" {
			t.Errorf("status %d, reply %q", status, reply)
		}
	}
	if len(r.idle) > 0 {
		t.Error("the connection was kept")
	}
	r.wantBurns(burns{metrics.BurnIdle: 3})
}

// TestKeylessDown checks the status without a connection.
func TestKeylessDown(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{Banner: "ERROR Too many open connections"}, nil)
	if reply, status := r.Keyless(context.Background(), keyless(t, "stats")); status != protocol.StatusDown || reply != nil {
		t.Errorf("status %d, reply %q; want down and none", status, reply)
	}
	r.wantFree()
}

// TestLogs checks that it is said once that memcached went, and once that it
// came back.
func TestLogs(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.Shared, c.PoolMax = 4, 64 })
	turn := func(want protocol.Status) {
		testkit.Eventually(t, "every lane to agree", func() bool {
			agreed := true
			for range 4 {
				agreed = r.do(cmd("get", "k")).Calls[0].Reply.Status == want && agreed
			}
			return agreed && r.stream(cmd("get", "k"), &sink{}).reply.Status == want
		})
	}
	for range 3 {
		turn(protocol.StatusMiss)
		fake.SetBanner("ERROR Too many open connections")
		fake.CloseConns()
		turn(protocol.StatusDown)
		turn(protocol.StatusDown)
		fake.SetBanner("")
	}
	turn(protocol.StatusMiss)
	want := append(slices.Repeat([]string{"server up", "server down"}, 3), "server up")
	if got := r.lines(); !slices.Equal(got, want) {
		t.Errorf("logged %q, want %q", got, want)
	}
	down := r.logs.FilterMessage("server down").All()[0].ContextMap()
	if down["upstream"] != "local" || down["address"] != fake.Addr() || down["error"] == nil {
		t.Errorf("server down says %v", down)
	}
}

// TestInfo checks what is known of memcached before and after the first
// connection.
func TestInfo(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{Version: "1.6.40", ItemSizeMax: 3 << 20}, nil)
	if got, ok := r.Info(); ok || got != (Info{MaxItem: protocol.DefaultMaxItem}) {
		t.Errorf("before: %+v, %v", got, ok)
	}
	if err := r.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got, ok := r.Info(); !ok || got != (Info{Version: "1.6.40", MaxItem: 3 << 20, Meta: true, Knows: protocol.FeatureNewCAS | protocol.FeatureDrop}) {
		t.Errorf("after: %+v, %v", got, ok)
	}
}

// TestBurnOf checks which cause an error counts as.
func TestBurnOf(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{TCP: true}, nil)
	c, err := r.lease(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Unix(1, 0))
	_, timeout := c.Read(make([]byte, 1))
	c.Close()
	_, closed := c.Read(make([]byte, 1))
	tests := []struct {
		name string
		err  error
		want metrics.Burn
	}{
		{"deadline", timeout, metrics.BurnTimeout},
		{"closed", closed, metrics.BurnEOF},
		{"quiet on a closed one", c.quiet(), metrics.BurnIdle},
		{"client's deadline", errors.Join(errSink, timeout), metrics.BurnClient},
		{"client's end", errors.Join(errSink, closed), metrics.BurnClient},
		{"bytes while idle", errUnsolicited, metrics.BurnIdle},
		{"too large", errSize, metrics.BurnProof},
		{"unlike what was expected", errExpected, metrics.BurnProof},
		{"left", errAbandoned, metrics.BurnProof},
	}
	for _, tt := range tests {
		if got := burnOf(tt.err); got != tt.want {
			t.Errorf("%s, %v: counts as %v, want %v", tt.name, tt.err, got, tt.want)
		}
	}
	r.giveBack(c, nil)
}

// TestKeylessHasLeasesOfItsOwn: with every other connection in use, a command
// about no key is served at once, and a large value hears why it is not.
func TestKeylessHasLeasesOfItsOwn(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{}, func(c *Config) {
		c.Shared, c.PoolMax, c.ConnectTimeout = 1, 1+8, 200*time.Millisecond
	})
	var held []*conn
	for range r.Leases() {
		c, err := r.lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	if r.Leases() != 7 {
		t.Errorf("%d of eight connections may be leased for keys, want 7", r.Leases())
	}
	flush, err := protocol.ParseLine([]byte("flush_all"))
	if err != nil {
		t.Fatal(err)
	}
	if reply, status := r.Keyless(t.Context(), flush); status != protocol.StatusOK || string(reply) != "OK\r\n" {
		t.Errorf("flush_all: %q, status %d", reply, status)
	}
	if got := r.stream(cmd("get", "a"), &sink{}).reply.Status; got != protocol.StatusBusy {
		t.Errorf("get: status %d, want busy", got)
	}
	for _, c := range held {
		r.giveBack(c, nil)
	}
}
