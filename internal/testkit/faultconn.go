package testkit

import (
	"crypto/tls"
	"math/rand/v2"
	"net"
	"sync"
)

// chopped is a connection whose bytes come and go in small pieces.
type chopped struct {
	net.Conn
	reads, writes dice
}

// dice throws piece sizes. Each direction has its own, so that the sizes of
// one do not depend on when the other was used.
type dice struct {
	mu  sync.Mutex
	rng *rand.Rand
	max int
}

// Chop returns c with every Read cut to between one and most bytes and every
// Write sent in pieces of that size. The sizes follow from seed alone, each
// direction on its own, so that a failing seed can be run again. A Chop around
// a *tls.Conn chops plaintext; inside tls.Client or tls.Server it chops
// records. Closing it closes c.
func Chop(c net.Conn, seed uint64, most int) net.Conn {
	ch := &chopped{Conn: c}
	ch.reads.rng, ch.reads.max = rand.New(rand.NewPCG(seed, 1)), max(most, 1)
	ch.writes.rng, ch.writes.max = rand.New(rand.NewPCG(seed, 2)), max(most, 1)
	return ch
}

func (d *dice) piece(have int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return min(have, 1+d.rng.IntN(d.max))
}

func (c *chopped) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return c.Conn.Read(p)
	}
	return c.Conn.Read(p[:c.reads.piece(len(p))])
}

func (c *chopped) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		n, err := c.Conn.Write(p[sent : sent+c.writes.piece(len(p)-sent)])
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// NetConn returns the connection that is chopped.
func (c *chopped) NetConn() net.Conn { return c.Conn }

// Reset closes c so that its peer sees a TCP reset instead of an orderly end,
// also from under Chop and TLS, whose farewell is not sent. What is not TCP
// has no reset and is just closed.
func Reset(c net.Conn) error {
	switch u := c.(type) {
	case *tls.Conn:
		return Reset(u.NetConn())
	case *chopped:
		return Reset(u.NetConn())
	case *net.TCPConn:
		// With no time to linger, close(2) discards what is unsent and resets.
		if err := u.SetLinger(0); err != nil {
			return err
		}
	}
	return c.Close()
}
