package host

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// askPatience bounds a conversation with one address.
const askPatience = 500 * time.Millisecond

// questions are all that memcached is ever asked, with the line that each answer
// ends with if it does not end with an error: empty for an answer of one line.
var questions = []question{{"version\r\n", ""}, {"stats\r\n", "END"}, {"stats settings\r\n", "END"}}

type question struct{ line, end string }

// briefly is what a slabgate that runs asks on its own connections, too.
var briefly = []question{questions[0], unasked, questions[2]}

// unasked stands for a question in its place among the answers.
var unasked = question{"", "END"}

// frame precedes a request over UDP: request 1, datagram 0 of 1.
var frame = []byte{0, 1, 0, 0, 0, 1, 0, 0}

// Ask says nothing more to what does not answer as memcached.
func (l live) Ask(ctx context.Context, address string) (Reply, error) {
	reply := Reply{PeerUID: -1}
	network, at := "tcp", address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, at = "unix", path
	} else if host, ok := strings.CutPrefix(address, "udp:"); ok {
		network, at = "udp", host
	}
	deadline := time.Now().Add(askPatience)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, at)
	if err != nil {
		return reply, dialError(err)
	}
	defer conn.Close()
	if d, ok := ctx.Deadline(); ok {
		deadline = d
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return reply, err
	}
	switch c := conn.(type) {
	case *net.UDPConn:
		reply.Text, err = askDatagram(c)
		return reply, dialError(err)
	case *net.UnixConn:
		reply.PeerUID, reply.PeerPID = peerOf(c)
	}
	reply.Text, err = converse(conn, l.questions)
	return reply, dialError(err)
}

// dialError is the innermost of an error, since the address is known.
func dialError(err error) error {
	var number syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %v", askPatience)
	case errors.As(err, &number):
		return number
	}
	return err
}

// peerOf returns the user and process at the other end of a unix socket.
func peerOf(c *net.UnixConn) (uid, pid int) {
	uid = -1
	raw, err := c.SyscallConn()
	if err != nil {
		return uid, 0
	}
	err = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil && cred.Uid != ^uint32(0) {
			uid, pid = int(cred.Uid), int(cred.Pid)
		}
	})
	if err != nil {
		return -1, 0
	}
	return uid, pid
}

// askDatagram asks for the version over UDP and returns the answer without its
// frame.
func askDatagram(c *net.UDPConn) ([]byte, error) {
	if _, err := c.Write(append(bytes.Clone(frame), questions[0].line...)); err != nil {
		return nil, err
	}
	buf := make([]byte, 2048)
	n, err := c.Read(buf)
	return buf[min(len(frame), n):n], err
}

// converse asks questions and returns all that came. An error after the version
// is none: what came until then stands.
func converse(c net.Conn, questions []question) ([]byte, error) {
	var all bytes.Buffer
	in := bufio.NewReader(io.LimitReader(c, MostBytes))
	for i, q := range questions {
		if q == unasked {
			all.WriteString(q.end + "\r\n")
			continue
		}
		if _, err := io.WriteString(c, q.line); err != nil {
			return all.Bytes(), unlessSaid(i, err)
		}
		if err := readAnswer(in, q.end, &all); err != nil {
			return all.Bytes(), unlessSaid(i, err)
		}
		if !bytes.HasPrefix(all.Bytes(), []byte("VERSION ")) {
			break
		}
	}
	return all.Bytes(), nil
}

func unlessSaid(question int, err error) error {
	if question > 0 {
		return nil
	}
	return err
}

// readAnswer copies lines up to that which ends an answer.
func readAnswer(in *bufio.Reader, end string, all *bytes.Buffer) error {
	for {
		line, err := in.ReadSlice('\n')
		all.Write(line)
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case err != nil:
			return err
		case end == "" || text == end || !strings.HasPrefix(text, "STAT "):
			return nil
		}
	}
}
