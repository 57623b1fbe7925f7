package doctor

import (
	"math"
	"slices"
	"time"

	"github.com/slabgate/slabgate/internal/host"
)

// Schema names the form of a [Report]. It changes when a field is renamed, taken
// away or given another meaning; a new field does not change it.
const Schema = "slabgate.doctor/1"

// ScanSchema names the form of what slabgate probe writes, in the same way.
const ScanSchema = "slabgate.probe/1"

// Report is what doctor found, with who looked at what.
type Report struct {
	Schema   string    `json:"schema"`
	Tool     string    `json:"tool"` // slabgate and its version
	Time     time.Time `json:"time"`
	Host     string    `json:"host"`
	Scope    string    `json:"scope"` // host, container or pod
	Offline  bool      `json:"offline,omitempty"`
	UID      int       `json:"uid"`
	Root     bool      `json:"root"`     // it looked with the privileges of root
	Coverage int       `json:"coverage"` // per cent of the checks with something to look at that could be run
	Exposure float64   `json:"exposure"` // 0.0 nothing found to 10.0
	Counts   Counts    `json:"counts"`
	Unseen   []string  `json:"unseen,omitempty"`   // what could not be looked at, and why
	Untested []string  `json:"untested,omitempty"` // vantages that no scan was made from
	Records  []Record  `json:"records"`
}

// Counts are how many records there are of each kind.
type Counts struct {
	Critical int `json:"critical"`
	High     int `json:"high"`
	Medium   int `json:"medium"`
	Low      int `json:"low"`
	Info     int `json:"info"`
	Pass     int `json:"pass"`
	Skip     int `json:"skip"`
	Waived   int `json:"waived"`
}

// Record is one verdict with the check it belongs to, in names that scripts may
// rely on.
type Record struct {
	ID       string     `json:"id"`
	Title    string     `json:"title"`
	Severity Severity   `json:"severity"`
	Status   Status     `json:"status"`
	Scope    string     `json:"scope"`
	Subject  string     `json:"subject,omitempty"`
	Text     string     `json:"text"`
	Evidence []Evidence `json:"evidence"`
	Why      string     `json:"why"`
	Fix      *Fix       `json:"fix,omitempty"`
	Refs     []string   `json:"refs,omitempty"`
	Score    float64    `json:"score"` // its weight in the exposure; 0 unless it failed
	WaivedBy string     `json:"waived_by,omitempty"`
	Reason   string     `json:"reason,omitempty"`  // of the waiver
	Expires  string     `json:"expires,omitempty"` // of the waiver, as 2027-01-31
	Critical bool       `json:"startup"`           // every start looks at it
	Moot     bool       `json:"moot,omitempty"`    // skipped, as nothing is here that it could be about
}

func (c *Check) record(v Verdict, scope string) Record {
	r := Record{
		ID: c.ID, Title: c.Title, Severity: c.Severity, Status: v.Status, Scope: scope, Subject: v.Subject,
		Text: v.Text, Evidence: v.Evidence, Why: c.Why, Refs: c.Refs, Critical: c.Critical, Moot: v.Moot,
	}
	if v.Severity != "" {
		r.Severity = v.Severity
	}
	if r.Evidence == nil {
		r.Evidence = []Evidence{}
	}
	if r.Found() {
		r.Fix = &v.Fix
		r.Score = weights[r.Severity]
	}
	return r
}

// Found tells whether the record is a finding that nobody has waived.
func (r *Record) Found() bool { return r.Status == Fail || r.Status == Warn }

// weights are what a finding of each severity adds to the exposure, at most.
var weights = map[Severity]float64{Critical: 9, High: 6.5, Medium: 3.5, Low: 1, Info: 0}

// exposure is 0 for nothing and 10 for the worst: the heaviest finding, and a
// share of what is left to 10 for each further one, ever smaller.
func exposure(records []Record) float64 {
	var scores []float64
	for i := range records {
		if records[i].Score > 0 {
			scores = append(scores, records[i].Score)
		}
	}
	slices.Sort(scores)
	slices.Reverse(scores)
	total, share := 0.0, 1.0
	for _, s := range scores {
		total += (10 - total) * s / 10 * share
		share /= 2
	}
	return math.Round(total*10) / 10
}

// NewReport puts the records of one examination together, the worst first within
// the order of the checks left as it is.
func NewReport(facts *host.Facts, records []Record) *Report {
	r := &Report{
		Schema: Schema, Time: facts.Time, Scope: facts.Place.Scope, Offline: !facts.Live,
		UID: facts.Self.UID, Root: facts.Self.UID == 0, Records: records,
	}
	for _, u := range facts.Unseen {
		r.Unseen = append(r.Unseen, u.What+": "+u.Why)
	}
	r.Tally()
	return r
}

// Tally counts the records again, after waivers or another report were laid over
// them.
func (r *Report) Tally() {
	r.Counts = Counts{}
	found := map[Severity]*int{
		Critical: &r.Counts.Critical, High: &r.Counts.High, Medium: &r.Counts.Medium, Low: &r.Counts.Low, Info: &r.Counts.Info,
	}
	other := map[Status]*int{Pass: &r.Counts.Pass, Skip: &r.Counts.Skip, Waived: &r.Counts.Waived}
	ran, all := map[string]bool{}, map[string]bool{}
	for i := range r.Records {
		rec := &r.Records[i]
		if !rec.Moot {
			all[rec.ID] = true
			ran[rec.ID] = ran[rec.ID] || rec.Status != Skip
		}
		if rec.Found() {
			*found[rec.Severity]++
		} else {
			*other[rec.Status]++
		}
	}
	r.Exposure = exposure(r.Records)
	r.Coverage = 100
	if len(all) > 0 {
		done := 0
		for _, ok := range ran {
			if ok {
				done++
			}
		}
		r.Coverage = done * 100 / len(all)
	}
}

// Worst tells whether there is a finding of at least a severity.
func (r *Report) Worst(atLeast Severity) bool {
	return slices.ContainsFunc(r.Records, func(rec Record) bool {
		return rec.Found() && rec.Severity.AtLeast(atLeast)
	})
}

// Blind tells whether part of what every start looks at could not be looked at.
func (r *Report) Blind() bool {
	done := map[string]bool{}
	for i := range r.Records {
		if rec := &r.Records[i]; rec.Critical && !rec.Moot {
			done[rec.ID] = done[rec.ID] || rec.Status != Skip
		}
	}
	for _, ok := range done {
		if !ok {
			return true
		}
	}
	return false
}
