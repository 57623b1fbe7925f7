package proxy

import (
	"cmp"
	"errors"
	"os"
	"time"

	"github.com/slabgate/slabgate/internal/poll"
)

// phase is what a session does next on its loop, or waits for.
type phase uint8

const (
	phaseAway   phase = iota // waits for its goroutine
	phaseLane                // waits for memcached
	phaseRead                // reads, or waits for its client
	phaseFeed                // takes requests from what it has read
	phaseSettle              // answers them
)

// errAside says that the rest of a turn has to wait for something.
var errAside = errors.New("proxy: not on the loop")

// fairTurns is how many turns of a session follow each other while others wait.
const fairTurns = 8

// Ready goes on when the client has sent something.
func (s *session) Ready(e poll.Event) {
	s.sock.Wake(e)
	if s.phase == phaseRead {
		s.proceed()
	}
	s.loop.roused = s.loop.roused || s.phase == phaseAway
}

// Served goes on when memcached has answered.
func (s *session) Served() {
	if s.phase == phaseLane {
		s.phase = phaseSettle
		s.proceed()
	}
}

// look goes on after something has changed about the session or its client.
func (s *session) look() {
	if s.phase != phaseRead {
		return
	}
	if s.leaving.Load() {
		s.sock.Look() // what has come is still answered
	}
	s.proceed()
}

// resume gives the session to its loop, which goes on with its requests.
func (s *session) resume() {
	s.loop.Post(func() {
		s.wire.onLoop, s.wire.held = true, &s.loop.records
		s.phase = s.next()
		s.proceed()
	})
}

// next is what follows the phase in which the session left its loop. A turn that
// ended for want of more is not begun again without it: what is there of the next
// request would count as new.
func (s *session) next() phase {
	if s.left == phaseRead || s.left == phaseSettle && s.turn.short {
		return phaseRead
	}
	return phaseFeed
}

// proceed does what can be done without waiting.
func (s *session) proceed() {
	switch err := s.run(); err {
	case nil, poll.ErrAgain:
	case errAside:
		s.away()
		s.server.apart(s.aside)
	default:
		s.over(err)
	}
}

// run goes from phase to phase. An error but [poll.ErrAgain] takes the session
// from the loop.
func (s *session) run() (err error) {
	defer s.recover(&err)
	for turns := 0; err == nil; {
		switch s.phase {
		case phaseRead:
			err = s.read()
		case phaseFeed:
			if turns++; turns > fairTurns {
				s.loop.again = append(s.loop.again, s)
				return nil
			}
			err = s.feed()
		case phaseSettle:
			err = s.settle()
		default:
			return nil
		}
	}
	return err
}

// away takes the session from its loop: whoever has it now may wait. What was
// gathered for its client goes with it.
func (s *session) away() {
	if records := s.loop.records; len(records) > 0 {
		s.rest = append(s.rest, records...)
		s.loop.records = records[:0]
	}
	s.left, s.phase = s.phase, phaseAway
	s.loop.roused = true
	s.wire.onLoop, s.wire.held = false, nil
}

// over ends a session that is on its loop.
func (s *session) over(err error) {
	s.away()
	s.server.apart(func() { s.server.finish(s, err) })
}

// aside carries out the rest of the turn on a goroutine of its own.
func (s *session) aside() {
	if err := s.conclude(); err != nil {
		s.server.finish(s, err)
		return
	}
	s.resume()
}

// read takes what the client has sent. If that is nothing, it waits.
func (s *session) read() error {
	inRequest := s.w > 0 || s.x.parser.Owes()
	if s.draining.Load() && !inRequest && !s.idle {
		return ended(EndDrain, nil)
	}
	if s.in == nil {
		s.in = s.loop.input()
	}
	n, err := s.conn.Read(s.in[s.w:])
	s.w += n
	if n > 0 {
		s.phase, s.silent, s.idle, s.lull = phaseFeed, false, false, false
		if err = s.sniff(); err != nil {
			return err
		}
	}
	if records := s.loop.records; len(records) > 0 { // TLS has its own conversation
		err = cmp.Or(s.push(records), err)
	}
	switch {
	case n > 0 || err == errAside:
		return err
	case err == poll.ErrAgain && s.leaving.Load() && !inRequest:
		return ended(EndDrain, nil)
	case err == poll.ErrAgain:
		s.rests(inRequest)
		return err
	}
	return s.readError(err)
}

