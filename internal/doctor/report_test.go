package doctor

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/host"
)

// sample is a report with a record of each status.
func sample() *Report {
	check := func(id string, s Severity, critical bool, v ...Verdict) Check {
		return Check{ID: id, Title: "title of " + id, Severity: s, Critical: critical, Why: "why " + id,
			Run: func(*host.Facts) []Verdict { return v }}
	}
	open := fail("tcp 0.0.0.0:11211", "memcached listens \x1b everywhere", Fix{Text: "bind it", Commands: []string{"systemctl edit memcached"}, Config: "-l 127.0.0.1\n"},
		Evidence{Source: "/proc/net/tcp", Line: 3, Text: "00000000:2BCB"})
	waived := fail("tcp 0.0.0.0:22", "sshd listens", Fix{Text: "stop it"})
	waived.Status = Waived
	facts := &host.Facts{Time: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), Place: host.Place{Scope: "host"}, Self: host.Process{UID: 1000}}
	records := Examine(facts, []Check{
		check("NET-01", Critical, true, open),
		check("NET-09", Medium, false, waived, fail("udp 0.0.0.0:53", "dnsmasq", Fix{Text: "stop it"})),
		check("MC-01", Critical, true, skip("needs root")...),
		check("PX-01", High, false, pass("fine")...),
	})
	r := NewReport(facts, records)
	r.Tool, r.Host = "slabgate 1.0.0", "cache-1"
	return r
}

func TestReportCounts(t *testing.T) {
	r := sample()
	if want := (Counts{Critical: 1, Medium: 1, Pass: 1, Skip: 1, Waived: 1}); r.Counts != want {
		t.Errorf("counts %+v, want %+v", r.Counts, want)
	}
	if r.Coverage != 75 {
		t.Errorf("coverage %d, want 75: one of four checks could not be run", r.Coverage)
	}
	if !r.Worst(Critical) || !r.Worst(Low) {
		t.Error("a critical finding is not told")
	}
	if !r.Blind() {
		t.Error("MC-01 belongs to every start and was skipped, and the report is not blind")
	}
	r.Records = r.Records[1:]
	if r.Worst(High) || !r.Worst(Medium) {
		t.Error("without NET-01 the worst is not medium")
	}
}

// TestExposure holds that more or worse findings never make a host look better,
// and that the number stays within its bounds.
func TestExposure(t *testing.T) {
	with := func(list ...Severity) float64 {
		var records []Record
		for _, s := range list {
			records = append(records, Record{Status: Fail, Severity: s, Score: weights[s]})
		}
		return exposure(records)
	}
	if got := with(); got != 0 {
		t.Errorf("nothing found is %v, want 0", got)
	}
	if got := with(Critical); got < 9 || got > 10 {
		t.Errorf("one critical is %v, want 9 at least", got)
	}
	var list []Severity
	last := 0.0
	for _, s := range []Severity{Info, Low, Low, Medium, Medium, High, High, Critical, Critical, Critical} {
		list = append(list, s)
		got := with(list...)
		if got < last || got > 10 {
			t.Errorf("%v is %v, after %v", list, got, last)
		}
		last = got
	}
	if many := with(Low, Low, Low, Low, Low, Low, Low, Low, Low, Low, Low, Low); many >= with(High) {
		t.Errorf("twelve low findings are %v, as much as a high one", many)
	}
}

func TestJUnit(t *testing.T) {
	data, err := sample().JUnit()
	if err != nil {
		t.Fatal(err)
	}
	var got junitSuites
	if err := xml.Unmarshal(data, &got); err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	if got.Tests != 5 || got.Failures != 2 || got.Skipped != 2 {
		t.Errorf("%d tests, %d failures, %d skipped; want 5, 2, 2", got.Tests, got.Failures, got.Skipped)
	}
	if !strings.Contains(string(data), "systemctl edit memcached") {
		t.Error("the command of the fix is missing")
	}
}

func TestSARIF(t *testing.T) {
	data, err := json.Marshal(sample().SARIF())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Version string
					Rules   []struct{ ID string }
				}
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
				}
				Suppressions []struct{ Justification string }
			}
		}
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != "2.1.0" || len(got.Runs) != 1 || got.Runs[0].Tool.Driver.Version != "1.0.0" {
		t.Fatalf("%s", data)
	}
	run := got.Runs[0]
	if len(run.Results) != 3 { // two findings and the one that is waived
		t.Fatalf("%d results, want 3:\n%s", len(run.Results), data)
	}
	for _, res := range run.Results {
		if run.Tool.Driver.Rules[res.RuleIndex].ID != res.RuleID {
			t.Errorf("%s points to rule %d", res.RuleID, res.RuleIndex)
		}
		if len(res.Locations) == 0 || res.Locations[0].PhysicalLocation.ArtifactLocation.URI == "" {
			t.Errorf("%s has no place", res.RuleID)
		}
	}
	if first := run.Results[0]; first.Level != "error" || first.Locations[0].PhysicalLocation.ArtifactLocation.URI != "file:///proc/net/tcp" ||
		first.Locations[0].PhysicalLocation.Region.StartLine != 3 {
		t.Errorf("NET-01 is %+v", first)
	}
	if len(run.Results[1].Suppressions) != 1 {
		t.Error("the waived result is not suppressed")
	}
}

func TestMerge(t *testing.T) {
	r := sample()
	scanned := `{"schema":"slabgate.probe/1","from":"semi","records":[{"id":"PRB-01","severity":"critical","status":"fail","text":"open","evidence":[]}]}`
	from, err := r.Merge([]byte(scanned))
	if err != nil || from != "semi" {
		t.Fatalf("from %q, %v", from, err)
	}
	last := r.Records[len(r.Records)-1]
	if last.Scope != "semi" || last.Fix == nil || last.Score != weights[Critical] || r.Counts.Critical != 2 {
		t.Errorf("merged as %+v, %+v", last, r.Counts)
	}
	for name, text := range map[string]string{
		"no JSON":       "nothing",
		"another form":  `{"schema":"slabgate.status/1","from":"semi"}`,
		"no vantage":    `{"schema":"slabgate.probe/1"}`,
		"other vantage": `{"schema":"slabgate.probe/1","from":"moon"}`,
		"no severity":   `{"schema":"slabgate.probe/1","from":"semi","records":[{"id":"PRB-01","status":"fail"}]}`,
		"no status":     `{"schema":"slabgate.probe/1","from":"semi","records":[{"id":"PRB-01","severity":"low"}]}`,
	} {
		if _, err := r.Merge([]byte(text)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
