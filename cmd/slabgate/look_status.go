package main

import (
	"cmp"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/slabgate/slabgate/internal/denials"
	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/proxy"
)

// status puts together everything at a glance, with whole keys. It may be called by
// any goroutine.
func (d *daemon) status() *status.Document { return d.document(inFull) }

// document is the status with denials told in one way.
func (d *daemon) document(tell telling) *status.Document {
	now := time.Now()
	snap, here := d.server.InForce(), d.server.Clients()
	b := thisBuild()
	s := &status.Document{
		Schema: status.Schema, Time: now.UTC(), Started: d.look.started.UTC(),
		Build:     status.Build{Version: b.Version, Commit: b.Commit, Go: b.Go},
		Config:    status.Config{Path: d.path, Digest: snap.Digest, Generation: snap.Number},
		Listeners: d.listening(here), Certificates: certificatesOf(snap, now),
		Clients: status.Summarise(here), Traffic: d.look.meter.Traffic(), Holds: d.held(),
	}
	s.Leaving = d.life.leaving()
	s.Host, _ = os.Hostname() // it is for people; without a name there is none
	d.look.fill(s)
	all, of := d.look.delays.Quantiles(0.99, d.metrics)
	s.Traffic.P99 = all.Seconds()
	s.Clients.Delayed(of)
	s.Upstream.Name, s.Upstream.Address = d.started.Upstreams[0].Name, d.started.Upstreams[0].Address
	u := d.unenforced(here, snap.Policy, tell, now)
	s.Denials = groupsOf(d.denials.List(), u.Latest, snap.Policy, tell)
	s.Denials.Total, s.Denials.Overwritten = d.denials.Total(), d.denials.Overwritten()
	var plain []status.Plain
	s.Plaintext, plain = d.look.sightings.Plaintext(here, now)
	s.Plaintext.Breaks = status.Enforce(plain, u, now)
	return s
}

// held is what operators hold up.
func (d *daemon) held() status.Holds {
	m := d.metrics
	return status.Holds{Holds: d.server.Holds(), Refused: m.Frozen.Load(), Killed: m.Killed.Load(), Turned: m.Quarantined.Load()}
}

// fill tells what the lookout remembers.
func (l *lookout) fill(s *status.Document) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Config.Loaded, s.Config.Reload = l.loaded.UTC(), l.reload
	s.Upstream, s.Warnings = l.upstream, slices.Concat([]status.Warning{}, l.warnings, l.surroundings)
}

// listening is where clients come in, and how many have.
func (d *daemon) listening(here []proxy.ClientInfo) []status.Listener {
	list := make([]status.Listener, len(d.listeners))
	for i, l := range d.listeners {
		list[i] = status.Listener{Name: l.Name, Transport: l.Transport, Address: l.Addr().String()}
		for j := range here {
			if here[j].Listener == l.Name {
				list[i].Clients++
			}
		}
	}
	return list
}

// groupsOf puts denials of the same kind, identity and rule together, those with
// the most denials first, with the narrowest fix of the latest. What identities would
// have been denied and the list has forgotten are groups of their own.
func groupsOf(list []denials.Entry, latest []status.DenialGroup, p *policy.Policy, tell telling) status.Denials {
	type key struct{ event, identity, rule string }
	all := status.Denials{Groups: []status.DenialGroup{}}
	at := map[key]int{}
	var newest []*denials.Entry
	for i := range list { // the latest first
		e := &list[i]
		k := key{e.Kind, e.Identity, e.Rule}
		g, known := at[k]
		if !known {
			g = len(all.Groups)
			at[k] = g
			all.Groups = append(all.Groups, groupOf(e))
			newest = append(newest, e)
		}
		all.Groups[g].Count += e.Count
	}
	for _, g := range latest {
		if _, known := at[key{g.Event, g.Identity, g.Rule}]; !known {
			all.Groups = append(all.Groups, g)
		}
	}
	all.GroupsTotal = len(all.Groups)
	byID := map[string]*denials.Entry{}
	for _, e := range newest {
		byID[e.ID] = e
	}
	slices.SortStableFunc(all.Groups, func(a, b status.DenialGroup) int { return cmp.Compare(b.Count, a.Count) })
	all.Groups = all.Groups[:min(len(all.Groups), status.MostDenials)]
	for i := range all.Groups {
		if e := byID[all.Groups[i].ID]; e != nil {
			all.Groups[i].Command, all.Groups[i].Fix = tell(e, fixOf(e, p))
		}
	}
	return all
}

// groupOf is a group of no denials yet, that e is the latest of, and that has not been told.
func groupOf(e *denials.Entry) status.DenialGroup {
	return status.DenialGroup{
		ID: e.ID, Event: e.Kind, Identity: e.Identity, Rule: e.Rule, Reason: e.Reason, Last: e.Last.UTC(),
	}
}

// fixOf is the narrowest edit of the policy in force that would allow a denial.
func fixOf(e *denials.Entry, p *policy.Policy) string {
	id, ok := p.Find(e.Identity)
	if !ok {
		return ""
	}
	at := policy.At{Now: time.Now().Unix(), TLS: e.Sample.TLS, From: e.Sample.Addr}
	return explainLine(id, e.Sample.Line, &at).Fix
}

// unenforced is what identities would have been denied lately that are in mode audit, or
// have a rule that is, each with the narrowest fix of the latest, and who is learned from. It does not depend on what
// the ring has overwritten.
func (d *daemon) unenforced(here []proxy.ClientInfo, p *policy.Policy, tell telling, now time.Time) status.Unenforced {
	u := status.Unenforced{Learning: learning(here, p)}
	standings, others := d.denials.Standings()
	for _, name := range slices.Sorted(maps.Keys(standings)) {
		s := standings[name]
		if id, ok := p.Find(name); !ok || !id.Tries(policy.ModeAudit) || !s.Lately(now, status.Lately) {
			continue
		}
		g := groupOf(&s.Last)
		g.Count = s.Count
		fix := ""
		if len(u.Latest) < status.MostDenials { // no view has more
			fix = fixOf(&s.Last, p)
		}
		g.Command, g.Fix = tell(&s.Last, fix)
		u.Latest = append(u.Latest, g)
	}
	if others.Lately(now, status.Lately) {
		u.Untold = others.Count
	}
	return u
}

// learning is the identities that are here and in mode learn, or have a rule that is.
func learning(here []proxy.ClientInfo, p *policy.Policy) (names []string) {
	for i := range here {
		if id, ok := p.Find(here[i].Identity); ok && id.Tries(policy.ModeLearn) {
			names = append(names, id.Name)
		}
	}
	return names
}
