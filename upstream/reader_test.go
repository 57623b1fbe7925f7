package upstream

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

const outOfMemory = "SERVER_ERROR out of memory storing object"

// scripted is a memcached whose every byte is the test's.
type scripted struct {
	ln     net.Listener
	served sync.WaitGroup
}

// startScripted listens and has serve speak on the n-th connection, from 1. It ends
// with the test, after the rig that is started next.
func startScripted(t *testing.T, serve func(n int, c net.Conn, in *bufio.Reader)) *scripted {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{ln: ln}
	s.served.Go(func() {
		for n := 1; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.served.Go(func() {
				defer c.Close()
				serve(n, c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		s.served.Wait()
	})
	return s
}

func (s *scripted) addr() string { return "unix:" + s.ln.Addr().String() }

// greets answers the handshake.
func greets(c net.Conn, in *bufio.Reader) bool {
	for _, line := range [][2]string{
		{"version\r\n", "VERSION 1.6.18\r\n"},
		{"stats settings\r\n", "STAT item_size_max 1048576\r\nEND\r\n"},
	} {
		if got, err := in.ReadString('\n'); err != nil || got != line[0] {
			return false
		}
		io.WriteString(c, line[1])
	}
	return true
}

// asked is a request as a scripted memcached reads it.
type asked struct{ key, opaque, value string }

func readAsked(in *bufio.Reader) (a asked, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return a, err
	}
	words := strings.Fields(line)
	if len(words) < 3 || words[len(words)-1][0] != 'O' {
		return a, fmt.Errorf("got %.80q, want a request with an opaque", line)
	}
	a.key, a.opaque = words[1], words[len(words)-1]
	if words[0] == "ms" {
		size := 0
		fmt.Sscan(words[2], &size)
		value := make([]byte, size+2)
		_, err = io.ReadFull(in, value)
		a.value = string(value[:size])
	}
	return a, err
}

// prepared is a call and what memcached says to it.
type prepared struct {
	cmd    protocol.Command
	line   string // with %s for the opaque
	value  []byte // after it
	status protocol.Status
}

// found is a get and its value, which is not longer than size, as one that says
// whose it is may be.
func found(size int) prepared {
	key, value := sized(size)
	return prepared{cmd("get", key), fmt.Sprintf("VA %d f0 %%s", size), value[:size], protocol.StatusValue}
}

// reply is what memcached says to whoever asks with the opaque.
func (p *prepared) reply(opaque string) []byte {
	line := p.line
	if strings.Contains(line, "%s") {
		line = fmt.Sprintf(line, opaque)
	}
	if b := []byte(line + "\r\n"); p.value == nil {
		return b
	} else {
		return slices.Concat(b, p.value, []byte("\r\n"))
	}
}

// preparedRound is calls that are one round, and ways to cut their replies.
type preparedRound struct {
	calls  []prepared
	proves bool // the last reply does so itself
}

// cuts lists cuts of the replies: at every byte, or at every one but those of
// values, and of each value at its ends, where the rest is no longer read straight
// to where it belongs, and now and then.
func (p *preparedRound) cuts(every bool) (all []int) {
	at := 0
	for i := range p.calls {
		call := &p.calls[i]
		whole := len(call.reply("O0123456789abcdef"))
		head := whole - len(call.value) - 2
		for n := range whole {
			in, left := n-head, head+len(call.value)-n // bytes of the value before and after the cut
			if every || in < 3 || left < 3 || left > directRead-3 && left < directRead+3 || in%9973 == 0 {
				all = append(all, at+n)
			}
		}
		at += whole
	}
	return all[1:] // a cut before everything is none
}

// plan is how the next replies are handed over.
type plan struct {
	cuts []int
	seen func() // waits until the lane has taken what was written
}

// serve answers each round as it is planned.
func (p *preparedRound) serve(t *testing.T, plans <-chan plan, c net.Conn, in *bufio.Reader) {
	for {
		var replies []byte
		for i := range p.calls {
			a, err := readAsked(in)
			if err != nil {
				return // the rig has ended
			}
			if len(a.opaque) != len("O0123456789abcdef") {
				t.Errorf("opaque %q has another length, and the cuts are elsewhere", a.opaque)
			}
			replies = append(replies, p.calls[i].reply(a.opaque)...)
		}
		next := <-plans
		hand := func(b []byte, cuts ...int) {
			from := 0
			for _, to := range append(cuts, len(b)) {
				c.Write(b[from:to])
				next.seen()
				from = to
			}
		}
		hand(replies, slices.Clone(next.cuts)...)
		if p.proves {
			continue
		}
		if line, err := in.ReadString('\n'); err != nil || line != "mn\r\n" {
			t.Errorf("got %q, %v; want that a proof is asked for", line, err)
			return
		}
		hand([]byte(protocol.MN), 1+len(next.cuts)%3)
	}
}

// TestPreparedReplies cuts the replies of a round that has all kinds of them, one
// of which is too large to be kept, in two and in very many pieces.
func TestPreparedReplies(t *testing.T) {
	const large = 300 << 10
	first := []prepared{
		{store("set", "s", []byte("v")), outOfMemory, nil, protocol.StatusNoMemory},
		{cmd("touch", "k"), "HD %s", nil, protocol.StatusOK},
		found(0), found(1), found(directRead - 1), found(directRead), found(20 << 10), found(large), found(1),
		{cmd("get", "none"), "EN", nil, protocol.StatusMiss},
		found(directRead), found(0),
	}
	tests := []struct {
		name   string
		last   prepared
		proves bool
		keeps  bool // the large value, since it can't be asked for again
	}{
		{"an error line", prepared{cmd("get", "e"), "SERVER_ERROR refcount overflow during fetch", nil, protocol.StatusRefused}, false, false},
		{"a miss", prepared{cmd("get", "none"), "EN", nil, protocol.StatusMiss}, false, false},
		{"a head", prepared{cmd("touch", "k"), "HD %s", nil, protocol.StatusOK}, true, false},
		{"a value", found(17), true, false},
		{"a store that fails", prepared{store("set", "s", []byte("v")), outOfMemory, nil, protocol.StatusNoMemory}, false, true},
	}
	for n, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &preparedRound{append(slices.Clone(first), tt.last), tt.proves}
			plans := make(chan plan, 1)
			s := startScripted(t, func(_ int, c net.Conn, in *bufio.Reader) {
				if greets(c, in) {
					p.serve(t, plans, c, in)
				}
			})
			r := startRig(t, s.addr(), nil)
			l := r.lanes[0]
			seen := func() { l.on(func() {}); l.on(func() {}) } // the loop has looked between the two
			round := func(cuts []int, seen func()) {
				t.Helper()
				plans <- plan{cuts, seen}
				b := NewBatch()
				for i := range p.calls {
					b.Add(p.calls[i].cmd)
				}
				testkit.Within(t, "the round", func() { l.Do(b) })
				for i := range p.calls {
					want, status := p.calls[i].value, p.calls[i].status
					if len(want) == large && !tt.keeps {
						want, status = nil, protocol.StatusDropped
					}
					if got := b.Calls[i].Reply.Status; got != status || !bytes.Equal(b.Value(i), want) {
						t.Fatalf("%d cuts from %v, call %d: status %d, %d bytes, or they came changed; want status %d, %d bytes",
							len(cuts), cuts[:min(1, len(cuts))], i, got, len(b.Value(i)), status, len(want))
					}
				}
			}
			edges := p.cuts(false)
			round(nil, seen)
			alone := edges
			if n > 0 && !tt.keeps { // what comes before the last is cut by the first row
				alone = edges[len(edges)-60:]
			}
			for _, cut := range alone {
				round([]int{cut}, seen)
			}
			round(edges, seen)
			round(p.cuts(true), func() {})
			r.wantBurns(burns{})
			r.wantIdle()
			if n := r.m.Dials.Load(); n != 1 {
				t.Errorf("%d dials, want 1", n)
			}
		})
	}
}