// rests is for a client that has sent nothing. Parts of a record are no sign of
// life.
func (s *session) rests(inRequest bool) {
	if !inRequest {
		s.idle = true
		s.x.release()
		s.loop.takeInput(s.in)
		s.in = nil
	}
	if !s.silent {
		s.silent = !inRequest
		s.alarm.set(s, s.deadline(inRequest))
	}
}

// feed begins a turn with what was read.
func (s *session) feed() error {
	if err := s.begin(); err != nil {
		return err
	}
	s.phase = phaseSettle
	if s.large == 0 && len(s.x.batch.Calls) > 0 && s.loop.lane.Add(s.x.batch, s) {
		s.phase = phaseLane
	}
	s.large = max(0, s.large-1)
	return nil
}

// settle ends the turn, if nothing of it has to wait.
func (s *session) settle() error {
	for {
		switch s.x.settle() {
		case stepStream:
			return errAside
		case stepFlush:
			if err := s.tryFlush(); err != nil {
				return err
			}
		case stepValue:
			if err := s.tryFlushValue(); err != nil {
				return err
			}
		case stepDone:
			if s.x.alone.Verb != nil {
				return errAside
			}
			s.phase = phaseFeed
			if s.turn.short {
				s.phase = phaseRead
			}
			if s.endTurn() {
				if err := s.tryFlush(); err != nil {
					return err
				}
			}
			return s.ending()
		}
	}
}

// tryFlush writes out to the client. What it has no room for is left to a
// goroutine.
func (s *session) tryFlush() error {
	if len(s.x.out) == 0 && len(s.loop.records) == 0 {
		return nil
	}
	err := s.tryWrite(s.x.out)
	s.x.taken()
	if err == nil && s.facts.TLS {
		err = s.push(s.loop.records)
	}
	return err
}

// tryFlushValue writes out and the value after it.
func (s *session) tryFlushValue() error {
	err := s.tryWrite(s.x.out)
	s.x.taken()
	switch {
	case err == nil:
		err = s.tryWrite(s.x.value)
	case err == errAside:
		s.rest = append(s.rest, s.x.value...)
	}
	if err == nil && len(s.loop.records) >= maxRecords {
		err = s.push(s.loop.records)
	}
	return err
}

// maxRecords is how much of a flush is gathered, in bytes: a client takes no more
// at once, and the memory is each loop's.
const maxRecords = 256 << 10

// tryWrite has TLS make records of b, which are still to be pushed. Without TLS b
// leaves at once.
func (s *session) tryWrite(b []byte) error {
	if !s.facts.TLS {
		return s.push(b)
	}
	if _, err := s.conn.Write(b); err != nil {
		return s.broken(err, EndSlow)
	}
	return nil
}

// push writes b in one write, if there is room.
func (s *session) push(b []byte) error {
	n, err := s.sock.TryWrite(b)
	if s.facts.TLS {
		s.loop.records = s.loop.records[:0]
	}
	switch {
	case err == poll.ErrAgain:
		s.rest = append(s.rest[:0], b[n:]...)
		return errAside
	case err != nil:
		return s.broken(err, EndSlow)
	}
	return nil
}

// alarm ends a wait for the client on a loop. It is set for each wait, and its
// timer only if it has none that goes off early enough.
type alarm struct {
	at    time.Time // zero is never
	timer *time.Timer
	next  time.Time // when the timer goes off; zero if it doesn't
}

func (a *alarm) set(s *session, at time.Time) {
	a.at = at
	if at.IsZero() || !a.next.IsZero() && !at.Before(a.next) {
		return
	}
	a.next = at
	if a.timer == nil {
		a.timer = time.AfterFunc(time.Until(at), func() { s.loop.Post(s.ring) })
		return
	}
	a.timer.Reset(time.Until(at))
}

// stop must come before the session is forgotten.
func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}

// ring ends the wait that is too long, if it is the one under way.
func (s *session) ring() {
	a := &s.alarm
	a.next = time.Time{}
	if s.phase != phaseRead || a.at.IsZero() {
		return
	}
	if time.Now().Before(a.at) {
		a.set(s, a.at)
		return
	}
	s.over(s.readError(os.ErrDeadlineExceeded))
}
