package proxy

import (
	"context"
	"errors"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/protocol"
)

// loginLines reads commands until one is a right login.
func (s *session) loginLines() error {
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

// nextLogin reads one request of a client that is not logged in.
func (s *session) nextLogin() (l protocol.Login, err error) {
	for {
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

// asciiMechanism is what both forms of an ASCII login are called in logs and to a
// policy.
const asciiMechanism = "ascii"

// attempt checks one request of a client that is not logged in, and returns what
// to answer. If it was a right login, the client is settled.
func (s *session) attempt(l protocol.Login) (reply string, err error) {
	switch {
	case l.Token == nil:
		return l.Refusal.Reply, nil
	case !s.listener.ASCIILogin && !s.listener.KeyValueLogin:
		return protocol.Unauthenticated, nil
	}
	user, password, err := s.credentials(l)
	if err != nil {
		return protocol.AuthBadToken, err
	}
	login, err := s.verify(user, password)
	if err == nil {
		err = s.admit(login)
	}
	s.judged(asciiMechanism, err)
	switch {
	case err == nil:
		return protocol.Stored, nil
	case errors.Is(err, auth.ErrBusy):
		return protocol.AuthBusy, err
	}
	return protocol.AuthFailed, err
}

// credentials reads user and password out of a login, by the form of the listener.
func (s *session) credentials(l protocol.Login) (user string, password auth.Secret, err error) {
	if s.listener.KeyValueLogin {
		return string(l.Key), auth.Secret(l.Token), nil
	}
	return auth.ParseASCIIToken(l.Token)
}

// verify carries the login through the same exchange that SASL PLAIN takes.
func (s *session) verify(user string, password auth.Secret) (login auth.Login, err error) {
	message, err := auth.ASCIIPlain(user, password)
	if err != nil {
		return login, err
	}
	ctx, cancel := context.WithDeadline(context.Background(), s.deadlineOfLogin())
	defer cancel()
	x := auth.NewPlain(func(user string, password auth.Secret) (err error) {
		login, err = s.server.Verifier.Verify(ctx, s.facts.Addr, user, password)
		return err
	})
	_, done, err := x.Next(message)
	if err == nil && !done {
		err = errors.New("proxy: login is not complete")
	}
	login.Mechanism = asciiMechanism
	return login, err
}
