package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/proxy"
)

// Viewer is what there is to be seen of a slabgate.
type Viewer interface {
	// Status is everything at a glance.
	Status() *status.Document

	// Clients is who is connected, the oldest first.
	Clients() []proxy.ClientInfo

	// Plaintext is who came over TCP without TLS since the start.
	Plaintext() status.SincePlaintext
}

// Holder is what may be done to the clients of a slabgate that runs. Who asks is
// the context's [Asker]. Nothing of it outlives the process.
type Holder interface {
	// Kill closes the connection of the client with an id.
	Kill(ctx context.Context, id string) error

	// Freeze holds requests up, or no longer.
	Freeze(ctx context.Context, identity string, writes, on bool) error

	// Quarantine turns a network's clients away for a while, and returns how many
	// were here. For no time it is released.
	Quarantine(ctx context.Context, network netip.Prefix, during time.Duration) (closed int, err error)
}

// MaxQuarantine is how long a quarantine may be.
const MaxQuarantine = 30 * 24 * time.Hour

// Done is the answer to what changes something: what has been done, in words.
type Done struct {
	Done   string `json:"done"`
	Closed int    `json:"closed"` // connections
}

var viewPages = []page{
	{"GET", "/status", func(s *Server, _ *http.Request) (any, error) { return s.Backend.Status(), nil }},
	{"GET", "/clients", func(s *Server, _ *http.Request) (any, error) { return s.Backend.Clients(), nil }},
	{"GET", "/plaintext", func(s *Server, _ *http.Request) (any, error) { return s.Backend.Plaintext(), nil }},
}

var holderPages = []page{
	{"POST", "/kill", (*Server).kill},
	{"POST", "/freeze", func(s *Server, r *http.Request) (any, error) { return s.freeze(r, true) }},
	{"POST", "/unfreeze", func(s *Server, r *http.Request) (any, error) { return s.freeze(r, false) }},
	{"POST", "/quarantine", (*Server).quarantine},
	{"POST", "/release", (*Server).release},
}

func (s *Server) kill(r *http.Request) (any, error) {
	id := r.URL.Query().Get("id")
	if err := s.Backend.Kill(r.Context(), id); err != nil {
		return nil, err
	}
	return Done{"killed " + id, 1}, nil
}

// freeze reads what is to be frozen or not: identity, writes=1 or both.
func (s *Server) freeze(r *http.Request, on bool) (any, error) {
	identity, writes := r.URL.Query().Get("identity"), r.URL.Query().Get("writes") == "1"
	if identity == "" && !writes {
		return nil, &Error{http.StatusBadRequest, "it is not said what to freeze", "write /freeze?identity=NAME, /freeze?writes=1 or both"}
	}
	if err := s.Backend.Freeze(r.Context(), identity, writes, on); err != nil {
		return nil, err
	}
	done := "frozen: "
	if !on {
		done = "no longer frozen: "
	}
	return Done{Done: done + Frozen(identity, writes)}, nil
}

// Frozen is what a freeze holds up, in words.
func Frozen(identity string, writes bool) string {
	switch {
	case identity == "" && writes:
		return "writes"
	case identity == "":
		return "everything"
	case writes:
		return "writes of " + identity
	}
	return "identity " + identity
}

func (s *Server) quarantine(r *http.Request) (any, error) {
	network, err := networkOf(r)
	if err != nil {
		return nil, err
	}
	during, err := time.ParseDuration(r.URL.Query().Get("for"))
	if err != nil || during < time.Second || during > MaxQuarantine {
		return nil, &Error{http.StatusBadRequest, fmt.Sprintf("a quarantine can't last for %.32q", r.URL.Query().Get("for")), "write a time from 1s to 720h, such as 1h"}
	}
	closed, err := s.Backend.Quarantine(r.Context(), network, during)
	if err != nil {
		return nil, err
	}
	return Done{fmt.Sprintf("quarantined %s for %s", network, during), closed}, nil
}

func (s *Server) release(r *http.Request) (any, error) {
	network, err := networkOf(r)
	if err != nil {
		return nil, err
	}
	if _, err := s.Backend.Quarantine(r.Context(), network, 0); err != nil {
		return nil, err
	}
	return Done{Done: "released " + network.String()}, nil
}

// networkOf is the network that a request names: an address is one of its own.
func networkOf(r *http.Request) (netip.Prefix, error) {
	text := r.URL.Query().Get("network")
	if p, err := netip.ParsePrefix(text); err == nil {
		return unmapped(p)
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, &Error{http.StatusBadRequest, fmt.Sprintf("%.64q is no network", text), "write an address or a network, such as 10.0.0.9 or 10.0.0.0/24"}
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// mappedBits is how many bits of an IPv4 address written as one of IPv6 say that.
const mappedBits = 96

// unmapped is a network as the addresses of clients are compared with it: those of
// IPv4 are never written as of IPv6.
func unmapped(p netip.Prefix) (netip.Prefix, error) {
	if !p.Addr().Is4In6() {
		return p.Masked(), nil
	}
	if p.Bits() < mappedBits {
		return netip.Prefix{}, &Error{
			http.StatusBadRequest, fmt.Sprintf("%s holds IPv4 and IPv6 addresses", p),
			"write two networks: that of IPv4 as 10.0.0.0/8, or 0.0.0.0/0 for all, and that of IPv6",
		}
	}
	return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits).Masked(), nil
}