// TestReplyWithoutEnd checks that a line that does not end is waited for only as
// long as one can be.
func TestReplyWithoutEnd(t *testing.T) {
	for _, start := range []string{"", "HD ", "VA 5 ", "SERVER_ERROR "} {
		s := startScripted(t, func(_ int, c net.Conn, in *bufio.Reader) {
			if greets(c, in) {
				in.ReadString('\n')
				io.WriteString(c, start+strings.Repeat("x", 2*readSize))
				io.Copy(io.Discard, in)
			}
		})
		r := startRig(t, s.addr(), func(c *Config) { c.RequestTimeout = time.Hour })
		if got := statuses(r.do(cmd("get", "k"))); got[0] != protocol.StatusLost {
			t.Errorf("%q: statuses %v, want lost", start, got)
		}
		r.wantBurns(burns{metrics.BurnProof: 1})
		r.wantIdle()
	}
}

// TestSlowReader checks a round that memcached takes in small pieces and answers
// when it has all: it is written whole, once, and read while nothing is unsent.
func TestSlowReader(t *testing.T) {
	const stores = 55 // nearly as much as goes into one write
	value := func(i, round int) []byte { return testkit.Value("c", fmt.Sprint("k", i), round, 1000) }
	reads := make(chan struct{}, 1)
	s := startScripted(t, func(_ int, c net.Conn, in *bufio.Reader) {
		if !greets(c, in) {
			return
		}
		slow := bufio.NewReaderSize(c, 16) // in has nothing more: the lane waits for its first round
		for round := 0; ; round++ {
			if _, ok := <-reads; !ok {
				return
			}
			var replies []byte
			for i := range stores {
				a, err := readAsked(slow)
				if err != nil || a.value != string(value(i, round)) {
					t.Errorf("round %d, store %d: %v, or its value came changed", round, i, err)
					return
				}
				replies = fmt.Appendf(replies, "HD %s\r\n", a.opaque)
			}
			c.Write(replies)
		}
	})
	r := startRig(t, s.addr(), nil)
	defer close(reads)
	r.squeeze()
	for round := range 3 {
		b := NewBatch()
		for i := range stores {
			b.Add(store("set", fmt.Sprint("k", i), value(i, round)))
		}
		wait := r.lanes[0].add(b)
		r.waitUnsent()
		if n := r.lanes[0].flying(); n != stores {
			t.Fatalf("%d calls in the round, want %d", n, stores)
		}
		reads <- struct{}{}
		testkit.Within(t, "the round", wait)
		for i, got := range statuses(b) {
			if got != protocol.StatusOK {
				t.Fatalf("round %d, store %d: status %d, want %d", round, i, got, protocol.StatusOK)
			}
		}
	}
	r.wantBurns(burns{})
	r.wantIdle()
}

