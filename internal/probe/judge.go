package probe

import (
	"slices"

	"github.com/slabgate/slabgate/internal/doctor"
	"github.com/slabgate/slabgate/internal/host"
)

// The places to look from that a severity depends on.
const (
	trusted   = "trusted"
	untrusted = "untrusted"
)

// reachID is the check that tells whether everything was looked at.
const reachID = "PRB-01"

// check is one question about what was seen. look returns what it found at one
// place, and whether that place could be judged.
type check struct {
	id, title string
	severity  doctor.Severity
	why       string
	refs      []string
	look      func(r *Report, e *Endpoint) (found []doctor.Verdict, judged bool)
	passed    string // what is said if nothing was found
	skipped   string // what is said if nothing could be judged
}

// Checks are the questions that a probe answers. Only a probe runs them.
func Checks() []doctor.Check { return new(Report).checks() }

// checks are the table in the form in which doctor runs checks.
func (r *Report) checks() (list []doctor.Check) {
	for _, c := range table {
		list = append(list, doctor.Check{
			ID: c.id, Title: c.title, Severity: c.severity, Why: c.why, Refs: c.refs,
			Run: func(*host.Facts) []doctor.Verdict { return c.run(r) },
		})
	}
	return list
}

// run judges every place. Without a finding there is one verdict for all.
func (c *check) run(r *Report) (found []doctor.Verdict) {
	any := false
	for _, e := range r.Endpoints {
		list, judged := c.look(r, e)
		any = any || judged
		for i := range list {
			list[i].Subject = e.Address
		}
		found = append(found, list...)
	}
	switch {
	case len(found) > 0:
		return found
	case any:
		return []doctor.Verdict{{Status: doctor.Pass, Text: c.passed}}
	}
	return []doctor.Verdict{{Status: doctor.Skip, Text: c.skipped}}
}

// Reasons for which nothing could be judged.
const (
	noPlace = "no target was looked at"
	noTLS   = "no target speaks TLS"
	shallow = "asked from --depth enumerate on"
)

