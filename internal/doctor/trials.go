package doctor

import (
	"fmt"
	"net/netip"

	"github.com/slabgate/slabgate/internal/host"
)

// triedItem is the evidence of --active that an answer is no empty word.
func triedItem(f *host.Facts, address string) (seen []Evidence) {
	for _, t := range f.Trials {
		if t.What == host.TrialItem && t.Address == address {
			text := fmt.Sprintf("uid %d stored, read and deleted a key", t.UID)
			if t.Error != "" {
				text = fmt.Sprintf("uid %d did not store, read and delete a key: %s", t.UID, t.Error)
			}
			seen = append(seen, Evidence{Source: t.Address, Text: text})
		}
	}
	return seen
}

// triedPort is the evidence of --active that a port beside memcached's was to be
// had for the asking. What root can do proves nothing.
func triedPort(f *host.Facts, address string) (seen []Evidence) {
	at, err := netip.ParseAddrPort(address)
	for _, t := range f.Trials {
		next, err2 := netip.ParseAddrPort(t.Address)
		if t.What == host.TrialPort && t.UID != 0 && t.Error == "" && err == nil && err2 == nil && next.Addr() == at.Addr() {
			seen = append(seen, Evidence{Source: t.Address, Text: fmt.Sprintf("uid %d listened there", t.UID)})
		}
	}
	return seen
}
