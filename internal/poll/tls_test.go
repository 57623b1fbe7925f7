package poll

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// impatient is a connection under TLS that waits, or does not.
type impatient struct {
	*Conn
	try bool
}

func (c *impatient) Read(b []byte) (int, error) {
	if c.try {
		return c.TryRead(b)
	}
	return c.Conn.Read(b)
}

// held is a connection whose writes are held back once it is told to.
type held struct {
	net.Conn
	hold bool
	out  []byte
}

func (h *held) Write(b []byte) (int, error) {
	if !h.hold {
		return h.Conn.Write(b)
	}
	h.out = append(h.out, b...)
	return len(b), nil
}

// take returns what was held back.
func (h *held) take() []byte {
	out := h.out
	h.out = nil
	return out
}

// shaken is both ends of a TLS connection after the handshake.
type shaken struct {
	server *tls.Conn
	under  *impatient
	client *tls.Conn
	wire   *held // under the client
	raw    net.Conn
}

func (l *liveLoop) shakeHands(pki *testkit.PKI, version uint16) shaken {
	l.t.Helper()
	c, peer := l.pair()
	certFile, keyFile := pki.Server(l.t, "localhost")
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		l.t.Fatal(err)
	}
	s := shaken{under: &impatient{Conn: c}, wire: &held{Conn: peer}, raw: peer}
	s.server = tls.Server(s.under, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: version})
	s.client = tls.Client(s.wire, pki.ClientTLS(nil, "localhost"))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.client.Handshake(); err != nil {
			l.t.Errorf("client: %v", err)
		}
	})
	wg.Go(func() {
		if err := s.server.Handshake(); err != nil {
			l.t.Errorf("server: %v", err)
		}
	})
	testkit.Within(l.t, "the handshake", wg.Wait)
	if got := s.server.ConnectionState().Version; got != version {
		l.t.Fatalf("version %#x, want %#x", got, version)
	}
	s.under.try, s.wire.hold = true, true
	return s
}

// record is what the client sends for text.
func (s *shaken) record(t testing.TB, text []byte) []byte {
	t.Helper()
	if _, err := s.client.Write(text); err != nil {
		t.Fatal(err)
	}
	return s.wire.take()
}

// readsOnly feeds pieces one after the other, and checks that nothing can be read
// before the last has come, and text then.
func (s *shaken) readsOnly(t testing.TB, text []byte, pieces ...[]byte) {
	t.Helper()
	b := make([]byte, len(text)+8)
	for i, piece := range pieces {
		s.raw.Write(piece)
		s.under.Look() // it is there: no event is waited for
		n, err := s.server.Read(b)
		if i+1 < len(pieces) {
			if n != 0 || err != ErrAgain {
				t.Fatalf("piece %d of %d: read %d bytes, %v; want %v", i+1, len(pieces), n, err, ErrAgain)
			}
			continue
		}
		if !bytes.Equal(b[:n], text) || err != nil {
			t.Fatalf("the last of %d pieces: read %q, %v; want %q", len(pieces), b[:n], err, text)
		}
	}
	if n, err := s.server.Read(b); n != 0 || err != ErrAgain {
		t.Fatalf("after it: read %d bytes, %v; want %v", n, err, ErrAgain)
	}
}

// TestRecordInPieces checks that TLS goes on with a record whose rest was not there
// yet, wherever it was cut.
func TestRecordInPieces(t *testing.T) {
	pki := testkit.NewPKI(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			l := startLoop(t)
			s := l.shakeHands(pki, version)
			text := []byte("mg key v O1\r\n")
			for cut := 1; ; cut++ {
				text := fmt.Appendf(nil, "%s%d", text, cut)
				record := s.record(t, text)
				if cut >= len(record) {
					s.readsOnly(t, text, record)
					break
				}
				s.readsOnly(t, text, record[:cut], record[cut:])
			}
			record := s.record(t, text)
			var pieces [][]byte
			for i := range record {
				pieces = append(pieces, record[i:i+1])
			}
			s.readsOnly(t, text, pieces...)

			// Two in one piece: the second is read though nothing more comes.
			both := append(s.record(t, []byte("a")), s.record(t, []byte("b"))...)
			s.raw.Write(both)
			s.under.Look()
			b := make([]byte, 8)
			for _, want := range []string{"a", "b"} {
				if n, err := s.server.Read(b); string(b[:n]) != want || err != nil {
					t.Errorf("read %q, %v; want %q", b[:n], err, want)
				}
			}

			// One and a half: the first is read, the second when it is whole.
			first := s.record(t, []byte("c"))
			record = s.record(t, []byte("d"))
			s.raw.Write(append(first, record[:7]...))
			s.under.Look()
			if n, err := s.server.Read(b); string(b[:n]) != "c" || err != nil {
				t.Errorf("read %q, %v; want c", b[:n], err)
			}
			s.readsOnly(t, []byte("d"), nil, record[7:])

			// Writing was possible all along.
			if _, err := s.server.Write([]byte("HD\r\n")); err != nil {
				t.Errorf("Write: %v", err)
			}
			testkit.Within(t, "the client", func() {
				if n, err := s.client.Read(b); string(b[:n]) != "HD\r\n" || err != nil {
					t.Errorf("the client read %q, %v", b[:n], err)
				}
			})

			s.client.CloseWrite()
			s.raw.SetWriteDeadline(time.Time{}) // it let nothing more be written
			end := s.wire.take()
			s.raw.Write(end[:3])
			s.under.Look()
			if n, err := s.server.Read(b); n != 0 || err != ErrAgain {
				t.Errorf("part of the end: %d, %v; want %v", n, err, ErrAgain)
			}
			s.raw.Write(end[3:])
			s.under.Look()
			if n, err := s.server.Read(b); n != 0 || err != io.EOF {
				t.Errorf("the end: %d, %v; want %v", n, err, io.EOF)
			}
		})
	}
}

// TestRecordBrokenOff checks that an end in the midst of a record is none of TLS.
func TestRecordBrokenOff(t *testing.T) {
	l := startLoop(t)
	s := l.shakeHands(testkit.NewPKI(t), tls.VersionTLS13)
	record := s.record(t, []byte("set"))
	s.raw.Write(record[:len(record)-1])
	s.under.Look()
	b := make([]byte, 8)
	if n, err := s.server.Read(b); n != 0 || err != ErrAgain {
		t.Errorf("read %q, %v; want %v", b[:n], err, ErrAgain)
	}
	s.raw.Close()
	s.under.Look()
	if n, err := s.server.Read(b); n != 0 || err != io.ErrUnexpectedEOF {
		t.Errorf("read %q, %v; want %v", b[:n], err, io.ErrUnexpectedEOF)
	}
}
