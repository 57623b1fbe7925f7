package host

import (
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
)

// answer is what came of asking an address.
type answer struct {
	reply Reply
	err   error
}

// why is why an answer is none of memcached.
func (a answer) why() string {
	switch {
	case errors.Is(a.err, fs.ErrPermission):
		return "permission denied"
	case a.err != nil:
		return whyNot(a.err)
	}
	line, _, _ := strings.Cut(string(a.reply.Text), "\n")
	return strings.ToValidUTF8(strings.TrimSpace(line[:min(len(line), 120)]), "?")
}

// addressesOf are where each memcached that was found is to be asked.
func (g *gathering) addressesOf() (all []string) {
	for i := range g.facts.Memcached {
		if address := g.facts.Memcached[i].Address; address != "" {
			all = append(all, address)
		}
	}
	return all
}

// takeAnswers fills the entries with what they said. What was only tried because
// of its port, and is no memcached, leaves the list.
func (g *gathering) takeAnswers(answers map[string]answer) {
	var kept []Memcached
	for _, m := range g.facts.Memcached {
		a, asked := answers[m.Address]
		if asked {
			if a.err == nil {
				m.PeerUID = a.reply.PeerUID
			}
			m.Version, m.Stats, m.Settings = readReply(a.reply.Text)
			if m.Version == "" {
				m.Error = a.why()
			}
			if m.Process == nil && a.reply.PeerPID != 0 {
				m.Process = g.facts.Process(a.reply.PeerPID)
			}
		}
		byProcess := m.Process != nil && m.Process.IsMemcached()
		if byProcess || m.Version != "" || strings.Contains(m.Error, "unauthenticated") || g.meant(m.Address) {
			kept = append(kept, m)
		}
	}
	g.facts.Memcached = kept
}

// meant tells whether somebody said that memcached is at an address.
func (g *gathering) meant(address string) bool {
	return address == g.options.Memcached || g.facts.Subject != nil && address == g.facts.Subject.Upstream
}

// readReply reads what memcached said to version, stats and stats settings. What
// it refused is empty.
func readReply(text []byte) (version string, stats, settings map[string]string) {
	blocks := []*map[string]string{&stats, &settings}
	for line := range strings.Lines(string(text)) {
		word, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		switch {
		case word == "VERSION" && version == "":
			version = rest
		case len(blocks) == 0:
		case word == "STAT":
			name, value, _ := strings.Cut(rest, " ")
			if *blocks[0] == nil {
				*blocks[0] = map[string]string{}
			}
			(*blocks[0])[name] = value
		default: // END, or an error that stands for the whole of it
			blocks = blocks[1:]
		}
	}
	return version, stats, settings
}

// doors are all addresses at which a memcached that was found might be reached:
// its ports at every address of this host, over TCP, and over UDP where there is
// such a socket; and its own socket.
func (g *gathering) doors() (all []string) {
	ports := g.ports()
	for _, port := range ports {
		for _, addr := range g.facts.Addresses {
			at := netip.AddrPortFrom(addr, port)
			if !g.ours(at) {
				all = append(all, at.String())
			}
			if slices.ContainsFunc(g.facts.Sockets, func(s Socket) bool {
				return s.Network == "udp" && (covers(s.Addr, at) || s.Addr.Port() == port && s.Addr.Addr().IsUnspecified())
			}) {
				all = append(all, "udp:"+at.String())
			}
		}
	}
	for i := range g.facts.Memcached {
		if address := g.facts.Memcached[i].Address; strings.HasPrefix(address, "unix:") {
			all = append(all, address)
		}
	}
	return all
}

// ports are those of each memcached that was found in this network namespace.
func (g *gathering) ports() (all []uint16) {
	for i := range g.facts.Memcached {
		m := &g.facts.Memcached[i]
		if at, err := netip.ParseAddrPort(m.Address); err == nil {
			all = append(all, at.Port())
		}
		if m.Process == nil || !m.Process.IsMemcached() {
			continue
		}
		for j := range g.facts.Sockets {
			if s := &g.facts.Sockets[j]; s.PID == m.Process.PID {
				all = append(all, s.Addr.Port())
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
