package proxy

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/upstream"
)

// oneLane has all clients share one connection to memcached.
func oneLane(c *upstream.Config) { c.Shared = 1 }

// TestSlowReadersAreNotBuffered has clients ask for far more than they read. The
// memory of the process is bounded, and others are served in the meantime.
func TestSlowReadersAreNotBuffered(t *testing.T) {
	const readers, size, times = 8, 1_000_000, 30
	mc := testkit.StartMemcached(t)
	r := startRig(t, mc.Addr(), rigOptions{upstream: oneLane})
	c := r.client(t)
	value := testkit.Value("c", "big", 1, size)
	c.asks(fmt.Sprintf("set big 0 0 %d\r\n%s\r\nset a 0 0 1\r\n1\r\n", size, value), "STORED\r\nSTORED\r\n")

	before := heap()
	var slow []*client
	for range readers {
		s := r.client(t)
		s.send("get" + strings.Repeat(" big", times) + "\r\n")
		if _, err := s.in.Peek(1); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, s)
	}
	for range 200 {
		c.asks("get a\r\nincr a 0\r\n", "VALUE a 0 1\r\n1\r\nEND\r\n1\r\n")
	}
	if grown := heap() - before; grown > readers*4*size {
		t.Errorf("%d readers of %d bytes each made the heap grow by %d bytes", readers, size*times, grown)
	}
	for range times { // what they asked for is there once they read
		slow[0].wants(fmt.Sprintf("VALUE big 0 %d\r\n", size))
		got := make([]byte, size)
		if _, err := io.ReadFull(slow[0].in, got); err != nil || !bytes.Equal(got, value) {
			t.Fatalf("the value is not what was stored, error %v", err)
		}
		slow[0].wants("\r\n")
	}
	slow[0].wants("END\r\n")
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestClientThatLeavesInTheMiddleLeavesNothing cuts a store short at every byte.
func TestClientThatLeavesInTheMiddleLeavesNothing(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{})
	const request = "set half 0 0 8\r\nget full\r\n"
	n := 0
	for cut := range len(request) {
		c := r.client(t)
		c.asks("mn\r\n"+request[:cut], "MN\r\n")
		c.Close()
		n++
	}
	big := r.client(t)
	big.asks("mn\r\nset half 0 0 900000\r\n"+strings.Repeat("get full\r\n", 80000), "MN\r\n")
	big.Close()
	testkit.Eventually(t, "the sessions to end", func() bool { return r.logs.FilterMessage("session ended").Len() == n+1 })
	for _, req := range fake.Requests() {
		if bytes.Contains(req, []byte("half")) || bytes.Contains(req, []byte("full")) {
			t.Errorf("memcached was sent %.60q", req)
		}
	}
}

// TestClientThatLeavesWhileItIsAnswered leaves the next one alone.
func TestClientThatLeavesWhileItIsAnswered(t *testing.T) {
	mc := testkit.StartMemcached(t)
	r := startRig(t, mc.Addr(), rigOptions{upstream: oneLane, tcp: true})
	c := r.client(t)
	c.asks("set big 0 0 500000\r\n"+strings.Repeat("v", 500000)+"\r\nset a 0 0 1\r\n1\r\n", "STORED\r\nSTORED\r\n")
	for i := range 50 {
		gone := r.dial(t)
		io.WriteString(gone, strings.Repeat("get a\r\n", i%7)+strings.Repeat("get big\r\n", i%3)+strings.Repeat("incr a 0\r\n", i))
		if i%2 == 1 {
			gone.Read(make([]byte, 1+i*1000))
		}
		testkit.Reset(gone)
		c.asks("get a\r\n", "VALUE a 0 1\r\n1\r\nEND\r\n")
	}
}

