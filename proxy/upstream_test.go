package proxy

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
	"github.com/slabgate/slabgate/upstream"
)

// TestEveryRequestIsAnsweredWhileMemcachedIsDown asks before, during and after.
func TestEveryRequestIsAnsweredWhileMemcachedIsDown(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	mc := testkit.StartMemcached(t)
	r := startRig(t, mc.Addr(), rigOptions{restarts: true})
	c := r.client(t)
	c.asks("set a 0 0 1\r\n1\r\nget a\r\n", "STORED\r\nVALUE a 0 1\r\n1\r\nEND\r\n")
	mc.Kill(t)
	requests := []string{
		"get a\r\n", "gets a b c\r\n", "set a 0 0 1\r\n1\r\n", "cas a 0 0 1 7\r\n1\r\n", "incr a 1\r\n", "delete a\r\n", "touch a 1\r\n",
		"set a 0 0 100000\r\n" + strings.Repeat("v", 100000) + "\r\n", "flush_all\r\n", "stats\r\n",
	}
	for _, request := range requests {
		c.send("mn\r\n" + request + "set a 0 0 1 noreply\r\n1\r\n" + "mn\r\n")
		c.wants("MN\r\n")
		line, err := c.in.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "SERVER_ERROR upstream ") {
			t.Fatalf("%.20q: got %q, %v, want that memcached is not there", request, line, err)
		}
		c.wants("MN\r\n")
	}
	mc.Restart(t)
	testkit.Eventually(t, "memcached to be used again", func() bool {
		c.send("set a 0 0 1\r\n2\r\n")
		line, _ := c.in.ReadString('\n')
		return line == "STORED\r\n"
	})
	c.asks("get a\r\n", "VALUE a 0 1\r\n2\r\nEND\r\n")
}

// TestMemcachedDiesUnderLoad kills it while a client pipelines: each request has
// one answer, in order, and what was stored is what is read.
func TestMemcachedDiesUnderLoad(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	mc := testkit.StartMemcached(t)
	r := startRig(t, mc.Addr(), rigOptions{restarts: true})
	c := r.client(t)
	const requests = 20000
	go func() {
		for i := range requests {
			fmt.Fprintf(c, "set k%d 0 0 5\r\n%05d\r\nget k%d\r\n", i, i, i)
		}
	}()
	failed, served := 0, 0
	for i := range requests {
		if i == requests/10 {
			mc.Kill(t)
		}
		if i == requests/2 {
			mc.Restart(t)
		}
		line, err := c.in.ReadString('\n')
		stored := line == "STORED\r\n"
		if err != nil || !stored && !strings.HasPrefix(line, "SERVER_ERROR upstream ") {
			t.Fatalf("set %d: got %q, %v", i, line, err)
		}
		line, err = c.in.ReadString('\n')
		switch {
		case err != nil:
			t.Fatalf("get %d: %v", i, err)
		case line == fmt.Sprintf("VALUE k%d 0 5\r\n", i):
			c.wants(fmt.Sprintf("%05d\r\nEND\r\n", i))
			served++
		case line == "END\r\n" && !stored, strings.HasPrefix(line, "SERVER_ERROR upstream "):
			failed++
		default:
			t.Fatalf("get %d: got %q; stored %v", i, line, stored)
		}
	}
	if served == 0 {
		t.Errorf("%d reads were served and %d failed", served, failed)
	}
}

// TestBadRepliesOfMemcachedReachNobody has it misbehave on the second of three
// requests of a client.
func TestBadRepliesOfMemcachedReachNobody(t *testing.T) {
	const lost = protocol.UpstreamLost
	stored := "VALUE b 0 1\r\n2\r\nEND\r\n"
	for name, fault := range map[string]testkit.Fault{
		"closes":           testkit.CloseBefore(),
		"closes mid reply": testkit.CloseMidReply(4),
		"extra line":       testkit.ExtraLineBefore("END"),
		"error line":       testkit.ErrorLine("ERROR"),
		"another's reply":  testkit.WrongOpaque(),
		"no reply":         testkit.DropReply(),
		"stalls":           testkit.Stall(),
	} {
		t.Run(name, func(t *testing.T) {
			fake := testkit.StartFake(t, testkit.FakeOptions{})
			r := startRig(t, fake.Addr(), rigOptions{upstream: func(c *upstream.Config) { c.RequestTimeout = 500 * time.Millisecond }})
			c := r.client(t)
			c.asks("set a 0 0 1\r\n1\r\nset b 0 0 1\r\n2\r\n", "STORED\r\nSTORED\r\n")
			fake.Inject(testkit.Fault{}, fault)
			c.send("get a\r\nget b\r\nget b\r\nmn\r\n")
			// The first may be lost as well: its reply and the bad one came together.
			if line, _ := c.in.ReadString('\n'); line != lost {
				if line != "VALUE a 0 1\r\n" {
					t.Fatalf("got %q", line)
				}
				c.wants("1\r\nEND\r\n")
			}
			c.wants(lost + lost + "MN\r\n")
			c.asks("get b\r\n", stored)
		})
	}
}

