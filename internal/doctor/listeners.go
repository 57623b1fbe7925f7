package doctor

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/slabgate/slabgate/internal/host"
)

// usualCachePort is memcached's, where nobody says otherwise.
const usualCachePort = 11211

// loopback tells whether an address is reached from this host alone.
func loopback(a netip.Addr) bool { return a.Unmap().IsLoopback() }

// socketName is how a waiver names a listener: tcp 0.0.0.0:22.
func socketName(s *host.Socket) string { return s.Network + " " + s.Addr.String() }

func socketEvidence(s *host.Socket) Evidence {
	return Evidence{Source: s.Source, Line: s.Line, Text: fmt.Sprintf("%s, uid %d, inode %d", s.Addr, s.UID, s.Inode)}
}

// cacheSockets are the sockets of memcached: those its processes hold, and those
// that nobody is seen to hold but that answer as memcached.
func cacheSockets(f *host.Facts, network string) (all []*host.Socket) {
	for i := range f.Sockets {
		s := &f.Sockets[i]
		p := f.Process(s.PID)
		if s.Network == network && (p != nil && p.IsMemcached() || s.PID == 0 && speaksMemcached(f, s)) {
			all = append(all, s)
		}
	}
	return all
}

// speaksMemcached tells whether memcached was found at a socket whose holder is
// not to be seen.
func speaksMemcached(f *host.Facts, s *host.Socket) bool {
	for i := range f.Memcached {
		m := &f.Memcached[i]
		at, err := netip.ParseAddrPort(m.Address)
		if err == nil && s.Network == "tcp" && m.Process != nil && m.Process.IsMemcached() && m.Process.UID == s.UID && at.Port() == s.Addr.Port() {
			return true
		}
		if err == nil && s.Network == "tcp" && leadsTo(s, at) && (m.Version != "" || strings.Contains(m.Error, "unauthenticated")) {
			return true
		}
	}
	return slices.ContainsFunc(f.Answers, func(a host.Answer) bool {
		network, at, ok := parseAnswer(a)
		return ok && a.Version != "" && network == s.Network && leadsTo(s, at)
	})
}

// parseAnswer is where an answer came from; false for a unix socket.
func parseAnswer(a host.Answer) (network string, at netip.AddrPort, ok bool) {
	network = "tcp"
	address, udp := strings.CutPrefix(a.Address, "udp:")
	if udp {
		network = "udp"
	}
	at, err := netip.ParseAddrPort(address)
	return network, at, err == nil
}

// leadsTo tells whether a socket takes what is sent to an address.
func leadsTo(s *host.Socket, at netip.AddrPort) bool {
	own, other := s.Addr.Addr().Unmap(), at.Addr().Unmap()
	if s.Addr.Port() != at.Port() {
		return false
	}
	return own.WithZone("") == other.WithZone("") || own.IsUnspecified() && (own.Is4() == other.Is4() || own.Is6())
}

