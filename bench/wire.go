package main

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// wire is a connection whose reads can stop waiting: once detached it returns
// [again] where it would wait. crypto/tls carries on after such an error.
type wire struct {
	net.Conn
	fd int // once detached; before, -1
}

// again is the error of a read that would wait.
type again struct{}

func (again) Error() string   { return "bench: nothing to read yet" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// Read waits before the wire is detached and not after.
func (w *wire) Read(p []byte) (int, error) {
	if w.fd < 0 {
		return w.Conn.Read(p)
	}
	n, err := syscall.Read(w.fd, p)
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return 0, again{}
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write always waits, for a peer that has stopped reading at most [setupTime].
func (w *wire) Write(p []byte) (int, error) {
	if w.fd < 0 {
		return w.Conn.Write(p)
	}
	sent := 0
	for tries := 0; sent < len(p); tries++ {
		n, err := syscall.Write(w.fd, p[sent:])
		switch {
		case err == nil:
			sent += n
		case err != syscall.EAGAIN && err != syscall.EINTR:
			return sent, err
		case tries > int(setupTime/writePause):
			return sent, os.ErrDeadlineExceeded
		default:
			time.Sleep(writePause)
		}
	}
	return sent, nil
}

// writePause is between two tries to write to a full socket. It is rare.
const writePause = 50 * time.Microsecond

// detach takes the socket away from Go's poller, which would wake for every byte
// that arrives though no goroutine waits there.
func (w *wire) detach() error {
	raw, err := w.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var dup int
	var dupErr error
	if err := raw.Control(func(fd uintptr) { dup, dupErr = syscall.Dup(int(fd)) }); err != nil {
		return err
	}
	if dupErr != nil {
		return dupErr
	}
	syscall.CloseOnExec(dup)
	w.fd = dup
	return w.Conn.Close() // of one descriptor of two: the connection stays
}

func (w *wire) Close() error {
	if w.fd < 0 {
		return w.Conn.Close()
	}
	return syscall.Close(w.fd)
}
