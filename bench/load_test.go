package main

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// serveClassic answers each get and set by reply, on a loopback port, until the
// test ends.
func serveClassic(t *testing.T, reply func(line string) string) *row {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			serveOne(c, reply)
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return &row{variant: plain, network: "tcp", address: listener.Addr().String()}
}

func serveOne(c net.Conn, reply func(line string) string) {
	defer c.Close()
	for lines := bufio.NewScanner(c); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "set ") {
			lines.Scan() // the value
		}
		if _, err := c.Write([]byte(reply(line))); err != nil {
			return
		}
	}
}

// honest answers as a full cache does.
func honest(line string) string {
	words := strings.Fields(line)
	if words[0] == "set" {
		return "STORED\r\n"
	}
	var b batch
	key := 0
	for _, digit := range strings.TrimPrefix(words[1], "app:") {
		key = key*10 + int(digit-'0')
	}
	classicGet(&b, key, valueOf(key, 100))
	return string(b.want)
}

// TestLoadChecksReplies runs both loops against servers that lie about one key.
func TestLoadChecksReplies(t *testing.T) {
	another := honest("get app:8")
	for _, c := range []struct {
		name string
		lie  string // instead of the value of key 7
		want string // in the error; empty for none
	}{
		{"honest", honest("get app:7"), ""},
		{"value of another key", another, "app:8"},
		{"miss", "END\r\nEND\r\nEND\r\n" + strings.Repeat("x", 200), "END"},
		{"one byte of the value", strings.Replace(honest("get app:7"), "0000007.", "0000008.", 1), "0000008"},
	} {
		for _, pace := range []time.Duration{0, 100 * time.Microsecond} {
			t.Run(c.name, func(t *testing.T) {
				testkit.VerifyNoLeaks(t)
				o, err := runLoad(t, pace, func(line string) string {
					if line == "get app:7" {
						return c.lie
					}
					return honest(line)
				})
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("got error %v, want %q", err, c.want)
				}
				if err == nil && (o.requests == 0 || uint64(o.requests) != o.latency.total) {
					t.Errorf("got %d requests and %d latencies", o.requests, o.latency.total)
				}
			})
		}
	}
}

// runLoad runs one client for a short while, from the first key on.
func runLoad(t *testing.T, pace time.Duration, reply func(string) string) (outcome, error) {
	t.Helper()
	r := serveClassic(t, reply)
	l, err := newLoad(&cell{conns: 1, pipeline: 1, size: 100}, r, pace)
	if err != nil {
		return outcome{}, err
	}
	defer l.close()
	return l.run(100 * time.Millisecond)
}

// TestSurplusIsSeen: a reply that nobody asked for is an error even when it is the
// last thing that comes.
func TestSurplusIsSeen(t *testing.T) {
	for _, surplus := range []string{"", "END\r\n"} {
		r := serveClassic(t, func(line string) string { return honest(line) + surplus })
		k, err := r.dial()
		if err != nil {
			t.Fatal(err)
		}
		var b batch
		classicGet(&b, 1, valueOf(1, 100))
		if err := k.play(&b); err != nil {
			t.Fatal(err)
		}
		if err := k.wire.detach(); err != nil {
			t.Fatal(err)
		}
		if err := eventually(k, surplus == ""); (err == nil) != (surplus == "") {
			t.Errorf("after %q: got error %v", surplus, err)
		}
		k.close()
	}
}

// eventually asks once if silence is wanted, else until there is none.
func eventually(k *link, once bool) error {
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); {
		if err := k.silent(); err != nil || once {
			return err
		}
	}
	return nil
}
