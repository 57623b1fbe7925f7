package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/slabgate/slabgate/internal/doctor"
	"github.com/slabgate/slabgate/internal/host"
	"github.com/slabgate/slabgate/internal/probe"
	"github.com/slabgate/slabgate/internal/testkit"
)

// rootCache is a tree of a host whose memcached runs as root.
const rootCache = `
-- time.txt --
2026-03-01T12:00:00Z
-- /proc/self -> 900 --
-- /proc/900/status --
Name:	slabgate
Uid:	0	0	0	0
Gid:	0	0	0	0
-- /proc/812/status --
Name:	memcached
Uid:	0	0	0	0
Gid:	0	0	0	0
-- /proc/812/cmdline --
/usr/bin/memcached` + "\x00-s\x00/run/memcached/mc.sock\x00-a\x000700\x00-F\x00-X\x00-W" + `
-- /proc/net/tcp --
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
-- ask/unix__run_memcached_mc.sock.txt --
# peer uid 0
VERSION 1.6.45
END
END
`

func readReport(t *testing.T, o outcome) *doctor.Report {
	t.Helper()
	var r doctor.Report
	if err := json.Unmarshal([]byte(o.out), &r); err != nil {
		t.Fatalf("%v\n%s%s", err, o.out, o.err)
	}
	return &r
}

// findings are the ids of what was found.
func findings(r *doctor.Report) (ids []string) {
	for i := range r.Records {
		if r.Records[i].Found() {
			ids = append(ids, r.Records[i].ID)
		}
	}
	return ids
}

func TestDoctorOfATree(t *testing.T) {
	tree := testkit.Tree(t, rootCache)
	slabgate(t, "doctor", "--offline", tree).want(t, exitFindings,
		"[CRIT] MC-01", "runs as root", "fix: ", "seen  /proc/812/status", "First\n  1. MC-01", "$ ", "not tested from untrusted", "exposure ")
	r := readReport(t, slabgate(t, "doctor", "--offline", tree, "-o", "json"))
	if r.Schema != doctor.Schema || !r.Offline || r.Scope != "host" || !slices.Contains(findings(r), "MC-01") || r.Exposure < 9 || r.Counts.Critical == 0 {
		t.Errorf("report %+v", r)
	}
	if r := readReport(t, slabgate(t, "doctor", "--offline", tree, "--scope", "pod", "-o", "json")); r.Scope != "pod" {
		t.Errorf("scope %q", r.Scope)
	}
}

func TestDoctorSpeaksToPrograms(t *testing.T) {
	tree := testkit.Tree(t, rootCache)
	o := slabgate(t, "doctor", "--offline", tree, "--format", "junit")
	o.want(t, exitFindings)
	var suites struct {
		Failures int `xml:"failures,attr"`
	}
	if err := xml.Unmarshal([]byte(o.out), &suites); err != nil || !strings.Contains(o.out, "MC-01") {
		t.Errorf("junit: %v\n%s", err, o.out)
	}
	o = slabgate(t, "doctor", "--offline", tree, "-o", "sarif")
	o.want(t, exitFindings, `"version": "2.1.0"`, `"MC-01"`)
}

// TestDoctorExitCodes: what counts is the worst finding, and then what was hidden.
func TestDoctorExitCodes(t *testing.T) {
	fine := strings.ReplaceAll(strings.ReplaceAll(rootCache, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n-- /proc/812/cmdline", "Uid:\t109\t109\t109\t109\nGid:\t109\t109\t109\t109\n-- /proc/812/cmdline"), "peer uid 0", "peer uid 109")
	hidden := testkit.Tree(t, "-- time.txt --\n2026-03-01T12:00:00Z\n")
	bad := testkit.Tree(t, rootCache)
	slabgate(t, "doctor", "--offline", bad, "--fail-on", "critical").want(t, exitFindings)
	slabgate(t, "doctor", "--offline", hidden).want(t, exitBlind, "was hidden", "Skipped")
	if o := slabgate(t, "doctor", "--offline", testkit.Tree(t, fine), "--fail-on", "critical"); strings.Contains(o.out, "MC-01") && strings.Contains(o.out, "[CRIT] MC-01") {
		t.Errorf("a user of its own is a finding:\n%s", o.out)
	}
	for _, row := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"-o", "yaml"}, exitUsage, "yaml"},
		{[]string{"--fail-on", "awful"}, exitUsage, "awful"},
		{[]string{"--min-severity", "none"}, exitUsage, "none"},
		{[]string{"--scope", "cloud"}, exitUsage, "cloud"},
		{[]string{"--offline", bad, "--memcached", "999"}, exitUsage, "999"},
		{[]string{"--target", "cache:11212"}, exitUsage, "slabgate probe cache:11212"},
		{[]string{"--offline", bad, "--active"}, exitUsage, "active"},
		{[]string{"--offline", filepath.Join(bad, "gone")}, exitNoFile, "--offline"},
		{[]string{"--capture", bad}, exitUsage, "new folder"},
		{[]string{"--offline", bad, filepath.Join(bad, "gone.json")}, exitNoFile, "gone.json"},
		{[]string{"-c", filepath.Join(bad, "gone.yaml")}, exitNoFile, "gone.yaml"},
	} {
		slabgate(t, append([]string{"doctor"}, row.args...)...).want(t, row.code, row.text)
	}
}

