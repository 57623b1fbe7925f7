package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/protocol"
)

// saslLogin is the state of a session's login in the binary dialect. Between two
// attempts there is no exchange; while one is under way, only its next message
// goes on with it.
type saslLogin struct {
	exchange  *auth.Exchange
	cancel    context.CancelFunc // of what the exchange waits for; nil before the first
	mechanism string             // of the exchange, as the client wrote it
	attempts  int
	packets   int  // before the client was known
	done      bool // one has succeeded; there is no second
	late      bool // one that came too late has been written down
}

// maxLoginPackets bounds the packets of a client that is not known: for each
// attempt one that begins it, two that go on with it and one that asks first.
const maxLoginPackets = 4 * maxAttempts

var (
	errOrder    = errors.New("proxy: message of a login out of order")
	errAttempts = errors.New("proxy: too many attempts")
	errLate     = errors.New("proxy: login after other requests, or a second one")
	errNoCert   = errors.New("proxy: the certificate names another identity")
)

// loginPackets reads packets until a login is complete.
func (s *session) loginPackets() error {
	p := protocol.Parser{Dialect: protocol.Binary, Wanted: isLogin}
	for s.x == nil {
		req, err := s.nextPacket(&p)
		if err != nil {
			return err
		}
		reply, over := s.saslStep(req)
		if err := s.write(reply); err != nil {
			return err
		}
		if over != nil {
			return ended(EndLogin, over)
		}
	}
	return nil
}

// isLogin reports whether a request is one that a client may make before it has
// logged in.
func isLogin(req *protocol.Request) bool { return req.Verb.Category == protocol.CatAuth }

// nextPacket reads one message of a login. Anything else is answered, and ends
// the session.
func (s *session) nextPacket(p *protocol.Parser) (*protocol.Request, error) {
	for {
		req, n, err := p.Next(s.in[s.r:s.w])
		s.r += n
		if err == protocol.ErrShort {
			if err := s.moreLogin(); err != nil {
				return nil, err
			}
			continue
		}
		if s.sasl.packets++; s.sasl.packets > maxLoginPackets {
			return nil, ended(EndLogin, errAttempts)
		}
		if err == nil && isLogin(req) {
			return req, nil
		}
		if err := s.refuseUnknown(req, err); err != nil {
			return nil, err
		}
	}
}

// refuseUnknown answers a packet of a client that is not known: req, or what the
// parser refused. Only after a malformed message of a login may the client go on.
func (s *session) refuseUnknown(req *protocol.Request, err error) error {
	var refusal *protocol.Refusal
	switch {
	case !errors.As(err, &refusal):
		return s.refusePacket(&req.Form, EndLogin, nil)
	case refusal.Reply == "":
		return ended(EndSyntax, nil)
	case refusal.Close, refusal.Verb == nil, refusal.Verb.Category != protocol.CatAuth:
		return s.refusePacket(&refusal.Form, EndLogin, nil)
	}
	return s.write([]byte(refusal.Reply))
}

// refusePacket tells a client that it has not said who it is, and ends the
// session.
func (s *session) refusePacket(f *protocol.Form, end End, why error) error {
	reply := f.AppendAnswer(nil, nil, &protocol.Reply{Status: protocol.StatusUnauthenticated})
	if err := s.write(reply); err != nil {
		why = errors.Join(why, err)
	}
	return ended(end, why)
}

// turnAwayPacket answers the first packet of a client that nobody knows.
func (s *session) turnAwayPacket(why error) error {
	p := protocol.Parser{Dialect: protocol.Binary, Wanted: func(*protocol.Request) bool { return false }}
	for {
		req, n, err := p.Next(s.in[s.r:s.w])
		s.r += n
		var refusal *protocol.Refusal
		switch {
		case err == nil:
			return s.refusePacket(&req.Form, EndUnknown, why)
		case errors.As(err, &refusal):
			return s.refusePacket(&refusal.Form, EndUnknown, why)
		}
		if err := s.moreLogin(); err != nil {
			return err
		}
	}
}

// saslStep takes one message of a login and returns what to answer, and why the
// session has to end, if it has to. If the login is complete, the client is
// settled.
func (s *session) saslStep(req *protocol.Request) (reply []byte, over error) {
	if req.Verb.Local == protocol.LocalMechs {
		return req.AppendMechs(nil, strings.Join(s.offer().List(), " ")), nil
	}
	if len(req.Keys[0]) > protocol.MaxMech {
		return req.AppendAnswer(nil, nil, &protocol.Reply{Status: protocol.StatusInvalid}), nil
	}
	challenge, done, err := s.saslNext(req)
	if err == nil && done {
		err = s.saslDone()
	}
	switch {
	case err == nil && done:
		s.judged(mechanismName(s.sasl.mechanism), nil)
		return req.AppendAuthenticated(nil), nil
	case err == nil:
		return req.AppendChallenge(nil, challenge), nil
	}
	s.judged(mechanismName(s.sasl.mechanism), err)
	s.sasl.leave()
	if s.sasl.attempts >= maxAttempts {
		over = errAttempts
	}
	return req.AppendAnswer(nil, nil, &protocol.Reply{Status: protocol.StatusUnauthenticated}), over
}

