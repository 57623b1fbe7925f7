package testkit

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
)

// sizesConn records the size of each write and answers reads from in.
type sizesConn struct {
	net.Conn
	in    io.Reader
	out   bytes.Buffer
	sizes []int
}

func (c *sizesConn) Read(p []byte) (int, error) { return c.in.Read(p) }

func (c *sizesConn) Write(p []byte) (int, error) {
	c.sizes = append(c.sizes, len(p))
	return c.out.Write(p)
}

func TestChopKeepsEveryByte(t *testing.T) {
	want := Value("c", "k", 1, 4096)
	for seed := range uint64(50) {
		under := &sizesConn{in: bytes.NewReader(want)}
		c := Chop(under, seed, 7)
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("seed %d: read %d bytes, %v, want %d", seed, len(got), err, len(want))
		}
		if n, err := c.Write(want); n != len(want) || err != nil {
			t.Fatalf("seed %d: wrote %d, %v, want %d", seed, n, err, len(want))
		}
		if !bytes.Equal(under.out.Bytes(), want) {
			t.Fatalf("seed %d: other bytes arrived than were written", seed)
		}
		if slices.Min(under.sizes) < 1 || slices.Max(under.sizes) > 7 {
			t.Errorf("seed %d: pieces of %v bytes, want 1 to 7", seed, under.sizes)
		}
	}
}

func TestChopRepeatsWithItsSeed(t *testing.T) {
	run := func(seed uint64, readFirst bool) []int {
		under := &sizesConn{in: bytes.NewReader(make([]byte, 100))}
		c := Chop(under, seed, 9)
		if readFirst {
			io.ReadAll(c)
		}
		c.Write(make([]byte, 200))
		return under.sizes
	}
	if a, b := run(5, false), run(5, true); !slices.Equal(a, b) {
		t.Errorf("seed 5 cut once into %v, once into %v", a, b)
	}
	if a, b := run(5, false), run(6, false); slices.Equal(a, b) {
		t.Errorf("seeds 5 and 6 both cut into %v", a)
	}
}

func TestResetIsSeenAsReset(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := Reset(Chop(server, 1, 3)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read after reset: got %v, want %v", err, syscall.ECONNRESET)
	}
}
