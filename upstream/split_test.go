package upstream

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// splitter stands between a pool and a fake and hands the replies over in pieces.
type splitter struct {
	ln     net.Listener
	target string
	served sync.WaitGroup
	seen   func() // waits until the lane has taken what was written

	mu    sync.Mutex
	whole int   // bytes of the next replies, which are cut; 0 passes on what comes
	cuts  []int // where the pieces after the first begin
	total int   // bytes passed on
}

func startSplitter(t *testing.T, fake *testkit.Fake) *splitter {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := &splitter{ln: ln, target: strings.TrimPrefix(fake.Addr(), "unix:")}
	s.served.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.served.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		s.served.Wait()
	})
	return s
}

func (s *splitter) serve(c net.Conn) {
	defer c.Close()
	up, err := net.Dial("unix", s.target)
	if err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { s.handOver(c, up); c.Close() })
	io.Copy(up, c)
	up.Close()
	back.Wait()
}

// handOver passes replies on until either side ends.
func (s *splitter) handOver(c, up net.Conn) {
	buf := make([]byte, 1<<20)
	for {
		n, err := up.Read(buf)
		if err != nil {
			return
		}
		s.mu.Lock()
		whole, cuts := s.whole, s.cuts
		s.whole = 0
		s.mu.Unlock()
		if whole > n {
			if _, err := io.ReadFull(up, buf[n:whole]); err != nil {
				return
			}
			n = whole
		}
		if whole == 0 {
			cuts = nil
		}
		if s.write(c, buf[:n], cuts) != nil {
			return
		}
	}
}

// write writes pieces, each once the lane has taken the one before it.
func (s *splitter) write(c net.Conn, b []byte, cuts []int) error {
	s.mu.Lock()
	s.total += len(b) // before, so that whoever got the replies finds them counted
	s.mu.Unlock()
	from := 0
	for _, to := range append(slices.Clone(cuts), len(b)) {
		if _, err := c.Write(b[from:to]); err != nil {
			return err
		}
		if len(cuts) > 0 {
			s.seen()
		}
		from = to
	}
	return nil
}

// cut has the next replies cut, which are so many bytes.
func (s *splitter) cut(whole int, cuts ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole, s.cuts = whole, cuts
}

// passed is how many bytes were passed on so far.
func (s *splitter) passed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// splitRig is a pool that reaches its fake through a splitter. Values of the given
// sizes are stored.
func splitRig(t *testing.T, dialect string, sizes []int) (*testkit.Fake, *splitter, *rig) {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	s := startSplitter(t, fake)
	r := startRig(t, "unix:"+s.ln.Addr().String(), func(c *Config) { c.Dialect = dialect })
	l := r.lanes[0]
	// The first may be called before the loop looks again, the second is not.
	s.seen = func() { l.on(func() {}); l.on(func() {}) }
	for _, size := range sizes {
		r.put(sized(size))
	}
	r.do(cmd("get", "none")) // the lane is connected
	return fake, s, r
}

// sized is the key and the value of a size.
func sized(size int) (key string, value []byte) {
	key = fmt.Sprintf("k%d", size)
	if value = testkit.Value("c", key, 1, size); len(value) != size { // it says what it is, which takes some
		value = bytes.Repeat([]byte{'v'}, size)
	}
	return key, value
}

// wantSized checks a reply to a get.
func wantSized(t *testing.T, b *Batch, i, size int) {
	t.Helper()
	_, want := sized(size)
	status := protocol.StatusValue
	if size > SoftValues {
		status, want = protocol.StatusDropped, nil
	}
	if got := b.Calls[i].Reply.Status; got != status || !bytes.Equal(b.Value(i), want) {
		t.Fatalf("value of %d bytes: status %d, %d bytes, or they came changed; want status %d", size, got, len(b.Value(i)), status)
	}
}