// TestLaterRoundStalls checks that a round that stalls in the midst of a value is
// ended, though the timer was set for an earlier round: what is proven holds, half
// a value is none, and what waited is not sent.
func TestLaterRoundStalls(t *testing.T) {
	key, half := sized(20 << 10)
	s := startScripted(t, func(_ int, c net.Conn, in *bufio.Reader) {
		if !greets(c, in) {
			return
		}
		for {
			a, err := readAsked(in)
			if err != nil {
				return
			}
			if a.key == "unsent" {
				t.Error("what waited for the round was sent")
			}
			if a.key == key {
				fmt.Fprintf(c, "VA %d f0 %s\r\n%s", len(half), a.opaque, half[:len(half)/2])
				io.Copy(io.Discard, in)
				return
			}
			fmt.Fprintf(c, "HD %s\r\n", a.opaque)
		}
	})
	r := startRig(t, s.addr(), func(c *Config) { c.RequestTimeout = 300 * time.Millisecond })
	l := r.lanes[0]
	stalls := batchOf(cmd("touch", "a"), cmd("get", key), cmd("touch", "b"))
	w := make(waiter, 1)
	testkit.Eventually(t, "a round while the timer runs", func() (timed bool) {
		r.do(cmd("touch", "k"))
		l.on(func() {
			if timed = l.timed; timed {
				l.Add(stalls, w)
			}
		})
		return timed
	})
	testkit.Eventually(t, "half of the value", func() (half bool) {
		l.on(func() { half = l.reader.part == partValue && l.reader.left <= 10<<10 })
		return half
	})
	waits := batchOf(cmd("touch", "unsent"))
	waitNext := l.add(waits)
	testkit.Within(t, "the batches", func() { <-w; waitNext() })
	want := []protocol.Status{protocol.StatusOK, protocol.StatusLost, protocol.StatusLost, protocol.StatusDown}
	if got := statuses(stalls, waits); !slices.Equal(got, want) || len(stalls.Value(1)) != 0 {
		t.Errorf("statuses %v, value of %d bytes; want %v and none", got, len(stalls.Value(1)), want)
	}
	r.wantBurns(burns{metrics.BurnTimeout: 1})
	r.wantIdle()
	if got := statuses(r.do(cmd("touch", "k"))); got[0] != protocol.StatusOK {
		t.Errorf("afterwards: statuses %v", got)
	}
}

