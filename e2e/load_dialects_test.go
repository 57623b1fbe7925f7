package e2e_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// phrase asks one thing in its dialect, and knows what the answer is.
type phrase func(key string, n int) (request, reply []byte)

// speakers are the dialects of a load that mixes them.
var speakers = []phrase{sayClassic, sayMeta, sayBinary}

func sayClassic(key string, n int) (request, reply []byte) {
	return fmt.Appendf(nil, "set %s 0 0 8\r\n%08d\r\nget %s\r\n", key, n, key),
		fmt.Appendf(nil, "STORED\r\nVALUE %s 0 8\r\n%08d\r\nEND\r\n", key, n)
}

func sayMeta(key string, n int) (request, reply []byte) {
	return fmt.Appendf(nil, "ms %s 8\r\n%08d\r\nmg %s v\r\nmn\r\n", key, n, key),
		fmt.Appendf(nil, "HD\r\nVA 8\r\n%08d\r\nMN\r\n", n)
}

func sayBinary(key string, n int) (request, reply []byte) {
	set := testkit.Packet{Op: testkit.OpSet, Opaque: uint32(n), Extras: strings.Repeat("\x00", 8), Key: key, Value: fmt.Sprintf("%08d", n)}
	get := testkit.Packet{Op: testkit.OpGet, Opaque: uint32(n), Key: key}
	stored := testkit.Packet{Reply: true, Op: testkit.OpSet, Opaque: uint32(n)}
	found := testkit.Packet{Reply: true, Op: testkit.OpGet, Opaque: uint32(n), Extras: strings.Repeat("\x00", 4), Value: fmt.Sprintf("%08d", n)}
	return append(set.Bytes(), get.Bytes()...), append(stored.Bytes(), found.Bytes()...)
}

// speak sends one request and compares the reply. What a binary reply has as its CAS
// is not compared. The error io.EOF says that the connection ended properly, and
// without a byte of the reply: nothing was begun.
func speak(c net.Conn, in *bufio.Reader, say phrase, key string, n int) error {
	request, want := say(key, n)
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(request); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if m, err := io.ReadFull(in, got); err != nil {
		if err == io.EOF {
			return err
		}
		return fmt.Errorf("after %q: %w", got[:m], err)
	}
	if want[0] == 0x81 { // two packets, of which the first has no body
		clear(got[16:24])
		clear(got[40:48])
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%q: got %q, want %q", request, got, want)
	}
	return nil
}

// keepSpeaking asks until it is told to stop, or something goes wrong, and returns
// how often it was right.
func keepSpeaking(c net.Conn, say phrase, key string, stop *atomic.Bool) (n int, err error) {
	in := bufio.NewReader(c)
	for ; !stop.Load(); n++ {
		if err := speak(c, in, say, key, n); err != nil {
			return n, fmt.Errorf("request %d: %w", n, err)
		}
	}
	return n, nil
}
