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
	path string      // where it is to be
	made string      // where it was made; empty once it is in its place
	file os.FileInfo // the socket as it was made
}

// Prepare binds a socket that is to be at path, and that nobody else can connect to at
// any time: it is made in a folder that is slabgate's alone, and [Listener.Publish]
// moves it into place. A socket that nobody listens on is left from a crash; one that
// answers is somebody's, and an error, unless this process is to take over from that
// one. The other then goes on listening where nobody finds it.
func Prepare(path string, takeOver bool) (*Listener, error) {
	check := checkStale
	if takeOver {
		check = checkSocket
	}
	if err := check(path); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	l, err := listenPrivately(path)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	return l, nil
}

// Publish moves the socket into its place, where others find it.
func (l *Listener) Publish() error {
	if err := os.Rename(l.made, l.path); err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	dir := filepath.Dir(l.made)
	l.made = ""
	if err := os.Remove(dir); err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	return nil
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

func listenPrivately(path string) (*Listener, error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".a")
	if err != nil {
		return nil, err
	}
	l, err := listenIn(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	l.path = path
	return l, nil
}

// listenIn makes a socket with its mode in a folder.
func listenIn(dir string) (*Listener, error) {
	made := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it would look for the socket where it was made
	if err := os.Chmod(made, socketMode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	fi, err := os.Lstat(made)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &Listener{Listener: l, made: made, file: fi}, nil
}

// Close stops listening and removes the socket, unless another is in its place.
func (l *Listener) Close() error {
	if l.made != "" {
		return errors.Join(l.Listener.Close(), os.RemoveAll(filepath.Dir(l.made)))
	}
	if fi, err := os.Lstat(l.path); err == nil && os.SameFile(fi, l.file) {
		return errors.Join(l.Listener.Close(), os.Remove(l.path))
	}
	return l.Listener.Close()
}
