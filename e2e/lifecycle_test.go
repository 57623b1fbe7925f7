package e2e_test

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTermDrainsAndExits0(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	idle, busy, loginLess := s.dial(t, d, "shop"), s.dial(t, d, "shop"), s.dial(t, d, "")
	talk(t, idle, "mn\r\n", "MN\r\n")
	talk(t, busy, "mn\r\nset shop:1 0 0 5\r\nhel", "MN\r\n")
	time.Sleep(50 * time.Millisecond) // until the torn request has been read
	d.signal(t, syscall.SIGTERM)
	wantClosed(t, idle)
	wantClosed(t, loginLess)
	d.await(t, "draining")
	if c, err := net.Dial("tcp", d.addr(t, "main")); err == nil {
		wantClosed(t, c)
		c.Close()
	}
	talk(t, busy, "lo\r\n", "STORED\r\n")
	wantClosed(t, busy)
	d.wantExit(t, 0)
	if d.count("stopped") != 1 {
		t.Errorf("the log must end with stopped:\n%s", d.text())
	}
}

// Replies to what was asked before the signal come, all of them, before the
// connection closes.
func TestTermDeliversWhatIsOwed(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	c := s.dial(t, d, "shop")
	value := strings.Repeat("v", 100_000)
	talk(t, c, "set shop:1 0 0 100000\r\n"+value+"\r\n", "STORED\r\n")
	c.SetDeadline(time.Now().Add(patience))
	const requests = 200
	if _, err := io.WriteString(c, strings.Repeat("get shop:1\r\n", requests)); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(c, first); err != nil {
		t.Fatal(err)
	}
	d.signal(t, syscall.SIGTERM)
	d.await(t, "draining")
	rest, err := io.ReadAll(c)
	got := string(first) + string(rest)
	one := "VALUE shop:1 0 100000\r\n" + value + "\r\nEND\r\n"
	if n := len(got) / len(one); err != nil || got != strings.Repeat(one, n) || n == 0 {
		t.Errorf("got %d bytes, which are %d whole replies and %d bytes, %v, want whole replies only", len(got), n, len(got)%len(one), err)
	} else {
		t.Logf("%d of %d requests were answered before the connection closed", n, requests)
	}
	d.wantExit(t, 0)
}

func TestSecondTermExitsAtOnce(t *testing.T) {
	for _, first := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		s := newSite(t, memcached(t).Addr())
		d := s.start(t, "--set", "shutdown.grace=300s")
		busy := s.dial(t, d, "shop")
		talk(t, busy, "mn\r\nset shop:1 0 0 5\r\nhel", "MN\r\n")
		time.Sleep(50 * time.Millisecond)
		d.signal(t, first)
		d.await(t, "draining")
		time.Sleep(50 * time.Millisecond)
		if d.gone() {
			t.Fatalf("%v did not wait for the request:\n%s", first, d.text())
		}
		d.signal(t, syscall.SIGTERM)
		d.wantExit(t, 0)
		wantClosed(t, busy)
	}
}

// hung is a site whose memcached answers nothing any more while a client waits, and
// whose waits would last longer than any test.
func hung(t *testing.T, args ...string) (*daemon, net.Conn) {
	t.Helper()
	mc := memcached(t)
	s := newSite(t, mc.Addr())
	d := s.start(t, append(args, "--set", "upstreams.local.connect_timeout=1h", "--set", "upstreams.local.request_timeout=1h")...)
	c := s.dial(t, d, "shop")
	talk(t, c, apple, "STORED\r\n")
	mc.Stop(t)
	if _, err := io.WriteString(c, getItem); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	return d, c
}

func TestSecondTermExitsWhileMemcachedHangs(t *testing.T) {
	d, c := hung(t, "--set", "shutdown.grace=300s")
	d.signal(t, syscall.SIGTERM)
	d.await(t, "draining")
	time.Sleep(50 * time.Millisecond)
	if d.gone() {
		t.Fatalf("the first did not wait for the request:\n%s", d.text())
	}
	d.signal(t, syscall.SIGTERM)
	d.wantExit(t, 0)
	wantClosed(t, c)
}

func TestGraceEndsWhileMemcachedHangs(t *testing.T) {
	d, c := hung(t, "--set", "shutdown.grace=100ms")
	d.signal(t, syscall.SIGTERM)
	d.wantExit(t, 0)
	wantClosed(t, c)
}

// A start that waits for memcached ends when it is told to, without having served.
func TestTermWhileAStartWaitsForMemcached(t *testing.T) {
	mc := memcached(t)
	s := newSite(t, mc.Addr())
	mc.Stop(t)
	d := s.launch(t, "--set", "upstreams.local.connect_timeout=1h")
	d.await(t, "started")
	d.signal(t, syscall.SIGHUP)
	d.signal(t, syscall.SIGTERM)
	d.wantExit(t, 0)
	if d.count("ready") != 0 {
		t.Errorf("it was ready:\n%s", d.text())
	}
}

func TestGraceEnds(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	d := s.start(t, "--set", "shutdown.grace=100ms")
	busy := s.dial(t, d, "shop")
	talk(t, busy, "mn\r\nset shop:1 0 0 5\r\nhel", "MN\r\n")
	time.Sleep(50 * time.Millisecond)
	d.signal(t, syscall.SIGTERM)
	d.wantExit(t, 0)
	if d.count("draining") != 2 {
		t.Errorf("the log must say that clients were cut off:\n%s", d.text())
	}
}

func TestAcceptForGoesOnAccepting(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	d := s.start(t, "--set", "shutdown.accept_for=700ms")
	old := s.dial(t, d, "shop")
	talk(t, old, "mn\r\n", "MN\r\n")
	d.signal(t, syscall.SIGTERM)
	d.await(t, "draining")
	c := s.dial(t, d, "shop")
	talk(t, c, "set shop:1 0 0 1\r\n1\r\nget shop:1\r\n", "STORED\r\nVALUE shop:1 0 1\r\n1\r\nEND\r\n")
	talk(t, old, "get shop:1\r\n", "VALUE shop:1 0 1\r\n1\r\nEND\r\n")
	wantClosed(t, c)
	wantClosed(t, old)
	d.wantExit(t, 0)
}

// A slabgate that has just been started hears a signal as well.
func TestTermAtTheStart(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	for range 3 {
		d := s.launch(t)
		d.await(t, "started")
		d.signal(t, syscall.SIGTERM)
		d.wantExit(t, 0)
	}
}
