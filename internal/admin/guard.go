package admin

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/metrics"
)

// maxConns is how many connections are open at once. A further one is closed.
const maxConns = 16

// guard is a listener that hands on the connections of root and of slabgate's own
// user, so many at a time. The mode of the socket says the same; this also holds
// when somebody has changed it.
type guard struct {
	net.Listener
	log     *zap.Logger
	metrics *metrics.Metrics
	slots   chan struct{} // one for each connection that is open
}

func newGuard(l net.Listener, log *zap.Logger, m *metrics.Metrics) *guard {
	return &guard{Listener: l, log: log, metrics: m, slots: make(chan struct{}, maxConns)}
}

// Accept returns the next connection that is let in. One that is not is closed,
// counted and logged.
func (g *guard) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peerOf(c)
		why := ""
		switch {
		case err != nil:
			why = "user unknown"
		case !mayUse(uid, os.Geteuid()):
			why = "another user"
		case !g.take():
			why = "too many connections"
		default:
			return &guarded{Conn: c, slots: g.slots, uid: uid}, nil
		}
		g.metrics.AdminRefused.Add(1)
		g.log.Warn("admin refused", zap.Uint32("uid", uid), zap.String("reason", why), zap.NamedError("cause", err))
		c.Close()
	}
}

// mayUse reports whether a user may look into a slabgate that runs as own.
func mayUse(uid uint32, own int) bool { return uid == 0 || int64(uid) == int64(own) }

func (g *guard) take() bool {
	select {
	case g.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

var errNoUnixSocket = errors.New("admin: no unix socket")

// peerOf is the user that made a connection, as the kernel tells.
func peerOf(c net.Conn) (uint32, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0, errNoUnixSocket
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *syscall.Ucred
	var refused error
	err = raw.Control(func(fd uintptr) {
		cred, refused = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(err, refused); err != nil {
		return 0, err
	}
	return cred.Uid, nil
}

// guarded is a connection that gives its place back.
type guarded struct {
	net.Conn
	slots chan struct{}
	uid   uint32 // of its peer
	once  sync.Once
}

// Close closes the connection.
func (c *guarded) Close() error {
	defer c.once.Do(func() { <-c.slots })
	return c.Conn.Close()
}