// TestRefusedWhileProbeHangs checks that while one lane tries a memcached that was
// down, whatever else comes, on any lane, is refused and does not wait for it.
func TestRefusedWhileProbeHangs(t *testing.T) {
	answer := make(chan struct{})
	s := startScripted(t, func(n int, c net.Conn, in *bufio.Reader) {
		if n == 1 {
			return // so that memcached is down
		}
		if <-answer; !greets(c, in) {
			return
		}
		for a, err := readAsked(in); err == nil; a, err = readAsked(in) {
			fmt.Fprintf(c, "HD %s\r\n", a.opaque)
		}
	})
	r := startRig(t, s.addr(), func(c *Config) { c.Shared, c.ConnectTimeout = 2, time.Hour })
	end := sync.OnceFunc(func() { close(answer) })
	t.Cleanup(end)
	if got := statuses(r.do(cmd("touch", "k"))); got[0] != protocol.StatusDown {
		t.Fatalf("statuses %v, want down", got)
	}
	l, probe := r.lanes[0], (*Batch)(nil)
	var wait func()
	testkit.Eventually(t, "a probe", func() (refuses bool) {
		probe = batchOf(cmd("touch", "k"))
		wait = l.add(probe)
		l.on(func() {})
		if l.on(func() { refuses = l.refuses }); !refuses {
			testkit.Within(t, "a batch before the probe", wait)
		}
		return refuses
	})
	fails := r.m.DialFails.Load()
	for range 100 { // they would hang if they waited: nothing answers
		if got := statuses(r.do(cmd("touch", "k"), store("set", "k", nil))); got[0] != protocol.StatusDown || got[1] != protocol.StatusDown {
			t.Fatalf("statuses %v, want down", got)
		}
	}
	l.on(func() {
		if len(l.queue) != 1 || !l.refuses || r.m.DialFails.Load() != fails {
			t.Errorf("%d batches wait, refuses %v: the probe is over", len(l.queue), l.refuses)
		}
	})
	end()
	testkit.Within(t, "the probe", wait)
	if got := statuses(probe, r.do(cmd("touch", "k")), r.do(cmd("touch", "k"))); slices.ContainsFunc(got, func(s protocol.Status) bool { return s != protocol.StatusOK }) {
		t.Errorf("after the probe: statuses %v, want %d", got, protocol.StatusOK)
	}
	r.wantIdle()
	r.wantBurns(burns{})
}
