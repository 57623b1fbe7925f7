package doctor

import (
	"fmt"
	"strings"

	"github.com/slabgate/slabgate/internal/host"
)

// memcached are the checks of this group.
var memcached = []Check{
	{
		ID: "MC-01", Title: "memcached does not run as root", Severity: Critical, Critical: true,
		Why:  "Whoever finds a fault in memcached then owns the machine, not a cache.",
		Refs: []string{"memcached(1) -u"},
		Run:  perCache(judgeRoot),
	},
	{
		ID: "MC-02", Title: "memcached has a user of its own", Severity: High,
		Why:  "A process of the same user may stop memcached, read its memory and take its socket, past slabgate.",
		Refs: []string{"memcached(1) -u", "ptrace(2)"},
		Run:  perCache(judgeShared),
	},
	{
		ID: "MC-03", Title: "memcached neither flushes, dumps nor logs for clients", Severity: Medium,
		Why:  "Behind slabgate nobody needs these commands of memcached, and without them whoever gets past it cannot list or empty the cache.",
		Refs: []string{"memcached(1) -F -X -W"},
		Run:  perCache(judgeDump),
	},
	{
		ID: "MC-04", Title: "memcached takes no shutdown and writes no requests down", Severity: High,
		Why:  "With -A any connection may end memcached; verbose output and per-prefix counts write down or keep what clients ask for.",
		Refs: []string{"memcached(1) -A -v -D"},
		Run:  perCache(judgeTalk),
	},
	{
		ID: "MC-05", Title: "memcached takes all connections of slabgate's pool", Severity: High,
		Why:  "At its limit memcached refuses connections, so that requests fail just when there are most of them.",
		Refs: []string{"memcached(1) -c"},
		Run:  forUpstream(judgeConnections),
	},
	{
		ID: "MC-06", Title: "memcached and slabgate agree how large a value may be", Severity: Medium,
		Why:  "A value that one takes and the other refuses travels for nothing, and the client reads an error it cannot explain.",
		Refs: []string{"memcached(1) -I"},
		Run:  forUpstream(judgeItem),
	},
	{
		ID: "MC-07", Title: "memcached has the fixes that are public", Severity: High,
		Why:  "An allowed client's requests reach memcached, and so do those of whoever gets past slabgate.",
		Refs: []string{"CVE-2016-8704", "CVE-2018-1000115", "CVE-2020-10931", "CVE-2023-46852", "CVE-2023-46853", "CVE-2026-47783", "https://github.com/memcached/memcached/wiki/ReleaseNotes"},
		Run:  perCache(judgeVersion),
	},
	{
		ID: "MC-08", Title: "memcached speaks the one protocol that slabgate uses", Severity: Low,
		Why:  "The binary protocol is a second parser that slabgate never needs.",
		Refs: []string{"memcached(1) -B"},
		Run:  perCache(judgeProtocol),
	},
	{
		ID: "MC-09", Title: "memcached's own list of users is private and complete", Severity: High,
		Why:  "Passwords stand there in clear text, and memcached does not use what is beyond its limits.",
		Refs: []string{"memcached(1) -Y -S"},
		Run:  perCache(judgeLogins),
	},
	{
		ID: "MC-10", Title: "only those who should reach memcached's socket, and memcached holds it", Severity: Critical, Critical: true,
		Why:  "Whoever may write to the socket needs no slabgate, and whoever can put another in its place reads every value.",
		Refs: []string{"memcached(1) -s -a", "unix(7)"},
		Run:  perCache(judgeSocket),
	},
	{
		ID: "MC-11", Title: "memcached runs without core dumps and privileges", Severity: Medium,
		Why:  "A core file holds every cached value; privileges and system calls that are not needed help only an intruder.",
		Refs: []string{"core(5)", "systemd.exec(5)"},
		Run:  perCache(judgeProcess),
	},
	{
		ID: "MC-12", Title: "memcached fits into its memory limit", Severity: Medium,
		Why:  "A memcached that grows past the limit of its control group is killed, and with it the cache.",
		Refs: []string{"memcached(1) -m", "cgroups(7)"},
		Run:  perCache(judgeMemory),
	},
	{
		ID: "MC-13", Title: "this user does not reach memcached without slabgate", Severity: High,
		Why:  "Every local user and every container of a pod shares loopback, and memcached asks nobody who he is.",
		Refs: []string{"ip(7)", "unix(7)"},
		Run:  judgeBypass,
	},
	{
		ID: "MC-14", Title: "nobody can take memcached's place", Severity: High,
		Why:  "Once memcached is down, any local user may take its port on loopback, and is sent what clients store.",
		Refs: []string{"bind(2)", "unix(7)"},
		Run:  judgeTakeover,
	},
}

