package upstream

import (
	"context"
	"errors"
	"fmt"
	"time"

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
// and for no longer than ctx's deadline lets it.
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
	err := p.with(ctx, p.keyless, func(c *conn) (err error) {
		leased = true
		value, err = p.askWhole(c, cmd, &r, p.patience(ctx))
		return err
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

// patience is when a request that is sent now has to be answered.
func (p *Pool) patience(ctx context.Context) time.Time {
	until := time.Now().Add(p.cfg.RequestTimeout)
	if end, bounded := ctx.Deadline(); bounded && end.Before(until) {
		return end
	}
	return until
}

// askWhole sends cmd and reads all of its reply.
func (p *Pool) askWhole(c *conn, cmd *protocol.Command, r *protocol.Reply, until time.Time) ([]byte, error) {
	if err := p.ask(c, cmd, r, until); err != nil || r.Status != protocol.StatusValue {
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
