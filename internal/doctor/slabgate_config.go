package doctor

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slabgate/slabgate/internal/host"
)

// subjectEvidence is the configuration, with the line of the first finding of
// slabgate check that mentions a word or has one of the codes.
func subjectEvidence(s *host.Subject, word string, codes ...string) Evidence {
	for _, f := range s.Findings {
		if f.File == s.Path && f.Line > 0 && (slices.Contains(codes, f.Code) || len(codes) == 0 && strings.Contains(f.Problem, strconv.Quote(word))) {
			return Evidence{Source: f.File, Line: f.Line, Text: word}
		}
	}
	return Evidence{Source: s.Path, Text: word}
}

// policyCode are the codes of what slabgate check says of policy.yaml, users.yaml
// and the logins.
var policyCode = regexp.MustCompile(`^SG1(1[0-6]|2)[0-9]+$`)

// severityOf is how bad a finding of slabgate check is here.
var severityOf = map[string]Severity{"error": High, "warning": Medium}

func judgePolicy(f *host.Facts) (found []Verdict) {
	if f.Subject == nil {
		return moot("there is no configuration of slabgate")
	}
	for _, x := range f.Subject.Findings {
		if !policyCode.MatchString(x.Code) {
			continue
		}
		seen := Evidence{Source: x.File, Line: x.Line, Text: x.Problem}
		if seen.Source == "" {
			seen.Source = f.Subject.Path
		}
		v := fail(x.Code+" "+seen.Where(), x.Code+" "+x.Problem, Fix{Text: x.Fix, Commands: []string{"slabgate check --config " + quote(f.Subject.Path), "slabgate help " + x.Code}}, seen)
		if s, ok := severityOf[x.Severity]; ok {
			v.Severity = s
		}
		found = append(found, v)
	}
	return orPass(found, "slabgate check has nothing to say of the policy and the users", Evidence{Source: f.Subject.Path})
}

// unsafeCodes are what slabgate check says of a switch, by the end of its key.
var unsafeCodes = map[string]string{"unsafe_plain": "SG1048", "unsafe": "SG1058"}

func judgeUnsafe(f *host.Facts) (found []Verdict) {
	if f.Subject == nil {
		return moot("there is no configuration of slabgate")
	}
	for _, key := range f.Subject.Unsafe {
		name := key[strings.LastIndexByte(key, '.')+1:]
		found = append(found, fail(key, key+" is on", Fix{
			Text:     "delete the key " + name + ", and see what check then asks for",
			Commands: []string{"slabgate check --config " + quote(f.Subject.Path), "slabgate reload --config " + quote(f.Subject.Path)},
			Config:   name + ": false\n",
		}, subjectEvidence(f.Subject, key, unsafeCodes[name])))
	}
	return orPass(found, "no unsafe switch is on", Evidence{Source: f.Subject.Path})
}

// judgeAdmin looks at where health checks and metrics are served. In a pod kubelet
// asks from without, so that another address than loopback is needed.
func judgeAdmin(f *host.Facts) []Verdict {
	if f.Subject == nil {
		return moot("there is no configuration of slabgate")
	}
	address := f.Subject.AdminHTTP
	if address == "" || strings.HasPrefix(address, "unix:") || onLoopback(address) {
		return pass("health checks and metrics are for this host alone", Evidence{Source: f.Subject.Path, Text: address})
	}
	v := fail("admin.http", "health checks and metrics are served to other hosts on "+address, Fix{
		Text:     "serve them on loopback, and let a collector on this host fetch them",
		Commands: []string{"slabgate check --config " + quote(f.Subject.Path), "systemctl restart slabgate"},
		Config:   "admin:\n  http: 127.0.0.1:11219\n",
	}, subjectEvidence(f.Subject, address, "SG1191"))
	if f.Place.Scope == "pod" {
		v.Status, v.Severity = Warn, Low
		v.Fix = Fix{Text: "let only kubelet and the monitoring reach it: a NetworkPolicy", Config: metricsPolicy}
	}
	return []Verdict{v}
}

const metricsPolicy = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: slabgate}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: slabgate}}
  policyTypes: [Ingress]
  ingress:
    - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
      ports: [{port: 11219}]
    - from: [{podSelector: {}}]
      ports: [{port: 11212}]
