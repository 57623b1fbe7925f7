package generations

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// patience bounds what one call waits for memcached in all.
const patience = time.Second

// Config says how a store remembers, and how often it asks.
type Config struct {
	File     string           // in a folder that is this store's alone; empty for none
	Interval time.Duration    // between two looks for flushes of others; 0 is 400 ms
	Now      func() time.Time // nil is time.Now
}

// Store is the generations of one memcached.
type Store struct {
	cfg    Config
	up     Upstream
	log    *zap.Logger
	ledger *ledger
	sleep  func(time.Duration)

	mu         sync.Mutex
	namespaces map[string]*Namespace
	followed   []*Namespace        // those that clients use, in the order in which they came
	todo       map[*Namespace]bool // those that may be unfinished

	// Of the goroutine of Run alone:
	seen string // the newest line of the last flushes that is done with
	next int    // index in followed of whose record is read next by the way
}

// Open returns a store that knows what its file says. A file that is not there is
// made; in one that says something else nothing is overlooked: a [*FileError] says
// where it begins. The folder must be there, and is locked until Close. One that
// another process has locked is waited for by [Store.Run]: until then the file is
// read, and what is new is remembered by memcached alone.
func Open(cfg Config, up Upstream, log *zap.Logger) (*Store, error) {
	if cfg.Interval <= 0 {
		cfg.Interval = 400 * time.Millisecond
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	l, err := openLedger(cfg.File, log)
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, up: up, log: log, ledger: l, sleep: time.Sleep,
		namespaces: map[string]*Namespace{}, todo: map[*Namespace]bool{},
	}
	for _, root := range l.unfinished() {
		s.later(s.namespace(root))
	}
	return s, nil
}

// Close ends the use of the file. Nothing may be flushed afterwards.
func (s *Store) Close() error { return s.ledger.close() }

// Use returns the namespace of a root, always the same one. The first time it
// asks memcached, for at most a second and not beyond ctx's deadline, and it joins
// somebody else's asking. That ctx is cancelled does not end that: a namespace of
// which neither memcached nor the file says anything starts anew, as if it had
// been flushed, and a client that leaves must not bring that about.
func (s *Store) Use(ctx context.Context, root string) *Namespace {
	n := s.namespace(root)
	if n.met.Load() {
		return n
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	if s.isDue(n) {
		s.flushDue(ctx, n)
	} else if s.agree(ctx, n) != nil {
		n.startAlone(s.clock())
		s.later(n)
	}
	s.follow(n)
	return n
}

// bounded is ctx until its deadline, or for as long as a call waits for memcached.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	until := time.Now().Add(patience)
	if end, ok := ctx.Deadline(); ok && end.Before(until) {
		until = end
	}
	return context.WithDeadline(context.WithoutCancel(ctx), until)
}

// namespace is the one of a root, with what the ledger knows of it.
func (s *Store) namespace(root string) *Namespace {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.namespaces[root]
	if n == nil {
		n = newNamespace(root, s.ledger)
		s.namespaces[root] = n
	}
	return n
}

// follow has memcached's record of n read from now on. n has a generation.
func (s *Store) follow(n *Namespace) {
	if n.met.Swap(true) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followed = append(s.followed, n)
}

// later lets Run finish what is to be done about n.
func (s *Store) later(n *Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.todo[n] = true
}

// agree makes memory, file and memcached agree on n's generation.
func (s *Store) agree(ctx context.Context, n *Namespace) error {
	if err := n.begin(ctx); err != nil {
		return err
	}
	_, err := s.settle(ctx, n, false)
	n.end()
	if err != nil {
		return err
	}
	_ = s.say(ctx, n) // Run tries again
	return nil
}
