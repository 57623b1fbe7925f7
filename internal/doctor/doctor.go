// Package doctor looks at the surroundings slabgate runs in and says what makes
// it worthless or weaker than it looks.
//
// A [Check] has a stable id and judges what [host.Facts] hold; it changes nothing
// and asks nobody. The tables of checks are in network.go, memcached.go,
// slabgate.go, pod.go and machine.go, and [Examine] runs them all.
package doctor

import (
	"slices"

	"github.com/slabgate/slabgate/internal/host"
)

// Severity is how bad a finding is.
type Severity string

// The severities, the worst first.
const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
	Info     Severity = "info"
)

var severities = []Severity{Critical, High, Medium, Low, Info}

// ParseSeverity returns the severity with a name.
func ParseSeverity(name string) (Severity, bool) {
	return Severity(name), slices.Contains(severities, Severity(name))
}

// AtLeast tells whether s is as bad as other, or worse.
func (s Severity) AtLeast(other Severity) bool {
	return slices.Index(severities, s) <= slices.Index(severities, other)
}

// Status is what became of a check.
type Status string

// The outcomes of a check.
const (
	Pass   Status = "pass"
	Fail   Status = "fail"
	Warn   Status = "warn" // it fails, below the severity of its kind
	Skip   Status = "skip" // it could not be told, for the reason in the text
	Waived Status = "waived"
)

// Check is one question about the surroundings.
type Check struct {
	ID       string // NET-01; stable, never given to another question
	Title    string // what is right when it passes, in a few words
	Severity Severity
	Critical bool     // belongs to what every start looks at
	Why      string   // one or two sentences: what could happen
	Refs     []string // CVE numbers, manual pages, standards
	Run      func(*host.Facts) []Verdict
}

// Verdict is an answer to a check: one for each thing it is about, at least one.
type Verdict struct {
	Status   Status
	Moot     bool     // of a skip: nothing is here that it could be about
	Severity Severity // empty is that of the check
	Subject  string   // what it is about, as a waiver names it: tcp 0.0.0.0:22; empty is all of it
	Text     string   // what was found, in one line
	Evidence []Evidence
	Fix      Fix
}

// Evidence is where something was seen.
type Evidence struct {
	Source string `json:"source"` // a file, a command or an address
	Line   int    `json:"line,omitempty"`
	Text   string `json:"text,omitempty"` // what stands there
}

// Fix is what to do about a finding.
type Fix struct {
	Text     string   `json:"text,omitempty"`
	Commands []string `json:"commands,omitempty"` // for a shell
	Config   string   `json:"config,omitempty"`   // lines of a configuration file
}

// pass, skip and fail make the usual verdicts.
func pass(text string, evidence ...Evidence) []Verdict {
	return []Verdict{{Status: Pass, Text: text, Evidence: evidence}}
}

func skip(why string) []Verdict { return []Verdict{{Status: Skip, Text: why}} }

// moot is a skip that hides nothing.
func moot(why string) []Verdict { return []Verdict{{Status: Skip, Moot: true, Text: why}} }

func fail(subject, text string, fix Fix, evidence ...Evidence) Verdict {
	return Verdict{Status: Fail, Subject: subject, Text: text, Fix: fix, Evidence: evidence}
}

// orPass is the findings, or a pass if there are none.
func orPass(found []Verdict, text string, evidence ...Evidence) []Verdict {
	if len(found) == 0 {
		return pass(text, evidence...)
	}
	return found
}

// Checks are all checks, in the order of their ids within each group.
func Checks() []Check {
	return slices.Concat(network, memcached, guard, pod, machine)
}

// Examine runs checks over what was seen. A check that has nothing to say of
// these surroundings says so as a skip.
func Examine(facts *host.Facts, checks []Check) []Record {
	records := []Record{}
	for i := range checks {
		c := &checks[i]
		for _, v := range c.Run(facts) {
			records = append(records, c.record(v, facts.Place.Scope))
		}
	}
	return records
}

// StartChecks are the checks that every start looks at.
func StartChecks() []Check {
	return slices.DeleteFunc(Checks(), func(c Check) bool { return !c.Critical })
}
