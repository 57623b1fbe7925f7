package upstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/slabgate/slabgate/protocol"
)

// maxAsked bounds the value of a reply to [Pool.Ask], in bytes.
const maxAsked = 64 << 10

var (
	errUnfit = errors.New("upstream: this memcached can't be asked for that")
	errAsked = errors.New("upstream: value is larger than its asker takes")
)

// Ask carries out one command about a key and returns memcached's whole reply,
// with its value if it has one; both are the caller's. It takes a connection of
// those that commands about no key have, so that it does not wait for clients who
// read large values. It waits for as long as a connection and the request may take,
// and for no longer than ctx lets it.
//
// An error says that there is no reply. Then the status is one of those that say
// so, and of [protocol.StatusLost] that memcached may have obeyed all the same.
func (p *Pool) Ask(ctx context.Context, cmd *protocol.Command) (protocol.Reply, []byte, error) {
	var r protocol.Reply
	var value []byte
	if err := ctx.Err(); err != nil {
		return protocol.Reply{Status: protocol.StatusDown}, nil, err
	}
	leased := false
	err := p.with(ctx, p.keyless, func(ctx context.Context, c *conn) (err error) {
		leased = true
		release := c.within(ctx, p.cfg.RequestTimeout)
		value, err = p.askWhole(c, cmd, &r)
		return release(err)
	})
	switch {
	case !leased:
		return protocol.Reply{Status: notSent(err)}, nil, err
	case err != nil:
		return protocol.Reply{Status: protocol.StatusLost}, nil, fmt.Errorf("upstream: asking: %w", err)
	case r.Status == protocol.StatusUnfit:
		err = errUnfit
	}
	return r, value, err
}

// askWhole sends cmd and reads all of its reply.
func (p *Pool) askWhole(c *conn, cmd *protocol.Command, r *protocol.Reply) ([]byte, error) {
	if err := p.ask(c, cmd, r); err != nil || r.Status != protocol.StatusValue {
		return nil, err
	}
	if r.Size > maxAsked {
		return nil, errAsked
	}
	value := make([]byte, 0, r.Size)
	err := c.chunks(r, func(piece []byte) error {
		value = append(value, piece...)
		return nil
	})
	if err == nil {
		err = c.drained() // a value with bytes after it may not be what it seems
	}
	return value, err
}
