package poll

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/slabgate/slabgate/internal/testkit"
)

// crowd is how many connections a loop has at once, far more than a wait reports.
const crowd = 1000

// echo answers what it reads and closes its connection at the end.
type echo struct {
	c     *Conn
	t     testing.TB
	ended *counter
}

func (e *echo) Ready(event Event) {
	e.c.Wake(event)
	b := make([]byte, 16)
	for {
		n, err := e.c.TryRead(b)
		switch {
		case err == ErrAgain:
			return
		case err == io.EOF:
			e.c.Close()
			e.ended.Add(1)
			return
		case errors.Is(err, net.ErrClosed): // called for nothing
			return
		case err != nil:
			e.t.Errorf("read: %v", err)
			return
		}
		if _, err := e.c.TryWrite(b[:n]); err != nil {
			e.t.Errorf("write: %v", err)
			return
		}
	}
}

// needDescriptors skips the test if so many can't be had.
func needDescriptors(t *testing.T, n uint64) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur < n {
		t.Skipf("needs %d descriptors, may have %d", n, limit.Cur)
	}
}

// TestCrowd checks that of many connections, which all speak at once and of which
// some end each time, everyone is heard and nobody twice.
func TestCrowd(t *testing.T) {
	needDescriptors(t, 2*crowd+100)
	l := newLoop(t)
	var ended counter
	peers := make([]*net.UnixConn, crowd)
	for i := range peers {
		ours, peer := sockets(t)
		c := take(t, ours)
		l.watch(c, &echo{c, t, &ended})
		peers[i] = peer
	}
	l.start(idle)
	const rounds = 4
	for round := range rounds {
		for i := range peers {
			peers[i].Write(binary.BigEndian.AppendUint32(nil, uint32(round*crowd+i)))
		}
		testkit.Within(t, "a round", func() {
			for i := range peers {
				var b [4]byte
				if _, err := io.ReadFull(peers[i], b[:]); err != nil || binary.BigEndian.Uint32(b[:]) != uint32(round*crowd+i) {
					t.Errorf("round %d: peer %d read %x, %v", round, i, b, err)
				}
			}
		})
		left := len(peers) * 3 / 4
		for _, p := range peers[left:] {
			p.Close()
		}
		peers = peers[:left]
		ended.reach(t, "every end", int64(crowd-left))
	}
	l.on(func() {
		if n := len(l.handlers); n != len(peers) {
			t.Errorf("%d handlers are left, want %d", n, len(peers))
		}
	})
	for i := range peers {
		peers[i].Close()
	}
	ended.reach(t, "every end", crowd)
	l.on(func() {
		if n := len(l.handlers); n != 0 {
			t.Errorf("%d handlers are left", n)
		}
	})
}
