package main

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/internal/doctor"
	"github.com/slabgate/slabgate/internal/host"
	"github.com/slabgate/slabgate/internal/probe"
)

// usualCache is where a memcached is that nobody has told another address.
const usualCache = "127.0.0.1:11211"

// printPlan writes, for each place to look from, the command to type there and
// what it should see.
func printPlan(w io.Writer, subject *host.Subject, targets []string) error {
	name, err := os.Hostname()
	if err != nil {
		name = "THIS-HOST"
	}
	inside, outside := planTargets(subject, name, targets)
	for _, v := range doctor.Vantages {
		list := outside
		as := ""
		if v.Name == "trusted" {
			list, as = slices.Concat(inside, outside), "sudo -u nobody "
		}
		fmt.Fprintf(w, "# %s: from %s\n# expected: %s\n", v.Name, v.Place, v.Want)
		fmt.Fprintf(w, "%sslabgate probe --from %s --udp -o json %s > %s.json\n\n", as, v.Name, strings.Join(list, " "), v.Name)
	}
	_, err = fmt.Fprintln(w, "# then, on this host\nslabgate doctor trusted.json semi.json untrusted.json")
	return err
}

// checkTargets refuses what probe would, and what a shell would read otherwise than
// it is written.
func checkTargets(targets []string) error {
	for _, t := range targets {
		if _, err := probe.ParseTarget(t, probe.DefaultPorts(), false); err != nil {
			return fail(exitUsage, "--target: %w", err)
		}
		if strings.ContainsFunc(t, func(r rune) bool { return !strings.ContainsRune(plain, r) }) {
			return fail(exitUsage, "--target %q has more than letters, digits and .:-_/[] in it", t)
		}
	}
	return nil
}

// plain is what a target is made of that means nothing to a shell.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_/[]"

// planTargets is where memcached and slabgate are reached on the host called name, and
// where others might reach them.
func planTargets(subject *host.Subject, name string, targets []string) (inside, outside []string) {
	if subject == nil {
		subject = &host.Subject{Upstream: usualCache}
	}
	inside = []string{subject.Upstream}
	outside = []string{net.JoinHostPort(name, portOf(subject.Upstream))} // where memcached would be
	if len(targets) > 0 {
		return inside, append(outside, targets...)
	}
	for i := range subject.Listeners {
		at, beyond, ok := reachedAt(subject.Listeners[i].Address, name)
		switch {
		case !ok:
		case beyond:
			outside = append(outside, at)
		default:
			inside = append(inside, at)
		}
	}
	return inside, outside
}

// portOf is the port of an address, or memcached's usual one if it has none.
func portOf(address string) string {
	if at, err := netip.ParseAddrPort(address); err == nil {
		return fmt.Sprint(at.Port())
	}
	_, port, _ := net.SplitHostPort(usualCache)
	return port
}

// reachedAt is how a listener is reached, from beyond the host or only within. It is
// false for a unix socket and for one that systemd hands over.
func reachedAt(address, name string) (at string, beyond, ok bool) {
	h, port, err := net.SplitHostPort(address)
	ip, bad := netip.ParseAddr(cmp.Or(h, "::"))
	switch {
	case err != nil || bad != nil:
		return "", false, false
	case ip.IsLoopback():
		return address, false, true
	case ip.IsUnspecified():
		return net.JoinHostPort(name, port), true, true
	}
	return address, true, true
}