`

func onLoopback(address string) bool {
	a, err := netip.ParseAddrPort(address)
	return err == nil && a.Addr().IsLoopback()
}

// What slabgate needs: files beyond its connections, memory at rest and for each
// client.
const (
	freeFiles      = 64
	restMemory     = 24 << 20
	memoryOfClient = 40 << 10
)

func judgeRoom(f *host.Facts, p *host.Process) (found []Verdict) {
	if f.Subject == nil || f.Subject.Connection == 0 {
		return skip("there is no configuration that says how many clients there may be")
	}
	clients := f.Subject.Connection
	files, memory := int64(clients+f.Subject.PoolMax+freeFiles), int64(restMemory+clients*memoryOfClient)
	if p.LimitsOK && p.FileLimit >= 0 && p.FileLimit < files {
		found = append(found, fail("files", fmt.Sprintf("slabgate (pid %d) may open %d files; %d clients need %d", p.PID, p.FileLimit, clients, files),
			roomFix(f, fmt.Sprintf("LimitNOFILE=%d", files), fmt.Sprintf("prlimit --pid %d --nofile=%d:%d", p.PID, files, files)),
			procFile(p, "limits", fmt.Sprintf("Max open files %d", p.FileLimit))))
	}
	if p.MemoryMax > 0 && p.MemoryMax < memory {
		found = append(found, fail("memory", fmt.Sprintf("slabgate (pid %d) may use %d MiB; %d clients need %d MiB", p.PID, mib(p.MemoryMax), clients, mib(memory)),
			roomFix(f, fmt.Sprintf("MemoryMax=%dM", mib(memory*3/2)), ""), procFile(p, "cgroup", fmt.Sprintf("memory limit %d", p.MemoryMax))))
	}
	if !p.LimitsOK && len(found) == 0 {
		return skip(fmt.Sprintf("/proc/%d/limits may not be read", p.PID))
	}
	return orPass(found, fmt.Sprintf("there is room for %d clients", clients), procFile(p, "limits", ""))
}

// roomFix is a line for slabgate's unit, or the resources of its container. What
// can be done to the running process is done first.
func roomFix(f *host.Facts, line, now string) Fix {
	if f.Place.Scope == "pod" || f.Place.Scope == "container" {
		_, value, _ := strings.Cut(line, "=")
		if memory, ok := strings.CutSuffix(value, "M"); ok {
			return Fix{Text: "give slabgate's container more memory", Config: "resources:\n  limits: {memory: " + memory + "Mi}\n"}
		}
		return Fix{Text: "raise the limit of open files of the container runtime, or lower max_connections"}
	}
	fix := guardFix(f, line)
	if now != "" {
		fix.Commands = append([]string{now}, fix.Commands[:len(fix.Commands)-1]...) // no restart is needed
		fix.Text = "raise the limit of the running slabgate, and of its unit"
	}
	return fix
}

// goFloor is the oldest release of Go that has the fixes that were public on
// floorDate and concern TLS, certificates or HTTP in slabgate.
var goFloor = [3]int{1, 26, 1}

const (
	floorDate = "2026-03-06"
	floorAge  = 365 * 24 * time.Hour // after which the list says nothing any more
)

var goVersion = regexp.MustCompile(`^go([0-9]{1,3})\.([0-9]{1,3})(?:\.([0-9]{1,3}))?`)

func parseGo(text string) (v [3]int, ok bool) {
	m := goVersion.FindStringSubmatch(text)
	if m == nil {
		return v, false
	}
	for i := range v {
		v[i], _ = strconv.Atoi(m[i+1]) // digits, few enough; a part that is not there is 0
	}
	return v, true
}

func judgeBuild(f *host.Facts) (found []Verdict) {
	s := f.Subject
	if s == nil || s.GoVersion == "" {
		return skip("it is not known what slabgate is built with")
	}
	v, ok := parseGo(s.GoVersion)
	if !ok {
		return skip(fmt.Sprintf("%q is no release of Go", clip(s.GoVersion)))
	}
	seen := Evidence{Source: "slabgate version", Text: s.Build + " " + s.GoVersion}
	upgrade := Fix{Text: "install a slabgate that is built with the latest release of Go, and restart it", Commands: []string{"slabgate version", "systemctl restart slabgate"}}
	if slices.Compare(v[:], goFloor[:]) < 0 {
		found = append(found, fail("go", fmt.Sprintf("slabgate is built with %s; go%d.%d.%d has fixes that it needs (list of %s)", s.GoVersion, goFloor[0], goFloor[1], goFloor[2], floorDate), upgrade, seen))
	}
	listed, _ := time.Parse(time.DateOnly, floorDate) // a constant
	if f.Time.Sub(listed) > floorAge {
		found = append(found, fail("list", "the list of known faults in this slabgate is of "+floorDate, upgrade, seen).at(Low))
	}
	if p := server(f); p != nil && strings.HasSuffix(p.Exe, " (deleted)") {
		found = append(found, fail("replaced", fmt.Sprintf("the running slabgate (pid %d) is not the one that is installed", p.PID), Fix{
			Text: "restart slabgate", Commands: []string{"systemctl restart slabgate"},
		}, Evidence{Source: fmt.Sprintf("/proc/%d/exe", p.PID), Text: p.Exe}).at(Medium))
	}
	return orPass(found, fmt.Sprintf("slabgate %s is built with %s (list of %s)", s.Build, s.GoVersion, floorDate), seen)
}
