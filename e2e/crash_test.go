package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

func TestKilledMemcachedFailsRequestsAndNothingElse(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *testkit.Memcached{
		"tcp":  func(t *testing.T) *testkit.Memcached { return memcached(t) },
		"unix": unixMemcached,
	} {
		t.Run(name, func(t *testing.T) {
			mc := start(t)
			s := newSite(t, mc.Addr())
			d := s.start(t)
			k := new(crash)
			for i := range 8 {
				c := d.dialPlain(t)
				if i%2 == 0 {
					c = s.dial(t, d, "all")
				}
				k.clients.Go(func() { k.client(c, fmt.Sprintf("c%d", i)) })
			}
			rounds := 3
			if long() {
				rounds = 30
			}
			for range rounds {
				k.round(t, mc)
			}
			k.stop.Store(true)
			k.clients.Wait()
			for _, err := range k.errs {
				t.Error(err)
			}
			t.Logf("%d requests right, %d answered with SERVER_ERROR; %d log lines of memcached down, %d of up",
				k.right.Load(), k.failed.Load(), d.count("server down"), d.count("server up"))
			if k.failed.Load() == 0 {
				t.Error("no request failed: memcached was not missed")
			}
		})
	}
}

// unixMemcached starts a memcached on a socket that the daemon's user may open.
func unixMemcached(t *testing.T) *testkit.Memcached {
	t.Helper()
	mc := testkit.StartMemcached(t, "-a", "0777")
	if err := os.Chmod(filepath.Dir(strings.TrimPrefix(mc.Addr(), "unix:")), 0o711); err != nil {
		t.Fatal(err)
	}
	return mc
}

// crash is a load, and a memcached that dies under it.
type crash struct {
	clients       sync.WaitGroup
	stop          atomic.Bool
	right, failed atomic.Int64
	success       atomic.Int64 // when a request succeeded last, in Unix nanoseconds

	mu   sync.Mutex
	errs []error
}

// round kills memcached, starts it again, and measures how soon a request
// succeeds after it listens.
func (k *crash) round(t *testing.T, mc *testkit.Memcached) {
	t.Helper()
	time.Sleep(100 * time.Millisecond)
	mc.Kill(t)
	time.Sleep(150 * time.Millisecond)
	listens := make(chan time.Time, 1)
	go func() {
		network, addr := "tcp", mc.Addr()
		if path, ok := strings.CutPrefix(addr, "unix:"); ok {
			network, addr = "unix", path
		}
		for {
			if c, err := net.Dial(network, addr); err == nil {
				listens <- time.Now()
				c.Close()
				return
			}
			time.Sleep(100 * time.Microsecond)
		}
	}()
	first := make(chan time.Time, 1)
	before := k.success.Load()
	go func() {
		for k.success.Load() == before && !k.stop.Load() {
			time.Sleep(100 * time.Microsecond)
		}
		first <- time.Now()
	}()
	mc.Restart(t)
	at := <-listens
	select {
	case f := <-first:
		took := max(0, f.Sub(at))
		t.Logf("first success %v after memcached listened again (wanted: 100ms; met: %v)", took.Round(100*time.Microsecond), took <= 100*time.Millisecond)
		if took > 2*time.Second {
			t.Errorf("no request succeeded for %v", took)
		}
	case <-time.After(patience):
		t.Errorf("no request succeeds any more")
	}
}

// client sends batch after batch. Each reply must be the right one, or say that
// memcached could not be asked, and be in its place.
func (k *crash) client(c net.Conn, name string) {
	in := bufio.NewReader(c)
	for seq := 0; !k.stop.Load(); seq++ {
		time.Sleep(time.Millisecond) // leaves the cores to what is tested
		if err := k.batch(c, in, name, seq); err != nil {
			k.mu.Lock()
			k.errs = append(k.errs, fmt.Errorf("client %s, batch %d: %w", name, seq, err))
			k.mu.Unlock()
			return
		}
	}
}

