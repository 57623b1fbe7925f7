package proxy

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/poll"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// session is one client. It is served on its loop, and by a goroutine of its own
// whenever it has to wait for something else than bytes: one of the two has it,
// and owns everything but what mu guards.
type session struct {
	server   *Server
	listener *Listener
	limits   *Limits // in force when it came
	loop     *loop
	started  time.Time
	sock     *poll.Conn
	wire     *wire    // above that
	conn     net.Conn // inside TLS, if there is any; else wire
	sniffed  bool     // the first byte has been looked at
	dialect  protocol.Dialect
	meta     bool // its first request was one of the meta commands
	counted  bool // by what it speaks
	inTurn   bool // it has put something into turns
	turns    chan struct{}
	facts    auth.Facts
	chain    []*x509.Certificate // what the client showed, leaf first; verified once, and anew after a reload
	leaf     *x509.Certificate   // what slabgate showed
	source   auth.Source
	snap     *Snapshot // the client is known by
	x        *exchange
	payer    payer // whose limits it counts against
	joined   bool  // it does
	large    int   // turns for which every reply is streamed
	sasl     saslLogin

	in   []byte // in[r:w] is read from the client and not used
	r, w int
	rest []byte // what the client has had no room for yet

	phase  phase // the loop's
	left   phase // in which the session left it
	silent bool  // nothing has come since the alarm was set
	turn   turn

	partial time.Time // when the request that is being read began; zero if none is
	alarm   alarm
	counts  counts
	denials denied
	nth     uint           // turn that this is, for samples of their time
	plain   metrics.Source // where the client is seen without TLS; its address is invalid if it is not

	seat     seat        // what others see of it
	killed   atomic.Bool // an operator ended it
	idle     bool        // it waits for a request, and nothing of one has come
	lull     bool        // it has been idle since a drain of idle clients began
	draining atomic.Bool // the session ends once it has answered what is asked next
	leaving  atomic.Bool // it ends as soon as nothing is owed
	revoked  atomic.Bool

	mu    sync.Mutex
	known bool // facts are complete: a reload may look at them
}

// turn is what a session knows of the turn under way.
type turn struct {
	snap    *Snapshot // it was decided by
	used    int       // bytes of in
	short   bool      // it ended for want of more
	ended   bool      // every reply to it is in out, or has left
	starved bool      // it has waited for a lease in vain
	waited  bool      // it has left the loop
}

// counts are what the session's one log line says.
type counts struct {
	requests, malformed, denied, wouldDeny, limited, upstreamFailed int64
}

// open finds out who the client is.
func (s *session) open() (err error) {
	defer s.recover(&err)
	if err := s.awaitTurn(); err != nil {
		return err
	}
	if err := s.handshake(); err != nil {
		return ended(EndHandshake, err)
	}
	s.in = make([]byte, minInput)
	return s.authenticate()
}

// recover turns a panic into the end of this one session. In a right program it
// finds none; there is no state a session could leave behind for another.
func (s *session) recover(err *error) {
	if r := recover(); r != nil {
		s.server.Metrics.Panics.Add(1)
		s.server.Log.Error("session ended", zap.String("end", string(EndBug)), zap.Any("panic", r), zap.Stack("stack"))
		*err = ended(EndBug, nil)
	}
}

// settled says who the client is. From here on a reload may find it revoked.
func (s *session) settled(snap *Snapshot, id *policy.Identity, source auth.Source) {
	s.mu.Lock()
	s.known = true
	s.mu.Unlock()
	s.snap, s.source = snap, source
	if s.x == nil {
		s.x = newExchange(s.limits, s)
		s.x.parser.Dialect = s.dialect
		s.x.asked = policy.At{TLS: s.facts.TLS, From: s.facts.Addr}
		s.admitted()
	}
	s.x.identity = id
	s.x.watch = id.Mode == policy.ModeLearn || s.server.Sampler != nil
	root, _ := id.Root(&s.facts) // that there is one was seen when it became known
	s.x.tally.turnTo(s.server.Metrics, id.Name)
	s.x.space = space{root: root}
	if root != "" {
		s.x.space.live = s.server.Generations.Use(context.Background(), root)
	}
	s.join(payer{id.Name, root}, &id.Limits)
	s.introduce()
}

var errMoved = errors.New("proxy: the client's keys have another namespace now")

