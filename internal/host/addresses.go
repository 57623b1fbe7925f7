package host

import (
	"context"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
)

// gatherAddresses reads the addresses of this network namespace from the kernel's
// tables, which a captured tree has as well.
func (g *gathering) gatherAddresses(context.Context) {
	all := append(parseTrie(g.read("/proc/net/fib_trie")), parseInet6(g.read("/proc/net/if_inet6"))...)
	slices.SortFunc(all, netip.Addr.Compare)
	g.facts.Addresses = slices.Compact(all)
}

// parseTrie returns the local addresses of /proc/net/fib_trie: those whose next
// line says that the host itself is there.
//
//	|-- 127.0.0.1
//	   /32 host LOCAL
func parseTrie(text string) (all []netip.Addr) {
	var last netip.Addr
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "|--":
			last, _ = netip.ParseAddr(words[1])
		case len(words) == 3 && words[0] == "/32" && words[2] == "LOCAL" && last.Is4():
			all = append(all, last)
		}
	}
	return all
}

// parseInet6 returns the addresses of /proc/net/if_inet6, whose columns are the
// address, the interface's number, prefix length, scope, flags, and the interface.
func parseInet6(text string) (all []netip.Addr) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) != 6 {
			continue
		}
		raw, err := hex.DecodeString(words[0])
		if err != nil || len(raw) != 16 {
			continue
		}
		addr := netip.AddrFrom16([16]byte(raw))
		if addr.IsLinkLocalUnicast() {
			addr = addr.WithZone(words[5])
		}
		all = append(all, addr)
	}
	return all
}
