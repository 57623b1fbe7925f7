package proxy

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/buffers"
	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/protocol"
	"github.com/slabgate/slabgate/upstream"
)

// Sizes of a client's input buffer, in bytes. It starts small, and grows when a
// read fills it or a request needs more: fourfold up to the second, and beyond it
// twofold. A client that has sent nothing has none.
const (
	minInput = 4 << 10
	maxInput = 64 << 10 // above it, it is cut back between requests
)

// largeTurns is for how many turns a client that met a large value is served
// call by call, each reply streamed to it, instead of in batches.
const largeTurns = 64

// begin starts a turn with what was read.
func (s *session) begin() error {
	if err := s.renew(); err != nil {
		return err
	}
	s.turn = turn{snap: s.snap}
	before := s.counts.requests
	s.x.enter(s.server.accounts.now())
	s.x.frozen = s.server.holds.frozen(s.x.identity.Name)
	s.turn.used, s.turn.short = s.x.feed(s.in[s.r:s.w])
	s.x.meter.took(s.turn.used)
	s.server.Metrics.Requests.Add(s.counts.requests - before)
	return nil
}

// conclude carries out the rest of a turn, and waits where it has to.
func (s *session) conclude() (err error) {
	defer s.recover(&err)
	if err := s.flushRest(); err != nil {
		return err
	}
	if s.turn.ended {
		return s.ending()
	}
	s.turn.waited = true
	if err := s.settleAll(); err != nil {
		return err
	}
	if s.endTurn() {
		if err := s.flush(); err != nil {
			return err
		}
	}
	return s.ending()
}

// endTurn gives up what the turn needed. Its replies are to be written, unless
// there is more to answer at once.
func (s *session) endTurn() (flush bool) {
	s.turn.ended = true
	s.r += s.turn.used
	s.account()
	s.x.reset()
	if s.turn.short {
		s.compact()
	}
	return s.turn.short || s.x.end != "" || len(s.x.out) >= flushSize || s.wire.gathered()
}

// ending ends the session if its client has been told so, or has said so.
func (s *session) ending() error {
	if s.x.end != "" {
		return ended(s.x.end, nil)
	}
	return nil
}

// renew takes the snapshot and the clock for the next turn. After a reload the
// client must still be who it was, or somebody.
func (s *session) renew() error {
	s.x.asked.Now = s.server.now().Unix()
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
	return s.become(snap, id)
}

// settleAll leaves every reply to the turn in out, or with the client.
func (s *session) settleAll() error {
	for {
		switch s.x.settle() {
		case stepDone:
			return s.alone()
		case stepFlush:
			if err := s.flush(); err != nil {
				return err
			}
		case stepValue:
			if err := s.flushValue(); err != nil {
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
	return s.snap == s.turn.snap || s.x.stillPermits(req()), nil
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
	if size > upstream.SoftValues {
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
		leave, ok := s.server.shares.enter(s.x.identity.Name, !s.turn.starved)
		if !ok {
			s.turn.starved = true // a turn waits once
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
		s.administer(req)
		return nil
	}
	c := s.x.command(req, 0)
	s.x.reply = reply{begun: true, mark: len(s.x.out)}
	_, err = s.stream(&owed{form: req.Form, calls: true}, &c, nil)
	s.x.reply = reply{}
	return err
}

// administer carries out a command that is about no item, and writes down what
// concerns more than its client.
func (s *session) administer(req *protocol.Request) {
	kind, told := privileged[req.Verb.Category]
	if req.Verb.Category == protocol.CatFlush && s.x.identity.ScopedFlush {
		s.flushNamespace(req)
		return
	}
	s.keyless(req)
	if told {
		s.writeEvent(audit.Event{Kind: kind, Verb: req.Verb.Name})
	}
}

// privileged are the events of what concerns more than the client that asks for it.
var privileged = map[protocol.Category]audit.Kind{
	protocol.CatFlush:    audit.Flush,
	protocol.CatKeyspace: audit.Keyspace,
	protocol.CatSettings: audit.Settings,
	protocol.CatDanger:   audit.Settings,
}

// flushNamespace makes everything in the client's namespace unreachable, at once
// or when the request says. It is in force here even if memcached can't be told,
// which is an error to the client all the same: others may not know yet.
func (s *session) flushNamespace(req *protocol.Request) {
	now := s.server.now()
	root, at := s.x.space.root, req.FlushTime(now.Unix())
	e := audit.Event{Kind: audit.Flush, Verb: req.Verb.Name, Namespace: root}
	var err error
	if at > now.Unix() {
		e.Flushed = "at " + time.Unix(at, 0).UTC().Format(time.RFC3339)
		err = s.server.Generations.FlushAt(root, time.Unix(at, 0))
	} else {
		var from, to uint64
		from, to, err = s.server.Generations.Flush(context.Background(), root)
		e.Flushed = fmt.Sprintf("%d → %d", from, to)
	}
	s.writeEvent(e)
	switch {
	case err == nil && !req.NoReply:
		s.x.out = req.AppendAlone(s.x.out, []byte("OK\r\n"))
	case err != nil:
		s.x.tally.became(req.Verb, metrics.Failed)
		s.server.Log.Warn("flush is not known everywhere", zap.String("namespace", root), zap.Error(err))
		if !req.NoReply {
			s.x.out = req.AppendAnswer(s.x.out, nil, &protocol.Reply{Status: protocol.StatusDown})
		}
	}
}

// keyless carries out a command that shares its connection with nobody.
func (s *session) keyless(req *protocol.Request) {
	lines, status := s.server.Pool.Keyless(context.Background(), req)
	if status.Failed() {
		s.x.tally.became(req.Verb, metrics.Failed)
	}
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

// flushValue writes out, and the value after it.
func (s *session) flushValue() error {
	if err := s.flush(); err != nil {
		return err
	}
	return s.write(s.x.value)
}

// write sends b to the client, which has the write timeout to take it.
func (s *session) write(b []byte) error {
	s.conn.SetWriteDeadline(time.Now().Add(s.limits.WriteTimeout))
	if err := s.send(b); err != nil {
		return s.broken(err, EndSlow)
	}
	return nil
}

// send writes b. Of what makes several records, all leave together.
func (s *session) send(b []byte) error {
	if s.facts.TLS && len(b) > maxRecord {
		return s.wire.together(s.conn, b)
	}
	_, err := s.conn.Write(b)
	return err
}

// flushRest writes what the client had no room for.
func (s *session) flushRest() error {
	if len(s.rest) == 0 {
		return nil
	}
	s.sock.SetWriteDeadline(time.Now().Add(s.limits.WriteTimeout))
	_, err := s.sock.Write(s.rest)
	s.rest = nil
	if err != nil {
		return s.broken(err, EndSlow)
	}
	return nil
}

// compact gives up what was used of the input buffer, and makes room for more
// bytes, or gives back what is not needed.
func (s *session) compact() {
	s.w = copy(s.in, s.in[s.r:s.w])
	s.r = 0
	size := len(s.in)
	switch {
	case s.w == size && size < maxInput:
		size *= 4
	case s.w == size:
		size *= 2
	case s.w == 0 && size > maxInput:
		size = minInput
	default:
		return
	}
	in := buffers.Get(size)[:size]
	copy(in, s.in[:s.w])
	buffers.Put(s.in)
	s.in = in
}
