package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/internal/host"
)

// guard are the checks of this group.
var guard = []Check{
	{
		ID: "PX-01", Title: "slabgate runs as a user of its own, without privileges", Severity: High,
		Why:  "slabgate reads what strangers send. Whoever finds a fault in it gets what it may do, and with a core file the keys in its memory.",
		Refs: []string{"capabilities(7)", "prctl(2)", "systemd.exec(5)"},
		Run:  perServer(judgeServer),
	},
	{
		ID: "PX-02", Title: "slabgate sees no more of the file system than it needs", Severity: Medium,
		Why:  "A process that is taken over writes wherever its user may, unless something else confines it.",
		Refs: []string{"landlock(7)", "systemd.exec(5) ProtectSystem="},
		Run:  perServer(judgeConfined),
	},
	{
		ID: "PX-03", Title: "nobody else reads slabgate's secrets or changes its files", Severity: Critical,
		Why:  "Whoever reads the key can pretend to be slabgate; whoever may change a file, or a folder above it, decides who gets in.",
		Refs: []string{"chmod(1)", "path_resolution(7)"},
		Run:  judgeFilesOf,
	},
	{
		ID: "PX-04", Title: "the certificates are good and will be for a while", Severity: High,
		Why:  "With a certificate that has expired or has the wrong names clients fail, or are told not to look.",
		Refs: []string{"RFC 5280", "RFC 9525"},
		Run:  judgeCertificates,
	},
	{
		ID: "PX-05", Title: "clients' certificates come from an authority of their own", Severity: High,
		Why:  "Whoever gets a certificate from one of these authorities passes the first door. From a public one anybody can.",
		Refs: []string{"RFC 5280"},
		Run:  judgeClientCAs,
	},
	{
		ID: "PX-06", Title: "TLS is as strong as slabgate can have it", Severity: High,
		Why:  "A password in the clear is read on the way; weak TLS can be opened later.",
		Refs: []string{"RFC 9325", "RFC 4616", "https://go.dev/doc/godebug"},
		Run:  judgeTLS,
	},
	{
		ID: "PX-07", Title: "the policy and the users say what was meant", Severity: Medium,
		Why:  "A rule that covers more than its author thought is an open door that looks like a wall.",
		Refs: []string{"slabgate check", "slabgate policy"},
		Run:  judgePolicy,
	},
	{
		ID: "PX-08", Title: "no unsafe switch is on", Severity: High,
		Why:  "Each of these gives up a promise of slabgate on purpose. The purpose tends to be forgotten, and the switch stays.",
		Refs: []string{"slabgate.yaml"},
		Run:  judgeUnsafe,
	},
	{
		ID: "PX-09", Title: "health checks and metrics are for this host", Severity: High,
		Why:  "Names of users and numbers of denials help whoever plans an attack.",
		Refs: []string{"slabgate.yaml admin.http"},
		Run:  judgeAdmin,
	},
	{
		ID: "PX-10", Title: "slabgate has the files and the memory for all its clients", Severity: Medium,
		Why:  "At its limit slabgate refuses clients, or is killed with all connections, just when there are most of them.",
		Refs: []string{"getrlimit(2)", "cgroups(7)"},
		Run:  perServer(judgeRoom),
	},
	{
		ID: "PX-11", Title: "slabgate is built with what has the known fixes", Severity: High,
		Why:  "TLS and certificates are handled by Go's library; its faults are slabgate's.",
		Refs: []string{"https://go.dev/doc/security/vuln/", "CVE-2026-27137", "CVE-2026-27138"},
		Run:  judgeBuild,
	},
	{
		ID: "PX-12", Title: "no secret is in slabgate's environment or command line", Severity: Critical, Critical: true,
		Why:  "Command lines are there for every user to read; the environment is handed to every child and ends up in dumps and tickets.",
		Refs: []string{"proc(5)"},
		Run:  judgeSecrets,
	},
	{
		ID: "PX-13", Title: "the audit can be written", Severity: Medium,
		Why:  "When it cannot be written, slabgate either stops serving or forgets what happened.",
		Refs: []string{"slabgate.yaml audit"},
		Run:  judgeAudit,
	},
	{
		ID: "PX-14", Title: "the systemd unit confines slabgate", Severity: Low,
		Why:  "What slabgate never needs, an intruder in it should not have.",
		Refs: []string{"systemd.exec(5)", "systemd-analyze(1) security"},
		Run:  judgeUnit,
	},
}

// servers are the slabgates that serve here: at a start the process itself. Anybody
// may call a process so, which can add findings and hide none.
func servers(f *host.Facts) (all []*host.Process) {
	if isGuard(&f.Self) {
		return []*host.Process{&f.Self}
	}
	for i := range f.Processes {
		if isGuard(&f.Processes[i]) {
			all = append(all, &f.Processes[i])
		}
	}
	return all
}

