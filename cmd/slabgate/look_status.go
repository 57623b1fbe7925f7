package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"math"
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
		Listeners: d.listening(here), Certificates: shownCertificates(snap, d.listeners, now),
		Clients: status.Summarise(here), Traffic: d.look.meter.Traffic(), Holds: d.server.Holds(),
	}
	s.Host, _ = os.Hostname() // it is for people; without a name there is none
	d.look.fill(s)
	s.Upstream.Name, s.Upstream.Address = d.started.Upstreams[0].Name, d.started.Upstreams[0].Address
	list := d.denials.List()
	s.Denials = groupsOf(list, snap.Policy, tell)
	s.Denials.Overwritten = d.denials.Overwritten()
	var plain []status.Plain
	s.Plaintext, plain = d.look.sightings.Plaintext(here, now)
	s.Plaintext.Breaks = status.Enforce(plain, wouldDeny(list, snap.Policy, now), learning(here, snap.Policy), now)
	return s
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

// shownCertificates is the certificates that listeners show.
func shownCertificates(snap *proxy.Snapshot, listeners []*proxy.Listener, now time.Time) []status.Certificate {
	list := []status.Certificate{}
	for _, l := range listeners {
		config := snap.TLS[l.Name]
		if config == nil || len(config.Certificates) == 0 {
			continue
		}
		subject, end := firstEnd(&config.Certificates[0])
		list = append(list, status.Certificate{
			Listener: l.Name, Subject: subject, NotAfter: end.UTC(), Days: int(math.Floor(end.Sub(now).Hours() / 24)),
		})
	}
	return list
}

// firstEnd is what a chain of certificates calls itself, and when the first of it
// expires.
func firstEnd(chain *tls.Certificate) (subject string, end time.Time) {
	for i, der := range chain.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil { // it was parsed when it was loaded
			continue
		}
		if i == 0 {
			subject = cmp.Or(append(slices.Clone(c.DNSNames), c.Subject.CommonName)...)
		}
		if end.IsZero() || c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return subject, end
}

// groupsOf puts denials of the same kind, identity and rule together, those with
// the most denials first, with the narrowest fix of the latest.
func groupsOf(list []denials.Entry, p *policy.Policy, tell telling) status.Denials {
	type key struct{ event, identity, rule string }
	all := status.Denials{Groups: []status.DenialGroup{}}
	at := map[key]int{}
	var latest []*denials.Entry
	for i := range list { // the latest first
		e := &list[i]
		all.Total += e.Count
		k := key{e.Kind, e.Identity, e.Rule}
		g, known := at[k]
		if !known {
			g = len(all.Groups)
			at[k] = g
			all.Groups = append(all.Groups, status.DenialGroup{
				ID: e.ID, Event: e.Kind, Identity: e.Identity, Rule: e.Rule, Reason: e.Reason, Last: e.Last.UTC(),
			})
			latest = append(latest, e)
		}
		all.Groups[g].Count += e.Count
	}
	all.GroupsTotal = len(all.Groups)
	byID := map[string]*denials.Entry{}
	for _, e := range latest {
		byID[e.ID] = e
	}
	slices.SortStableFunc(all.Groups, func(a, b status.DenialGroup) int { return cmp.Compare(b.Count, a.Count) })
	all.Groups = all.Groups[:min(len(all.Groups), status.MostDenials)]
	for i := range all.Groups {
		e := byID[all.Groups[i].ID]
		all.Groups[i].Command, all.Groups[i].Fix = tell(e, fixOf(e, p))
	}
	return all
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

// wouldDeny is the identities in mode audit that would have been denied something
// lately.
func wouldDeny(list []denials.Entry, p *policy.Policy, now time.Time) (names []string) {
	for i := range list {
		e := &list[i]
		id, ok := p.Find(e.Identity)
		if ok && e.Kind == policy.WouldDeny.String() && id.Mode == policy.ModeAudit && now.Sub(e.Last) <= status.Lately {
			names = append(names, e.Identity)
		}
	}
	return names
}

// learning is the identities in mode learn that are here.
func learning(here []proxy.ClientInfo, p *policy.Policy) (names []string) {
	for i := range here {
		if id, ok := p.Find(here[i].Identity); ok && id.Mode == policy.ModeLearn {
			names = append(names, id.Name)
		}
	}
	return names
}