// TestCASFlow reads an id, uses it, and finds it used up.
func TestCASFlow(t *testing.T) {
	mc := testkit.StartMemcached(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	for name, addr := range map[string]string{"fake": fake.Addr(), "memcached": mc.Addr()} {
		t.Run(name, func(t *testing.T) {
			r := startRig(t, addr, rigOptions{})
			c := r.client(t)
			c.asks("set a 7 0 1\r\n1\r\n", "STORED\r\n")
			id := func(request string) (id uint64) {
				c.send(request)
				line, err := c.in.ReadString('\n')
				if _, err2 := fmt.Sscanf(line, "VALUE a 7 1 %d\r\n", &id); err != nil || err2 != nil {
					t.Fatalf("got %q, %v", line, err)
				}
				c.in.ReadString('\n')
				c.wants("END\r\n")
				return id
			}
			first := id("gets a\r\n")
			if again := id("gats 0 a\r\n"); again != first {
				t.Errorf("gats told the id %d, gets %d", again, first)
			}
			store := fmt.Sprintf("cas a 7 0 1 %d\r\n2\r\n", first)
			c.asks(store, "STORED\r\n")
			c.asks(store, "EXISTS\r\n")
			if second := id("gets a\r\n"); second == first {
				t.Errorf("the id is %d as before", second)
			}
		})
	}
}

// TestValuesOfEverySize stores and reads values around each bound between two
// ways of carrying them.
func TestValuesOfEverySize(t *testing.T) {
	mc := testkit.StartMemcached(t)
	w := newWorld(t)
	r := startRig(t, mc.Addr(), rigOptions{doc: policies["everything"](), tls: w.server, clients: w.app(t), tcp: true})
	c := r.client(t)
	for _, around := range []int{1, minInput, 16 << 10, maxInput, upstream.BulkValue, 256 << 10, flushSize * 4, 1_000_000} {
		for size := around - 1; size <= around+1; size++ {
			value := testkit.Value("c", "k", size, size)
			c.send(fmt.Sprintf("set k 1 0 %d\r\n%s\r\nget k k\r\n", len(value), value))
			item := fmt.Sprintf("VALUE k 1 %d\r\n%s\r\n", len(value), value)
			c.wants("STORED\r\n" + item + item + "END\r\n")
		}
	}
}

// TestInputBufferGrowsAndShrinks tells how a client's buffer fits what it sends.
func TestInputBufferGrowsAndShrinks(t *testing.T) {
	s := &session{in: make([]byte, minInput)}
	for _, c := range []struct{ w, want int }{
		{0, minInput},
		{minInput - 1, minInput},
		{minInput, 4 * minInput},
		{4*minInput - 1, 4 * minInput},
		{0, 4 * minInput}, // not worth giving back
		{4 * minInput, 16 * minInput},
		{16 * minInput, 32 * minInput}, // twofold from maxInput on
		{32 * minInput, 64 * minInput},
		{1, 64 * minInput},
		{0, minInput},
	} {
		s.w = c.w
		s.r = 0
		s.compact()
		if len(s.in) != c.want {
			t.Errorf("%d bytes are read: got a buffer of %d, want %d", c.w, len(s.in), c.want)
		}
	}
}

// TestManyClientsAtOnce has clients of both kinds ask at random, each for what it
// alone has stored.
func TestManyClientsAtOnce(t *testing.T) {
	mc := testkit.StartMemcached(t)
	r := startRig(t, mc.Addr(), rigOptions{upstream: oneLane})
	var all sync.WaitGroup
	for n := range 10 {
		c := newClient(t, r.dial(t))
		all.Go(func() { c.talk(n, 60) })
	}
	all.Wait()
	if r.server.Metrics.UpstreamFails.Load() != 0 {
		t.Errorf("%d commands failed", r.server.Metrics.UpstreamFails.Load())
	}
}

// talk stores and reads values that prove whose they are.
func (c *client) talk(n, rounds int) {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	for i := range rounds {
		key := fmt.Sprintf("c%d-%d", n, rng.IntN(5))
		size := 100 + rng.IntN(2000)
		if i%20 == 0 {
			size = 100_000
		}
		value := testkit.Value("c"+itoa(n), key, i, size)
		want := fmt.Sprintf("STORED\r\nVALUE %s 0 %d\r\n%s\r\nEND\r\n", key, len(value), value)
		if _, err := fmt.Fprintf(c, "set %s 0 0 %d\r\n%s\r\nget %s\r\n", key, len(value), value, key); err != nil {
			c.t.Error(err)
			return
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c.in, got); err != nil || string(got) != want {
			c.t.Errorf("client %d: got %.80q, %v, want %.80q", n, got, err, want)
			return
		}
	}
}

// TestHalfClosedClientIsAnswered shows that what was asked before is answered.
func TestHalfClosedClientIsAnswered(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{tcp: true})
	c := r.client(t)
	c.send("get a\r\nmn\r\nge")
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.wants("END\r\nMN\r\n")
	c.wantsEnd()
	r.ends(t, EndClient)
}

// TestLastAnswerIsReadWhateverElseWasSent shows that a client which is cut off
// can read why, although it has sent more than was read.
func TestLastAnswerIsReadWhateverElseWasSent(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	r := startRig(t, fake.Addr(), rigOptions{tcp: true})
	for range 20 {
		c := r.client(t)
		c.send("get a\r\nset a 0 0 x\r\n" + strings.Repeat("surplus\r\n", 20000))
		time.Sleep(time.Millisecond)
		c.wants("END\r\nCLIENT_ERROR bad command line format\r\n")
		c.wantsEnd()
	}
}