// table is every check, in the order of ids. An id is never given to another one.
var table = []check{
	{
		id: reachID, title: "Everything was looked at", severity: doctor.Info,
		why:  "What was not looked at may be wide open.",
		look: lookReach, passed: "every target was looked at", skipped: noPlace,
	},
	{
		id: "PRB-02", title: "No name of a key and no value comes back", severity: doctor.Critical,
		why:  "Whoever learns the names of keys reads and changes what they hold: sessions, tokens, pages.",
		refs: []string{"CAPEC-169", "CWE-200"},
		look: lookKeys, passed: "no name of a key and no value came back", skipped: shallow,
	},
	{
		id: "PRB-03", title: "Nothing is served without TLS and without a login", severity: doctor.Critical,
		why:  "Whoever reaches the port can read, change and empty the cache.",
		refs: []string{"CWE-306"},
		look: lookServed(overPlain), passed: "nothing was served without TLS and without a login", skipped: noPlace,
	},
	{
		id: "PRB-04", title: "Nothing is served inside TLS without a login", severity: doctor.Critical,
		why:  "TLS alone keeps nobody out.",
		refs: []string{"CWE-306"},
		look: lookServed(overTLS), passed: "nothing was served inside TLS without a login", skipped: noTLS,
	},
	{
		id: "PRB-05", title: "No command that lists keys is served", severity: doctor.High,
		why:  "A list that is empty now is not when there are keys.",
		look: lookDumps, passed: "no command that lists keys was served", skipped: shallow,
	},
	{
		id: "PRB-06", title: "No statistics and no settings are told", severity: doctor.Medium,
		why:  "They tell versions, sizes, addresses of clients, and what else to try.",
		refs: []string{"CWE-497"},
		look: lookFigures, passed: "no statistics and no settings were told", skipped: shallow,
	},
	{
		id: "PRB-07", title: "Nothing answers over UDP", severity: doctor.Critical,
		why:  "The sender of a datagram can be forged, so that answers drown somebody else.",
		refs: []string{"CVE-2018-1000115", "CWE-406"},
		look: lookUDP, passed: "nothing answered over UDP", skipped: "asked with --udp, at addresses",
	},
	{
		id: "PRB-08", title: "No memcached port without TLS can be reached", severity: doctor.High,
		why:  "What is sent over it, passwords among it, can be read and changed on the way.",
		refs: []string{"CWE-319"},
		look: lookPlain, passed: "no memcached port without TLS is to be reached", skipped: noPlace,
	},
	{
		id: "PRB-09", title: "Passwords are asked for inside TLS only", severity: doctor.High,
		why:  "PLAIN and LOGIN send the password as it is.",
		refs: []string{"RFC 4616", "CWE-523"},
		look: lookMechs, passed: "no mechanism that sends a password as it is was offered without TLS", skipped: noPlace,
	},
	{
		id: "PRB-10", title: "TLS is 1.2 or newer", severity: doctor.High,
		why:  "Older versions have known attacks.",
		refs: []string{"RFC 8996"},
		look: lookVersions, passed: "TLS is 1.2 or newer", skipped: noTLS,
	},
	{
		id: "PRB-11", title: "No weak cipher is taken", severity: doctor.Medium,
		why:  "A client that offers nothing better can be listened to.",
		refs: []string{"RFC 9325"},
		look: lookCiphers, passed: "no weak cipher was taken", skipped: noTLS,
	},
	{
		id: "PRB-12", title: "The certificate is valid now and for a while", severity: doctor.High,
		why:  "Once it has expired, clients that check are shut out, and those that don't are not safe.",
		look: lookDates, passed: "the certificate is valid now and for a while", skipped: "no certificate was shown",
	},
	{
		id: "PRB-13", title: "The certificate is for the name of the target", severity: doctor.Low,
		why:  "Clients that connect by this name have to leave out the check.",
		refs: []string{"RFC 9525"},
		look: lookNames, passed: "the certificate is for the name of the target", skipped: "no certificate was shown",
	},
	{
		id: "PRB-14", title: "flush_all is refused", severity: doctor.High,
		why:  "One line empties the whole cache, and what is behind it has to bear the load.",
		look: lookFlush, passed: "flush_all is refused, as is everything before a login", skipped: "asked with --active only, since not everything is refused before it",
	},
	{
		id: "PRB-15", title: "Nothing else answers", severity: doctor.Low,
		why:  "What nobody expects, nobody looks after.",
		look: lookForeign, passed: "nothing else answers", skipped: noPlace,
	},
}

// seen reports whether a place was looked at.
func (e *Endpoint) seen() bool { return e.State != Unreachable && e.State != Unlooked }

// answers returns the answers over one way, or all, for which want holds.
func (e *Endpoint) answers(over string, want func(*Answer) bool) (list []*Answer) {
	for i := range e.Answers {
		if a := &e.Answers[i]; (over == "" || a.Over == over) && want(a) {
			list = append(list, a)
		}
	}
	return list
}

// served reports whether something was answered that only those who may should be.
func served(a *Answer) bool { return a.Outcome == Answered && !slices.Contains(beforeLogin, a.Asked) }

// there reports whether memcached or slabgate answered without serving.
func there(a *Answer) bool { return a.words && !served(a) && a.Outcome != Foreign }

// evidence quotes answers, a few of them.
func evidence(e *Endpoint, list []*Answer) (out []doctor.Evidence) {
	const few = 6
	for _, a := range list[:min(len(list), few)] {
		out = append(out, doctor.Evidence{Source: e.Address, Text: a.Asked + " over " + a.Over + ": " + a.Said})
	}
	return out
}

// names are what was asked, each once.
func names(list []*Answer) (out []string) {
	for _, a := range list {
		if !slices.Contains(out, a.Asked) {
			out = append(out, a.Asked)
		}
	}
	return out
}