// TestWriteIsNotRepeated counts what reaches memcached when a reply is lost.
func TestWriteIsNotRepeated(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	c := r.client(t)
	c.asks("set n 0 0 1\r\n1\r\n", "STORED\r\n")
	fake.Inject(testkit.CloseMidReply(0))
	c.asks("incr n 1\r\n", protocol.UpstreamLost)
	c.asks("get n\r\n", "VALUE n 0 1\r\n2\r\nEND\r\n")
	n := 0
	for _, req := range fake.Requests() {
		if bytes.HasPrefix(req, []byte("ma n ")) {
			n++
		}
	}
	if n != 1 {
		t.Errorf("memcached was asked %d times", n)
	}
}

// TestValueThatBreaksOffEndsItsClient shows what a client reads of a value whose
// rest will not come: less than the whole, and nothing in its place.
func TestValueThatBreaksOffEndsItsClient(t *testing.T) {
	const size = 900_000
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	c, other := r.client(t), r.client(t)
	value := strings.Repeat("v", size)
	c.asks(fmt.Sprintf("set big 0 0 %d\r\n%s\r\n", size, value), "STORED\r\n")

	// The first reply is thrown away for its size, and asked for again alone.
	fake.Inject(testkit.Fault{}, testkit.CloseMidReply(size/2))
	c.send("get big\r\nmn\r\n")
	got, err := io.ReadAll(c.in)
	want := fmt.Sprintf("VALUE big 0 %d\r\n%s\r\n", size, value)
	if err != nil || len(got) < flushSize || len(got) >= len(want) || !strings.HasPrefix(want, string(got)) {
		t.Errorf("read %d bytes ending in %.60q, %v", len(got), got[max(0, len(got)-60):], err)
	}
	r.ends(t, EndUpstream)
	other.asks("mn\r\n", "MN\r\n")

	// Before any of it has left there is still time for an error.
	fake.Inject(testkit.Fault{}, testkit.CloseMidReply(1000))
	other.asks("get big\r\nmn\r\n", protocol.UpstreamLost+"MN\r\n")
}

// TestSlowMemcachedIsNotWaitedFor freezes it.
func TestSlowMemcachedIsNotWaitedFor(t *testing.T) {
	mc := testkit.StartMemcached(t)
	r := startRig(t, mc.Addr(), rigOptions{upstream: func(c *upstream.Config) {
		c.RequestTimeout, c.ConnectTimeout = 500*time.Millisecond, 500*time.Millisecond
	}})
	c := r.client(t)
	c.asks("set a 0 0 1\r\n1\r\n", "STORED\r\n")
	mc.Stop(t)
	c.asks("get a\r\nmn\r\n", protocol.UpstreamLost+"MN\r\n")
	mc.Cont(t)
	testkit.Eventually(t, "memcached to be used again", func() bool {
		c.send("get a\r\nmn\r\n")
		line, _ := c.in.ReadString('\n')
		for next := line; next != "MN\r\n" && next != ""; {
			next, _ = c.in.ReadString('\n')
		}
		return line == "VALUE a 0 1\r\n"
	})
}

// TestClientsAreServedBeforeMemcachedIs starts in front of nothing.
func TestClientsAreServedBeforeMemcachedIs(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	mc := testkit.StartMemcached(t)
	mc.Kill(t)
	r := startRig(t, mc.Addr(), rigOptions{restarts: true})
	c := r.client(t)
	c.asks("mn\r\nget a\r\nversion\r\n", "MN\r\n"+protocol.UpstreamDown+protocol.UpstreamDown)
	mc.Restart(t)
	testkit.Eventually(t, "memcached to be used", func() bool {
		c.send("get a\r\n")
		line, _ := c.in.ReadString('\n')
		return line == "END\r\n"
	})
	c.send("version\r\n")
	if line, err := c.in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "VERSION 1.") {
		t.Errorf("got %q, %v", line, err)
	}
}

// TestClassicMemcachedIsServed speaks the classic dialect upstream.
func TestClassicMemcachedIsServed(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{Version: "1.5.6"})
	r := startRig(t, fake.Addr(), rigOptions{doc: policies["error"]()})
	c := r.client(t)
	c.asks(strings.Replace(mixed, "version\r\n", "", 1), strings.Replace(mixedReplies, "VERSION 1.6.18\r\n", "", 1))
}

// TestSizeOfItemsIsThatOfMemcached refuses what memcached behind would refuse.
func TestSizeOfItemsIsThatOfMemcached(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{ItemSizeMax: 2000})
	r := startRig(t, fake.Addr(), rigOptions{})
	c := r.client(t)
	c.asks("set a 0 0 1940\r\n"+strings.Repeat("v", 1940)+"\r\n", "STORED\r\n")
	c.asks("set a 0 0 1941\r\n"+strings.Repeat("v", 1941)+"\r\n", "SERVER_ERROR object too large for cache\r\n")
	c.asks("get a\r\nset a 0 0 4000\r\n", fmt.Sprintf("VALUE a 0 1940\r\n%s\r\nEND\r\nSERVER_ERROR object too large for cache\r\n", strings.Repeat("v", 1940)))
	c.wantsEnd()
}
