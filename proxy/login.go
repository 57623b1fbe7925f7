package proxy

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// maxAttempts is how many requests a client may make before one of them is a
// right login.
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
	case s.listener.ASCIILogin && snap.Users != nil && needsLogin(err):
		return s.login()
	}
	return s.turnAway(err)
}

// needsLogin reports whether a login could give a client an identity.
func needsLogin(err error) bool {
	var e *policy.IdentifyError
	return errors.As(err, &e) && e.Kind == policy.KindNeedLogin
}

// turnAway tells a client that nobody knows it. The line answers its first
// request, so that it is not taken for part of something else.
func (s *session) turnAway(why error) error {
	if err := s.awaitLogin(); err != nil {
		return err
	}
	if _, err := s.conn.Read(s.in); err == nil {
		if err := s.write([]byte(protocol.Unauthenticated)); err != nil {
			why = errors.Join(why, err)
		}
	}
	return ended(EndUnknown, why)
}

// login reads requests until one is a right login.
func (s *session) login() error {
	if err := s.awaitLogin(); err != nil {
		return err
	}
	for range maxAttempts {
		l, err := s.nextLogin()
		if err != nil {
			return err
		}
		reply, err := s.attempt(l)
		if err := s.write([]byte(reply)); err != nil {
			return err
		}
		switch {
		case s.x != nil:
			return nil
		case l.Refusal.Close:
			return ended(EndLogin, err)
		}
	}
	return ended(EndLogin, errors.New("proxy: too many attempts"))
}

// awaitLogin sets how long all reads until the login may take, unless the server
// stops.
func (s *session) awaitLogin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return ended(EndDrain, nil)
	}
	s.conn.SetReadDeadline(s.started.Add(s.server.Limits.LoginTimeout))
	return nil
}

// nextLogin reads one request of a client that is not logged in.
func (s *session) nextLogin() (l protocol.Login, err error) {
	for {
		if err := s.sniff(); err != nil {
			return l, err
		}
		n, err := protocol.ParseLogin(s.in[s.r:s.w], &l)
		if err == nil {
			s.r += n
			if l.Quit {
				return l, ended(EndQuit, nil)
			}
			return l, nil
		}
		if err := s.moreLogin(); err != nil {
			return l, err
		}
	}
}

// moreLogin reads more of a request whose length the parser bounds.
func (s *session) moreLogin() error {
	if s.w == len(s.in) {
		s.w = copy(s.in, s.in[s.r:s.w])
		s.r = 0
	}
	if s.w == len(s.in) {
		return ended(EndSyntax, nil)
	}
	n, err := s.conn.Read(s.in[s.w:])
	s.w += n
	if n == 0 {
		return s.broken(err, EndLogin)
	}
	return nil
}

// attempt checks one request of a client that is not logged in, and returns what
// to answer. If it was a right login, the client is settled.
func (s *session) attempt(l protocol.Login) (reply string, err error) {
	if l.Token == nil {
		return l.Refusal.Reply, nil
	}
	user, password, err := auth.ParseASCIIToken(l.Token)
	if err != nil {
		return protocol.AuthBadToken, err
	}
	login, err := s.verify(user, password)
	if err == nil {
		err = s.admit(login)
	}
	if err == nil {
		s.server.Metrics.Logins.Add(1)
		return protocol.Stored, nil
	}
	s.server.Metrics.LoginFails.Add(1)
	s.server.Log.Warn("login refused", zap.String("client", s.peer()), zap.String("listener", s.listener.Name),
		zap.String("mechanism", "ascii"), zap.Error(err))
	if others, ok := s.server.guesses.pass(s.server.now(), maxGuesses); ok {
		s.writeEvent(audit.Event{Kind: audit.AuthFail, Reason: reasonOf(err), Count: others})
	}
	if errors.Is(err, auth.ErrBusy) {
		return protocol.AuthBusy, err
	}
	return protocol.AuthFailed, err
}

// verify carries the login through the same exchange that SASL PLAIN takes.
func (s *session) verify(user string, password auth.Secret) (login auth.Login, err error) {
	message, err := auth.ASCIIPlain(user, password)
	if err != nil {
		return login, err
	}
	ctx, cancel := context.WithDeadline(context.Background(), s.started.Add(s.server.Limits.LoginTimeout))
	defer cancel()
	x := auth.NewPlain(func(user string, password auth.Secret) (err error) {
		login, err = s.server.Verifier.Verify(ctx, s.facts.Addr, user, password)
		return err
	})
	_, done, err := x.Next(message)
	if err == nil && !done {
		err = errors.New("proxy: login is not complete")
	}
	login.Mechanism = "ascii"
	return login, err
}

// admit gives a client that logged in its identity.
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
	s.facts = facts
	s.settled(snap, id, source) // the relay sets deadlines of its own
	return nil
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
