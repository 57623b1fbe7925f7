package proxy

import (
	"errors"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// maxAttempts is how many requests a client may make before one of them is a
// right login, and how many logins it may try.
const maxAttempts = 3

// authenticate settles who the client is: by what its connection has proven, or
// else by a login. Until it returns without an error nothing the client sends
// goes anywhere.
func (s *session) authenticate() error {
	// What was proven, was proven under the snapshot of the handshake. Should
	// another be in force by now, the first turn asks it anew.
	snap := s.snap
	id, source, err := s.server.identify(snap, &s.facts)
	switch {
	case err == nil:
		s.settled(snap, id, source)
		return nil
	case s.listener.takesLogins() && snap.Users != nil && needsLogin(err):
		return s.login()
	}
	return s.turnAway(err)
}

// takesLogins reports whether a client can say who it is after it has connected.
func (c *ListenerConfig) takesLogins() bool {
	return c.ASCIILogin || c.KeyValueLogin || len(c.SASL) > 0
}

// needsLogin reports whether a login could give a client an identity.
func needsLogin(err error) bool {
	var e *policy.IdentifyError
	return errors.As(err, &e) && e.Kind == policy.KindNeedLogin
}

// turnAway tells a client that nobody knows it. That answers its first request,
// so that it is not taken for part of something else. Nobody knows one either
// that makes none.
func (s *session) turnAway(why error) error {
	err := s.firstByte()
	switch {
	case err != nil:
	case s.dialect == protocol.Binary:
		err = s.turnAwayPacket(why)
	default:
		err = ended(EndUnknown, errors.Join(why, s.write([]byte(protocol.Unauthenticated))))
	}
	if end := endOf(err); end == EndLogin || end == EndClient {
		return ended(EndUnknown, why)
	}
	return err
}

// login reads requests until one is a right login.
func (s *session) login() error {
	if err := s.firstByte(); err != nil {
		return err
	}
	if s.dialect == protocol.Binary {
		return s.loginPackets()
	}
	return s.loginLines()
}

// firstByte waits for the client to say something, unless the server stops, and
// finds out what dialect it speaks. All reads until the login are one wait.
func (s *session) firstByte() error {
	if err := s.awaitLogin(); err != nil {
		return err
	}
	for s.r == s.w {
		if err := s.moreLogin(); err != nil {
			return err
		}
	}
	return s.sniff()
}

// awaitLogin sets how long all reads until the login may take, unless the server
// stops.
func (s *session) awaitLogin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving.Load() {
		return ended(EndDrain, nil)
	}
	s.conn.SetReadDeadline(s.started.Add(s.limits.LoginTimeout))
	return nil
}

// moreLogin reads more of a request whose length the parser bounds.
func (s *session) moreLogin() error {
	if s.w == len(s.in) {
		s.w = copy(s.in, s.in[s.r:s.w])
		s.r = 0
	}
	if s.w == len(s.in) {
		return s.growLogin()
	}
	return s.readLogin()
}

// maxLoginInput bounds what a client that is not known may have slabgate hold, in
// bytes: one message of a login with its packet's header and key, and the line
// and the value of an ASCII login are less.
const maxLoginInput = 2 * minInput

// growLogin makes room for the one request of a login that needs it.
func (s *session) growLogin() error {
	if len(s.in) >= maxLoginInput {
		return ended(EndSyntax, nil)
	}
	in := make([]byte, maxLoginInput)
	copy(in, s.in[:s.w])
	s.in = in
	return s.readLogin()
}

func (s *session) readLogin() error {
	n, err := s.conn.Read(s.in[s.w:])
	s.w += n
	if n == 0 {
		return s.broken(err, EndLogin)
	}
	return nil
}

// deadlineOfLogin is when a login must have been judged: as long after the
// connection was accepted as logins may take, or as long from now for a client
// that is known already.
func (s *session) deadlineOfLogin() time.Time {
	if s.x != nil {
		return time.Now().Add(s.limits.LoginTimeout)
	}
	return s.started.Add(s.limits.LoginTimeout)
}

// admit gives a client that logged in its identity. It is the only one that its
// connection will have.
func (s *session) admit(login auth.Login) error {
	facts := s.facts
	facts.Login = &login
	snap := s.server.snapshot.Load()
	if s.chain != nil && !snap.trusts(s.listener.Name, s.chain, s.server.now()) {
		return errUntrusted
	}
	id, source, err := s.server.identify(snap, &facts)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.facts = facts // a reload may be looking at them
	s.mu.Unlock()
	s.settled(snap, id, source) // the relay sets deadlines of its own
	return nil
}

// judged counts a login and writes down one that was refused.
func (s *session) judged(mechanism string, err error) {
	s.countAttempt(mechanism, err)
	if err == nil {
		s.server.Metrics.Logins.Add(1)
		return
	}
	s.server.Metrics.LoginFails.Add(1)
	s.server.Log.Warn("login refused", zap.String("client", s.peer()), zap.String("listener", s.listener.Name),
		zap.String("mechanism", mechanism), zap.Error(err))
	if others, ok := s.server.guesses.pass(s.server.now(), maxGuesses); ok {
		s.writeEvent(audit.Event{Kind: audit.AuthFail, Reason: reasonOf(err), Count: others})
	}
}

// countAttempt counts a login by how it went. Which of a user's secrets was right
// tells when the older of two is no longer needed.
func (s *session) countAttempt(mechanism string, err error) {
	a := metrics.Attempt{Mechanism: mechanism, Result: "ok"}
	switch {
	case err != nil:
		a.Result = reasonOf(err)
	case s.facts.Login != nil:
		a.Secret = strconv.Itoa(s.facts.Login.Slot)
	}
	s.server.Metrics.Attempts.Of(a).Add(1)
}

// reasonOf is a failed login's reason as the audit writes it: a closed set, free
// of anything the client sent.
func reasonOf(err error) string {
	var denied *auth.DeniedError
	switch {
	case errors.As(err, &denied):
		return string(denied.Reason)
	case errors.Is(err, auth.ErrThrottled):
		return "throttled"
	case errors.Is(err, auth.ErrBusy):
		return "busy"
	}
	return "refused"
}
