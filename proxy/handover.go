package proxy

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// What makes a socket that was handed over unfit for its listener.
var (
	errNoStream = errors.New("it is no socket that takes connections over TCP or unix")
	errExposed  = errors.New("it takes plaintext from beyond this host")
)

// Adopt makes a listener of a socket that somebody else has bound, and that stays
// bound when the listener is closed. The socket belongs to the listener, also if an
// error says that it is not fit.
func Adopt(cfg ListenerConfig, l net.Listener) (*Listener, error) {
	if err := fits(&cfg, l); err != nil {
		l.Close()
		return nil, fmt.Errorf("proxy: listener %s: the socket for %s is not fit: %w", cfg.Name, cfg.Address, err)
	}
	return newListener(cfg, l), nil
}

// fits returns why a socket is not what its listener wants.
func fits(cfg *ListenerConfig, l net.Listener) error {
	switch a := l.Addr().(type) {
	case *net.UnixAddr:
		return nil
	case *net.TCPAddr:
		if cfg.Transport == "plaintext" && !a.IP.IsLoopback() {
			return errExposed
		}
		return nil
	}
	return errNoStream
}

// reusePort lets other processes of the same user bind the address as well. The
// kernel spreads new connections over them.
func reusePort(_, _ string, c syscall.RawConn) error {
	return setsockopt(c, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
}

// Yield lets another process that has bound the same address since have all new
// connections: those that wait here when a socket is closed are lost. It counts on
// being the older of two. Without another process, or without reuse_port, it changes
// nothing.
func (l *Listener) Yield() error {
	t, ok := l.Listener.(*net.TCPListener)
	if !ok || !l.ReusePort {
		return nil
	}
	c, err := t.SyscallConn()
	if err != nil {
		return fmt.Errorf("proxy: listener %s: %w", l.Name, err)
	}
	if err := setsockopt(c, chooseSecond); err != nil {
		return fmt.Errorf("proxy: listener %s: new connections can't be left to another process: %w", l.Name, err)
	}
	return nil
}

// chooseSecond has the kernel give new connections to the second socket that was
// bound to an address. If there is none it goes on spreading them.
func chooseSecond(fd int) error {
	second := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 1}}
	program := unix.SockFprog{Len: uint16(len(second)), Filter: &second[0]}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &program)
}

func setsockopt(c syscall.RawConn, set func(fd int) error) error {
	var refused error
	err := c.Control(func(fd uintptr) { refused = set(int(fd)) })
	return errors.Join(err, refused)
}
