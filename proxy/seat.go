package proxy

import (
	"crypto/tls"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/slabgate/slabgate/auth"
)

// ClientInfo is one client of this moment.
type ClientInfo struct {
	ID          string    `json:"id"`                 // as long as its connection lives
	Identity    string    `json:"identity,omitempty"` // empty until it is known
	Peer        string    `json:"peer"`               // address and port, or unix
	Listener    string    `json:"listener"`
	Transport   string    `json:"transport"`             // tls, plaintext or unix; without TLS on a unix socket is unix
	TLSVersion  string    `json:"tls_version,omitempty"` // "1.3"
	Dialect     string    `json:"dialect,omitempty"`     // ascii, meta if its first request is a meta command, or binary; empty before its first byte
	Source      string    `json:"source,omitempty"`      // what proved the identity
	Mechanism   string    `json:"mechanism,omitempty"`   // of its login
	Since       time.Time `json:"since"`
	LastRequest time.Time `json:"last_request,omitzero"` // to the second; zero before the first
	Requests    int64     `json:"requests"`
	Denied      int64     `json:"denied"`
	WouldDeny   int64     `json:"would_deny"`
	Limited     int64     `json:"limited"`
	BytesIn     int64     `json:"bytes_in"` // of requests and replies, without TLS and logins
	BytesOut    int64     `json:"bytes_out"`
}

// seat is what other goroutines see of a session. Its figures are brought up to
// date at the end of each turn, and at the end of the session.
type seat struct {
	number                               uint64 // counts the server's clients, from 1
	transport                            string
	addr                                 netip.Addr // not valid on a unix socket
	about                                atomic.Pointer[portrait]
	requests, denied, wouldDeny, limited atomic.Int64
	in, out                              atomic.Int64
	last                                 atomic.Int64 // request, in Unix seconds
}

// portrait is what changes seldom of a client. It is replaced as a whole.
type portrait struct {
	peer, identity, tls, dialect, mechanism string
	source                                  auth.Source
}

// id is the client's name for an operator.
func (s *seat) id() string { return "c" + strconv.FormatUint(s.number, 36) }

// raise stores v if that is news: a figure that stays the same costs a look.
func raise(a *atomic.Int64, v int64) {
	if a.Load() != v {
		a.Store(v)
	}
}

// show shows what the turn has come to. Only the session's own goroutine or loop
// may call it.
func (s *session) show(in, out int) {
	t, c := &s.seat, &s.counts
	if c.requests != t.requests.Load() {
		t.requests.Store(c.requests)
		raise(&t.last, s.x.asked.Now)
	}
	raise(&t.denied, c.denied)
	raise(&t.wouldDeny, c.wouldDeny)
	raise(&t.limited, c.limited)
	raise(&t.in, t.in.Load()+int64(in))
	raise(&t.out, t.out.Load()+int64(out))
}

// introduce shows who the client is.
func (s *session) introduce() {
	a := &portrait{peer: s.peer(), source: s.source, dialect: s.spoken()}
	if c, ok := s.conn.(*tls.Conn); ok {
		a.tls = tlsVersions[c.ConnectionState().Version]
	}
	if s.x != nil {
		a.identity = s.x.identity.Name
	}
	if l := s.facts.Login; l != nil {
		a.mechanism = l.Mechanism
	}
	s.seat.about.Store(a)
}

// tlsVersions are those that slabgate accepts.
var tlsVersions = map[uint16]string{tls.VersionTLS12: "1.2", tls.VersionTLS13: "1.3"}

// info is what is shown of the session.
func (s *session) info() ClientInfo {
	t := &s.seat
	c := ClientInfo{
		ID: t.id(), Listener: s.listener.Name, Transport: t.transport, Since: s.started,
		Requests: t.requests.Load(), Denied: t.denied.Load(), WouldDeny: t.wouldDeny.Load(), Limited: t.limited.Load(),
		BytesIn: t.in.Load(), BytesOut: t.out.Load(),
	}
	if last := t.last.Load(); last != 0 {
		c.LastRequest = time.Unix(last, 0)
	}
	a := t.about.Load()
	c.Peer, c.Identity, c.TLSVersion, c.Dialect = a.peer, a.identity, a.tls, a.dialect
	c.Source, c.Mechanism = string(a.source), a.mechanism
	return c
}

// transportOf is how a client at an address comes in by a listener.
func transportOf(l *Listener, addr netip.Addr) string {
	switch {
	case l.Transport == "tls":
		return "tls"
	case !addr.IsValid():
		return "unix"
	}
	return "plaintext"
}