// TestDoctorHidesWhatIsBelow: and counts it all the same.
func TestDoctorHidesWhatIsBelow(t *testing.T) {
	tree := testkit.Tree(t, rootCache)
	all, worst := slabgate(t, "doctor", "--offline", tree, "--min-severity", "info"), slabgate(t, "doctor", "--offline", tree, "--min-severity", "critical")
	if !strings.Contains(worst.out, "[CRIT]") || strings.Contains(worst.out, "[MED]") || strings.Contains(worst.out, "[LOW]") {
		t.Errorf("shown:\n%s", worst.out)
	}
	last := func(s string) string { return s[strings.LastIndex(s[:len(s)-1], "\n")+1:] }
	if last(all.out) != last(worst.out) {
		t.Errorf("exposure %q and %q", last(all.out), last(worst.out))
	}
}

// TestDoctorCapture: what was captured here is judged elsewhere as it is here.
func TestDoctorCapture(t *testing.T) {
	s := newSite(t)
	m := testkit.MemcachedConfig{}.Start(t)
	s.edit(t, "slabgate.yaml", "unix:/nonexistent/mc.sock", m.Addr())
	dir := filepath.Join(t.TempDir(), "captured")
	here := readReport(t, s.call(t, "doctor", "--capture", dir, "--memcached", m.Addr(), "-o", "json"))
	there := readReport(t, slabgate(t, "doctor", "--offline", dir, "--memcached", m.Addr(), "-o", "json"))
	if here.Offline || !there.Offline || len(here.Records) == 0 {
		t.Errorf("offline %v and %v, %d records", here.Offline, there.Offline, len(here.Records))
	}
	if got, want := findings(there), findings(here); !slices.Equal(got, want) {
		t.Errorf("found there %q, here %q", got, want)
	}
	for _, secret := range []string{"tls/server-key.pem", "users.yaml", "tls/server-bundle.pem"} {
		if data, err := os.ReadFile(filepath.Join(dir, s.path(secret))); err == nil {
			t.Errorf("%s was captured: %q", secret, data)
		}
	}
}

func TestDoctorPlan(t *testing.T) {
	s := newSite(t)
	o := s.call(t, "doctor", "--plan", "--target", "cache-1.example:11212")
	o.want(t, exitOK, "--from trusted", "--from semi", "--from untrusted", "cache-1.example:11212", "expected: ",
		"slabgate doctor trusted.json semi.json untrusted.json", "sudo -u nobody", " unix:/nonexistent/mc.sock ")
	slabgate(t, "doctor", "--plan", "--target", "$(id):11").want(t, exitUsage, "--target")
	slabgate(t, "doctor", "--plan", "--target", "cache:port").want(t, exitUsage, "--target")
}

// TestPlannedTargets are those that probe takes, and that others reach.
func TestPlannedTargets(t *testing.T) {
	for _, tc := range []struct {
		upstream, inside, outside string
		listeners, targets        []string
	}{
		{upstream: "unix:/run/mc.sock", listeners: []string{":11212"}, inside: "unix:/run/mc.sock", outside: "cache-1:11211 cache-1:11212"},
		{upstream: "127.0.0.1:11300", listeners: []string{"10.8.8.8:11212", "127.0.0.1:11213", "unix:/run/app.sock?mode=0660", "systemd:web"},
			inside: "127.0.0.1:11300 127.0.0.1:11213", outside: "cache-1:11300 10.8.8.8:11212"},
		{upstream: "[::1]:11211", listeners: []string{"[::]:11212", "[fd00::1]:11212"}, inside: "[::1]:11211", outside: "cache-1:11211 cache-1:11212 [fd00::1]:11212"},
		{upstream: "unix:/run/mc.sock", listeners: []string{":11212"}, targets: []string{"cache.example:443"}, inside: "unix:/run/mc.sock", outside: "cache-1:11211 cache.example:443"},
		{inside: "127.0.0.1:11211", outside: "cache-1:11211"},
	} {
		var subject *host.Subject
		if tc.upstream != "" {
			subject = &host.Subject{Upstream: tc.upstream}
		}
		for _, address := range tc.listeners {
			subject.Listeners = append(subject.Listeners, host.SubjectListener{Address: address})
		}
		inside, outside := planTargets(subject, "cache-1", tc.targets)
		if got := strings.Join(inside, " "); got != tc.inside {
			t.Errorf("%s: inside %q, want %q", tc.upstream, got, tc.inside)
		}
		if got := strings.Join(outside, " "); got != tc.outside {
			t.Errorf("%s: outside %q, want %q", tc.upstream, got, tc.outside)
		}
		for _, target := range slices.Concat(inside, outside) {
			if _, err := probe.ParseTarget(target, probe.DefaultPorts(), false); err != nil {
				t.Errorf("probe does not take %q: %v", target, err)
			}
		}
	}
}

