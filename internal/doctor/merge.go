package doctor

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Vantage is a place to look from, in the words of `slabgate probe --from`.
type Vantage struct {
	Name  string
	Place string // where that is
	Want  string // what it should see
}

// Vantages are the three places a service must be looked at from.
var Vantages = []Vantage{
	{"trusted", "the same host or pod, as another user than slabgate and memcached",
		"memcached does not answer; slabgate asks for TLS or a login"},
	{"semi", "another host of the same subnet, or another pod of the same namespace",
		"memcached does not answer, over TCP or UDP; slabgate speaks TLS alone, and demands a certificate or a login"},
	{"untrusted", "another network, such as the internet or a guest network",
		"nothing answers; or slabgate, with TLS alone, and demands a certificate or a login"},
}

// scan is what doctor reads of the JSON of `slabgate probe`.
type scan struct {
	Schema  string    `json:"schema"`
	Time    time.Time `json:"time"`
	From    string    `json:"from"`
	Records []Record  `json:"records"`
}

// Merge adds the records of one scan of slabgate probe, as JSON, to the report and
// returns the vantage it was made from.
func (r *Report) Merge(data []byte) (from string, err error) {
	var s scan
	if err := json.Unmarshal(data, &s); err != nil {
		return "", fmt.Errorf("not the JSON of slabgate probe: %w", err)
	}
	known := func(v Vantage) bool { return v.Name == s.From }
	switch {
	case s.Schema != ScanSchema:
		return "", fmt.Errorf("its schema is %q, not %q: made by another version, or by something else", s.Schema, ScanSchema)
	case !slices.ContainsFunc(Vantages, known):
		return "", fmt.Errorf("it does not say where it was made from: run slabgate probe with --from")
	}
	for i := range s.Records {
		if err := s.Records[i].adopt(s.From); err != nil {
			return "", err
		}
	}
	if !s.looked() {
		return "", fmt.Errorf("it has looked at nothing: no target answered, or none was asked")
	}
	r.Records = append(r.Records, s.Records...)
	r.Tally()
	return s.From, nil
}

// looked tells whether a scan has come to a result about anything.
func (s *scan) looked() bool {
	return slices.ContainsFunc(s.Records, func(rec Record) bool { return rec.Status != Skip })
}

// adopt makes a record of somebody else's file one that may be relied on.
func (r *Record) adopt(from string) error {
	_, known := ParseSeverity(string(r.Severity))
	if !known || !slices.Contains([]Status{Pass, Fail, Warn, Skip, Waived}, r.Status) {
		return fmt.Errorf("record %q has severity %q and status %q", r.ID, r.Severity, r.Status)
	}
	r.Scope, r.Score = from, 0
	if r.Evidence == nil {
		r.Evidence = []Evidence{}
	}
	if r.Found() {
		r.Score = weights[r.Severity]
		if r.Fix == nil {
			r.Fix = &Fix{}
		}
	}
	return nil
}
