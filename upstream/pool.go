package upstream

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/protocol"
)

// errSink marks an error of the receiver of a streamed value, not of memcached.
var errSink = errors.New("upstream: receiver of the value gave up")

// ErrBusy says that every connection of the pool is leased: memcached may be well.
var ErrBusy = errors.New("upstream: every connection is in use")

// keylessLeases is how many of the leased connections are kept for commands about
// no key, in a pool that has eight times as many: whoever looks after memcached
// does not wait for who reads large values.
const keylessLeases = 4

// Pool is every connection to one memcached. Its methods may be called by many
// goroutines.
type Pool struct {
	cfg     Config
	log     *zap.Logger
	metrics *metrics.Metrics
	gate    gate
	info    atomic.Pointer[Info]
	shared  int            // lanes there are to be
	dials   sync.WaitGroup // of lanes
	slots   chan struct{}  // one for each connection that may be leased
	keyless chan struct{}  // the same for commands about no key

	mu     sync.Mutex
	idle   []*conn // leased connections that came back, the last one last
	closed bool
}

// New returns a pool that has no connection yet.
func New(cfg Config, log *zap.Logger, m *metrics.Metrics) *Pool {
	p := &Pool{cfg: cfg, log: log, metrics: m, gate: gate{min: cfg.BackoffMin, max: cfg.BackoffMax}}
	p.shared = cfg.Shared
	if p.shared == 0 {
		p.shared = runtime.GOMAXPROCS(0)
	}
	p.shared = max(1, min(p.shared, cfg.PoolMax-1))
	leases := max(1, cfg.PoolMax-p.shared)
	apart := min(leases/8, keylessLeases)
	p.slots = make(chan struct{}, leases-apart)
	p.keyless = p.slots
	if apart > 0 {
		p.keyless = make(chan struct{}, apart)
	}
	return p
}

// Info returns what the newest connection learned of memcached, and whether
// there has been one.
func (p *Pool) Info() (Info, bool) {
	if i := p.info.Load(); i != nil {
		return *i, true
	}
	return Info{MaxItem: protocol.DefaultMaxItem}, false
}

// Leases is how many connections may be leased at once.
func (p *Pool) Leases() int { return cap(p.slots) }

// Shared is how many lanes there are to be, each for a loop of its own.
func (p *Pool) Shared() int { return p.shared }

// Stats is how many connections a pool has at a moment.
type Stats struct {
	Open int // to memcached, whether in use or not
	Idle int // of them, that wait to be leased
	Most int // that may be open
}

// Stats returns how many connections there are.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Open: int(p.metrics.UpstreamOpen.Load()), Idle: len(p.idle), Most: p.cfg.PoolMax}
}

// Check makes a connection, or takes one, and asks for the version on it:
// memcached answers, or the error says why not. The end of ctx ends all of that.
func (p *Pool) Check(ctx context.Context) error {
	return p.with(ctx, p.keyless, func(c *conn) error {
		release := c.within(ctx, p.cfg.ConnectTimeout)
		_, err := c.askVersion()
		if err = release(err); err != nil {
			return fmt.Errorf("upstream: version: %w", err)
		}
		return nil
	})
}

// with leases a connection for as long as use takes. What use returns says
// whether the connection is fit to be kept; so does a panic, which says it is not.
func (p *Pool) with(ctx context.Context, slots chan struct{}, use func(*conn) error) (err error) {
	c, err := p.leaseOf(ctx, slots)
	if err != nil {
		return err
	}
	err = errAbandoned // unless use returns
	defer func() { p.giveBack(c, err) }()
	err = use(c)
	return err
}

// notSent is the status of a command for which err left no connection.
func notSent(err error) protocol.Status {
	if errors.Is(err, ErrBusy) {
		return protocol.StatusBusy
	}
	return protocol.StatusDown
}

// Receiver takes a streamed reply.
type Receiver interface {
	// Head is called once, before any of the value. An error ends the stream.
	Head(r *protocol.Reply) error
	// Chunk is called with each piece of the value, valid during the call.
	Chunk(piece []byte) error
}

