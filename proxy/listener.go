package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
)

// Back-off of an accept loop whose Accept fails, as it does when descriptors run
// out: it neither spins nor gives up.
const (
	minAcceptWait = 5 * time.Millisecond
	maxAcceptWait = time.Second
)

// keepAlive finds out within a minute that a client's host is gone.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3}

// defaultSocketMode is the mode of a unix socket whose address names none: the
// owner alone.
const defaultSocketMode = 0o600

// Listener is a bound listening socket.
type Listener struct {
	ListenerConfig
	net.Listener
	slots     chan struct{} // one for each connection that may be open
	admission admission
	counters  *metrics.Listener
}

// Listen binds. The address has been validated.
func Listen(cfg ListenerConfig) (*Listener, error) {
	bind := listenTCP
	if strings.HasPrefix(cfg.Address, "unix:") {
		bind = listenUnix
	}
	l, err := bind(&cfg)
	if err != nil {
		return nil, fmt.Errorf("proxy: listener %s: %w", cfg.Name, err)
	}
	return newListener(cfg, l), nil
}

func newListener(cfg ListenerConfig, l net.Listener) *Listener {
	return &Listener{ListenerConfig: cfg, Listener: l, slots: make(chan struct{}, max(1, cfg.MaxConnections))}
}

// listenTCP binds a literal address: nothing is looked up.
func listenTCP(cfg *ListenerConfig) (net.Listener, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // of which the kernel can give no other process its connections
	if cfg.ReusePort {
		lc.Control = reusePort
	}
	return lc.Listen(context.Background(), "tcp", cfg.Address)
}

// listenUnix binds unix:/path?mode=0660&group=name. A socket that nobody listens
// on is left from a crash and is replaced; one that answers is somebody's.
func listenUnix(cfg *ListenerConfig) (net.Listener, error) {
	path, query, _ := strings.Cut(strings.TrimPrefix(cfg.Address, "unix:"), "?")
	options, err := url.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := setOwner(path, options); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func removeStale(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s is in the way and is no socket", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%s is in use by another process", path)
	}
	return os.Remove(path)
}

// setOwner gives the socket the group and mode that its address asks for.
func setOwner(path string, options url.Values) error {
	if group := options.Get("group"); group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			return err
		}
		gid, err := strconv.Atoi(g.Gid)
		if err != nil {
			return err
		}
		if err := os.Chown(path, -1, gid); err != nil {
			return err
		}
	}
	mode := uint64(defaultSocketMode)
	if m := options.Get("mode"); m != "" {
		var err error
		if mode, err = strconv.ParseUint(m, 8, 9); err != nil {
			return err
		}
	}
	return os.Chmod(path, os.FileMode(mode))
}

// accept takes the next client. A place for it is taken first, so that a full
// listener leaves clients in the kernel's queue, and a drain can't miss one.
func (l *Listener) accept(stop <-chan struct{}) (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-stop:
		return nil, net.ErrClosed
	}
	wait := minAcceptWait
	for {
		c, err := l.Listener.Accept()
		if err == nil {
			tune(c)
			return c, nil
		}
		if errors.Is(err, net.ErrClosed) {
			<-l.slots
			return nil, err
		}
		select {
		case <-time.After(wait):
		case <-stop:
			<-l.slots
			return nil, net.ErrClosed
		}
		wait = min(2*wait, maxAcceptWait)
	}
}

// done gives a client's place back.
func (l *Listener) done() { <-l.slots }

// tune sets what TCP should do for a client. A setting that the kernel refuses
// costs comfort, not safety.
func tune(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetKeepAliveConfig(keepAlive)
	}
}
