package admin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// socketMode keeps everybody but the owner, and root, from connecting.
const socketMode = 0o600

// Listener is a bound admin socket.
type Listener struct {
	net.Listener
	path string
	file os.FileInfo // the socket as it was made
}

// Listen binds a socket at path that nobody else can connect to at any time: it is
// made in a folder that is slabgate's alone, and moved into place when its mode is
// right. A socket that nobody listens on is left from a crash and is replaced; one
// that answers is somebody's, and an error.
func Listen(path string) (*Listener, error) {
	if err := checkStale(path); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	return Replace(path)
}

// Replace is Listen for a process that takes the place of another one: a socket that
// answers is replaced too. The other process goes on listening where nobody finds it.
func Replace(path string) (*Listener, error) {
	if err := checkSocket(path); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	l, err := listenPrivately(path)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	return l, nil
}

// checkStale returns an error if something is at path that must not be replaced.
func checkStale(path string) error {
	if err := checkSocket(path); err != nil {
		return err
	}
	c, err := net.Dial("unix", path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%s is in use by another process", path)
	}
	return nil
}

// checkSocket returns an error if something else than a socket is at path.
func checkSocket(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s is in the way and is no socket", path)
	}
	return nil
}

func listenPrivately(path string) (_ *Listener, err error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".a")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	made := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it would look for the socket where it was made
	fi, err := settle(made, path)
	if err != nil {
		l.Close()
		return nil, err
	}
	return &Listener{Listener: l, path: path, file: fi}, nil
}

// settle gives the socket its mode and its place, and returns what it is there.
func settle(made, path string) (os.FileInfo, error) {
	if err := os.Chmod(made, socketMode); err != nil {
		return nil, err
	}
	if err := os.Rename(made, path); err != nil {
		return nil, err
	}
	return os.Lstat(path)
}

// Close stops listening and removes the socket, unless another is in its place.
func (l *Listener) Close() error {
	if fi, err := os.Lstat(l.path); err == nil && os.SameFile(fi, l.file) {
		return errors.Join(l.Listener.Close(), os.Remove(l.path))
	}
	return l.Listener.Close()
}
