package proxy

import (
	"context"
	"time"

	"github.com/slabgate/slabgate/protocol"
	"github.com/slabgate/slabgate/upstream"
)

// Sizes of a client's input buffer, in bytes. It starts small, since most
// clients are idle most of the time, and doubles when a read fills it or a
// request needs more.
const (
	minInput = 4 << 10
	maxInput = 64 << 10 // what it is cut back to between requests
)

// largeTurns is for how many turns a client that met a large value is served
// call by call, each reply streamed to it, instead of in batches.
const largeTurns = 64

// relay serves a client whose identity is known until it leaves, errs or has to
// go.
func (s *session) relay() error {
	for {
		if err := s.renew(); err != nil {
			return err
		}
		s.fed, s.starved = s.snap, false
		used, short := s.x.feed(s.in[s.r:s.w])
		if err := s.turn(); err != nil {
			return err
		}
		s.r += used
		s.x.reset()
		if short || s.x.end != "" || len(s.x.out) >= flushSize {
			if err := s.flush(); err != nil {
				return err
			}
		}
		if s.x.end != "" {
			return ended(s.x.end, nil)
		}
		if short {
			if err := s.more(); err != nil {
				return err
			}
		}
	}
}

// renew takes the snapshot and the clock for the next turn. After a reload the
// client must still be who it was, or somebody.
func (s *session) renew() error {
	s.x.now = s.server.now().Unix()
	info, _ := s.server.Pool.Info()
	s.x.parser.MaxItem, s.x.parser.Knows, s.x.version = info.MaxItem, info.Knows, info.Version
	if s.expired() {
		return ended(EndExpired, nil)
	}
	snap := s.server.snapshot.Load()
	if snap == s.snap {
		return nil
	}
	id, err := s.identifyAnew(snap)
	if err != nil {
		return ended(EndRevoked, err)
	}
	s.snap, s.x.identity = snap, id
	return nil
}

// turn carries out what was fed and leaves every reply to it in out, or with the
// client.
func (s *session) turn() error {
	if s.large == 0 {
		s.lane.Do(s.x.batch)
	}
	s.large = max(0, s.large-1)
	for {
		switch s.x.settle() {
		case stepDone:
			return s.alone()
		case stepFlush:
			if err := s.flush(); err != nil {
				return err
			}
		case stepStream:
			if err := s.streamNext(); err != nil {
				return err
			}
		}
	}
}

// stillPermits reports whether a request that was permitted when it was fed, and
// is only carried out now, still is: a turn takes as long as its client reads,
// and a reload may have come meanwhile.
func (s *session) stillPermits(req func() *protocol.Request) (bool, error) {
	if s.server.snapshot.Load() != s.snap {
		if err := s.renew(); err != nil {
			return false, err
		}
	}
	return s.snap == s.fed || s.x.stillPermits(req()), nil
}

// streamNext carries out the next call of the reply that is being settled.
func (s *session) streamNext() error {
	x := s.x
	o, call := &x.owed[x.at], &x.batch.Calls[x.reply.call]
	permitted, err := s.stillPermits(call.Command.Request)
	if err != nil {
		return err
	}
	if !permitted {
		x.fail(o, &protocol.Reply{Status: protocol.StatusDenied})
		return nil
	}
	size, err := s.stream(o, &call.Command, &call.Reply)
	if size > upstream.BulkValue {
		s.large = largeTurns
	}
	x.reply.call++
	return err
}

// stream carries out one command alone and passes the reply on as it comes. If it
// was asked before, first is the reply to that. It returns the size of the value.
func (s *session) stream(o *owed, c *protocol.Command, first *protocol.Reply) (int, error) {
	st := &stream{x: s.x, owed: o, command: c, first: first, flush: s.flush}
	if c.FetchesValue() {
		leave, ok := s.server.shares.enter(s.x.identity.Name, !s.starved)
		if !ok {
			s.starved = true // a turn waits once
			return 0, st.end(st.Head(&protocol.Reply{Status: protocol.StatusBusy}))
		}
		defer leave()
	}
	err := s.server.Pool.Stream(context.Background(), c, st)
	return st.size, st.end(err)
}

// alone carries out the request that ended the turn, if it may share a
// connection with nobody.
func (s *session) alone() error {
	req := &s.x.alone
	if req.Verb == nil {
		return nil
	}
	if req.Verb.Category == protocol.CatAuth {
		return s.lateLogin(req)
	}
	permitted, err := s.stillPermits(func() *protocol.Request { return req })
	if err != nil {
		return err
	}
	if !permitted {
		s.x.out = s.x.appendDenial(s.x.out, req)
		return nil
	}
	if req.Verb.Route == protocol.RouteKeyless {
		s.keyless(req)
		return nil
	}
	c := req.Command(0)
	s.x.reply = reply{begun: true, mark: len(s.x.out)}
	_, err = s.stream(&owed{form: req.Form, calls: true}, &c, nil)
	s.x.reply = reply{}
	return err
}

// keyless carries out a command that shares its connection with nobody.
func (s *session) keyless(req *protocol.Request) {
	lines, status := s.server.Pool.Keyless(context.Background(), req)
	switch {
	case req.NoReply:
	case status.Failed():
		s.x.out = req.AppendAnswer(s.x.out, nil, &protocol.Reply{Status: status})
	default:
		s.x.out = req.AppendAlone(s.x.out, lines)
	}
}

// flush writes out to the client.
func (s *session) flush() error {
	if len(s.x.out) == 0 {
		return nil
	}
	err := s.write(s.x.out)
	s.x.taken()
	return err
}

// write sends b to the client, which has the write timeout to take it.
func (s *session) write(b []byte) error {
	s.conn.SetWriteDeadline(time.Now().Add(s.server.Limits.WriteTimeout))
	if err := s.send(b); err != nil {
		return s.broken(err, EndSlow)
	}
	return nil
}

// send writes b. Of what makes several records, all leave together.
func (s *session) send(b []byte) error {
	if s.wire != nil && len(b) > maxRecord {
		return s.wire.together(s.conn, b)
	}
	_, err := s.conn.Write(b)
	return err
}

// more reads from the client behind what is there. What was used of the buffer
// is given up first.
func (s *session) more() error {
	pending := copy(s.in, s.in[s.r:s.w])
	s.r, s.w = 0, pending
	s.resize()
	if err := s.await(pending > 0 || s.x.parser.Owes()); err != nil {
		return err
	}
	n, err := s.conn.Read(s.in[s.w:])
	s.w += n
	if n > 0 {
		return s.sniff()
	}
	return s.readError(err)
}

// resize makes room for more bytes, or gives back what is not needed.
func (s *session) resize() {
	size := len(s.in)
	switch {
	case s.w == size:
		size *= 2
	case s.w == 0 && size > maxInput:
		size = minInput
	default:
		return
	}
	in := make([]byte, size)
	copy(in, s.in[:s.w])
	s.in = in
}
