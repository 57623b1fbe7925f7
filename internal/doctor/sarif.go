package doctor

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// SARIF is the report in SARIF 2.1.0 (OASIS), the form that code hosts show as
// alerts: a rule for each check, a result for each finding.
func (r *Report) SARIF() any {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "slabgate doctor", Version: strings.TrimPrefix(r.Tool, "slabgate "), URI: "https://github.com/slabgate/slabgate", Rules: []sarifRule{}}
	at := map[string]int{}
	for i := range r.Records {
		rec := &r.Records[i]
		if _, known := at[rec.ID]; !known {
			at[rec.ID] = len(run.Tool.Driver.Rules)
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rec.sarifRule())
		}
		if rec.Found() || rec.Status == Waived {
			run.Results = append(run.Results, rec.sarifResult(at[rec.ID]))
		}
	}
	return sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}}
}

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	URI     string      `json:"informationUri"`
	Rules   []sarifRule `json:"rules"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifRule struct {
	ID         string         `json:"id"`
	Short      sarifText      `json:"shortDescription"`
	Full       sarifText      `json:"fullDescription"`
	Config     sarifLevel     `json:"defaultConfiguration"`
	Properties map[string]any `json:"properties"`
}

type sarifLevel struct {
	Level string `json:"level"`
}

type sarifResult struct {
	Rule         string             `json:"ruleId"`
	Index        int                `json:"ruleIndex"`
	Level        string             `json:"level"`
	Message      sarifText          `json:"message"`
	Locations    []sarifLocation    `json:"locations"`
	Fingerprints map[string]string  `json:"partialFingerprints"`
	Suppressions []sarifSuppression `json:"suppressions,omitempty"`
}

type sarifLocation struct {
	Physical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region *sarifRegion `json:"region,omitempty"`
	} `json:"physicalLocation"`
}

type sarifRegion struct {
	StartLine int `json:"startLine"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Justification string `json:"justification"`
}

// sarifOf are a severity's level, and the score by which code hosts sort
// (0 to 10, as in CVSS).
var sarifOf = map[Severity]struct{ level, score string }{
	Critical: {"error", "9.5"}, High: {"error", "8.0"}, Medium: {"warning", "5.0"}, Low: {"note", "2.0"}, Info: {"note", "0.0"},
}

func (rec *Record) sarifRule() sarifRule {
	s := sarifOf[rec.Severity]
	return sarifRule{
		ID: rec.ID, Short: sarifText{rec.Title}, Full: sarifText{rec.Why}, Config: sarifLevel{s.level},
		Properties: map[string]any{"security-severity": s.score, "tags": []string{"security", rec.Scope}},
	}
}

func (rec *Record) sarifResult(index int) sarifResult {
	text := rec.Text
	if rec.Fix != nil && rec.Fix.Text != "" {
		text += ". Fix: " + rec.Fix.Text
	}
	res := sarifResult{
		Rule: rec.ID, Index: index, Level: sarifOf[rec.Severity].level, Message: sarifText{text},
		Fingerprints: map[string]string{"slabgate/v1": rec.ID + " " + rec.Subject},
	}
	for _, e := range rec.Evidence {
		res.Locations = append(res.Locations, e.sarifLocation())
	}
	if len(res.Locations) == 0 { // code hosts show no result without a place
		res.Locations = append(res.Locations, (&Evidence{Source: "host"}).sarifLocation())
	}
	if rec.Status == Waived {
		res.Suppressions = []sarifSuppression{{"external", fmt.Sprintf("%s (%s, until %s)", rec.Reason, rec.WaivedBy, rec.Expires)}}
	}
	return res
}

// sarifLocation is evidence as a place in a file. What is no file is named all
// the same, as a relative path.
func (e *Evidence) sarifLocation() (loc sarifLocation) {
	u := url.URL{Path: strings.ReplaceAll(e.Source, " ", "-")}
	if path.IsAbs(e.Source) {
		u.Scheme = "file"
	} else {
		u.Path = "./" + strings.ReplaceAll(u.Path, ":", "-")
	}
	loc.Physical.Artifact.URI = u.String()
	if e.Line > 0 {
		loc.Physical.Region = &sarifRegion{e.Line}
	}
	return loc
}
