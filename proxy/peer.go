package proxy

import (
	"net"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/poll"
)

// peerOf is the process that connected to a unix socket, or nil over TCP.
func peerOf(c *poll.Conn) (*auth.Peer, error) {
	if _, local := c.RemoteAddr().(*net.UnixAddr); !local {
		return nil, nil
	}
	p, err := c.Peer()
	if err != nil {
		return nil, err
	}
	return &auth.Peer{UID: p.UID, GID: p.GID, Groups: p.Groups}, nil
}