// saslNext gives a message to the exchange that it belongs to. A message that
// belongs to none fails, and takes the exchange under way with it.
func (s *session) saslNext(req *protocol.Request) (challenge []byte, done bool, err error) {
	l, name := &s.sasl, string(req.Keys[0])
	if req.Verb.Local == protocol.LocalStep {
		if l.exchange == nil || !strings.EqualFold(name, l.mechanism) {
			l.attempts++
			return nil, false, errOrder
		}
		return l.exchange.Next(req.Value)
	}
	l.attempts++
	if l.exchange != nil {
		return nil, false, errOrder
	}
	l.mechanism = name
	var ctx context.Context
	ctx, l.cancel = context.WithDeadline(context.Background(), s.deadlineOfLogin())
	if l.exchange, err = s.server.Verifier.Begin(ctx, s.offer(), name, s.external); err != nil {
		return nil, false, err
	}
	return l.exchange.Next(auth.InitialResponse(name, req.Value))
}

// leave gives up the exchange under way, if there is one.
func (l *saslLogin) leave() {
	l.exchange = nil
	if l.cancel != nil {
		l.cancel()
	}
}

// saslDone gives the client the identity that its login has proven. EXTERNAL
// leaves it the one that its certificate gives it.
func (s *session) saslDone() error {
	login, ok := s.sasl.exchange.Login()
	s.sasl.leave()
	if ok {
		if err := s.admit(login); err != nil {
			return err
		}
	}
	s.sasl.done, s.x.barred = true, false
	return nil
}

// external checks a login that points to the certificate: the client must be
// known by it, and may say as whom.
func (s *session) external(identity string) error {
	if s.x == nil || s.source != auth.SourceCert || identity != "" && identity != s.x.identity.Name {
		return errNoCert
	}
	return nil
}

// offer says which mechanisms the client may log in by.
func (s *session) offer() auth.Offer {
	ch := auth.Channel{
		TLS: s.facts.TLS, Local: !s.facts.Addr.IsValid(), PlainInClear: s.listener.PlainInClear,
		Cert: s.facts.Cert != nil, Source: s.facts.Addr,
	}
	if c, ok := s.conn.(*tls.Conn); ok {
		ch.Exporter, ch.EndPoint = bindingsOf(c, s.leaf)
	}
	return auth.NewOffer(s.listener.SASL, s.server.snapshot.Load().Users, ch)
}

// bindingsOf returns what a login may be bound to: tls-exporter and
// tls-server-end-point. Each is nil if the connection does not have it: TLS 1.2
// without extended master secret exports nothing.
func bindingsOf(c *tls.Conn, leaf *x509.Certificate) (exporter, endPoint []byte) {
	state := c.ConnectionState()
	exporter, err := state.ExportKeyingMaterial(auth.ExporterLabel, nil, auth.ExporterLength)
	if err != nil {
		exporter = nil
	}
	if leaf == nil {
		return exporter, nil
	}
	return exporter, auth.EndPointBinding(leaf)
}

// mechanismName is the name of a mechanism for logs: one that slabgate has, or a
// word for all others.
func mechanismName(asked string) string {
	if name, ok := auth.MechanismName(asked); ok {
		return name
	}
	return "other"
}

// lateLogin takes a message of a login from a client that is known already: by
// its certificate, its address or its listener. It may still say that it is
// somebody else, as long as it has asked for nothing: no request of a connection
// is served under one identity and the next under another.
func (s *session) lateLogin(req *protocol.Request) error {
	x := s.x
	switch {
	case len(s.listener.SASL) == 0 || s.snap.Users == nil && s.source != auth.SourceCert:
		x.out = req.AppendAnswer(x.out, nil, &protocol.Reply{Status: protocol.StatusUnfit})
		return nil
	case req.Verb.Local != protocol.LocalMechs && (x.served || s.sasl.done):
		if !s.sasl.late { // a client may send any number of them
			s.sasl.late = true
			s.judged(mechanismName(string(req.Keys[0])), errLate)
		}
		x.out = req.AppendAnswer(x.out, nil, &protocol.Reply{Status: protocol.StatusUnauthenticated})
		return nil
	}
	x.barred = x.barred || req.Verb.Local != protocol.LocalMechs
	reply, over := s.saslStep(req)
	x.out = append(x.out, reply...)
	if over != nil {
		x.end = EndLogin
	}
	return nil
}