// become makes the client, which is known, the identity that it has by another
// snapshot. Its keys must be where they were.
func (s *session) become(snap *Snapshot, id *policy.Identity) error {
	root, err := id.Root(&s.facts)
	if err != nil || root != s.x.space.root {
		return ended(EndRevoked, errors.Join(errMoved, err))
	}
	s.snap, s.x.identity = snap, id
	s.x.tally.turnTo(s.server.Metrics, id.Name)
	s.x.watch = id.Mode == policy.ModeLearn || s.server.Sampler != nil
	if p := (payer{id.Name, root}); p != s.payer {
		s.join(p, &id.Limits)
	}
	s.introduce()
	return nil
}

// awaitTurn waits until the client's source has a place free, for no longer than
// a login may take.
func (s *session) awaitTurn() error {
	if s.turns == nil {
		return nil
	}
	late := time.NewTimer(time.Until(s.started.Add(s.limits.LoginTimeout)))
	defer late.Stop()
	select {
	case s.turns <- struct{}{}:
		s.inTurn = true
		return nil
	case <-late.C:
		return ended(EndLogin, errors.New("proxy: too many clients of this address at once"))
	case <-s.server.stop:
		return ended(EndDrain, nil)
	}
}

// admitted gives the places of a client that is not known yet back.
func (s *session) admitted() {
	if s.inTurn {
		<-s.turns
		s.inTurn = false
	}
	s.listener.admission.leave(s.facts.Addr)
}

// deadline is when a read gives up. The zero time is never.
func (s *session) deadline(inRequest bool) (at time.Time) {
	now := time.Now()
	switch {
	case !inRequest:
		s.partial = time.Time{}
		if wait := s.patience(); wait > 0 {
			at = now.Add(wait)
		}
	case s.partial.IsZero() || s.x.fresh:
		s.partial, s.x.fresh = now, false
		fallthrough
	default:
		at = s.partial.Add(s.limits.RequestTimeout)
	}
	if end := s.expiry(); !end.IsZero() && (at.IsZero() || end.Before(at)) {
		at = end
	}
	return at
}

// readError tells why a read ended the session.
func (s *session) readError(err error) error {
	switch {
	case s.expired():
		return s.broken(err, EndExpired)
	case s.partial.IsZero() && s.x.turned != protocol.StatusNone:
		return s.broken(err, EndLimit)
	case s.partial.IsZero():
		return s.broken(err, EndIdle)
	}
	return s.broken(err, EndSlow)
}

// broken tells why the client's connection is of no more use: late if it is
// because its deadline has passed, unless somebody else has ended the session.
func (s *session) broken(err error, late End) error {
	switch {
	case s.revoked.Load():
		return ended(EndRevoked, err)
	case s.leaving.Load():
		return ended(EndDrain, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ended(late, err)
	}
	return ended(EndClient, err)
}

// recheck ends the session if snap knows its client no more.
func (s *session) recheck(snap *Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		return
	}
	if _, err := s.identifyAnew(snap); err != nil {
		s.revoked.Store(true)
		s.sock.Abort()
	}
}

var errUntrusted = errors.New("proxy: no certificate authority of the client is trusted any more")

// identifyAnew asks another snapshot than the one the client came under who it
// is, if it is still trusted at all.
func (s *session) identifyAnew(snap *Snapshot) (*policy.Identity, error) {
	if s.chain != nil && !snap.trusts(s.listener.Name, s.chain, s.server.now()) {
		return nil, errUntrusted
	}
	facts := s.facts
	if facts.Cert != nil && facts.Cert.CN != "" && !snap.CNs[s.listener.Name] {
		cert := *facts.Cert
		cert.CN = ""
		facts.Cert = &cert
	}
	id, _, err := s.server.identify(snap, &facts)
	return id, err
}

// expiry is when what the client has proven ends: its certificate, or the secret
// it logged in with. The zero time is never.
func (s *session) expiry() (at time.Time) {
	if s.facts.Cert != nil {
		at = s.facts.Cert.NotAfter
	}
	if l := s.facts.Login; l != nil && !l.NotAfter.IsZero() && (at.IsZero() || l.NotAfter.Before(at)) {
		at = l.NotAfter
	}
	return at
}

// expired reports whether that is over.
func (s *session) expired() bool {
	at := s.expiry()
	return !at.IsZero() && !s.server.now().Before(at)
}

