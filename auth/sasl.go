package auth

import (
	"context"

	"github.com/emersion/go-sasl"
)

// Limits of a SASL exchange.
const (
	MaxPayload = 4096 // bytes of one message
	maxSteps   = 2    // messages: a mechanism may ask for the one it needs
	scramSteps = 3    // of SCRAM: the last one is empty
)

// Exchange is one SASL login under way. It is for one client and one attempt:
// once it has succeeded or failed it answers nothing more. It is not safe for
// concurrent use.
type Exchange struct {
	server sasl.Server
	limit  int // messages
	steps  int
	over   bool
	done   bool
	judged bool   // the check was asked; an error from here on is its own
	login  *Login // what the check found; nil if it names nobody
}

// NewPlain begins a login by PLAIN (RFC 4616). The check is called at most once,
// with a user and password within the limits of a login, and decides.
func NewPlain(check func(user string, password Secret) error) *Exchange {
	x := &Exchange{limit: maxSteps}
	x.server = sasl.NewPlainServer(func(identity, user, password string) error {
		if identity != "" && identity != user || !wellFormed(user, Secret(password)) {
			return ErrFormat
		}
		x.judged = true
		return check(user, Secret(password))
	})
	return x
}

// newExternal begins a login by EXTERNAL (RFC 4422 Appendix A). The check gets
// the identity the client asks for, which may be empty, and decides.
func newExternal(check func(identity string) error) *Exchange {
	x := &Exchange{limit: maxSteps}
	x.server = sasl.NewExternalServer(func(identity string) error {
		if identity != "" && !isText(identity) {
			return ErrFormat
		}
		x.judged = true
		return check(identity)
	})
	return x
}

// Begin starts one attempt to log in by a mechanism of the offer, in any case;
// the error is ErrMechanism if the offer does not accept it. External decides
// about EXTERNAL, given the identity that the client asks for or nothing; without
// it EXTERNAL is not accepted. The context bounds the wait for a turn to hash.
//
// A client of SCRAM speaks first: an exchange that begins without a message is
// over.
func (v *Verifier) Begin(ctx context.Context, o Offer, mechanism string, external func(identity string) error) (*Exchange, error) {
	m := mechanismOf(mechanism)
	switch {
	case !o.Accepts(mechanism) || m.name == External && external == nil:
		return nil, ErrMechanism
	case m.name == External:
		return newExternal(external), nil
	case m.name == Plain:
		return v.beginPlain(ctx, o), nil
	}
	return v.beginSCRAM(o, m), nil
}

// beginPlain is NewPlain with the verifier as the check.
func (v *Verifier) beginPlain(ctx context.Context, o Offer) *Exchange {
	var x *Exchange
	x = NewPlain(func(user string, password Secret) error {
		login, err := v.Verify(ctx, o.channel.Source, user, password)
		login.Mechanism = Plain
		x.login = &login
		return err
	})
	return x
}

// Login is who logged in, once the client is authenticated. There is nobody
// after EXTERNAL, which says no more than the certificate does, nor after an
// exchange that [NewPlain] began.
func (x *Exchange) Login() (Login, bool) {
	if !x.done || x.login == nil {
		return Login{}, false
	}
	return *x.login, true
}

// Next takes the client's next message: nil if it sent none with the name of
// the mechanism, which differs from an empty one. It does not keep the slice.
//
// Done means that the client is authenticated. Without done and without an
// error the challenge, which may be empty, is to be sent to the client. The
// error is that of the check, or ErrFormat, ErrExchangeOver or ErrPanic; with
// it, done is false and the exchange is over.
func (x *Exchange) Next(response []byte) (challenge []byte, done bool, err error) {
	if x.over {
		return nil, false, ErrExchangeOver
	}
	x.steps++
	x.over = true // unless this turns out to be neither end nor error
	if x.steps > x.limit || len(response) > MaxPayload {
		return nil, false, ErrFormat
	}
	// A mechanism may report done together with an error, so the error is
	// looked at first.
	challenge, done, err = x.next(response)
	if err != nil {
		return nil, false, err
	}
	x.over, x.done = done || x.steps == x.limit, done
	if x.over && !done {
		return nil, false, ErrFormat // no message is left to end it with
	}
	return challenge, done, nil
}

// next asks the mechanism, and turns a panic in it, or in the check, into an
// error: it runs on bytes from clients nobody knows yet.
func (x *Exchange) next(response []byte) (challenge []byte, done bool, err error) {
	defer func() {
		if recover() != nil {
			challenge, done, err = nil, false, ErrPanic
		}
	}()
	challenge, done, err = x.server.Next(response)
	if err != nil && !x.judged {
		err = ErrFormat
	}
	return challenge, done, err
}
