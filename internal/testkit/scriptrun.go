package testkit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// ScriptOptions says how a script is run.
type ScriptOptions struct {
	Split bool // send each byte with a write of its own
}

// quiet is how long a connection is listened to after the last step, and after
// the last byte of a transcript that needs no more.
const quiet = 5 * time.Millisecond

// RunScript holds the conversation s over conn and fails the test at the first
// step that goes wrong, naming its file and line, what came and what was
// wanted. Steps that send and follow each other go out in one write. A step
// has five seconds. What comes after the last step is a fault as well. conn is
// left open.
func RunScript(t testing.TB, conn net.Conn, s Script, opts ScriptOptions) {
	t.Helper()
	if err := runScript(conn, s, opts); err != nil {
		t.Fatalf("%v\n\t(%s)", err, s.About)
	}
}

func runScript(conn net.Conn, s Script, opts ScriptOptions) error {
	in := bufio.NewReader(conn)
	defer conn.SetDeadline(time.Time{})
	for steps := s.Steps; len(steps) > 0; {
		conn.SetDeadline(time.Now().Add(patience))
		sends := leadingSends(steps)
		if len(sends) > 0 {
			if err := sendAll(conn, sends, opts.Split); err != nil {
				return fmt.Errorf("%s: send %w", sends[0].Pos, err)
			}
			steps = steps[len(sends):]
			continue
		}
		if err := steps[0].check(in); err != nil {
			return fmt.Errorf("%s: %w", steps[0].Pos, err)
		}
		steps = steps[1:]
	}
	conn.SetDeadline(time.Now().Add(quiet))
	if rest, _ := in.Peek(1); len(rest) > 0 {
		rest, _ = in.Peek(in.Buffered())
		return fmt.Errorf("%s: after the last step\n\tgot  %.200q\n\twant nothing", s.Steps[len(s.Steps)-1].Pos, rest)
	}
	return nil
}

// leadingSends returns the steps before the first that listens.
func leadingSends(steps []Step) []Step {
	n := slices.IndexFunc(steps, func(s Step) bool { return s.Kind != Send })
	if n < 0 {
		return steps
	}
	return steps[:n]
}

// sendAll writes what the steps send. That the peer has closed is no error
// here: the steps that listen say whether it should have.
func sendAll(conn net.Conn, sends []Step, split bool) error {
	var b strings.Builder
	for _, s := range sends {
		b.WriteString(s.Data)
	}
	chunks := [][]byte{[]byte(b.String())}
	if split {
		chunks = slices.Collect(slices.Chunk(chunks[0], 1))
	}
	for _, chunk := range chunks {
		_, err := conn.Write(chunk)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if err != nil {
			return nil
		}
	}
	return nil
}

// check reads what the step expects.
func (s Step) check(in *bufio.Reader) error {
	if s.Kind == EOF {
		got, err := in.Peek(1)
		if len(got) == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		got, _ = in.Peek(in.Buffered())
		return mismatch(got, "the connection closed", err)
	}
	if s.Kind == ExpectPacket {
		return s.checkPacket(in)
	}
	if s.Kind == Expect {
		got, err := readWhile(in, s.Data)
		if string(got) != s.Data {
			return mismatch(got, fmt.Sprintf("%.200q", s.Data), err)
		}
		return nil
	}
	line, err := in.ReadString('\n')
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok || !s.Re.MatchString(text) {
		return mismatch([]byte(line), "a line matching "+s.Re.String(), err)
	}
	return nil
}

// readWhile reads as long as what comes agrees with want, so that a wrong reply
// which is shorter is reported at once and not after the deadline. After the
// first wrong byte it adds what has arrived already, to be shown.
func readWhile(in *bufio.Reader, want string) ([]byte, error) {
	got := make([]byte, 0, len(want))
	for i := range len(want) {
		b, err := in.ReadByte()
		if err != nil {
			return got, err
		}
		got = append(got, b)
		if b != want[i] {
			more, _ := in.Peek(in.Buffered())
			return append(got, more...), nil
		}
	}
	return got, nil
}

func mismatch(got []byte, want string, err error) error {
	if err != nil {
		return fmt.Errorf("\n\tgot  %.200q, then %v\n\twant %s", got, err, want)
	}
	return fmt.Errorf("\n\tgot  %.200q\n\twant %s", got, want)
}

// Transcript sends input and then "mn", and returns everything that comes back,
// which is how two servers are compared. It returns when the answer to that
// last mn has come, the peer has closed, or nothing has come for idle, which
// is what ends it if input leaves a data block open. An mn in input is
// answered too and counted. The result is the caller's.
func Transcript(t testing.TB, conn net.Conn, input []byte, idle time.Duration) []byte {
	t.Helper()
	const ask, answer = "mn\r\n", "MN\r\n"
	input = append(bytes.Clone(input), ask...)
	owed := bytes.Count(input, []byte(ask))
	return transcript(conn, input, idle, func(out []byte) bool {
		return bytes.HasSuffix(out, []byte(answer)) && bytes.Count(out, []byte(answer)) >= owed
	})
}

// lastOpaque is that of the NOOP which ends a transcript.
const lastOpaque = 0xfffffffe

// PacketTranscript is Transcript in the binary dialect: what ends it is a NOOP
// with an opaque that input should not use.
func PacketTranscript(t testing.TB, conn net.Conn, input []byte, idle time.Duration) []byte {
	t.Helper()
	input = append(bytes.Clone(input), Packet{Op: OpNoop, Opaque: lastOpaque}.Bytes()...)
	answer := Packet{Reply: true, Op: OpNoop, Opaque: lastOpaque}.Bytes()
	return transcript(conn, input, idle, func(out []byte) bool { return bytes.HasSuffix(out, answer) })
}

// transcript sends input and returns what comes back until it is whole, the peer
// closes, or nothing has come for idle.
func transcript(conn net.Conn, input []byte, idle time.Duration, whole func([]byte) bool) []byte {
	sent := make(chan struct{})
	go func() { // the peer may want to be read before it reads on
		defer close(sent)
		conn.Write(input) // a peer that closes early is what the reads show
	}()
	var out []byte
	buf := make([]byte, 64<<10)
	for {
		conn.SetReadDeadline(time.Now().Add(idle))
		n, err := conn.Read(buf)
		out = append(out, buf[:n]...)
		if err != nil || whole(out) {
			break
		}
	}
	conn.SetWriteDeadline(time.Now().Add(quiet))
	<-sent
	conn.SetDeadline(time.Time{})
	return out
}
