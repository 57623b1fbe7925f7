package proxy

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/denials"
	"github.com/slabgate/slabgate/internal/generations"
	"github.com/slabgate/slabgate/internal/learn"
	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/poll"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/upstream"
)

// Server serves clients. Fill in the exported fields, then call Swap, then Serve.
type Server struct {
	Pool        *upstream.Pool
	Verifier    *auth.Verifier
	Log         *zap.Logger
	Metrics     *metrics.Metrics
	Audit       audit.Sink
	Denials     *denials.Ring      // nil to remember none
	Sampler     *audit.Sampler     // of permitted requests that are recorded; nil records none
	Learned     *learn.Recorder    // of what clients in mode learn ask for; nil records nothing
	Generations *generations.Store // of namespaces; needed if an identity has one
	Left        func(*ClientInfo)  // unless nil, called with each client that is gone; the info is the callee's during the call
	Clock       func() time.Time   // wall clock of certificates and expiries; nil is time.Now
	Spread      time.Duration      // over which a drain sends away idle clients; 0 is all at once

	snapshot   atomic.Pointer[Snapshot]
	handshakes tokens
	shares     *shares
	accounts   *accounts
	guesses    rateLimit // audit events of refused logins
	refusals   rateLimit // audit events of denials
	holds      holds
	stop       chan struct{} // closed when no more clients are taken

	mu        sync.Mutex
	sessions  map[*session]struct{}
	gone      Traffic // of clients that are gone
	number    uint64  // of the newest client
	listeners []*Listener
	stopped   bool           // no accept loop is to take another client
	draining  bool           // none does
	accepting sync.WaitGroup // accept loops
	wg        sync.WaitGroup // accept loops and sessions

	loops   []*loop
	running sync.WaitGroup // loops
}

var errStopped = errors.New("proxy: server was stopped")

func (s *Server) now() time.Time {
	if s.Clock != nil {
		return s.Clock()
	}
	return time.Now()
}

// Swap puts a snapshot into force, for new clients and for those that are here.
// One that the new snapshot knows no more is closed at once.
func (s *Server) Swap(snap *Snapshot) {
	s.snapshot.Store(snap)
	if s.Verifier != nil {
		s.Verifier.Swap(snap.Users)
	}
	for _, c := range s.all() {
		c.recheck(snap)
	}
	if s.Metrics != nil {
		snap.forget(s.Metrics)
	}
	if s.Denials != nil {
		s.Denials.Keep(snap.has)
	}
}

// InForce returns the snapshot that was swapped in last, nil before the first.
func (s *Server) InForce() *Snapshot { return s.snapshot.Load() }

// all returns the sessions of this moment.
func (s *Server) all() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*session, 0, len(s.sessions))
	for c := range s.sessions {
		list = append(list, c)
	}
	return list
}

// identify resolves what a client has proven by a snapshot: its policy, and, if
// it logged in, its users.
func (s *Server) identify(snap *Snapshot, f *auth.Facts) (*policy.Identity, auth.Source, error) {
	if f.Login != nil && !snap.Users.Honours(f.Login, s.now()) {
		return nil, "", auth.ErrDenied
	}
	id, source, err := snap.Policy.Identify(*f)
	if err != nil {
		return nil, "", err
	}
	if _, err := id.Root(f); err != nil {
		return nil, "", err
	}
	return id, source, nil
}

// Serve accepts clients on every listener until Shutdown or Close, and returns
// when the last of them is gone. It closes the listeners.
func (s *Server) Serve(listeners []*Listener) error {
	if err := s.Start(listeners); err != nil {
		closeAll(listeners)
		return err
	}
	s.Wait()
	return nil
}

// Start begins to accept clients on every listener. With an error it has not, and the
// listeners are left as they are; without one call Wait.
func (s *Server) Start(listeners []*Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errStopped
	}
	s.handshakes = newHandshakeTokens()
	s.shares = newShares(s.Pool.Leases(), shareWait)
	s.accounts = newAccounts()
	s.stop = make(chan struct{})
	s.sessions = make(map[*session]struct{})
	s.listeners = listeners
	for _, l := range listeners {
		l.count(s.Metrics)
	}
	if err := s.startLoops(); err != nil {
		return err
	}
	for _, l := range listeners {
		s.wg.Add(1)
		s.accepting.Add(1)
		go s.acceptLoop(l)
	}
	return nil
}

// Wait returns when clients are accepted no longer, and the last of them is gone.
func (s *Server) Wait() {
	s.wg.Wait()
	s.endLoops()
}

// startLoops starts a loop for each lane there is to be.
func (s *Server) startLoops() error {
	for range s.Pool.Shared() {
		l, err := newLoop(s.Pool)
		if err != nil {
			s.endLoops()
			return err
		}
		s.loops = append(s.loops, l)
		s.running.Go(func() {
			if err := l.serve(); err != nil {
				s.Log.Error("loop failed", zap.Error(err))
			}
		})
	}
	return nil
}

