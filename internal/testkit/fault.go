package testkit

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// Fault is what the fake does wrong with one request. The zero Fault is
// nothing: the right answer at once.
type Fault struct {
	unheard bool // the request is not executed
	apply   func(c *fakeConn, reply []byte) error
}

// errCut ends a connection of the fake: a fault closed it.
var errCut = errors.New("testkit: connection cut by a fault")

// Rewrite answers with what change makes of the right reply, which may be
// nothing. change may keep and alter its argument.
func Rewrite(change func(reply []byte) []byte) Fault {
	return Fault{apply: func(c *fakeConn, reply []byte) error {
		return c.send(change(reply))
	}}
}

// DropReply executes the request and does not answer it; the next is answered.
func DropReply() Fault {
	return Rewrite(func([]byte) []byte { return nil })
}

// DuplicateReply answers twice.
func DuplicateReply() Fault {
	return Rewrite(func(reply []byte) []byte { return bytes.Repeat(reply, 2) })
}

// ExtraLineBefore sends text and a line end before the right reply.
func ExtraLineBefore(text string) Fault {
	return Rewrite(func(reply []byte) []byte { return append([]byte(text+"\r\n"), reply...) })
}

// ExtraLineAfter sends text and a line end after the right reply.
func ExtraLineAfter(text string) Fault {
	return Rewrite(func(reply []byte) []byte { return append(reply, text+"\r\n"...) })
}

// ErrorLine answers with text and a line end instead of the right reply. The
// request is executed all the same.
func ErrorLine(text string) Fault {
	return Rewrite(func([]byte) []byte { return []byte(text + "\r\n") })
}

// WrongOpaque answers with another opaque of the same length. A reply without
// an opaque stays right.
func WrongOpaque() Fault {
	return Rewrite(func(reply []byte) []byte {
		end := bytes.IndexByte(reply, '\r')
		at := bytes.LastIndex(reply[:max(end, 0)], []byte(" O"))
		if at < 0 || at+2 >= end || reply[at+2] == ' ' {
			return reply
		}
		last := at + 2
		for last+1 < end && reply[last+1] != ' ' {
			last++
		}
		if reply[last] == '1' {
			reply[last] = '2'
		} else {
			reply[last] = '1'
		}
		return reply
	})
}

// DelayReply answers after d. What follows on the connection waits as well.
func DelayReply(d time.Duration) Fault {
	return Fault{apply: func(c *fakeConn, reply []byte) error {
		select {
		case <-time.After(d):
			return c.send(reply)
		case <-c.fake.closing:
			return errCut
		}
	}}
}

// SwapWithNext sends the reply after that of the next request on the same
// connection; if none comes, it is never sent.
func SwapWithNext() Fault {
	return Fault{apply: func(c *fakeConn, reply []byte) error {
		c.held = append(c.held, reply...)
		return nil
	}}
}

// CloseBefore closes the connection without executing the request.
func CloseBefore() Fault {
	return Fault{unheard: true, apply: func(*fakeConn, []byte) error { return errCut }}
}

// CloseMidReply executes the request and closes the connection after the first
// n bytes of the reply, or after all of a shorter one.
func CloseMidReply(n int) Fault {
	return Fault{apply: func(c *fakeConn, reply []byte) error {
		return errors.Join(c.send(reply[:min(n, len(reply))]), errCut)
	}}
}

// ResetMidReply is CloseMidReply with a TCP reset; it needs FakeOptions.TCP.
func ResetMidReply(n int) Fault {
	return Fault{apply: func(c *fakeConn, reply []byte) error {
		return errors.Join(c.send(reply[:min(n, len(reply))]), Reset(c.conn), errCut)
	}}
}

// Stall executes the request and answers neither it nor anything after it. The
// connection stays open and is read until the other side closes it.
func Stall() Fault {
	return Fault{apply: func(c *fakeConn, _ []byte) error {
		_, err := io.Copy(io.Discard, c.in)
		return errors.Join(err, errCut)
	}}
}