// server is the one of them that has slabgate's own user, or else the first; nil
// if none is to be seen.
func server(f *host.Facts) *host.Process {
	all := servers(f)
	for _, p := range all {
		if p.StatusOK && slices.Contains(guards(f), p.UID) {
			return p
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// perServer judges each slabgate that serves.
func perServer(judge func(*host.Facts, *host.Process) []Verdict) func(*host.Facts) []Verdict {
	return func(f *host.Facts) (found []Verdict) {
		for _, p := range servers(f) {
			found = append(found, judge(f, p)...)
		}
		if len(found) == 0 {
			return skip("no running slabgate is to be seen")
		}
		return found
	}
}

func procFile(p *host.Process, name, text string) Evidence {
	return Evidence{Source: fmt.Sprintf("/proc/%d/%s", p.PID, name), Text: text}
}

// privilege is something a process should not have, and the line of a unit that
// takes it away.
type privilege struct {
	subject string
	has     func(*host.Process) bool
	text    string
	seen    string // which file of /proc tells
	shown   func(*host.Process) string
	line    string
}

var privileges = []privilege{
	{"root", func(p *host.Process) bool { return p.UID == 0 }, "runs as root", "status", func(p *host.Process) string { return fmt.Sprintf("Uid: %d", p.UID) }, "User=slabgate"},
	{"capabilities", func(p *host.Process) bool { return p.CapEff&^bindLow != 0 }, "has capabilities", "status", func(p *host.Process) string { return fmt.Sprintf("CapEff: %016x", p.CapEff) }, "CapabilityBoundingSet="},
	{"privileges", func(p *host.Process) bool { return !p.NoNewPrivs }, "may gain privileges", "status", func(*host.Process) string { return "NoNewPrivs: 0" }, "NoNewPrivileges=yes"},
	{"filter", func(p *host.Process) bool { return p.Seccomp != 2 }, "may use every system call", "status", func(p *host.Process) string { return fmt.Sprintf("Seccomp: %d", p.Seccomp) }, "SystemCallFilter=@system-service"},
	{"core", func(p *host.Process) bool { return p.LimitsOK && p.CoreLimit != 0 }, "writes core files", "limits", func(*host.Process) string { return "Max core file size is not 0" }, "LimitCORE=0"},
}

// bindLow is the one capability that a listener on a port below 1024 needs.
const bindLow = 1 << 10

func judgeServer(f *host.Facts, p *host.Process) (found []Verdict) {
	if !p.StatusOK {
		return skip(fmt.Sprintf("/proc/%d/status may not be read: needs root", p.PID))
	}
	for _, x := range privileges {
		if !x.has(p) {
			continue
		}
		v := fail(x.subject, fmt.Sprintf("slabgate (pid %d) %s", p.PID, x.text), guardFix(f, x.line), procFile(p, x.seen, x.shown(p)))
		if x.subject == "filter" || x.subject == "core" {
			v.Severity = Medium
		}
		found = append(found, v)
	}
	return orPass(found, fmt.Sprintf("slabgate (pid %d) runs as uid %d without privileges", p.PID, p.UID), procFile(p, "status", ""))
}

// podLines are the same as lines of a unit, for a container.
var podLines = map[string]string{
	"User=slabgate":                    "securityContext:\n  runAsNonRoot: true\n  runAsUser: 65532\n",
	"CapabilityBoundingSet=":           "securityContext:\n  capabilities:\n    drop: [ALL]\n",
	"NoNewPrivileges=yes":              "securityContext:\n  allowPrivilegeEscalation: false\n",
	"SystemCallFilter=@system-service": "securityContext:\n  seccompProfile:\n    type: RuntimeDefault\n",
	"LimitCORE=0":                      "command: [prlimit, --core=0, /slabgate]\n",
	"UnsetEnvironment=GODEBUG":         "env: []                   # without GODEBUG\n",
	"ProtectSystem=strict":             "securityContext:\n  readOnlyRootFilesystem: true\n",
}

// guardFix is a line for slabgate's unit, or what is the same for its container.
func guardFix(f *host.Facts, line string) Fix {
	if f.Place.Scope == "pod" || f.Place.Scope == "container" {
		return Fix{Text: "change the definition of slabgate's container", Config: podLines[line]}
	}
	name, _, _ := strings.Cut(line, "=")
	return overGuard(f, "zz-doctor-"+strings.ToLower(name)+".conf", "lay this line over slabgate's unit and restart it", []string{line})
}

// judgeConfined says what it is: slabgate does not use Landlock, so that it is for
// the unit or the container to confine it.
func judgeConfined(f *host.Facts, p *host.Process) []Verdict {
	kernel := "the kernel does not offer Landlock"
	if strings.Contains(","+f.LSM+",", ",landlock,") {
		kernel = "the kernel offers Landlock, " + landlockABI(f.Settings["kernel.osrelease"])
	} else if f.LSM == "" {
		kernel = "what the kernel offers is unknown"
	}
	seen := procFile(p, "mountinfo", "")
	if p.RootRO {
		return pass("slabgate does not apply Landlock ("+kernel+"); a / that it cannot write confines it", seen)
	}
	if len(p.Network) == 0 && !p.EnvironOK {
		return skip(fmt.Sprintf("what is mounted for pid %d may not be read: needs root", p.PID))
	}
	return []Verdict{fail("", "slabgate does not apply Landlock ("+kernel+"), and its / can be written",
		guardFix(f, "ProtectSystem=strict"), seen)}
}

// landlockABI is the version that a kernel of a release has at least.
func landlockABI(release string) string {
	var major, minor int
	if n, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil || n != 2 {
		return "of an unknown ABI"
	}
	abi := 0
	for _, v := range []struct{ major, minor int }{{5, 13}, {5, 19}, {6, 2}, {6, 7}, {6, 10}, {6, 12}} {
		if major > v.major || major == v.major && minor >= v.minor {
			abi++
		}
	}
	if abi == 0 {
		return "of an unknown ABI"
	}
	return fmt.Sprintf("by its release %d.%d of ABI %d or later", major, minor, abi)
}