// endLoops waits until no loop runs.
func (s *Server) endLoops() {
	for _, l := range s.loops {
		l.end()
	}
	s.running.Wait()
}

// apart runs f on a goroutine of its own. It belongs to a session, which is waited
// for.
func (s *Server) apart(f func()) { go f() }

// acceptLoop takes the clients of one listener.
func (s *Server) acceptLoop(l *Listener) {
	defer s.wg.Done()
	defer s.accepting.Done()
	for {
		c, err := l.accept(s.stop)
		if err != nil {
			return
		}
		s.Metrics.Accepted.Add(1)
		if !s.start(l, c) {
			c.Close()
			l.done()
		}
	}
}

// start gives a client a session and a loop, if it may have one.
func (s *Server) start(l *Listener, c net.Conn) bool {
	limits := s.InForce().Limits // its own: with the snapshot's, keys and users that were replaced would stay with it
	n := &session{server: s, listener: l, limits: &limits, started: time.Now(), idle: true, nth: rand.N(uint(sampledTurns))}
	n.facts = auth.Facts{Listener: l.Name, Addr: addrOf(c)}
	var ok bool
	if n.turns, ok = l.admission.enter(n.facts.Addr, n.limits); !ok {
		s.refuse(l)
		return false
	}
	n.seat.transport, n.seat.addr = transportOf(l, n.facts.Addr), n.facts.Addr
	if err := s.enter(n, c); err != nil {
		switch err {
		case errStopped:
		case errQuarantined:
			s.Metrics.Quarantined.Add(1)
		default: // descriptors have run out, or the peer is unknown
			s.refuse(l)
		}
		l.admission.leave(n.facts.Addr)
		return false
	}
	s.Metrics.Sessions.Add(1)
	l.counters.Open.Add(1)
	s.apart(func() { s.open(n) })
	return true
}

// refuse counts a client that is not served for a limit.
func (s *Server) refuse(l *Listener) {
	s.Metrics.Refused.Add(1)
	l.counters.Refused.Add(1)
}

// enter puts a session among those of its loop and the server's.
func (s *Server) enter(n *session, c net.Conn) (err error) {
	if n.sock, err = poll.Take(c); err != nil {
		return err
	}
	if n.facts.Unix, err = peerOf(n.sock); err != nil {
		n.sock.Close()
		return err
	}
	n.wire = newWire(n.sock, s.handshakes)
	n.conn = n.wire
	n.introduce()
	s.mu.Lock()
	defer s.mu.Unlock()
	n.loop = loopFor(s.loops, len(s.sessions))
	switch {
	case s.draining:
		err = errStopped
	case s.holds.quarantines(n.facts.Addr, s.now()):
		err = errQuarantined
	default:
		err = n.loop.Watch(n.sock, n)
	}
	if err != nil {
		n.sock.Close()
		return err
	}
	s.number++
	n.seat.number = s.number
	s.sessions[n] = struct{}{}
	n.loop.clients++
	s.wg.Add(1)
	return nil
}

// addrOf is a client's address; invalid for a unix socket.
func addrOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// open finds out who a client is, and gives it to its loop.
func (s *Server) open(n *session) {
	if err := n.open(); err != nil {
		s.finish(n, err)
		return
	}
	n.resume()
}

// finish ends a session that no loop has any more.
func (s *Server) finish(n *session, err error) {
	defer s.wg.Done()
	if n.killed.Load() {
		err = ended(EndKilled, err)
	}
	n.alarm.stop()
	n.sasl.leave()
	n.part()
	n.close(endOf(err))
	if n.x != nil {
		n.show(0, max(0, n.x.sent)) // of a turn that was not finished
	}
	s.mu.Lock()
	delete(s.sessions, n)
	s.gone.add(n)
	n.loop.clients--
	s.mu.Unlock()
	if !n.known {
		n.admitted()
	}
	n.listener.done()
	s.Metrics.Sessions.Add(-1)
	n.countEnd(endOf(err))
	if s.Left != nil {
		info := n.info()
		s.Left(&info)
	}
	n.finish(err)
}

// stopAccepting returns when no more clients are taken. One that the kernel has handed
// over already becomes a session: it thinks that it is connected.
func (s *Server) stopAccepting() {
	s.mu.Lock()
	if s.stop != nil && !s.stopped {
		close(s.stop)
		closeAll(s.listeners)
	}
	s.stopped = true
	s.mu.Unlock()
	s.accepting.Wait()
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
}

func closeAll(listeners []*Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// cutOff closes every client's connection, and gives up what they have asked of
// memcached.
func (s *Server) cutOff() {
	for _, n := range s.all() {
		n.cutOff()
	}
	s.Pool.Abort()
	s.mu.Lock()
	loops := s.loops
	s.mu.Unlock()
	for _, l := range loops {
		l.Post(l.lane.Close)
	}
}
