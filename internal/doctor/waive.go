package doctor

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slabgate/slabgate/internal/finding"
)

// Waivers is a file of findings that somebody answers for, as it is written.
type Waivers struct {
	Waivers []Waiver `yaml:"waivers"`
}

// Waiver says that a finding is known, who answers for it, and until when.
type Waiver struct {
	ID      string `yaml:"id"`      // of the check: NET-09
	Subject string `yaml:"subject"` // of the finding: tcp 0.0.0.0:22; empty is all of the check
	Reason  string `yaml:"reason"`
	Owner   string `yaml:"owner"`
	Expires string `yaml:"expires"` // the last day on which it counts: 2027-01-31
}

// Place says of findings where in the file of waivers their keys stand.
type Place func(finding.List) finding.List

// The records that speak of waivers themselves.
const (
	waiverExpired = "WAIVE-01"
	waiverIdle    = "WAIVE-02"
)

// Waive lays waivers over a report: a finding that one covers is shown as waived
// and counts no more. One that has expired covers nothing and is a finding of its
// own, and so is one that covers nothing though its check was run. With an error
// among the findings, which are about the file, the report stays as it was.
func Waive(r *Report, w *Waivers, place Place) (*Report, finding.List) {
	if found := w.check(r); len(found) > 0 {
		return r, place(found)
	}
	out := *r
	out.Records = slices.Clone(r.Records)
	var own []Record
	for i := range w.Waivers {
		own = append(own, out.waive(&w.Waivers[i], evidenceOf(i, place))...)
	}
	out.Records = append(out.Records, own...)
	out.Tally()
	return &out, nil
}

// evidenceOf is where waiver i stands.
func evidenceOf(i int, place Place) Evidence {
	at := place(finding.List{{Key: fmt.Sprintf("waivers[%d]", i)}})[0]
	return Evidence{Source: cmp.Or(at.File, "waivers"), Line: at.Line}
}

// waive applies one waiver and returns what is to be said of it.
func (r *Report) waive(w *Waiver, at Evidence) []Record {
	at.Text = strings.TrimSpace(w.ID + " " + w.Subject)
	if r.Time.After(w.end()) {
		return []Record{w.record(expired, r.Scope, at)}
	}
	covered, told := false, false
	for i := range r.Records {
		rec := &r.Records[i]
		if rec.ID != w.ID {
			continue
		}
		told = told || rec.Status != Skip
		if !w.covers(rec) {
			continue
		}
		covered = true
		rec.Status, rec.Score = Waived, 0
		rec.WaivedBy, rec.Reason, rec.Expires = w.Owner, w.Reason, w.Expires
	}
	if covered || !told {
		return nil // of what could not be looked at nobody knows whether it still is
	}
	return []Record{w.record(idle, r.Scope, at)}
}

func (w *Waiver) covers(rec *Record) bool {
	return rec.Found() && (w.Subject == "" || w.Subject == rec.Subject)
}

// end is the last moment at which it counts, wherever in the world it was written.
func (w *Waiver) end() time.Time {
	day, _ := time.Parse(time.DateOnly, w.Expires) // check has seen that it is one
	return day.AddDate(0, 0, 1).Add(-time.Nanosecond)
}

// complaint is what a record says of a waiver.
type complaint struct {
	id, title string
	severity  Severity
	status    Status
	text, why string
	fix       string
}

var (
	expired = complaint{waiverExpired, "no waiver has expired", Medium, Fail,
		"the waiver of %s by %s has expired on %s, and covers nothing",
		"A waiver is an exception for a time. What it covered is a finding again.",
		"mend what it covered, or let its owner decide anew and write a later day in expires"}
	idle = complaint{waiverIdle, "every waiver covers something", Low, Warn,
		"the waiver of %s by %s, until %s, covers no finding",
		"A waiver that is left over would cover the same fault when it comes back, unseen.",
		"delete the entry, or correct its id and subject"}
)

// OfWaivers are the questions that are asked of waivers themselves. Nothing runs them:
// [Waive] answers them.
func OfWaivers() (list []Check) {
	for _, c := range []complaint{expired, idle} {
		list = append(list, Check{ID: c.id, Title: c.title, Severity: c.severity, Why: c.why})
	}
	return list
}

func (w *Waiver) record(c complaint, scope string, at Evidence) Record {
	return Record{
		ID: c.id, Title: c.title, Severity: c.severity, Status: c.status, Scope: scope, Subject: at.Text,
		Text: fmt.Sprintf(c.text, at.Text, w.Owner, w.Expires), Evidence: []Evidence{at}, Why: c.why,
		Fix: &Fix{Text: c.fix}, Score: weights[c.severity],
	}
}

// check finds everything that is wrong with the file.
func (w *Waivers) check(r *Report) (found finding.List) {
	first := map[[2]string]int{}
	for i := range w.Waivers {
		entry := &w.Waivers[i]
		var l finding.List
		entry.check(&l, r)
		key := [2]string{entry.ID, entry.Subject}
		if n, twice := first[key]; twice {
			l.Errorf("SG1453", "", "keep one of the two", "the same finding is waived by entry %d already", n+1)
		} else {
			first[key] = i
		}
		found = append(found, l.Under(fmt.Sprintf("waivers[%d]", i))...)
	}
	return found
}

func (w *Waiver) check(l *finding.List, r *Report) {
	if !r.knows(w.ID) {
		l.Errorf("SG1451", "id", "write the id as the report has it: NET-09", "%q is no check of doctor or probe", clip(w.ID))
	}
	for _, must := range []struct{ key, value, fix string }{
		{"reason", w.Reason, "write why it may stay as it is"},
		{"owner", w.Owner, "write who answers for it: a person or a team"},
	} {
		if strings.TrimSpace(must.value) == "" {
			l.Errorf("SG1450", must.key, must.fix, "a waiver must have it")
		}
	}
	if _, err := time.Parse(time.DateOnly, w.Expires); err != nil {
		l.Errorf("SG1452", "expires", "write the last day on which it counts: 2027-01-31", "%q is no day", clip(w.Expires))
	}
}

// probeID is an id of slabgate probe, which is known only in scans.
var probeID = regexp.MustCompile(`^PRB-[0-9]{2}$`)

func (r *Report) knows(id string) bool {
	if probeID.MatchString(id) || slices.ContainsFunc(Checks(), func(c Check) bool { return c.ID == id }) {
		return true
	}
	return slices.ContainsFunc(r.Records, func(rec Record) bool {
		return rec.ID == id && rec.ID != waiverExpired && rec.ID != waiverIdle
	})
}

// clip is s in a length that fits a message.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
