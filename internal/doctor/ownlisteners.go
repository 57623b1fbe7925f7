package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/slabgate/slabgate/internal/host"
)

func judgeOwnListeners(f *host.Facts) (found []Verdict) {
	if f.Subject == nil {
		return moot("needs slabgate's configuration: --config")
	}
	for i := range f.Subject.Listeners {
		l := &f.Subject.Listeners[i]
		at, ok := parseListen(l.Address)
		if ok && !l.TLS && !loopback(at.Addr()) {
			found = append(found, plainListener(f.Subject, l, at))
		}
	}
	seen := 0
	for _, s := range guardSockets(f) {
		if !isSubject(f, f.Process(s.PID)) {
			continue // another slabgate, with a configuration of its own
		}
		seen++
		if v, ok := judgeOwnSocket(f, s); ok {
			found = append(found, v)
		}
	}
	text := "slabgate listens where its configuration says, and without TLS on loopback at most"
	if seen == 0 {
		text = "the configuration has no listener without TLS beyond loopback; that no other is open is not known, as no slabgate with it is seen to listen"
	}
	return orPass(found, text, Evidence{Source: f.Subject.Path})
}

// parseListen reads an address of the configuration, where :11212 is every address.
// It is false for a unix socket and for sockets that systemd hands over.
func parseListen(address string) (netip.AddrPort, bool) {
	if strings.HasPrefix(address, ":") {
		address = "[::]" + address
	}
	at, err := netip.ParseAddrPort(address)
	return at, err == nil
}

// configured tells whether slabgate's configuration names a listener.
func configured(subject *host.Subject, s *host.Socket) bool {
	names := []string{subject.AdminHTTP}
	for i := range subject.Listeners {
		names = append(names, subject.Listeners[i].Address)
	}
	return slices.ContainsFunc(names, func(address string) bool {
		at, ok := parseListen(address)
		if !ok || at.Port() != s.Addr.Port() {
			return false
		}
		own, other := s.Addr.Addr().Unmap(), at.Addr().Unmap()
		return own == other || other.IsUnspecified() && own.IsUnspecified()
	})
}

// guardSockets are the TCP listeners that slabgate holds.
func guardSockets(f *host.Facts) (all []*host.Socket) {
	for i := range f.Sockets {
		s := &f.Sockets[i]
		if p := f.Process(s.PID); p != nil && s.Network == "tcp" && p.IsSlabgate() {
			all = append(all, s)
		}
	}
	return all
}

// defaultConfig is what slabgate reads if nobody names a file.
const defaultConfig = "/etc/slabgate/slabgate.yaml"

// isSubject tells whether a slabgate is the one that looks, or has the configuration
// that is judged.
func isSubject(f *host.Facts, p *host.Process) bool {
	if p.PID == f.Self.PID {
		return true
	}
	path := defaultConfig
	for i, arg := range p.Args {
		name, value, whole := strings.Cut(arg, "=")
		switch {
		case name != "--config" && name != "-c":
		case whole:
			path = value
		case i+1 < len(p.Args):
			path = p.Args[i+1]
		}
	}
	return path == f.Subject.Path
}

// plainListener is the finding about a listener without TLS beyond this host.
func plainListener(subject *host.Subject, l *host.SubjectListener, at netip.AddrPort) Verdict {
	fix := replaceAddress(subject, l.Address, fmt.Sprintf("127.0.0.1:%d", at.Port()))
	fix.Text = "give listener " + l.Name + " transport: tls with a certificate; the commands take it back to this host meanwhile"
	return fail("listener "+l.Name, fmt.Sprintf("listener %s of slabgate takes connections at %s without TLS", l.Name, l.Address), fix,
		Evidence{Source: subject.Path, Text: "listeners[" + l.Name + "].address: " + l.Address})
}

// judgeOwnSocket compares a socket of slabgate with the configuration.
func judgeOwnSocket(f *host.Facts, s *host.Socket) (v Verdict, ok bool) {
	if configured(f.Subject, s) {
		return v, false
	}
	restart := Fix{Text: "restart slabgate with this configuration, or run doctor with the one it has", Commands: []string{"slabgate check --config " + quote(f.Subject.Path), "systemctl restart slabgate"}}
	handed := slices.IndexFunc(f.Subject.Listeners, func(l host.SubjectListener) bool { return strings.HasPrefix(l.Address, "systemd:") })
	if handed < 0 {
		v = fail(socketName(s), fmt.Sprintf("slabgate (pid %d) listens on %s, which is not in %s", s.PID, s.Addr, f.Subject.Path), restart, socketEvidence(s))
		return v.at(High), true
	}
	l := &f.Subject.Listeners[handed]
	if l.TLS || loopback(s.Addr.Addr()) {
		return v, false
	}
	fix := Fix{
		Text: "give listener " + l.Name + " transport: tls, or let systemd listen on loopback only, as here",
		Commands: []string{
			"mkdir -p /etc/systemd/system/slabgate.socket.d",
			fmt.Sprintf(`printf '%%s\n' '[Socket]' ListenStream= ListenStream=127.0.0.1:%d >/etc/systemd/system/slabgate.socket.d/doctor.conf`, s.Addr.Port()),
			"systemctl daemon-reload",
			"systemctl restart slabgate.socket slabgate",
		},
	}
	return fail("listener "+l.Name, fmt.Sprintf("systemd hands %s to listener %s of slabgate, which has no TLS", s.Addr, l.Name), fix, socketEvidence(s)), true
}

// waiverYears is how long a proposed waiver lasts: long enough to be rare, short
// enough that somebody looks again.
const waiverYears = 1

func judgeListeners(f *host.Facts) (found []Verdict) {
	if why := unseenSockets(f, "tcp"); why != "" {
		return skip(why)
	}
	known := map[string]bool{}
	for _, network := range []string{"tcp", "udp"} {
		for _, s := range cacheSockets(f, network) {
			known[socketName(s)] = true // NET-01 and NET-02 judge it
		}
	}
	for _, s := range guardSockets(f) {
		known[socketName(s)] = true // NET-08 judges it
	}
	for i := range f.Sockets {
		s := &f.Sockets[i]
		if known[socketName(s)] || f.Subject != nil && s.Network == "tcp" && s.PID == 0 && configured(f.Subject, s) {
			continue
		}
		known[socketName(s)] = true
		found = append(found, unanswered(f, s))
	}
	return orPass(found, "nothing but memcached and slabgate listens here")
}

// unanswered is the finding about a listener that no waiver has justified yet.
func unanswered(f *host.Facts, s *host.Socket) Verdict {
	does := "listens on"
	if s.Network == "udp" {
		does = "takes packets at"
	}
	fix := stopFix(f, s)
	fix.Text += "; or answer for it with this in the file of --waive"
	fix.Config = fmt.Sprintf("waivers:\n  - id: NET-09\n    subject: %q\n    reason: \"what it is for\"\n    owner: \"who answers for it\"\n    expires: %q\n",
		socketName(s), f.Time.AddDate(waiverYears, 0, 0).Format(time.DateOnly))
	v := fail(socketName(s), fmt.Sprintf("%s %s %s", holderName(f, s), does, s.Addr), fix, socketEvidence(s))
	if loopback(s.Addr.Addr()) {
		v.Status, v.Severity = Warn, Low
	}
	return v
}