// TestRepliesInTwoPieces cuts a round's replies at every byte, and then everywhere
// at once: lines, values, their ends, and the proof of the last one.
func TestRepliesInTwoPieces(t *testing.T) {
	sizes := []int{0, 1, 2, 17}
	fake, s, r := splitRig(t, "meta", sizes)
	round := func(cuts func(whole int) []int, whole int) int {
		t.Helper()
		cmds := []protocol.Command{cmd("get", "none")}
		for _, size := range sizes {
			key, _ := sized(size)
			cmds = append(cmds, cmd("get", key))
		}
		cmds = append(cmds, cmd("get", "none"), cmd("touch", "none"), store("set", "new", []byte("v")))
		faults := make([]testkit.Fault, len(cmds))
		faults[len(cmds)-1] = testkit.ErrorLine("SERVER_ERROR out of memory storing object")
		fake.Inject(faults...)
		if whole > 0 {
			s.cut(whole, cuts(whole)...)
		}
		before := s.passed()
		b := r.do(cmds...)
		for i, size := range sizes {
			wantSized(t, b, i+1, size)
		}
		got := statuses(b)
		want := []protocol.Status{protocol.StatusMiss, protocol.StatusMiss, protocol.StatusMiss, protocol.StatusNoMemory}
		if others := append(got[:1:1], got[len(sizes)+1:]...); !slices.Equal(others, want) {
			t.Fatalf("statuses of the others %v, want %v", others, want)
		}
		return s.passed() - before
	}
	const proof = len(protocol.MN)
	whole := round(nil, 0) - proof
	for n := 1; n < whole; n++ {
		round(func(int) []int { return []int{n} }, whole)
	}
	everywhere := func(whole int) (all []int) {
		for n := 1; n < whole; n++ {
			all = append(all, n)
		}
		return all
	}
	round(everywhere, whole)
	r.wantBurns(burns{})
	r.wantIdle()
}

// TestProofInPieces cuts the answer that proves an error line at every byte.
func TestProofInPieces(t *testing.T) {
	const line = "SERVER_ERROR out of memory storing object"
	fake, s, r := splitRig(t, "meta", nil)
	for n := 1; n < len(protocol.MN); n++ {
		fake.Inject(testkit.ErrorLine(line))
		// The line alone is shorter than what is cut: the proof is asked for once
		// the line is there, and so has to be let through first.
		l, b := r.lanes[0], batchOf(store("set", "k", []byte("v")))
		fake.OnRequest(func(_ int, req []byte) testkit.Fault {
			if string(req) == "mn\r\n" {
				s.cut(len(protocol.MN), n)
			}
			return testkit.Fault{}
		})
		testkit.Within(t, "Do", func() { l.Do(b) })
		fake.OnRequest(nil)
		if got := b.Calls[0].Reply.Status; got != protocol.StatusNoMemory {
			t.Errorf("cut at %d: status %d, want %d", n, got, protocol.StatusNoMemory)
		}
	}
	r.wantBurns(burns{})
	r.wantIdle()
}

// TestLargeValuesInPieces cuts values around what is read straight to where it
// belongs, at their edges and here and there, and one that is thrown away.
func TestLargeValuesInPieces(t *testing.T) {
	sizes := []int{directRead - 1, directRead, 20 << 10, 100 << 10, 300 << 10}
	for _, dialect := range []string{"meta", "classic"} {
		for _, size := range sizes {
			t.Run(fmt.Sprint(dialect, " ", size), func(t *testing.T) {
				_, s, r := splitRig(t, dialect, []int{size, 3})
				key, _ := sized(size)
				small, _ := sized(3)
				measure := func(cmds ...protocol.Command) int {
					before := s.passed()
					r.do(cmds...)
					return s.passed() - before
				}
				whole := measure(cmd("get", key))
				head := whole - size - 2
				if dialect == "classic" {
					head = whole - size - len("\r\nEND\r\n")
				}
				cuts := []int{1, head - 1, head, head + 1, head + size - directRead, head + size - directRead + 1,
					head + size - 1, head + size, head + size + 1, whole - 1}
				for n := head; n < whole; n += 9973 {
					cuts = append(cuts, n)
				}
				for _, n := range cuts {
					s.cut(whole, n)
					b := r.do(cmd("get", key), cmd("get", small))
					wantSized(t, b, 0, size)
					if size <= SoftValues {
						wantSized(t, b, 1, 3)
					}
				}
				slices.Sort(cuts)
				cuts = slices.Compact(cuts)
				s.cut(whole, cuts...)
				wantSized(t, r.do(cmd("get", key)), 0, size)
				r.wantBurns(burns{})
				r.wantIdle()
			})
		}
	}
}
