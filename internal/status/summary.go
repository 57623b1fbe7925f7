package status

import (
	"cmp"
	"slices"
	"time"

	"github.com/slabgate/slabgate/proxy"
)

// Summarise counts who is connected.
func Summarise(here []proxy.ClientInfo) Clients {
	type key struct{ identity, transport string }
	c := Clients{Total: len(here), Transports: map[string]int{}, Groups: []Group{}}
	at := map[key]int{}
	for i := range here {
		n := &here[i]
		c.Transports[n.Transport]++
		k := key{n.Identity, n.Transport}
		g, known := at[k]
		if !known {
			g = len(c.Groups)
			at[k] = g
			c.Groups = append(c.Groups, Group{Identity: n.Identity, Transport: n.Transport, Oldest: n.Since})
		}
		c.Groups[g].add(n)
	}
	slices.SortFunc(c.Groups, func(a, b Group) int {
		return cmp.Or(b.Connections-a.Connections, cmp.Compare(a.Identity, b.Identity), cmp.Compare(a.Transport, b.Transport))
	})
	return c
}

func (g *Group) add(c *proxy.ClientInfo) {
	g.Connections++
	g.Requests += c.Requests
	g.Denied += c.Denied
	g.WouldDeny += c.WouldDeny
	g.Limited += c.Limited
	g.BytesIn += c.BytesIn
	g.BytesOut += c.BytesOut
	if c.Since.Before(g.Oldest) {
		g.Oldest = c.Since
	}
}

// Delayed says how long the requests of each identity took, in seconds.
func (c *Clients) Delayed(p99 map[string]time.Duration) {
	for i := range c.Groups {
		c.Groups[i].P99 = p99[c.Groups[i].Identity].Seconds()
	}
}

// Unenforced is what the policy does not enforce.
type Unenforced struct {
	Latest   []DenialGroup // of each identity in mode audit, what it would have been denied lately
	Learning []string      // identities in mode learn
	Untold   int64         // requests of whoever is not among them for want of room
}

// Enforce tells what would break if clients without TLS were refused, and others held
// to the policy. Clients count if they were here lately and are somebody: others are
// refused already.
func Enforce(plain []Plain, u Unenforced, now time.Time) Enforcement {
	e := Enforcement{Learning: sorted(u.Learning), Untold: u.Untold, Latest: append([]DenialGroup{}, u.Latest...)}
	slices.SortFunc(e.Latest, func(a, b DenialGroup) int { return cmp.Compare(a.Identity, b.Identity) })
	var names, wouldDeny []string
	for i := range e.Latest {
		wouldDeny = append(wouldDeny, e.Latest[i].Identity)
	}
	e.Latest, e.WouldDeny = e.Latest[:min(len(e.Latest), MostDenials)], sorted(wouldDeny)
	for i := range plain {
		if p := &plain[i]; p.Identity != "" && now.Sub(p.LastSeen) <= Lately {
			names = append(names, p.Identity)
			e.Total++
		}
	}
	e.Plaintext = sorted(names)
	for _, name := range sorted(slices.Concat(wouldDeny, u.Learning)) {
		if _, counted := slices.BinarySearch(e.Plaintext, name); !counted {
			e.Total++
		}
	}
	e.Safe = e.Total == 0 && e.Untold == 0
	return e
}

// sorted is each of some names once, in order.
func sorted(names []string) []string {
	list := append([]string{}, names...)
	slices.Sort(list)
	return slices.Compact(list)
}
