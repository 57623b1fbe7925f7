package generations

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"syscall"

	"go.uber.org/zap"
)

// lock locks the folder, and reports whether that was possible: not while another
// process has it.
func (l *ledger) lock() (bool, error) {
	err := syscall.Flock(int(l.folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return false, nil
	}
	return false, fmt.Errorf("generations: folder %s can't be locked: %w", l.folder.Name(), err)
}

// wait reads what the file has by now and leaves it to the process that has it: one
// that is about to stop, as a rule, since this one takes its place.
func (l *ledger) wait() error {
	l.waiting = true
	l.log.Warn("generations file is another process's: it is written from the end of that process on", zap.String("path", l.path))
	err := l.readOnly()
	l.first = maps.Clone(l.entries)
	return err
}

// readOnly adds what the file has to the entries. A file that is not there has
// nothing.
func (l *ledger) readOnly() (err error) {
	l.file, err = os.OpenFile(l.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		l.file = nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("generations: %w", err)
	}
	defer func() { l.file = nil }()
	defer l.file.Close()
	return l.read()
}

// takeOver takes the file, if this process has waited for it and the other one has
// ended, and returns what that one did meanwhile. From then on the file is written.
func (l *ledger) takeOver() (news map[string]entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.waiting {
		return nil
	}
	if locked, err := l.lock(); !locked {
		if err != nil {
			l.log.Debug("generations file is waited for", zap.Error(err))
		}
		return nil
	}
	ours := l.entries
	l.entries = map[string]entry{}
	err := l.readOnly()
	news = l.merge(ours)
	l.waiting, l.first = false, nil
	if err = errors.Join(err, l.rewrite()); err != nil {
		l.fault = err
		l.log.Warn("generations are not written down", zap.Error(err))
		return news
	}
	l.log.Info("generations are written down", zap.String("path", l.path))
	return news
}

// merge adds ours to the entries that were read, and returns what of those is new:
// a higher generation, and a flush that was put off since the wait began.
func (l *ledger) merge(ours map[string]entry) (news map[string]entry) {
	news = map[string]entry{}
	theirs := l.entries
	l.entries = ours
	for root, their := range theirs {
		our := ours[root]
		put := their.due != 0 && their.due != l.first[root].due
		if their.generation <= our.generation && !put {
			continue
		}
		e := our
		if their.generation > our.generation {
			e.generation, e.owed = their.generation, their.owed
		}
		if put {
			e.due = their.due
		}
		l.entries[root], news[root] = e, e
	}
	return news
}

// takeOver takes the file as soon as the process that has it has ended, and puts
// into force what that one did.
func (s *Store) takeOver() {
	for root, e := range s.ledger.takeOver() {
		n := s.namespace(root)
		n.learn(e)
		if n.unsettled() || n.due() != 0 {
			s.later(n)
		}
	}
}

// learn adds what another process knew, and has written down.
func (n *Namespace) learn(e entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.generation > n.entry.generation {
		n.entry.generation = e.generation
		n.unsure = true
		if e.owed && !n.entry.owed {
			n.entry.owed, n.unsaid = true, true
			n.owings++
		}
	}
	if n.entry.due == 0 {
		n.entry.due = e.due
	}
	n.commit()
	n.publish(n.entry.generation)
}