// TestDoctorTakesScans: each place that was looked from has its records in the
// report, and the others are named.
func TestDoctorTakesScans(t *testing.T) {
	dir := t.TempDir()
	scan := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	semi := scan("semi.json", `{"schema": "`+doctor.ScanSchema+`", "from": "semi", "records": [
		{"id": "PRB-02", "title": "no key comes back", "severity": "critical", "status": "fail", "text": "3 keys came back", "why": "w", "fix": {"text": "close it"}}]}`)
	tree := testkit.Tree(t, "-- time.txt --\n2026-03-01T12:00:00Z\n")
	slabgate(t, "doctor", "--offline", tree, semi).want(t, exitFindings, "From outside", "[CRIT] PRB-02", "3 keys came back", "not tested from trusted", "not tested from untrusted")
	if o := slabgate(t, "doctor", "--offline", tree, semi); strings.Contains(o.out, "not tested from semi") {
		t.Errorf("a place that was looked from is missing:\n%s", o.out)
	}
	for name, text := range map[string]string{
		"other.json":   `{"schema": "nmap/1"}`,
		"nowhere.json": `{"schema": "` + doctor.ScanSchema + `", "records": []}`,
		"torn.json":    `{"schema"`,
		"blind.json":   `{"schema": "` + doctor.ScanSchema + `", "from": "semi", "records": [{"id": "PRB-02", "severity": "critical", "status": "skip", "text": "unreachable"}]}`,
		"odd.json":     `{"schema": "` + doctor.ScanSchema + `", "from": "semi", "records": [{"id": "X", "severity": "none"}]}`,
	} {
		slabgate(t, "doctor", "--offline", tree, scan(name, text)).want(t, exitUsage, name)
	}
}

// TestStatusTellsOfTheSurroundings: each finding is logged once, and is in the status
// for as long as it is there.
func TestStatusTellsOfTheSurroundings(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	log, l := zap.New(core), &lookout{}
	bad := []doctor.Record{
		{ID: "NET-01", Status: doctor.Fail, Severity: doctor.Critical, Subject: "tcp 0.0.0.0:11211", Text: "memcached listens everywhere", Fix: &doctor.Fix{Text: "close it"}},
		{ID: "NET-02", Status: doctor.Pass, Severity: doctor.Critical},
		{ID: "NET-03", Status: doctor.Skip, Severity: doctor.Critical},
	}
	for range 2 {
		l.surveyed(log, bad)
	}
	if len(l.surroundings) != 1 || l.surroundings[0].Code != "NET-01" || l.surroundings[0].Fix != "close it" || logs.FilterMessage("surroundings").Len() != 1 {
		t.Errorf("known %+v, logged %v", l.surroundings, logs.All())
	}
	l.surveyed(log, bad[1:])
	if len(l.surroundings) != 0 {
		t.Errorf("still known %+v", l.surroundings)
	}
	l.surveyed(log, bad)
	if logs.FilterMessage("surroundings").Len() != 2 {
		t.Error("what came back is not logged again")
	}
}

// TestDoctorWaives shows who answers for a finding, and counts it no more. A file with
// a fault waives nothing.
func TestDoctorWaives(t *testing.T) {
	tree, s := testkit.Tree(t, rootCache), newSite(t)
	entry := "  - {id: MC-01, owner: ops@example.org, reason: it moves next week, expires: %s}\n"
	for _, row := range []struct {
		name, text string
		code       int
		want       string
	}{
		{"in force", "waivers:\n" + fmt.Sprintf(entry, "2026-03-01"), exitBlind, "[waived] MC-01"},
		{"expired", "waivers:\n" + fmt.Sprintf(entry, "2026-02-28"), exitFindings, "WAIVE-01"},
		{"idle", "waivers:\n" + fmt.Sprintf(entry, "2026-03-01") + strings.Replace(fmt.Sprintf(entry, "2026-03-01"), "MC-01", "NET-09", 1), exitBlind, "WAIVE-02"},
		{"without an owner", "waivers:\n  - {id: MC-01, reason: why, expires: 2026-03-01}\n", exitConfig, "waivers.yaml:2:"},
		{"mistyped", "waiver: []\n", exitConfig, "waivers.yaml:1:1"},
	} {
		s.write(t, "waivers.yaml", row.text)
		o := slabgate(t, "doctor", "--offline", tree, "--fail-on", "critical", "--waive", s.path("waivers.yaml"))
		if o.code != row.code || !strings.Contains(o.out+o.err, row.want) {
			t.Errorf("%s: exit %d, want %d with %q\n%s%s", row.name, o.code, row.code, row.want, o.out, o.err)
		}
	}
	slabgate(t, "doctor", "--offline", tree, "--waive", s.path("gone.yaml")).want(t, exitNoFile, "gone.yaml")
}

// TestHelpOfEveryCheck: each id that stands in a report is explained.
func TestHelpOfEveryCheck(t *testing.T) {
	for _, id := range []string{"NET-01", "host-03", "PRB-02", "WAIVE-01", "WAIVE-02"} {
		slabgate(t, "help", id).want(t, exitOK, strings.ToUpper(id)+"  ", "\n\n")
	}
	slabgate(t, "help", "NET-99").want(t, exitUsage, "NET-99")
}
