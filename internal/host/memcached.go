package host

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// usualPort is memcached's, if nobody says otherwise.
const usualPort = 11211

// mostAsked bounds how many addresses are asked.
const mostAsked = 256

// gatherMemcached finds each memcached, by its process and by its address, and asks
// it. Then every address of this host is tried at its ports.
func (g *gathering) gatherMemcached(ctx context.Context) {
	g.findProcesses()
	for _, address := range g.named() {
		g.addAddress(address)
	}
	answers := map[string]answer{}
	g.askAll(ctx, g.addressesOf(), answers)
	g.takeAnswers(answers)
	doors := g.doors()
	g.askAll(ctx, doors, answers)
	for _, address := range doors {
		a := answers[address]
		version, _, _ := readReply(a.reply.Text)
		entry := Answer{Address: address, Version: version, UID: g.facts.Self.UID}
		if version == "" {
			entry.Error = a.why()
		}
		g.facts.Answers = append(g.facts.Answers, entry)
	}
}

// chosen tells whether a process is one that was asked for.
func (g *gathering) chosen(p *Process) bool {
	want := g.options.Memcached
	if pid, err := strconv.Atoi(want); err == nil {
		return p.PID == pid
	}
	return want == "" || want == "auto" || slices.Contains(g.processAddresses(p), want)
}

// findProcesses makes an entry for each memcached that is to be seen as a process.
func (g *gathering) findProcesses() {
	for i := range g.facts.Processes {
		p := &g.facts.Processes[i]
		if !p.IsMemcached() || !g.chosen(p) {
			continue
		}
		m := Memcached{Process: p, PeerUID: -1, Logins: g.logins(p)}
		if all := g.processAddresses(p); len(all) > 0 {
			m.Address = all[0]
		} else if g.elsewhere(p) {
			m.Error = "it is in another network namespace"
		} else {
			m.Error = "no address of it was found"
		}
		g.facts.Memcached = append(g.facts.Memcached, m)
	}
}

// elsewhere tells whether a process is known to be in another network namespace.
func (g *gathering) elsewhere(p *Process) bool {
	return p.Network != "" && g.facts.Self.Network != "" && p.Network != g.facts.Self.Network
}

// processAddresses are where a memcached may be asked, loopback first: its
// listeners, and its socket. A listener that nobody is known to hold counts, if it
// has the user and the port of the process.
func (g *gathering) processAddresses(p *Process) (all []string) {
	args := ParseArguments(p.Args)
	ports := argumentPorts(args)
	var found []netip.AddrPort
	for i := range g.facts.Sockets {
		s := &g.facts.Sockets[i]
		guessed := s.PID == 0 && s.UID == p.UID && !g.elsewhere(p) && slices.Contains(ports, int(s.Addr.Port()))
		if s.Network == "tcp" && (s.PID == p.PID && p.PID != 0 || guessed) {
			found = append(found, reachable(s.Addr))
		}
	}
	slices.SortFunc(found, func(a, b netip.AddrPort) int {
		return cmp.Or(cmp.Compare(distance(a.Addr()), distance(b.Addr())), a.Compare(b))
	})
	for _, at := range slices.Compact(found) {
		all = append(all, at.String())
	}
	if socket, ok := args.Last('s'); ok && strings.HasPrefix(socket, "/") {
		all = append(all, "unix:"+socket)
	}
	return all
}

// reachable is an address by which a listener may be reached from its own host.
func reachable(at netip.AddrPort) netip.AddrPort {
	addr := at.Addr().Unmap()
	switch {
	case !addr.IsUnspecified():
	case addr.Is4():
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		addr = netip.IPv6Loopback()
	}
	return netip.AddrPortFrom(addr, at.Port())
}

// distance orders addresses: 127.0.0.1 and the like before ::1 before others.
func distance(a netip.Addr) int {
	switch {
	case a.IsLoopback() && a.Is4():
		return 0
	case a.IsLoopback():
		return 1
	}
	return 2
}

