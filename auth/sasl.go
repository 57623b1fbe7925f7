package auth

import "github.com/emersion/go-sasl"

// Limits of a SASL exchange.
const (
	MaxPayload = 4096 // bytes of one message
	maxSteps   = 2    // messages: a mechanism may ask for the one it needs
)

// Exchange is one SASL login under way. It is for one client and one attempt:
// once it has succeeded or failed it answers nothing more. It is not safe for
// concurrent use.
type Exchange struct {
	server sasl.Server
	steps  int
	over   bool
	judged bool // the check was asked; an error from here on is its own
}

// NewPlain begins a login by PLAIN (RFC 4616). The check is called at most once,
// with a user and password within the limits of a login, and decides.
func NewPlain(check func(user string, password Secret) error) *Exchange {
	x := &Exchange{}
	x.server = sasl.NewPlainServer(func(identity, user, password string) error {
		if identity != "" && identity != user || !wellFormed(user, Secret(password)) {
			return ErrFormat
		}
		x.judged = true
		return check(user, Secret(password))
	})
	return x
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
	if x.steps > maxSteps || len(response) > MaxPayload {
		return nil, false, ErrFormat
	}
	// A mechanism may report done together with an error, so the error is
	// looked at first.
	challenge, done, err = x.next(response)
	if err != nil {
		return nil, false, err
	}
	x.over = done || x.steps == maxSteps
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