// Stream carries out one command alone, on a leased connection, and hands its
// reply to rcv as it comes. The error is nil if rcv saw a whole reply, made up
// by the pool if memcached gave none; otherwise the value broke off, or rcv
// returned an error.
func (p *Pool) Stream(ctx context.Context, cmd *protocol.Command, rcv Receiver) error {
	var r protocol.Reply
	leased, asked := false, false
	err := p.with(ctx, p.slots, func(c *conn) error {
		leased = true
		if err := p.ask(c, cmd, &r, time.Now().Add(p.cfg.RequestTimeout)); err != nil {
			return err
		}
		asked = true
		return p.streamValue(c, &r, rcv)
	})
	switch {
	case !leased:
		return rcv.Head(&protocol.Reply{Status: notSent(err)})
	case !asked:
		return rcv.Head(&protocol.Reply{Status: protocol.StatusLost})
	}
	return err
}

// ask sends cmd and reads its reply up to the value, until a point in time.
func (p *Pool) ask(c *conn, cmd *protocol.Command, r *protocol.Reply, until time.Time) error {
	if !c.takes(cmd) {
		r.Status = protocol.StatusUnfit
		return nil
	}
	c.SetDeadline(until)
	opaque := c.compose(cmd)
	if err := c.send(); err != nil {
		return err
	}
	if err := c.head(cmd, opaque, r); err != nil {
		return err
	}
	if !c.proves(r) {
		return c.prove()
	}
	return nil
}

// streamValue hands the value over piece by piece. memcached is given the
// request timeout for each piece; what the client takes for it is not counted.
func (p *Pool) streamValue(c *conn, r *protocol.Reply, rcv Receiver) error {
	if err := rcv.Head(r); err != nil {
		return fmt.Errorf("%w: %w", errSink, err)
	}
	if r.Status != protocol.StatusValue {
		return nil
	}
	c.SetDeadline(time.Now().Add(p.cfg.RequestTimeout))
	err := c.chunks(r, func(piece []byte) error {
		if err := rcv.Chunk(piece); err != nil {
			return fmt.Errorf("%w: %w", errSink, err)
		}
		c.SetDeadline(time.Now().Add(p.cfg.RequestTimeout))
		return nil
	})
	if err != nil {
		return err
	}
	return c.drained() // a value with bytes after it may not be what it seems
}

// lease takes an idle connection, or makes one. It waits for at most the connect
// timeout if every one is in use.
func (p *Pool) lease(ctx context.Context) (*conn, error) { return p.leaseOf(ctx, p.slots) }

// leaseOf is lease from the slots of one kind of work.
func (p *Pool) leaseOf(ctx context.Context, slots chan struct{}) (c *conn, err error) {
	if err := p.reserve(ctx, slots); err != nil {
		return nil, err
	}
	defer func() {
		if c == nil { // a panic among the reasons
			<-slots
		}
	}()
	for c := p.popIdle(); c != nil; c = p.popIdle() {
		err := c.quiet()
		if err == nil {
			c.slots = slots
			return c, nil
		}
		p.burn(c, err)
	}
	if c, err = p.dial(ctx); err != nil {
		return nil, err
	}
	c.slots = slots
	return c, nil
}

// reserve takes a slot.
func (p *Pool) reserve(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.ConnectTimeout)
	defer cancel()
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ErrBusy
	}
}

func (p *Pool) popIdle() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	c := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return c
}

// giveBack ends the lease of a connection. It is kept if err is nil and nothing
// is owed on it.
func (p *Pool) giveBack(c *conn, err error) {
	slots := c.slots // once kept, the connection is somebody else's
	if err == nil {
		err = c.drained()
	}
	if err != nil {
		p.burn(c, err)
	} else if !p.keep(c) {
		c.Close()
	}
	<-slots
}

// keep puts a connection among the idle ones, if there is room for it.
func (p *Pool) keep(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= p.cfg.PoolMin {
		return false
	}
	p.idle = append(p.idle, c)
	return true
}

// burn closes a connection for good and counts why.
func (p *Pool) burn(c *conn, err error) {
	c.Close()
	cause := burnOf(err)
	p.metrics.Burns[cause].Add(1)
	if ce := p.log.Check(zap.DebugLevel, "connection burnt"); ce != nil {
		ce.Write(zap.String("upstream", p.cfg.Name), zap.Stringer("cause", cause), zap.Error(err))
	}
}

func (p *Pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// Close closes every connection, each as soon as nothing is under way on it, but
// for those of lanes, which are closed with their loops. Whatever is asked of the
// pool afterwards fails as if memcached were down.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
	p.dials.Wait()
}
