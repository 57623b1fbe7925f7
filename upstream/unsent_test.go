package upstream

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/poll"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// squeeze connects the first lane by a socket that takes few bytes at once.
func (r *rig) squeeze() {
	r.t.Helper()
	c, err := r.dialAs(context.Background(), false)
	if err != nil {
		r.t.Fatal(err)
	}
	c.SetDeadline(time.Time{})
	if err := c.Conn.(*net.UnixConn).SetWriteBuffer(4 << 10); err != nil {
		r.t.Fatal(err)
	}
	sock, err := poll.Take(c.Conn)
	if err != nil {
		r.t.Fatal(err)
	}
	c.Conn = sock
	r.lanes[0].on(func() { r.lanes[0].dialled(c, sock, nil) })
}

// waitUnsent waits until a round is written in part.
func (r *rig) waitUnsent() {
	r.t.Helper()
	testkit.Eventually(r.t, "a round that is written in part", func() (partly bool) {
		l := r.lanes[0]
		l.on(func() { partly = len(l.unsent) > 0 && len(l.unsent) < len(l.conn.wbuf) })
		return partly
	})
}

// holdReplies has memcached read nothing more once it has a request, until release
// is called; then f happens to each reply.
func holdReplies(t *testing.T, fake *testkit.Fake, f testkit.Fault) (release func()) {
	hold := make(chan struct{})
	fake.OnRequest(func(int, []byte) testkit.Fault {
		<-hold
		return f
	})
	release = sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release)
	return release
}

// TestPartialWrite checks rounds that memcached's socket does not take at once.
func TestPartialWrite(t *testing.T) {
	for _, dialect := range []string{"meta", "classic"} {
		t.Run(dialect, func(t *testing.T) {
			fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.Dialect = dialect })
			r.squeeze()
			for round := range 5 {
				release := holdReplies(t, fake, testkit.Fault{})
				b := NewBatch()
				for i := range 3 {
					key := fmt.Sprintf("k%d", i)
					b.Add(store("set", key, testkit.Value("c", key, round, 20<<10)))
					b.Add(cmd("get", key))
				}
				wait := r.lanes[0].add(b)
				if dialect == "meta" { // else a round is one call, and read whole before it is held
					r.waitUnsent()
				}
				release()
				testkit.Within(t, "the round", wait)
				for i := range 3 {
					if want := testkit.Value("c", fmt.Sprintf("k%d", i), round, 20<<10); !bytes.Equal(b.Value(2*i+1), want) {
						t.Fatalf("round %d, value %d: statuses %v, got %d bytes", round, i, statuses(b), len(b.Value(2*i+1)))
					}
				}
			}
			r.wantIdle()
			r.wantBurns(burns{})
			if n := r.m.Dials.Load(); n != 1 {
				t.Errorf("%d dials, want 1", n)
			}
		})
	}
}

// TestPartialWriteThenEnd checks that what was written in part is not written
// again, nor its rest, on the next connection.
func TestPartialWriteThenEnd(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, nil)
	r.squeeze()
	release := holdReplies(t, fake, testkit.CloseBefore())
	b := batchOf(cmd("get", "x"), store("set", "k", testkit.Value("c", "k", 1, 60<<10)))
	wait := r.lanes[0].add(b)
	r.waitUnsent()
	release()
	testkit.Within(t, "the round", wait)
	if got, want := statuses(b), []protocol.Status{protocol.StatusLost, protocol.StatusLost}; !slices.Equal(got, want) {
		t.Errorf("statuses %v, want %v", got, want)
	}
	fake.OnRequest(nil)
	if got := statuses(r.do(cmd("get", "k"))); got[0] != protocol.StatusMiss {
		t.Errorf("afterwards: statuses %v, want a miss", got)
	}
	r.wantIdle()
}

// hasty is a memcached that refuses a value before it has read it, as those
// before 1.6 do, and throws it away then.
type hasty struct {
	version string
	ln      net.Listener
	swallow chan struct{} // closed when it may read the value
	served  sync.WaitGroup

	mu    sync.Mutex
	lines []string // what it took for commands
}

func startHasty(t *testing.T, version string) *hasty {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	h := &hasty{version: version, ln: ln, swallow: make(chan struct{})}
	h.served.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			h.served.Go(func() { h.serve(c) })
		}
	})
	return h
}

// end waits for its connections to end.
func (h *hasty) end() {
	h.ln.Close()
	h.served.Wait()
}

func (h *hasty) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		h.mu.Lock()
		h.lines = append(h.lines, line)
		h.mu.Unlock()
		if h.answer(c, in, strings.Fields(line)) != nil {
			return
		}
	}
}

func (h *hasty) answer(c net.Conn, in *bufio.Reader, words []string) error {
	verb, size := append(words, "")[0], 0
	reply := "ERROR\r\n"
	switch verb {
	case "version":
		reply = "VERSION " + h.version + "\r\n"
	case "stats":
		reply = "STAT item_size_max 1048576\r\nEND\r\n"
	case "mn":
		reply = "MN\r\n"
	case "ms":
		fmt.Sscan(words[2], &size)
		reply = "SERVER_ERROR object too large for cache\r\n"
	case "set":
		fmt.Sscan(words[4], &size)
		reply = "SERVER_ERROR object too large for cache\r\n"
	}
	if _, err := io.WriteString(c, reply); err != nil {
		return err
	}
	if size == 0 {
		return nil
	}
	<-h.swallow
	_, err := io.CopyN(io.Discard, in, int64(size)+2)
	return err
}

// TestRefusedBeforeItIsWritten checks that no byte of a value becomes a command
// when memcached refuses the value while the lane still writes it.
func TestRefusedBeforeItIsWritten(t *testing.T) {
	for _, version := range []string{"1.6.18", "1.4.39"} {
		t.Run(version, func(t *testing.T) {
			testkit.VerifyNoLeaks(t)
			h := startHasty(t, version)
			t.Cleanup(h.end)
			swallow := sync.OnceFunc(func() { close(h.swallow) })
			r := startRig(t, "unix:"+h.ln.Addr().String(), func(c *Config) { c.RequestTimeout = time.Second })
			t.Cleanup(swallow)
			r.squeeze()
			l := r.lanes[0]
			waitFirst := l.add(batchOf(store("set", "k", bytes.Repeat([]byte("flush_all\r\n"), 5000))))
			testkit.Eventually(t, "the refusal to be read", func() (read bool) {
				l.on(func() { read = l.conn == nil || len(l.flight) == 0 || l.reader.at == len(l.flight) })
				return read
			})
			waitNext := l.add(batchOf(cmd("get", "next")))
			l.on(func() {})
			swallow()
			testkit.Within(t, "the batches", func() { waitFirst(); waitNext() })
			r.end()
			h.end()
			for _, line := range h.lines {
				if verb := append(strings.Fields(line), "")[0]; !slices.Contains([]string{"version", "stats", "mn", "ms", "set", "mg", "get"}, verb) {
					t.Fatalf("memcached was sent %.40q as a command, which is part of a value", line)
				}
			}
		})
	}
}