// cutOff ends the session from outside, whatever it is doing. It closes below
// TLS, whose own farewell could wait for the client.
func (s *session) cutOff() { s.sock.Abort() }

// Bounds of what is still read from a client whose session has ended: as long
// as bytes are unread, closing would make the kernel throw away the last reply.
const (
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

// close ends the session from inside. A client that has been told why it has to
// go gets the chance to read it.
func (s *session) close(end End) {
	if end == EndSlow {
		s.sock.Abort() // TLS would have its farewell wait for the client once more
	}
	defer s.sock.Close()
	defer s.conn.Close()
	if w, ok := s.conn.(interface{ CloseWrite() error }); !ok || !lingers[end] || w.CloseWrite() != nil {
		return
	}
	s.conn.SetReadDeadline(time.Now().Add(lingerTime))
	// How it ends does not matter: the session has.
	_, _ = io.CopyN(io.Discard, s.conn, lingerBytes)
}

// sniff looks at the first byte of a client, which tells its dialect for good.
// TLS inside TLS, for one, begins with a byte of none.
func (s *session) sniff() error {
	if s.sniffed || s.r == s.w {
		return nil
	}
	s.sniffed = true
	var ok bool
	if s.dialect, ok = protocol.DialectOf(s.in[s.r]); !ok {
		s.countDialect(dialectUnknown)
		return ended(EndDialect, nil)
	}
	if s.dialect == protocol.Binary {
		s.countDialect(s.spoken())
	}
	if s.x != nil {
		s.x.parser.Dialect = s.dialect
	}
	s.introduce()
	return nil
}

// observe counts, and writes down what an auditor has to know.
func (s *session) observe(e event, req *protocol.Request, d policy.Decision) {
	m := s.server.Metrics
	switch e {
	case evRequest:
		if s.counts.requests++; s.counts.requests == 1 { // metrics get them turn by turn
			s.hear(req)
		}
	case evMalformed:
		s.counts.malformed++
		m.Malformed.Add(1)
	case evUpstreamFailed:
		s.counts.upstreamFailed++
		m.UpstreamFails.Add(1)
	case evDenied:
		s.observeDenial(req, d)
	case evLimited:
		s.counts.limited++
		m.Limited.Add(1)
		s.writeDown(audit.Deny, req, d)
	case evFrozen:
		m.Frozen.Add(1)
	case evPermitted:
		s.observePermitted(req, d)
	}
}

// peer is the client's address as logs and audit write it.
func (s *session) peer() string {
	if !s.facts.Addr.IsValid() {
		return "unix"
	}
	return s.conn.RemoteAddr().String()
}

// finish writes the session's one line, and what is left to audit.
func (s *session) finish(err error) {
	s.summarise()
	name := ""
	if s.x != nil {
		name = s.x.identity.Name
	}
	end := endOf(err)
	if end == EndRevoked {
		s.writeEvent(audit.Event{Kind: audit.Revoke, Identity: name})
	}
	s.server.Log.Info("session ended",
		zap.String("client", s.peer()),
		zap.String("listener", s.listener.Name),
		zap.String("dialect", s.spoken()),
		zap.String("identity", name),
		zap.String("source", string(s.source)),
		zap.String("end", string(end)),
		zap.Int64("requests", s.counts.requests),
		zap.Int64("malformed", s.counts.malformed),
		zap.Int64("denied", s.counts.denied),
		zap.Int64("would_deny", s.counts.wouldDeny),
		zap.Int64("limited", s.counts.limited),
		zap.Int64("upstream_failed", s.counts.upstreamFailed),
		zap.Duration("lasted", time.Since(s.started)),
		zap.NamedError("cause", cause(err)))
}

// hear looks at the first request, which tells the ASCII dialects apart.
func (s *session) hear(req *protocol.Request) {
	if s.dialect != protocol.ASCII {
		return
	}
	if s.meta = req.Verb.IsMeta(); s.meta {
		s.introduce()
	}
	s.countDialect(s.spoken())
}

// spoken is the client's dialect for logs, metrics and operators; empty if it never
// said anything.
func (s *session) spoken() string {
	switch {
	case !s.sniffed:
		return ""
	case s.meta:
		return dialectMeta
	}
	return s.dialect.String()
}

// cause is what lies behind an end, if anything does.
func cause(err error) error {
	var e *endError
	if errors.As(err, &e) {
		return e.cause
	}
	return err
}
