package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/slabgate/slabgate/internal/host"
)

// machine are the checks of what every process of the machine shares.
var machine = []Check{
	{
		ID: "HOST-01", Title: "no local account reaches memcached without slabgate", Severity: Medium,
		Why:  "Loopback knows no users: whoever has a shell here reads and writes the whole cache.",
		Refs: []string{"ip(7)", "unix(7)", "passwd(5)"},
		Run:  judgeAccounts,
	},
	{
		ID: "HOST-02", Title: "processes do not read each other's memory, and core files are private", Severity: Low,
		Why:  "The memory of slabgate holds keys and passwords, that of memcached every value; a debugger or a core file shows them.",
		Refs: []string{"https://docs.kernel.org/admin-guide/LSM/Yama.html", "core(5)", "proc_sys_fs(5)"},
		Run:  judgePrivacy,
	},
	{
		ID: "HOST-03", Title: "the clock is right", Severity: Low,
		Why:  "Whether a certificate, an account or a waiver has expired is read off the clock.",
		Refs: []string{"adjtimex(2)", "timedatectl(1)"},
		Run:  judgeClock,
	},
}

// mostNames is how many accounts a finding names.
const mostNames = 5

func judgeAccounts(f *host.Facts) []Verdict {
	sockets := cacheSockets(f, "tcp")
	if len(sockets) == 0 {
		if why := unseenSockets(f, "tcp"); why != "" {
			return skip(why)
		}
		return pass("no memcached listens on TCP here")
	}
	if len(f.Accounts) == 0 {
		return skip("/etc/passwd: " + orUnknown(f.WhyUnseen("/etc/passwd")))
	}
	var names []string
	for _, a := range f.Accounts {
		if a.Login && a.UID != 0 {
			names = append(names, a.Name)
		}
	}
	if len(names) == 0 {
		return pass("nobody but root may log in", Evidence{Source: "/etc/passwd"})
	}
	var found []Verdict
	rules := rulesetOf(f)
	for _, s := range sockets {
		if rules.ownersOnly(s.Addr.Port()) {
			continue
		}
		text := fmt.Sprintf("%s may log in, and reach %s at %s", nameSome(names), cacheName(f, s), s.Addr)
		found = append(found, fail(socketName(s), text, cacheOf(f, s).toSocket(), Evidence{Source: "/etc/passwd", Text: nameSome(names)}, socketEvidence(s)))
	}
	return orPass(found, "the firewall lets only some users connect to memcached", Evidence{Source: firewallSource(f)})
}

// nameSome names a few, and counts the rest.
func nameSome(names []string) string {
	if len(names) <= mostNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNames], ", "), len(names)-mostNames)
}

// ownersOnly tells whether what local users send to a port is dropped by who they
// are, as deploy/nftables/slabgate.nft does.
func (r ruleset) ownersOnly(port uint16) bool {
	dport := fmt.Sprintf("dport %d ", port)
	for i := range r {
		if r[i].hook != "output" {
			continue
		}
		for _, rule := range r[i].rules {
			owner := strings.Contains(rule.text, "skuid") || strings.Contains(rule.text, "--uid-owner")
			drops := strings.Contains(rule.text, " drop") || strings.Contains(rule.text, " reject") || strings.Contains(rule.text, "-j DROP") || strings.Contains(rule.text, "-j REJECT")
			if owner && drops && strings.Contains(rule.text, dport) {
				return true
			}
		}
	}
	return false
}

var privacy = []limit{
	{"kernel.yama.ptrace_scope", atLeast(1), "1", "so that every process of a user may read the memory of the others"},
	{"fs.suid_dumpable", func(v string) bool { return v != "1" }, "0", "so that core files of privileged programs are written"},
	{"kernel.core_pattern", privatePattern, "|/bin/false", "so that core files land where others may read or wait for them"},
}

// openFolders are those that every user may write to.
var openFolders = []string{"/tmp/", "/var/tmp/", "/dev/shm/", "/var/crash/"}

// privatePattern tells whether core files land, or are handled, outside the folders
// that everybody may write to.
func privatePattern(pattern string) bool {
	path := strings.TrimPrefix(pattern, "|")
	for _, folder := range openFolders {
		if strings.HasPrefix(path, folder) {
			return false
		}
	}
	return true
}

func judgePrivacy(f *host.Facts) []Verdict {
	return judgeSettings(f, privacy, "processes do not read each other's memory, and core files are private")
}

// mostOffset is how wrong a clock may be.
const mostOffset = time.Minute

func judgeClock(f *host.Facts) []Verdict {
	c := &f.Clock
	seen := Evidence{Source: "adjtimex", Text: fmt.Sprintf("synced %t, error at most %s", c.Synced, c.MaxError)}
	fix := Fix{Text: "let a time service set the clock", Commands: []string{"apt-get install -y chrony", "systemctl enable --now chrony", "chronyc makestep"}}
	if f.Place.Scope == "pod" || f.Place.Scope == "container" {
		fix.Text = "let a time service set the clock, on the host"
	}
	switch {
	case !c.Known:
		return skip("the clock: " + orUnknown(f.WhyUnseen("the clock")))
	case !c.Synced:
		return []Verdict{fail("clock", "no time service sets the clock, so that nobody knows how wrong it is", fix, seen)}
	case c.MaxError > mostOffset:
		return []Verdict{fail("clock", "the clock may be wrong by "+c.MaxError.String(), fix, seen)}
	}
	return pass("the clock is right to "+c.MaxError.String(), seen)
}