// cachePorts are the TCP ports that lead to memcached here.
func cachePorts(f *host.Facts) (ports []uint16) {
	for _, s := range cacheSockets(f, "tcp") {
		ports = append(ports, s.Addr.Port())
	}
	if f.Subject != nil {
		if at, err := netip.ParseAddrPort(f.Subject.Upstream); err == nil {
			ports = append(ports, at.Port())
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// cacheOf is what is known of the memcached that holds a socket.
func cacheOf(f *host.Facts, s *host.Socket) cache {
	for _, c := range caches(f) {
		if c.Process != nil && c.Process.PID == s.PID {
			return c
		}
	}
	c := cacheAt(f, netip.AddrPortFrom(s.Addr.Addr().Unmap(), s.Addr.Port()).String())
	if p := f.Process(s.PID); p != nil && c.Process == nil {
		c.Memcached = &host.Memcached{Process: p, PeerUID: -1}
		c.args = host.ParseArguments(p.Args)
	}
	return c
}

// holderName is who holds a socket, for a person.
func holderName(f *host.Facts, s *host.Socket) string {
	p := f.Process(s.PID)
	if p == nil {
		return "a process of " + userName(f, s.UID) + " that is not to be seen"
	}
	return fmt.Sprintf("%s (pid %d, uid %d)", processName(p), p.PID, s.UID)
}

func processName(p *host.Process) string {
	if len(p.Args) > 0 && p.Comm == "" {
		return p.Args[0]
	}
	return cmp.Or(p.Comm, "a process")
}

// unseenSockets is why sockets of a network could not be looked at, or empty.
func unseenSockets(f *host.Facts, network string) string {
	if slices.ContainsFunc(f.Sockets, func(s host.Socket) bool { return s.Network == network }) {
		return ""
	}
	if why := f.WhyUnseen("/proc/net/" + network); why != "" {
		return "/proc/net/" + network + ": " + why
	}
	if f.Self.PID == 0 && len(f.Processes) == 0 {
		return "no process and no socket is to be seen"
	}
	return ""
}

func judgeBinding(f *host.Facts) (found []Verdict) {
	if why := unseenSockets(f, "tcp"); why != "" {
		return skip(why)
	}
	for _, s := range cacheSockets(f, "tcp") {
		if loopback(s.Addr.Addr()) {
			continue
		}
		text := fmt.Sprintf("%s listens on %s, which other hosts may reach", cacheName(f, s), s.Addr)
		found = append(found, fail(socketName(s), text, bindFix(f, s), socketEvidence(s)))
	}
	return orPass(found, "no memcached listens on an address of the network")
}

// cacheName is the memcached that holds a socket, for a person.
func cacheName(f *host.Facts, s *host.Socket) string {
	if f.Process(s.PID) == nil {
		return fmt.Sprintf("memcached (uid %d, process not to be seen)", s.UID)
	}
	return holderName(f, s)
}

// bindFix takes memcached off the network: to the socket that slabgate asks at, or
// that a pod should have, else to the loopback.
func bindFix(f *host.Facts, s *host.Socket) Fix {
	c := cacheOf(f, s)
	if f.Subject != nil {
		// Two memcacheds must not be given one socket: the second takes it from the first.
		if path, ok := strings.CutPrefix(f.Subject.Upstream, "unix:"); ok && !heldByAnother(f, s, f.Subject.Upstream) {
			return c.restart(change{drop: "lpU", add: []host.Argument{{Letter: 's', Value: path}, {Letter: 'a', Value: "0770"}}})
		}
	}
	if c.contained() {
		return c.toSocket()
	}
	return c.restart(change{add: []host.Argument{{Letter: 'l', Value: loopbackOf(c.args, s)}}})
}

// heldByAnother tells whether a memcached other than the holder of s answers at an address.
func heldByAnother(f *host.Facts, s *host.Socket, address string) bool {
	return slices.ContainsFunc(f.Memcached, func(m host.Memcached) bool {
		return m.Address == address && m.Version != "" && (m.Process == nil || m.Process.PID != s.PID)
	})
}

// loopbackOf is 127.0.0.1, with the port if the addresses of -l have their own.
func loopbackOf(args host.Arguments, s *host.Socket) string {
	for _, at := range args.Listen() {
		if _, port, err := net.SplitHostPort(at); err == nil && port == strconv.Itoa(int(s.Addr.Port())) {
			return "127.0.0.1:" + port
		}
	}
	return "127.0.0.1"
}

func judgeUDP(f *host.Facts) (found []Verdict) {
	if why := unseenSockets(f, "udp"); why != "" && len(f.Memcached) == 0 {
		return skip(why)
	}
	holders := map[int]bool{}
	for _, s := range cacheSockets(f, "udp") {
		holders[s.PID] = true
		fix := cacheOf(f, s).restart(noUDP)
		found = append(found, fail(socketName(s), fmt.Sprintf("%s takes UDP at %s", cacheName(f, s), s.Addr), fix, socketEvidence(s)))
	}
	for _, c := range caches(f) {
		if c.Process != nil && holders[c.Process.PID] || holders[0] {
			continue
		}
		if port, e, ok := c.udpPort(); ok {
			found = append(found, c.fail("udp", "is told to take UDP at port "+port, c.restart(noUDP), e))
		}
	}
	return orPass(found, "no memcached takes UDP")
}

var noUDP = change{add: []host.Argument{{Letter: 'U', Value: "0"}}}

// udpPort is the port that memcached says, or is told, to take UDP at. With a unix
// socket it takes none, whatever the port.
func (c cache) udpPort() (port string, e Evidence, ok bool) {
	if c.socketPath() != "" {
		return "", e, false
	}
	if port, e, ok = c.told("udpport"); ok {
		return port, e, port != "0"
	}
	port, ok = c.args.Last('U')
	if !ok || port == "0" {
		return "", e, false
	}
	return port, c.argued("-U " + port), true
}

func judgeAnswers(f *host.Facts) (found []Verdict) {
	tried := 0
	for _, a := range f.Answers {
		network, at, ok := parseAnswer(a)
		if !ok || network != "tcp" || loopback(at.Addr()) {
			continue
		}
		tried++
		if a.Version == "" || heldByGuard(f, at) {
			continue
		}
		text := fmt.Sprintf("memcached %s answers at %s to %s, and asks for no login", a.Version, at, userName(f, a.UID))
		found = append(found, fail("tcp "+at.String(), text, answerFix(f, at), Evidence{Source: at.String(), Text: "VERSION " + a.Version}))
	}
	switch {
	case len(found) == 0 && len(f.Memcached) == 0 && unseenSockets(f, "tcp") != "":
		return skip(unseenSockets(f, "tcp"))
	case len(found) == 0 && tried == 0:
		return pass("no memcached has a port that could be tried")
	}
	return orPass(found, "memcached answers on no address but loopback; tried "+counted(tried, "address"))
}

// counted is a number of things.
func counted(n int, thing string) string {
	switch {
	case n == 1:
		return "1 " + thing
	case strings.HasSuffix(thing, "s"):
		return fmt.Sprintf("%d %ses", n, thing)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// listenerAt is the socket that takes TCP connections to an address: one of that
// address alone comes first.
func listenerAt(f *host.Facts, at netip.AddrPort) (wide *host.Socket) {
	for i := range f.Sockets {
		s := &f.Sockets[i]
		switch {
		case s.Network != "tcp" || !leadsTo(s, at):
		case !s.Addr.Addr().Unmap().IsUnspecified():
			return s
		case wide == nil || s.Addr.Addr().Unmap().Is4() == at.Addr().Unmap().Is4():
			wide = s
		}
	}
	return wide
}

// heldByGuard tells whether slabgate is what takes connections to an address.
func heldByGuard(f *host.Facts, at netip.AddrPort) bool {
	s := listenerAt(f, at)
	if s == nil {
		return false
	}
	p := f.Process(s.PID)
	return p != nil && p.IsSlabgate()
}

// answerFix binds the memcached that answers elsewhere; one that no socket of this
// host explains can only be shut off.
func answerFix(f *host.Facts, at netip.AddrPort) Fix {
	s := listenerAt(f, at)
	if s == nil {
		return closeFix("tcp", at.Port(), "no listener of this host explains the answer: look for a forwarded port (NET-07), and shut it off")
	}
	return bindFix(f, s)
}

func judgeLoopbacks(f *host.Facts) (found []Verdict) {
	if f.Subject != nil {
		if v, ok := nameUpstream(f.Subject); ok {
			found = append(found, v)
		}
	}
	if why := unseenSockets(f, "tcp"); why != "" && len(found) == 0 {
		return skip(why)
	}
	for _, port := range cachePorts(f) {
		four := listenerAt(f, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port))
		six := listenerAt(f, netip.AddrPortFrom(netip.IPv6Loopback(), port))
		if four == nil || six == nil || sameHolder(four, six) {
			continue
		}
		own, other := four, six
		if holdsMemcached(f, six) && !holdsMemcached(f, four) {
			own, other = six, four
		}
		text := fmt.Sprintf("port %d is held by %s at %s and by %s at %s", port, holderName(f, own), own.Addr, holderName(f, other), other.Addr)
		fix := stopFix(f, other)
		fix.Text = "stop the other one, and name the address in slabgate's configuration, never localhost: " + fix.Text
		found = append(found, fail(socketName(other), text, fix, socketEvidence(other), socketEvidence(own)))
	}
	return orPass(found, "nobody else holds memcached's port on the other loopback address")
}

func holdsMemcached(f *host.Facts, s *host.Socket) bool {
	p := f.Process(s.PID)
	return p != nil && p.IsMemcached()
}

// sameHolder tells whether two sockets are of one process, or of one user as far as
// that is to be seen.
func sameHolder(a, b *host.Socket) bool {
	if a.PID != 0 && b.PID != 0 {
		return a.PID == b.PID
	}
	return a.UID == b.UID
}

// nameUpstream finds an upstream that is a name.
func nameUpstream(s *host.Subject) (v Verdict, ok bool) {
	name, port, err := net.SplitHostPort(s.Upstream)
	if err != nil || strings.HasPrefix(s.Upstream, "unix:") {
		return v, false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return v, false
	}
	fix := replaceAddress(s, s.Upstream, "127.0.0.1:"+port)
	fix.Text = "name the address that memcached listens on"
	return fail("upstream "+s.Upstream, "slabgate's upstream is the name "+s.Upstream+", which may lead elsewhere tomorrow", fix,
		Evidence{Source: s.Path, Text: "upstreams[].address: " + s.Upstream}), true
}

// stopFix stops what holds a socket, for now and after the next start.
func stopFix(f *host.Facts, s *host.Socket) Fix {
	p := f.Process(s.PID)
	switch {
	case p == nil:
		return Fix{Text: "find what it is and stop it", Commands: []string{fmt.Sprintf("ss -lnp%c 'sport = :%d'", s.Network[0], s.Addr.Port())}}
	case p.Container != "":
		return Fix{Text: "stop its container, " + p.Container[:12], Commands: []string{"docker stop " + p.Container[:12]}}
	case p.Unit != "":
		return Fix{Text: "stop " + p.Unit, Commands: []string{"systemctl disable --now " + quote(p.Unit)}}
	}
	return Fix{Text: "stop " + processName(p) + ", and whatever starts it", Commands: []string{fmt.Sprintf("kill %d", p.PID)}}
}