// batch is a few requests, sent at once, with one at the end that slabgate
// answers itself: its answer shows that each of the others had exactly one.
func (k *crash) batch(c net.Conn, in *bufio.Reader, name string, seq int) error {
	keys := []string{name + ":a", name + ":b", name + ":c"}
	var text strings.Builder
	sizes := []int{100, 3000, 9000}
	if seq%16 == 15 {
		sizes[2] = 100_000
	}
	for i, key := range keys {
		v := testkit.Value(name, key, seq, sizes[i])
		fmt.Fprintf(&text, "set %s 0 0 %d\r\n%s\r\nget %s\r\n", key, len(v), v, key)
	}
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text.String()+"mn\r\n"); err != nil {
		return err
	}
	for _, key := range keys {
		stored, err := readStored(in)
		if err != nil {
			return fmt.Errorf("set %s: %w", key, err)
		}
		value, found, err := readItem(in, key)
		if err != nil {
			return fmt.Errorf("get %s: %w", key, err)
		}
		k.note(stored, found)
		if value == nil {
			continue
		}
		client, of, was, err := testkit.CheckValue(value)
		if err != nil || client != name || of != key || was > seq || stored && was != seq {
			return fmt.Errorf("get %s: got the value of %s, %s, %d, %v after a set that was stored: %v", key, client, of, was, err, stored)
		}
	}
	if line, err := in.ReadString('\n'); err != nil || line != "MN\r\n" {
		return fmt.Errorf("mn: got %.60q, %v", line, err)
	}
	return nil
}

// note counts what became of a set and of a get.
func (k *crash) note(outcomes ...bool) {
	for _, right := range outcomes {
		if right {
			k.right.Add(1)
			k.success.Store(time.Now().UnixNano())
		} else {
			k.failed.Add(1)
		}
	}
}

var errReply = errors.New("it is no reply to this request")

// readStored reads the reply to a set.
func readStored(in *bufio.Reader) (stored bool, err error) {
	line, err := in.ReadString('\n')
	switch {
	case err != nil:
		return false, err
	case line == "STORED\r\n":
		return true, nil
	case strings.HasPrefix(line, "SERVER_ERROR "):
		return false, nil
	}
	return false, fmt.Errorf("%.60q: %w", line, errReply)
}

// readItem reads the reply to a get. A miss is a right answer without a value.
func readItem(in *bufio.Reader, key string) (value []byte, right bool, err error) {
	line, err := in.ReadString('\n')
	f := strings.Fields(line)
	switch {
	case err != nil:
		return nil, false, err
	case line == "END\r\n":
		return nil, true, nil
	case strings.HasPrefix(line, "SERVER_ERROR "):
		return nil, false, nil
	case len(f) != 4 || f[0] != "VALUE" || f[1] != key || f[2] != "0":
		return nil, false, fmt.Errorf("%.60q: %w", line, errReply)
	}
	size, err := strconv.Atoi(f[3])
	if err != nil {
		return nil, false, err
	}
	value = make([]byte, size+len("\r\nEND\r\n"))
	if _, err := io.ReadFull(in, value); err != nil {
		return nil, false, err
	}
	if end := string(value[size:]); end != "\r\nEND\r\n" {
		return nil, false, fmt.Errorf("a value ends with %q: %w", end, errReply)
	}
	return value[:size], true, nil
}

// A client that asks for one thing at a time is told, in time, and is served
// when memcached is back.
func TestFrozenMemcachedIsNotWaitedForLongerThanSaid(t *testing.T) {
	mc := memcached(t)
	s := newSite(t, mc.Addr())
	d := s.start(t, "--set", "upstreams.local.request_timeout=200ms")
	c := s.dial(t, d, "shop")
	talk(t, c, apple, "STORED\r\n")
	mc.Stop(t)
	talk(t, c, getItem+"mn\r\n", "SERVER_ERROR upstream connection lost\r\nMN\r\n")
	reply, err := firstLine(c, getItem)
	if err != nil || !strings.HasPrefix(reply, "SERVER_ERROR upstream ") {
		t.Errorf("got %q, %v, want a SERVER_ERROR", reply, err)
	}
	mc.Cont(t)
	eventually(t, func() string { return "memcached to serve again:\n" + d.text() }, func() bool {
		reply, err := firstLine(c, getItem)
		return err == nil && reply == item
	})
}
