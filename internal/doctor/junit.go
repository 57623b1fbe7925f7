package doctor

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// JUnit is the report as JUnit XML, the form that CI servers read: a suite for
// each group of checks, a case for each record.
func (r *Report) JUnit() ([]byte, error) {
	all := junitSuites{Name: "slabgate doctor", Time: r.Time.UTC().Format(time.RFC3339)}
	at := map[string]int{}
	for i := range r.Records {
		rec := &r.Records[i]
		name, _, _ := strings.Cut(rec.ID, "-")
		s, known := at[name]
		if !known {
			s = len(all.Suites)
			at[name] = s
			all.Suites = append(all.Suites, junitSuite{Name: name, Hostname: xmlText(r.Host)})
		}
		all.Suites[s].add(rec)
	}
	for i := range all.Suites {
		s := &all.Suites[i]
		all.Tests, all.Failures, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Skipped+s.Skipped
	}
	data, err := xml.MarshalIndent(all, "", "  ")
	return append([]byte(xml.Header), append(data, '\n')...), err
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"timestamp,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Hostname string      `xml:"hostname,attr,omitempty"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Failure *junitReason `xml:"failure"`
	Skipped *junitReason `xml:"skipped"`
}

type junitReason struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

func (s *junitSuite) add(rec *Record) {
	c := junitCase{Class: "slabgate." + s.Name, Name: xmlText(strings.TrimSpace(rec.ID + " " + rec.Title + " " + rec.Subject))}
	s.Tests++
	switch rec.Status {
	case Fail, Warn:
		s.Failures++
		c.Failure = &junitReason{Message: xmlText(rec.Text), Type: string(rec.Severity), Text: xmlText(rec.details())}
	case Skip:
		s.Skipped++
		c.Skipped = &junitReason{Message: xmlText(rec.Text)}
	case Waived:
		s.Skipped++
		c.Skipped = &junitReason{Message: xmlText(fmt.Sprintf("waived by %s until %s: %s", rec.WaivedBy, rec.Expires, rec.Reason))}
	}
	s.Cases = append(s.Cases, c)
}

// details is everything about a finding, a line each.
func (rec *Record) details() string {
	var b strings.Builder
	for _, e := range rec.Evidence {
		fmt.Fprintf(&b, "%s  %s\n", e.Where(), e.Text)
	}
	fmt.Fprintf(&b, "%s\n", rec.Why)
	if rec.Fix != nil {
		fmt.Fprintf(&b, "fix: %s\n", rec.Fix.Text)
		for _, c := range rec.Fix.Commands {
			fmt.Fprintf(&b, "  %s\n", c)
		}
		b.WriteString(rec.Fix.Config)
	}
	return b.String()
}

// Where is the source and, if there is one, the line.
func (e *Evidence) Where() string {
	if e.Line == 0 {
		return e.Source
	}
	return fmt.Sprintf("%s:%d", e.Source, e.Line)
}

// xmlText is s without the characters that XML cannot have, even escaped.
func xmlText(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF {
			return r
		}
		return '\uFFFD'
	}, s)
}
