package generations

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

// Flush puts a new generation into force. It waits for memcached as Use does, and
// returns once the generation is in force here, written down and told to memcached:
// the generation that was in force when it was called, 0 if none was known, and the
// new one, which no other flush has.
//
// An error says that it is not written down, or that memcached was not told. It is
// in force here all the same, and Run does the rest later.
func (s *Store) Flush(ctx context.Context, root string) (from, to uint64, err error) {
	n := s.namespace(root)
	from = n.Generation()
	n.dropDue()
	ctx, cancel := bounded(ctx)
	defer cancel()
	if to, err = s.flush(ctx, n); to <= from {
		err = errors.Join(err, errLast)
	}
	return from, to, err
}

// errLast is a flush that changes nothing: there is no generation after the last.
var errLast = errors.New("generations: there is no generation after this one")

func (s *Store) flush(ctx context.Context, n *Namespace) (to uint64, err error) {
	defer s.follow(n)
	to, err = s.raise(ctx, n)
	if err != nil {
		s.log.Warn("flush is not told to memcached yet", zap.String("namespace", n.root), zap.Error(err))
		s.pace(n.known())
		to = n.owe(s.clock())
		s.later(n)
		return to, errors.Join(err, s.ledger.lacks())
	}
	return to, errors.Join(s.say(ctx, n), s.ledger.lacks())
}

// raise puts a new generation into force once memcached's record has it.
func (s *Store) raise(ctx context.Context, n *Namespace) (to uint64, err error) {
	if err := n.begin(ctx); err != nil {
		return 0, err
	}
	defer n.end()
	return s.settle(ctx, n, true)
}

// say names n to the other slabgates if it is still to be.
func (s *Store) say(ctx context.Context, n *Namespace) error {
	if !n.setUnsaid(false) {
		return nil
	}
	_, err := s.announce(ctx, n.root)
	if err != nil {
		n.setUnsaid(true)
		s.later(n)
	}
	return err
}

// FlushAt has Run flush a namespace at a point in time, to the millisecond and not
// later than an interval after it. It is written down: if slabgate does not run
// then, it is done when it runs again, before a client uses the namespace. What was
// said last counts: a namespace has one delayed flush. An error says that it is not
// written down; it is done all the same if slabgate goes on running.
func (s *Store) FlushAt(root string, at time.Time) error {
	n := s.namespace(root)
	n.setDue(max(at.UnixMilli(), 1))
	s.later(n)
	return s.ledger.lacks()
}

// isDue reports whether the time of n's delayed flush has come.
func (s *Store) isDue(n *Namespace) bool {
	due := n.due()
	return due != 0 && due <= s.cfg.Now().UnixMilli()
}

// flushDue carries out a delayed flush. It counts as done only afterwards, lest the
// end of the process undoes it.
func (s *Store) flushDue(ctx context.Context, n *Namespace) {
	due := n.due()
	_, _ = s.flush(ctx, n) // what is left to do is among what Run finishes
	n.clearDue(due)
}
