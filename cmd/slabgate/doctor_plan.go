package main

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/slabgate/slabgate/internal/doctor"
	"github.com/slabgate/slabgate/internal/host"
)

// printPlan writes, for each place to look from, the command to type there and
// what it should see.
func printPlan(w io.Writer, subject *host.Subject, targets []string) error {
	inside, outside := planTargets(subject, targets)
	for _, v := range doctor.Vantages {
		list := outside
		as := ""
		if v.Name == "trusted" {
			list, as = append(append([]string{}, inside...), outside...), "sudo -u nobody "
		}
		fmt.Fprintf(w, "# %s: from %s\n# expected: %s\n", v.Name, v.Place, v.Want)
		fmt.Fprintf(w, "%sslabgate probe --from %s --udp -o json %s > %s.json\n\n", as, v.Name, strings.Join(list, " "), v.Name)
	}
	_, err := fmt.Fprintln(w, "# then, on this host\nslabgate doctor trusted.json semi.json untrusted.json")
	return err
}

// planTargets is where memcached and slabgate are reached on this host, and where
// others might reach them.
func planTargets(subject *host.Subject, targets []string) (inside, outside []string) {
	upstream := "127.0.0.1:11211"
	if subject != nil {
		upstream = subject.Upstream
	}
	inside = append(inside, upstream)
	name, err := os.Hostname()
	if err != nil {
		name = "THIS-HOST"
	}
	if _, port, err := net.SplitHostPort(upstream); err == nil && !strings.HasPrefix(upstream, "unix:") {
		outside = append(outside, net.JoinHostPort(name, port))
	} else {
		outside = append(outside, net.JoinHostPort(name, "11211")) // where a memcached would be
	}
	if len(targets) > 0 {
		return inside, append(outside, targets...)
	}
	if subject == nil {
		return inside, outside
	}
	for i := range subject.Listeners {
		addr := subject.Listeners[i].Address
		h, port, err := net.SplitHostPort(addr)
		if err != nil {
			continue // a unix socket, or one that systemd hands over
		}
		ip, err := netip.ParseAddr(cmp.Or(h, "::"))
		if err == nil && ip.IsLoopback() {
			inside = append(inside, addr)
			continue
		}
		if err == nil && !ip.IsUnspecified() {
			outside = append(outside, addr)
			continue
		}
		outside = append(outside, net.JoinHostPort(name, port))
	}
	return inside, outside
}
