package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	maxPlain      = 16   // addresses of one target, unless the caller is authorised
	maxAuthorised = 4096 // addresses of one target at all
	maxPorts      = 64
	maxUnixPath   = 107
)

// DefaultPorts are looked at on a host that is named without one: those of
// memcached and slabgate with their neighbours, slabgate's health checks, and the
// usual ones of twemproxy and mcrouter.
func DefaultPorts() []int {
	return []int{11211, 11212, 11213, 11214, 11215, 11219, 22122, 5000, 2048}
}

// ParsePorts reads a list such as 11211,11212.
func ParsePorts(s string) ([]int, error) {
	var ports []int
	for word := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("%q is not a port from 1 to 65535", word)
		}
		if !slices.Contains(ports, n) {
			ports = append(ports, n)
		}
	}
	if len(ports) > maxPorts {
		return nil, fmt.Errorf("%d ports are more than %d", len(ports), maxPorts)
	}
	return ports, nil
}

// Target is one thing to look at, as the caller named it.
type Target struct {
	Written string
	path    string // of a unix socket, or
	net     netip.Prefix
	host    string // name or address; empty for a network
	ports   []int
}

// ParseTarget reads HOST, HOST:PORT, [v6]:PORT, unix:PATH or a network. Whoever is
// authorised may name a network of more than 16 addresses.
func ParseTarget(s string, ports []int, authorised bool) (Target, error) {
	t := Target{Written: s, ports: ports}
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" || len(path) > maxUnixPath {
			return t, fmt.Errorf("%q names no socket; want unix:/path of at most %d bytes", s, maxUnixPath)
		}
		t.path = path
		return t, nil
	}
	if strings.Contains(s, "/") {
		return t.network(authorised)
	}
	return t.one()
}

// network reads a network in CIDR notation.
func (t Target) network(authorised bool) (Target, error) {
	p, err := netip.ParsePrefix(t.Written)
	if err != nil {
		return t, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/28", t.Written)
	}
	t.net = p.Masked()
	bits := p.Addr().BitLen() - p.Bits()
	switch {
	case bits > 12:
		return t, fmt.Errorf("%s has more than %d addresses, which is no list of targets any more", t.Written, maxAuthorised)
	case bits > 4 && !authorised:
		return t, fmt.Errorf("%s has %d addresses, more than %d; name the hosts, or say --i-am-authorised if its owner has asked you to", t.Written, 1<<bits, maxPlain)
	}
	return t, nil
}

// one reads a host with or without a port.
func (t Target) one() (Target, error) {
	t.host = t.Written
	if addr, err := netip.ParseAddr(strings.Trim(t.Written, "[]")); err == nil {
		t.host = addr.String()
		return t, nil
	}
	if strings.Contains(t.Written, ":") {
		host, port, err := net.SplitHostPort(t.Written)
		if err != nil {
			return t, fmt.Errorf("%q is not HOST, HOST:PORT, [v6]:PORT, unix:PATH or a network", t.Written)
		}
		if t.ports, err = ParsePorts(port); err != nil {
			return t, err
		}
		t.host = host
	}
	if t.host == "" || strings.ContainsFunc(t.host, odd) {
		return t, fmt.Errorf("%q names no host", t.Written)
	}
	return t, nil
}

// odd reports whether a rune is in no name or address of a host.
func odd(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_:%", r))
}

// place is one endpoint that can be dialled.
type place struct {
	target  string // as it was written
	network string // tcp or unix
	address string // host:port, or a path
	name    string // what a certificate should be for; empty if there is none
}

// String is the place as a target that names it alone.
func (p place) String() string {
	if p.network == "unix" {
		return "unix:" + p.address
	}
	return p.address
}

// errMany is the error for a name with several addresses: whoever typed it may
// not know whom that asks.
var errMany = errors.New("it has several addresses; name the one that is meant, or say --i-am-authorised if the owner of all has asked you to")

// places are the endpoints of a target. A name is looked up. Whoever is authorised
// looks at every address it has, 16 at most.
func (t Target) places(ctx context.Context, authorised bool) ([]place, error) {
	if t.path != "" {
		return []place{{t.Written, "unix", t.path, ""}}, nil
	}
	addrs, err := t.addresses(ctx)
	if t.host != "" && len(addrs) > 1 && !authorised {
		return nil, fmt.Errorf("%s: %w", t.host, errMany)
	}
	var list []place
	for _, a := range addrs {
		name := t.host
		if name == "" {
			name = a.String()
		}
		for _, port := range t.ports {
			list = append(list, place{t.Written, "tcp", net.JoinHostPort(a.String(), strconv.Itoa(port)), name})
		}
	}
	return list, err
}

func (t Target) addresses(ctx context.Context) (list []netip.Addr, err error) {
	if t.host == "" {
		for a := t.net.Addr(); t.net.Contains(a) && len(list) < maxAuthorised; a = a.Next() {
			list = append(list, a)
		}
		return list, nil
	}
	if a, err := netip.ParseAddr(t.host); err == nil {
		return []netip.Addr{a}, nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", t.host)
	for _, a := range found {
		if a = a.Unmap(); !slices.Contains(list, a) && len(list) < maxPlain {
			list = append(list, a)
		}
	}
	return list, err
}
