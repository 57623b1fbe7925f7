package e2e_test

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// relay stands between a client and slabgate, as stunnel does for a client that
// has no TLS, and counts what the client connects.
type relay struct {
	listener net.Listener
	dial     func() (net.Conn, error)
	accepted atomic.Int32
	ends     sync.WaitGroup
}

// newRelay listens until the test ends, and dials a connection for every one
// that it accepts.
func newRelay(t *testing.T, dial func() (net.Conn, error)) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: listener, dial: dial}
	r.ends.Go(r.accept)
	t.Cleanup(func() {
		listener.Close()
		r.ends.Wait()
	})
	return r
}

// addr is where clients connect.
func (r *relay) addr() string { return r.listener.Addr().String() }

// connections is how many a client has opened so far.
func (r *relay) connections() int { return int(r.accepted.Load()) }

func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.accepted.Add(1)
		r.ends.Go(func() { r.join(client) })
	}
}

// join passes bytes on in both directions until either side closes.
func (r *relay) join(client net.Conn) {
	defer client.Close()
	server, err := r.dial()
	if err != nil {
		return
	}
	defer server.Close()
	var back sync.WaitGroup
	back.Go(func() {
		io.Copy(client, server)
		client.Close()
	})
	io.Copy(server, client)
	server.Close()
	back.Wait()
}

// straight relays to a listener as the client speaks.
func (d *daemon) straight(t *testing.T, listener string) *relay {
	t.Helper()
	addr := d.addr(t, listener)
	return newRelay(t, func() (net.Conn, error) { return net.Dial("tcp", addr) })
}

// tunnel relays to a TLS listener for clients that speak no TLS.
func (s *site) tunnel(t *testing.T, d *daemon, listener string) *relay {
	t.Helper()
	addr, config := d.addr(t, listener), s.tlsConfig("")
	return newRelay(t, func() (net.Conn, error) { return tls.Dial("tcp", addr, config) })
}

// tunnelAs is a tunnel that shows the client certificate of name.
func (s *site) tunnelAs(t *testing.T, d *daemon, name string) *relay {
	t.Helper()
	addr, config := d.addr(t, "main"), s.tlsConfig(name)
	return newRelay(t, func() (net.Conn, error) { return tls.Dial("tcp", addr, config) })
}

// dialTo connects to a plaintext listener, until the test ends.
func (d *daemon) dialTo(t *testing.T, listener string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", d.addr(t, listener))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
