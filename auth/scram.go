package auth

import (
	"errors"
	"strings"
	"unicode"

	"github.com/xdg-go/scram"
)

// maxNonce bounds the client's nonce, in bytes.
const maxNonce = 256

// scramServer is the server of one login by SCRAM (RFC 5802, RFC 7677). It does
// what the library leaves to its user: it holds the mechanism to its channel
// binding, bounds what a client sends, and goes on to the proof when there is no
// such user. No error of the library gets out, as its text holds what it was given.
//
// It is a [sasl.Server] whose errors are all its own.
type scramServer struct {
	verifier  *Verifier
	offer     Offer
	mechanism *mechanism
	exchange  *Exchange
	step      func(message []byte) (challenge []byte, done bool, err error)

	user   string
	prompt prompt
	// One for each record of the prompt, with the same nonce: a client's proof is
	// right if it is right for one of them.
	conversations [maxSecrets]*scram.ServerConversation
	matched       Record
}

// beginSCRAM begins a login by a mechanism of SCRAM.
func (v *Verifier) beginSCRAM(o Offer, m *mechanism) *Exchange {
	s := &scramServer{verifier: v, offer: o, mechanism: m, exchange: &Exchange{limit: scramSteps, judged: true}}
	s.step = s.first
	s.exchange.server = s
	return s.exchange
}

// Next takes the messages in their order.
func (s *scramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil {
		return nil, false, ErrFormat
	}
	return s.step(response)
}

// first answers the client's first message with nonce, salt and iterations.
func (s *scramServer) first(message []byte) ([]byte, bool, error) {
	flag, ok := gs2Flag(string(message))
	if !ok {
		return nil, false, ErrFormat
	}
	binding, err := s.binding(flag)
	if err != nil {
		return nil, false, err
	}
	challenge, err := s.converse(string(message), binding)
	if err != nil {
		return nil, false, err
	}
	// An identity other than the user's is refused, whoever asks for it.
	if identity := s.conversations[0].AuthzID(); identity != "" && identity != s.user {
		return nil, false, ErrFormat
	}
	if !s.verifier.throttle.allow(s.offer.channel.Source, s.user) {
		return nil, false, ErrThrottled
	}
	s.step = s.final
	return []byte(challenge), false, nil
}

// gs2Flag is the flag at the front of a client's first message, which says what
// the client thinks of channel binding. It is not ok if the message is not of
// the form, or beyond the limits, that the library does not hold it to.
func gs2Flag(message string) (flag string, ok bool) {
	fields := strings.SplitN(message, ",", 5)
	if !isText(message) || strings.ContainsFunc(message, unicode.IsControl) || len(fields) < 4 {
		return "", false
	}
	nonce, found := strings.CutPrefix(fields[3], "r=")
	if !found || nonce == "" || len(nonce) > maxNonce || strings.ContainsFunc(nonce, notPrintable) {
		return "", false
	}
	return fields[0], true
}

// notPrintable reports whether r may not stand in a nonce (RFC 5802 §7).
func notPrintable(r rune) bool { return r <= ' ' || r > '~' }

// binding is what the client's proof must be bound to. A mechanism with -PLUS
// wants a binding and the others want none. A client that could bind and was
// not shown that it may has been lied to about the offer.
func (s *scramServer) binding(flag string) (scram.ChannelBinding, error) {
	name, wanted := strings.CutPrefix(flag, "p=")
	if wanted != s.mechanism.plus || flag == "y" && s.offer.bindable() {
		return scram.ChannelBinding{}, &DeniedError{ReasonBinding}
	}
	if !wanted {
		return scram.ChannelBinding{}, nil
	}
	cb := scram.ChannelBinding{Type: scram.ChannelBindingType(name)}
	switch cb.Type {
	case scram.ChannelBindingTLSExporter:
		cb.Data = s.offer.channel.Exporter
	case scram.ChannelBindingTLSServerEndpoint:
		cb.Data = s.offer.channel.EndPoint
	}
	if len(cb.Data) == 0 {
		return scram.ChannelBinding{}, &DeniedError{ReasonBinding}
	}
	return cb, nil
}

// converse begins a conversation for each record and returns their answer, which
// is the same.
func (s *scramServer) converse(message string, binding scram.ChannelBinding) (challenge string, err error) {
	nonce := s.verifier.nonce()
	for i := range s.conversations {
		server, err := hashFunctions[s.mechanism.hash].NewServer(func(user string) (scram.StoredCredentials, error) {
			return s.credentials(user, i)
		})
		if err != nil {
			return "", ErrFormat
		}
		server = server.WithNonceGenerator(func() string { return nonce })
		c := server.NewConversation()
		if s.mechanism.plus {
			c = server.NewConversationWithChannelBindingRequired(binding)
		}
		if challenge, err = c.Step(message); err != nil {
			return "", ErrFormat
		}
		s.conversations[i] = c
	}
	return challenge, nil
}

// credentials are the i-th that the user's proof is checked against.
func (s *scramServer) credentials(user string, i int) (scram.StoredCredentials, error) {
	if len(user) > MaxUser || !isText(user) {
		return scram.StoredCredentials{}, ErrFormat
	}
	if i == 0 {
		s.user, s.prompt = user, s.verifier.prompt(s.mechanism.hash, user)
	}
	r := s.prompt[i]
	return scram.StoredCredentials{
		KeyFactors: scram.KeyFactors{Salt: r.salt, Iters: r.iterations},
		StoredKey:  []byte(r.keys.stored),
		ServerKey:  []byte(r.keys.server),
	}, nil
}

// final checks the client's proof and answers with the server's own. The source
// is asked about again: it may have begun many logins before any of them failed.
func (s *scramServer) final(message []byte) ([]byte, bool, error) {
	source, throttle := s.offer.channel.Source, s.verifier.throttle
	if !throttle.allow(source, s.user) {
		return nil, false, ErrThrottled
	}
	answer, err := s.prove(string(message))
	switch {
	case err == nil:
		throttle.succeed(source, s.user)
		s.step = s.end
		return []byte(answer), false, nil
	case errors.Is(err, ErrDenied):
		throttle.fail(source, s.user)
	}
	return nil, false, err
}

// prove checks the proof against every record, whichever it is right for.
func (s *scramServer) prove(message string) (answer string, err error) {
	if strings.ContainsFunc(message, unicode.IsControl) {
		return "", ErrFormat // the library skips line ends inside base64
	}
	var refusal string
	for i, c := range s.conversations {
		said, _ := c.Step(message)
		if c.Valid() {
			answer, s.matched = said, s.prompt[i]
			continue
		}
		refusal = said
	}
	switch {
	case answer != "":
		return answer, s.settle()
	case refusal == scram.ErrInvalidProof:
		return "", s.verifier.denied(s.user)
	case refusal == scram.ErrChannelBindingsDontMatch:
		return "", &DeniedError{ReasonBinding}
	}
	return "", ErrFormat
}

// settle makes the login of the record that matched, if the users there are now
// honour it.
func (s *scramServer) settle() error {
	login, ok := s.verifier.loginBy(s.matched, s.user)
	if !ok {
		return s.verifier.denied(s.user)
	}
	login.Mechanism = s.mechanism.name
	s.exchange.login = &login
	return nil
}

// end takes the empty message with which the client shows that it has seen the
// server's proof. Much time may have passed since its own.
func (s *scramServer) end(message []byte) ([]byte, bool, error) {
	if len(message) > 0 {
		return nil, false, ErrFormat
	}
	if err := s.settle(); err != nil {
		return nil, false, err
	}
	return nil, true, nil
}
