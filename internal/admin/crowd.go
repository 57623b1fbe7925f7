package admin

import (
	"net"
	"net/http"
	"sync"

	"github.com/slabgate/slabgate/internal/metrics"
)

// maxWebConns is how many connections to the page are open at once. Far fewer can be
// answered for longer than a moment: see handler.
const maxWebConns = 64

// crowd is a listener that hands on so many connections at a time. When there are
// too many, the one that has kept slabgate waiting for a request for longest makes
// room: whoever connects and asks nothing keeps no probe out.
type crowd struct {
	net.Listener
	metrics *metrics.Metrics

	mu    sync.Mutex
	seats []seat // the one whose state changed last is last
}

// seat is a connection that is open.
type seat struct {
	conn    net.Conn
	waiting bool // for a whole request
}

func newCrowd(l net.Listener, m *metrics.Metrics) *crowd { return &crowd{Listener: l, metrics: m} }

// Accept returns the next connection that there is room for. One that had to go for
// it, or that there is none for, is closed and counted.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		out := c.seat(conn)
		if out != nil {
			c.metrics.AdminRefused.Add(1)
			out.Close()
		}
		if out != conn {
			return conn, nil
		}
	}
}

// seat gives a connection a place, and returns who has none any more: nobody, who
// has waited for longest, or the connection itself if all are answered.
func (c *crowd) seat(conn net.Conn) (out net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seats) >= maxWebConns {
		i := 0
		for i < len(c.seats) && !c.seats[i].waiting {
			i++
		}
		if i == len(c.seats) {
			return conn
		}
		out = c.leaveLocked(c.seats[i].conn)
	}
	c.seats = append(c.seats, seat{conn, true})
	return out
}

// leaveLocked takes a connection's place away, if it has one.
func (c *crowd) leaveLocked(conn net.Conn) net.Conn {
	for i := range c.seats {
		if c.seats[i].conn == conn {
			c.seats = append(c.seats[:i], c.seats[i+1:]...)
			return conn
		}
	}
	return nil
}

// note hears from the server what a connection does. It is active once a whole request
// has been read, and never hijacked.
func (c *crowd) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaveLocked(conn) == nil { // it had to go
		return
	}
	if state != http.StateClosed {
		c.seats = append(c.seats, seat{conn, state != http.StateActive})
	}
}