// cache is one memcached with what is known of it.
type cache struct {
	*host.Memcached
	facts *host.Facts
	args  host.Arguments // none if its process is not to be seen
}

func caches(f *host.Facts) (all []cache) {
	for i := range f.Memcached {
		c := cache{Memcached: &f.Memcached[i], facts: f}
		if c.Process != nil {
			c.args = host.ParseArguments(c.Process.Args)
		}
		all = append(all, c)
	}
	return all
}

// perCache asks about each memcached that was found.
func perCache(judge func(cache) []Verdict) func(*host.Facts) []Verdict {
	return func(f *host.Facts) (all []Verdict) {
		for _, c := range caches(f) {
			all = append(all, judge(c)...)
		}
		if len(all) == 0 {
			if f.Process(1) != nil { // processes of others are to be seen
				return moot("no memcached was found")
			}
			return skip("no memcached was found")
		}
		return all
	}
}

// forUpstream asks about the memcached that slabgate's configuration names.
func forUpstream(judge func(cache) []Verdict) func(*host.Facts) []Verdict {
	return func(f *host.Facts) []Verdict {
		if f.Subject == nil {
			return moot("needs slabgate's configuration: --config")
		}
		for _, c := range caches(f) {
			if c.isUpstream() {
				return judge(c)
			}
		}
		return skip("no memcached was found at " + f.Subject.Upstream)
	}
}

// isUpstream tells whether slabgate's configuration names this memcached.
func (c cache) isUpstream() bool {
	if c.facts.Subject == nil {
		return false
	}
	path, unix := strings.CutPrefix(c.facts.Subject.Upstream, "unix:")
	return c.Address == c.facts.Subject.Upstream || unix && c.socketPath() == path
}

// socketPath is where its unix socket is; empty if it has none.
func (c cache) socketPath() string {
	if path, ok := strings.CutPrefix(c.Address, "unix:"); ok {
		return path
	}
	path, _ := c.args.Last('s')
	return path
}

// subject is how a waiver names it: by address, since a process id does not last.
func (c cache) subject() string {
	switch {
	case c.Address != "":
		return "memcached " + c.Address
	case c.socketPath() != "":
		return "memcached unix:" + c.socketPath()
	default:
		return c.name()
	}
}

// name is what a person reads.
func (c cache) name() string {
	switch {
	case c.Process == nil:
		return "memcached at " + c.Address
	case c.Address == "":
		return fmt.Sprintf("memcached (pid %d)", c.Process.PID)
	default:
		return fmt.Sprintf("memcached (pid %d) at %s", c.Process.PID, c.Address)
	}
}

// fail is a finding about a part of it; an empty part is all of it.
func (c cache) fail(part, text string, fix Fix, evidence ...Evidence) Verdict {
	return fail(strings.TrimSpace(c.subject()+" "+part), c.name()+" "+text, fix, evidence...)
}

// orPass is the findings about it, or a pass.
func (c cache) orPass(found []Verdict, text string, evidence ...Evidence) []Verdict {
	if len(found) > 0 {
		return found
	}
	return []Verdict{{Status: Pass, Subject: c.subject(), Text: c.name() + " " + text, Evidence: evidence}}
}

func (c cache) skip(why string) []Verdict {
	return []Verdict{{Status: Skip, Subject: c.subject(), Text: c.name() + ": " + why}}
}

// mute skips what memcached itself would have to tell.
func (c cache) mute() []Verdict {
	why := "it did not tell its settings, and its process is not to be seen"
	if c.Error != "" {
		why += " (" + c.Error + ")"
	}
	return c.skip(why)
}

// at weakens or strengthens a finding, which is a warning below its kind.
func (v Verdict) at(s Severity) Verdict {
	v.Severity = s
	return v
}

// told is a setting as memcached tells it, and where that stands.
func (c cache) told(name string) (value string, e Evidence, ok bool) {
	value, ok = c.Settings[name]
	return value, Evidence{Source: c.Address, Text: "stats settings: STAT " + name + " " + value}, ok
}

// argued is where its command line stands.
func (c cache) argued(text string) Evidence {
	return Evidence{Source: c.proc("cmdline"), Text: text}
}

// proc is a file that tells of its process.
func (c cache) proc(file string) string {
	return fmt.Sprintf("/proc/%d/%s", c.Process.PID, file)
}

// commanded tells whether its command line could be read.
func (c cache) commanded() bool { return c.Process != nil && len(c.Process.Args) > 0 }
