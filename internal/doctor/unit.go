package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/internal/host"
)

// setting is one assignment of a unit that counts, with where it stands.
type setting struct {
	value string
	at    Evidence
}

// serviceSettings are what stands in [Service] of a unit and its drop-ins: the
// last assignment of a name counts, and an empty one takes back what was before.
// Lists are joined by spaces.
func serviceSettings(files []host.UnitFile) map[string]setting {
	all := map[string]setting{}
	for _, f := range files {
		section := ""
		number, from, line := 0, 0, ""
		for raw := range strings.Lines(f.Text) {
			number++
			raw = strings.TrimSpace(raw)
			if strings.HasPrefix(raw, "#") || strings.HasPrefix(raw, ";") {
				continue // even between the parts of one line
			}
			if line == "" {
				from = number
			}
			if part, more := strings.CutSuffix(raw, `\`); more {
				line += strings.TrimSpace(part) + " "
				continue
			}
			section = assign(all, section, line+raw, Evidence{Source: f.Path, Line: from})
			line = ""
		}
		if line != "" {
			assign(all, section, line, Evidence{Source: f.Path, Line: from})
		}
	}
	return all
}

// assign takes one line of a unit into all and returns the section after it.
func assign(all map[string]setting, section, line string, at Evidence) string {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
		return line[1 : len(line)-1]
	}
	name, value, ok := strings.Cut(line, "=")
	if !ok || section != "Service" {
		return section
	}
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	at.Text = line
	before, had := all[name]
	if had && value != "" && before.value != "" && slices.Contains(lists, name) {
		value = before.value + " " + value
	}
	all[name] = setting{value, at}
	return section
}

// lists are the names of which every assignment adds to the ones before.
var lists = []string{"SystemCallFilter", "RestrictAddressFamilies", "CapabilityBoundingSet", "AmbientCapabilities", "SystemCallArchitectures"}

// confinement is a setting of a unit and how much it is missed, of 100 in all.
type confinement struct {
	name, want string
	weight     float64
	good       func(value string) bool
}

func isOneOf(words ...string) func(string) bool {
	return func(value string) bool { return slices.Contains(words, strings.ToLower(value)) }
}

var isOn = isOneOf("yes", "true", "on", "1")

// confinements are what slabgate can do without. The weights follow what an
// intruder could do with each: become root first, the rest of the machine after.
var confinements = []confinement{
	{"User", "slabgate", 15, func(v string) bool { return v != "" && v != "root" && v != "0" }},
	{"NoNewPrivileges", "yes", 10, isOn},
	{"CapabilityBoundingSet", "", 10, isOneOf("", "cap_net_bind_service")},
	{"SystemCallFilter", "@system-service", 10, func(v string) bool { return v != "" && !strings.HasPrefix(v, "~") }},
	{"ProtectSystem", "strict", 8, isOneOf("strict")},
	{"RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX", 6, func(v string) bool {
		return v != "" && !strings.HasPrefix(v, "~") && !strings.Contains(v, "AF_PACKET") && !strings.Contains(v, "AF_NETLINK")
	}},
	{"ProtectHome", "yes", 4, isOneOf("yes", "true", "on", "1", "tmpfs", "read-only")},
	{"PrivateTmp", "yes", 4, isOneOf("yes", "true", "on", "1", "disconnected")},
	{"PrivateDevices", "yes", 4, isOn},
	{"RestrictNamespaces", "yes", 4, isOn},
	{"MemoryDenyWriteExecute", "yes", 4, isOn},
	{"ProtectKernelTunables", "yes", 3, isOn},
	{"ProtectKernelModules", "yes", 3, isOn},
	{"ProtectControlGroups", "yes", 3, isOneOf("yes", "true", "on", "1", "strict", "private")},
	{"RestrictSUIDSGID", "yes", 3, isOn},
	{"ProtectProc", "invisible", 2, isOneOf("invisible", "ptraceable", "noaccess")},
	{"SystemCallArchitectures", "native", 2, isOneOf("native")},
	{"ProtectKernelLogs", "yes", 1, isOn},
	{"ProtectClock", "yes", 1, isOn},
	{"LockPersonality", "yes", 1, isOn},
	{"RestrictRealtime", "yes", 1, isOn},
	{"ProtectHostname", "yes", 1, isOneOf("yes", "true", "on", "1", "private")},
}

// unitExposure is 0 for a unit that has all confinements and 10 for one that has
// none, with those that are missing.
func unitExposure(files []host.UnitFile) (exposure float64, missing []confinement) {
	have := serviceSettings(files)
	total := 0.0
	for _, c := range confinements {
		total += c.weight
		s, written := have[c.name]
		if dynamic := have["DynamicUser"]; c.name == "User" && isOn(dynamic.value) {
			continue
		}
		if !written || !c.good(s.value) {
			exposure += c.weight
			missing = append(missing, c)
		}
	}
	return exposure / total * 10, missing
}

// mostExposure is what the shipped unit stays far below.
const mostExposure = 2.0

// judgeUnit judges the files of the unit, not what systemd makes of them.
func judgeUnit(f *host.Facts) []Verdict {
	if len(f.Unit) == 0 {
		return skip("no systemd unit of slabgate was found")
	}
	exposure, missing := unitExposure(f.Unit)
	seen := Evidence{Source: f.Unit[0].Path}
	if exposure <= mostExposure {
		return pass(fmt.Sprintf("the unit leaves %.1f of 10 open", exposure), seen)
	}
	slices.SortStableFunc(missing, func(a, b confinement) int { return cmp.Compare(b.weight, a.weight) })
	have := serviceSettings(f.Unit)
	evidence := []Evidence{seen}
	var lines, names []string
	for _, c := range missing {
		names = append(names, c.name)
		lines = append(lines, c.lines()...)
		if s, written := have[c.name]; written {
			evidence = append(evidence, s.at)
		}
	}
	return []Verdict{fail(f.Unit[0].Path, fmt.Sprintf("the unit leaves %.1f of 10 open: it lacks %s", exposure, strings.Join(names, ", ")),
		overGuard(f, "zz-doctor-confine.conf", "lay what the shipped unit has over this one, and restart slabgate", lines), evidence...)}
}

// lines are what gives a unit this confinement, whatever it has.
func (c *confinement) lines() []string {
	line := c.name + "=" + c.want
	if c.want != "" && slices.Contains(lists, c.name) {
		return []string{c.name + "=", line}
	}
	return []string{line}
}

// overGuard is the fix that lays lines over slabgate's unit and restarts it, which
// loses no cache.
func overGuard(f *host.Facts, file, text string, lines []string) Fix {
	unit := "slabgate.service"
	if p := server(f); p != nil && p.Unit != "" {
		unit = p.Unit
	}
	folder := "/etc/systemd/system/" + unit + ".d"
	return Fix{
		Text: text,
		Commands: []string{
			"mkdir -p " + quote(folder),
			"printf '%s\\n' '[Service]' " + quoteAll(lines) + " >" + quote(folder+"/"+file),
			"systemctl daemon-reload",
			"systemctl restart " + quote(strings.TrimSuffix(unit, ".service")),
		},
		Config: "[Service]\n" + strings.Join(lines, "\n") + "\n",
	}
}