// argumentPorts are the TCP ports that a command line names, or the usual one.
func argumentPorts(args Arguments) (ports []int) {
	add := func(text string) {
		if n, err := strconv.ParseUint(text, 10, 16); err == nil && n > 0 {
			ports = append(ports, int(n))
		}
	}
	if port, ok := args.Last('p'); ok {
		add(port)
	} else if !args.Has('s') {
		ports = append(ports, usualPort)
	}
	for _, at := range args.Listen() {
		if _, port, err := net.SplitHostPort(at); err == nil {
			add(port)
		}
	}
	return ports
}

// named are the addresses at which a memcached is said or likely to be: that of
// the options, else that of the configuration and the usual port.
func (g *gathering) named() (all []string) {
	switch want := g.options.Memcached; want {
	case "", "auto":
	default:
		if _, err := strconv.Atoi(want); err != nil {
			all = append(all, want)
		}
		return all
	}
	if s := g.facts.Subject; s != nil && s.Upstream != "" {
		all = append(all, s.Upstream)
	}
	for i := range g.facts.Sockets {
		s := &g.facts.Sockets[i]
		if s.Network == "tcp" && s.Addr.Port() == usualPort && !g.ours(s.Addr) {
			all = append(all, reachable(s.Addr).String())
		}
	}
	return all
}

// ours tells whether it is slabgate that answers at an address.
func (g *gathering) ours(at netip.AddrPort) bool {
	s := g.listener(at)
	if s == nil {
		return false
	}
	if p := g.facts.Process(s.PID); p != nil {
		return p.IsSlabgate()
	}
	if g.facts.Subject == nil {
		return false
	}
	return slices.ContainsFunc(g.facts.Subject.Listeners, func(l SubjectListener) bool {
		address := l.Address
		if strings.HasPrefix(address, ":") {
			address = "[::]" + address
		}
		own, err := netip.ParseAddrPort(address)
		everywhere := own.Addr().IsUnspecified() && s.Addr.Addr().IsUnspecified() && own.Port() == s.Addr.Port()
		return err == nil && (everywhere || covers(own, s.Addr))
	})
}

// listener is the TCP listener that answers at an address: that address itself,
// else a listener on every address.
func (g *gathering) listener(at netip.AddrPort) (found *Socket) {
	for i := range g.facts.Sockets {
		s := &g.facts.Sockets[i]
		host := s.Addr.Addr()
		switch {
		case s.Network != "tcp" || s.Addr.Port() != at.Port():
		case covers(s.Addr, at):
			return s
		case host.IsUnspecified() && (host.Is6() || at.Addr().Unmap().Is4()):
			found = s
		}
	}
	return found
}

// covers tells whether a listener is the one that is meant by an address.
func covers(listener, at netip.AddrPort) bool {
	return listener.Port() == at.Port() && listener.Addr().Unmap().WithZone("") == at.Addr().Unmap().WithZone("")
}

// addAddress makes an entry for an address, unless it is one of a process that has
// an entry: then that is asked there.
func (g *gathering) addAddress(address string) {
	for i := range g.facts.Memcached {
		m := &g.facts.Memcached[i]
		if m.Address == address {
			return
		}
		if m.Process != nil && slices.ContainsFunc(g.processAddresses(m.Process), func(a string) bool { return same(a, address) }) {
			m.Address, m.Error = address, ""
			return
		}
	}
	g.facts.Memcached = append(g.facts.Memcached, Memcached{Address: address, PeerUID: -1, Process: g.holder(address)})
}

// same tells whether two addresses are one; a name is that of the loopback.
func same(found, written string) bool {
	if found == written {
		return true
	}
	host, port, err := net.SplitHostPort(written)
	at, err2 := netip.ParseAddrPort(found)
	return err == nil && err2 == nil && host == "localhost" && at.Addr().IsLoopback() && port == strconv.Itoa(int(at.Port()))
}

// holder is the process that listens at a TCP address, or nil.
func (g *gathering) holder(address string) *Process {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil
	}
	if s := g.listener(at); s != nil {
		return g.facts.Process(s.PID)
	}
	return nil
}
