package generations

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// round is how often the record of every namespace is read if nobody flushes.
const round = 15 * time.Second

// Run follows what other slabgates flush, carries out delayed flushes and finishes
// what could not be done at once, until ctx is done. One goroutine may run it.
func (s *Store) Run(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Interval)
	defer tick.Stop()
	for {
		s.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look does what is to be done now. While memcached is down that is little.
func (s *Store) look(ctx context.Context) {
	s.takeOver()
	todo, followed := s.work()
	if len(todo)+len(followed) == 0 {
		return
	}
	s.ledger.mend()
	for _, n := range todo {
		if s.isDue(n) {
			s.within(ctx, func(ctx context.Context) error { s.flushDue(ctx, n); return nil })
		}
	}
	var last recent
	err := s.within(ctx, func(ctx context.Context) error {
		flushes, err := s.fetch(ctx, recentKey)
		last = parseRecent(flushes.value)
		return err
	})
	if err != nil {
		return // memcached is down
	}
	if s.finish(ctx, todo) == nil && s.catchUp(ctx, last, followed) == nil {
		s.byTheWay(ctx, followed)
	}
}

// work lists what may be unfinished, and what is followed.
func (s *Store) work() (todo, followed []*Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.todo {
		todo = append(todo, n)
	}
	return todo, s.followed[:len(s.followed):len(s.followed)]
}

// within bounds what one thing waits for memcached.
func (s *Store) within(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return do(ctx)
}

// agreeAll makes memory, file and memcached agree on each namespace. It ends with
// the first that memcached does not answer.
func (s *Store) agreeAll(ctx context.Context, list []*Namespace) error {
	for _, n := range list {
		err := s.within(ctx, func(ctx context.Context) error { return s.agree(ctx, n) })
		if err != nil && err != errKey {
			return err
		}
	}
	return nil
}

// finish tells memcached what it could not be told, and the other slabgates.
func (s *Store) finish(ctx context.Context, todo []*Namespace) error {
	for _, n := range todo {
		if !n.unsettled() {
			s.done(n)
			continue
		}
		owed := n.owes()
		if err := s.agreeAll(ctx, []*Namespace{n}); err != nil {
			return err
		}
		if owed && !n.owes() {
			s.log.Info("flush is told to memcached", zap.String("namespace", n.root))
		}
		s.done(n)
	}
	return nil
}

// done forgets n if nothing about it is unfinished.
func (s *Store) done(n *Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !n.unsettled() && n.due() == 0 {
		delete(s.todo, n)
	}
}

// catchUp reads the records of the namespaces that were flushed since the last
// time, or all if it is not known which were.
func (s *Store) catchUp(ctx context.Context, last recent, followed []*Namespace) error {
	roots, known := last.since(s.seen)
	newest := last.newest()
	if newest == "" {
		// Begun before the records are read: a flush after this has its line above.
		err := s.within(ctx, func(ctx context.Context) (err error) {
			newest, err = s.announce(ctx, "")
			return err
		})
		if err != nil {
			return err
		}
	}
	list := followed
	if known {
		list = s.followedOf(roots)
	}
	err := s.agreeAll(ctx, list)
	if err == nil {
		s.seen = newest
	}
	return err
}

// followedOf are the namespaces of roots that clients of this slabgate use.
func (s *Store) followedOf(roots []string) (list []*Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, root := range roots {
		if n := s.namespaces[root]; n != nil && n.met.Load() {
			list = append(list, n)
		}
	}
	return list
}

// byTheWay reads a few records, each of which has its turn once in a round.
func (s *Store) byTheWay(ctx context.Context, followed []*Namespace) {
	n := (len(followed)*int(s.cfg.Interval) + int(round) - 1) / int(round)
	for range min(n, len(followed)) {
		s.next = (s.next + 1) % len(followed)
		if s.agreeAll(ctx, followed[s.next:s.next+1]) != nil {
			return
		}
	}
}
