package proxy

import (
	"errors"

	"github.com/slabgate/slabgate/protocol"
)

// errTooLarge ends a stream whose value may not be passed on.
var errTooLarge = errors.New("proxy: reply is larger than the limit")

// stream renders a reply that comes piece by piece, and writes it to the client
// as it comes. It is the receiver of one [upstream.Pool.Stream].
type stream struct {
	x       *exchange
	owed    *owed
	command *protocol.Command
	first   *protocol.Reply // to the command when it was asked before; nil if it was not
	flush   func() error    // writes x.out to the client

	value    bool  // the head of a value was rendered
	size     int   // of the value, in bytes
	flushErr error // the client could not be written to
}

// Head renders the reply's line.
func (s *stream) Head(r *protocol.Reply) error {
	r.AskedAgain(s.first)
	s.value, s.size = s.x.head(s.owed, s.command, r), r.Size
	if r.Status == protocol.StatusValue && !s.value {
		return errTooLarge
	}
	return nil
}

// Chunk renders a piece of the value.
func (s *stream) Chunk(piece []byte) error {
	if !s.value {
		return nil
	}
	s.x.out = append(s.x.out, piece...)
	if len(s.x.out) >= flushSize {
		s.flushErr = s.flush()
	}
	return s.flushErr
}

// end judges how the stream ended, and returns what ends the session, if
// anything does. Once some of a value has left, the client can't be told any
// more that the rest will not come.
func (s *stream) end(err error) error {
	switch {
	case s.flushErr != nil:
		return s.flushErr
	case err == nil:
		if s.value {
			s.x.out = s.owed.form.AppendValueEnd(s.x.out)
		}
	case errors.Is(err, errTooLarge):
	case s.x.reply.mark < 0:
		return ended(EndUpstream, err)
	default:
		s.x.fail(s.owed, &protocol.Reply{Status: protocol.StatusLost})
	}
	return nil
}
