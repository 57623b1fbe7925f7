package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/upstream"
)

// tenants is a policy of three clients that share nothing.
func tenants() *policy.Document {
	d := &policy.Document{Version: 1, Categories: 1, Identities: map[string]policy.IdentityDoc{}}
	for _, name := range []string{"red", "blue", "gone"} {
		d.Identities[name] = policy.IdentityDoc{
			Match: []policy.Match{byURI("spiffe://corp/ns/shop/sa/" + name)},
			Rules: []policy.Rule{rule("@rw", name+":*")},
		}
	}
	return d
}

// TestOracle has two clients pipeline as fast as they can over shared
// connections, while a third keeps leaving in the middle of what it does. Every
// value says whose it is; every reply is checked to the byte. One wrong reply is
// one too many.
func TestOracle(t *testing.T) {
	replies := int64(10_000)
	if long() {
		replies = 1_000_000
	}
	w := newWorld(t)
	mc := testkit.StartMemcached(t, "-m", "512")
	r := startRig(t, mc.Addr(), rigOptions{
		doc: tenants(), tls: w.server, tcp: true,
		upstream: func(c *upstream.Config) { c.Shared = 1 },
	})
	as := func(name string) *tls.Config {
		return w.client(t, testkit.ClientSpec{URI: []string{"spiffe://corp/ns/shop/sa/" + name}})
	}
	var verified atomic.Int64
	var tenants, leavers sync.WaitGroup
	for seed, name := range []string{"red", "blue"} {
		o := &oracle{name: name, rng: rand.New(rand.NewPCG(uint64(seed), 5)), last: map[string]written{}, verified: &verified}
		conn := r.dialWith(t, as(name))
		conn.SetDeadline(time.Time{}) // the test's own time limit is enough
		tenants.Go(func() { o.run(t, conn, replies/2) })
	}
	stop, gone, left := make(chan struct{}), as("gone"), 0
	leavers.Go(func() {
		rng := rand.New(rand.NewPCG(9, 9))
		for ; ; left++ {
			select {
			case <-stop:
				return
			default:
				leave(t, r, gone, rng)
			}
		}
	})
	tenants.Wait()
	close(stop)
	leavers.Wait()
	t.Logf("%d replies verified while another client left %d times", verified.Load(), left)
	if verified.Load() < replies && !t.Failed() {
		t.Errorf("only %d replies were verified", verified.Load())
	}
	if left == 0 {
		t.Error("nobody left")
	}
}

// oracle is a client that knows what every reply must be.
type oracle struct {
	name     string
	rng      *rand.Rand
	seq      int
	last     map[string]written // what it last stored under each key
	verified *atomic.Int64
}

// written is what a key holds.
type written struct{ seq, size int }

// check reads one reply and compares it.
type check struct {
	request string // for a failure
	want    string // the whole reply; a large one is made when it is needed
	key     string // of the value that is the reply, unless want is set
	written written
}

// run pipelines requests until n of them were answered rightly.
func (o *oracle) run(t *testing.T, conn io.ReadWriter, n int64) {
	checks := make(chan check, 300)
	done := make(chan struct{})
	go func() {
		defer close(done)
		in := bufio.NewReaderSize(conn, 64<<10)
		for c := range checks {
			if t.Failed() {
				continue
			}
			if err := o.verify(in, c); err != nil {
				t.Errorf("%s, %.40q: %v", o.name, c.request, err)
			}
			o.verified.Add(1)
		}
	}()
	out := bufio.NewWriterSize(conn, 16<<10)
	for range n {
		c := o.next(out)
		if len(checks) > cap(checks)*9/10 || o.rng.IntN(50) == 0 {
			out.Flush()
		}
		checks <- c
	}
	out.Flush()
	close(checks)
	<-done
}

// next writes one request and says what its reply has to be.
func (o *oracle) next(out *bufio.Writer) check {
	key := fmt.Sprintf("%s:%d", o.name, o.rng.IntN(40))
	switch roll := o.rng.IntN(100); {
	case roll < 40:
		return o.store(out, key)
	case roll < 44:
		fmt.Fprintf(out, "delete %s noreply\r\nmn\r\n", key)
		delete(o.last, key)
		return check{request: "delete " + key, want: "MN\r\n"}
	case roll < 48:
		other := strings.NewReplacer("red", "blue", "blue", "red").Replace(key)
		fmt.Fprintf(out, "get %s\r\n", other)
		return check{request: "get " + other, want: "CLIENT_ERROR access denied\r\n"}
	}
	fmt.Fprintf(out, "get %s\r\n", key)
	w, ok := o.last[key]
	if !ok {
		return check{request: "get " + key, want: "END\r\n"}
	}
	return check{request: "get " + key, key: key, written: w}
}

func (o *oracle) store(out *bufio.Writer, key string) check {
	o.seq++
	size := 60 + o.rng.IntN(3000)
	if o.rng.IntN(200) == 0 {
		size = 50_000 + o.rng.IntN(200_000)
	}
	value := testkit.Value(o.name, key, o.seq, size)
	fmt.Fprintf(out, "set %s %d 0 %d\r\n", key, o.seq, len(value))
	out.Write(value)
	out.WriteString("\r\n")
	o.last[key] = written{o.seq, len(value)}
	return check{request: "set " + key, want: "STORED\r\n"}
}

// verify reads the reply that c is about. memcached has room for everything that
// is stored here, so nothing is forgotten.
func (o *oracle) verify(in *bufio.Reader, c check) error {
	line, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	if c.want != "" {
		if line != c.want {
			return fmt.Errorf("got %.80q, want %q", line, c.want)
		}
		return nil
	}
	want := fmt.Sprintf("VALUE %s %d %d\r\n", c.key, c.written.seq, c.written.size)
	if line != want {
		return fmt.Errorf("got %.80q, want %q", line, want)
	}
	got := make([]byte, c.written.size+len("\r\nEND\r\n"))
	if _, err := io.ReadFull(in, got); err != nil {
		return err
	}
	value, end := got[:c.written.size], got[c.written.size:]
	if string(end) != "\r\nEND\r\n" {
		return fmt.Errorf("the value ends in %q", end)
	}
	client, key, seq, err := testkit.CheckValue(value)
	if err != nil || client != o.name || key != c.key || seq != c.written.seq {
		return fmt.Errorf("got the value of %s, %s, %d: %v", client, key, seq, err)
	}
	return nil
}

// leave is a client that asks for much, and resets its connection somewhere in
// the middle of asking or of being answered.
func leave(t *testing.T, r *rig, config *tls.Config, rng *rand.Rand) {
	conn, err := r.connect(config)
	if err != nil {
		t.Errorf("dial: %v", err)
		return
	}
	defer testkit.Reset(conn)
	conn.SetDeadline(time.Now().Add(time.Second))
	var requests bytes.Buffer
	for i := range 1 + rng.IntN(40) {
		key := "gone:" + itoa(rng.IntN(10))
		size := rng.IntN(4000)
		if i%15 == 14 {
			size = 150_000
		}
		value := testkit.Value("gone", key, i, size)
		fmt.Fprintf(&requests, "set %s 0 0 %d\r\n%s\r\nget %s %s\r\n", key, len(value), value, key, key)
	}
	all := requests.Bytes()
	if _, err := conn.Write(all[:rng.IntN(len(all))]); err != nil {
		return // it was slower than the rest of the test
	}
	conn.SetReadDeadline(time.Now().Add(time.Duration(rng.IntN(4)) * time.Millisecond))
	io.CopyN(io.Discard, conn, int64(rng.IntN(20_000)))
}
