package upstream

import (
	"context"
	"errors"

	"github.com/slabgate/slabgate/protocol"
)

// maxKeyless bounds the reply to a command about no key, in bytes.
const maxKeyless = 1 << 20

// errSpent burns a connection on which an unknown command was carried out: what
// else memcached makes of it, and when, nobody knows.
var errSpent = errors.New("upstream: an unknown command was sent")

// Keyless carries out a command about no key, on a connection on which nothing
// else is going on, and returns its reply, line by line as memcached ended them.
// The reply is the caller's. After an unknown command the connection is burnt. The
// end of ctx ends the wait for a connection as well as that for the reply.
func (p *Pool) Keyless(ctx context.Context, r *protocol.Request) ([]byte, protocol.Status) {
	var reply []byte
	status := protocol.StatusNone
	err := p.with(ctx, p.keyless, func(c *conn) (err error) {
		reply, status, err = p.askAlone(ctx, c, r)
		return err
	})
	if status == protocol.StatusNone {
		return nil, notSent(err)
	}
	return reply, status
}

// askAlone carries out r on c. The error says whether the connection is fit to be
// kept, the status whether there is a reply.
func (p *Pool) askAlone(ctx context.Context, c *conn, r *protocol.Request) ([]byte, protocol.Status, error) {
	unknown := r.Verb == protocol.Unknown
	if unknown && !c.info.Meta {
		return nil, protocol.StatusUnfit, nil
	}
	release := c.within(ctx, p.cfg.RequestTimeout)
	c.wbuf = protocol.AppendAlone(c.wbuf, r)
	reply, err := c.keyless(r)
	err = release(err)
	switch {
	case err != nil:
		return nil, protocol.StatusLost, err
	case unknown:
		return reply, protocol.StatusOK, errSpent
	}
	return reply, protocol.StatusOK, nil
}

// keyless sends what was composed and collects the lines of the reply. The line
// that ends the reply to an unknown command is not among them.
func (c *conn) keyless(r *protocol.Request) (reply []byte, err error) {
	if err := c.send(); err != nil {
		return nil, err
	}
	for len(reply) < maxKeyless {
		line, last, err := c.keylessLine(r)
		switch {
		case err != nil:
			return nil, err
		case last && r.Verb == protocol.Unknown:
			return reply, nil
		}
		reply = append(reply, line...)
		if last {
			return reply, nil
		}
	}
	return nil, errors.New("upstream: reply is too long")
}
