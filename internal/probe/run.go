package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slabgate/slabgate/internal/doctor"
	"github.com/slabgate/slabgate/internal/host"
)

// Config says what is looked at, and how.
type Config struct {
	Targets    []Target
	From       string        // trusted, semi or untrusted; empty is not said, and judged as untrusted
	Authorised bool          // the owner has asked for what is more than one address by its name
	Shallow    bool          // only find out who is there
	UDP        bool          // ask over UDP too
	Active     bool          // ask whether flush_all is refused
	Rate       int           // of what is sent, a second
	Timeout    time.Duration // for a connection, a handshake, a reply
	Time       time.Duration // for all
}

// Bounds of a Config.
const (
	DefaultRate = 20
	MaxRate     = 1000
)

// Default is how it looks unless told otherwise.
func Default() Config {
	return Config{Rate: DefaultRate, Timeout: 2 * time.Second, Time: 10 * time.Minute}
}

// Validate returns everything that is wrong.
func (c *Config) Validate() error {
	var errs []error
	known := func(v doctor.Vantage) bool { return v.Name == c.From }
	if c.From != "" && !slices.ContainsFunc(doctor.Vantages, known) {
		errs = append(errs, fmt.Errorf("--from %q is not known; want trusted, semi or untrusted", c.From))
	}
	if c.Rate < 1 || c.Rate > MaxRate {
		errs = append(errs, fmt.Errorf("--rate %d is not from 1 to %d", c.Rate, MaxRate))
	}
	for flag, d := range map[string]time.Duration{"--timeout": c.Timeout, "--time": c.Time} {
		if d <= 0 || d > time.Hour {
			errs = append(errs, fmt.Errorf("%s %v is not more than 0s and at most 1h", flag, d))
		}
	}
	return errors.Join(errs...)
}

// Report is one probe, as JSON has it.
type Report struct {
	Schema    string          `json:"schema"`
	Tool      string          `json:"tool"` // slabgate and its version
	Time      time.Time       `json:"time"`
	From      string          `json:"from"`
	Source    []string        `json:"source"`    // own addresses, to be looked up in the targets' logs
	Endpoints []*Endpoint     `json:"endpoints"` // every place that was looked at
	Records   []doctor.Record `json:"records"`

	active, udp, shallow bool
}

// Run looks at all targets, one after the other. Its error is for targets that
// must not be looked at as they are written: nothing has been sent then but names
// to the resolver.
func Run(ctx context.Context, c Config) (*Report, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Time)
	defer cancel()
	r := &Report{
		Schema: doctor.ScanSchema, Time: time.Now().UTC(), From: c.From, Source: []string{}, Endpoints: []*Endpoint{},
		active: c.Active, udp: c.UDP, shallow: c.Shallow,
	}
	var all []place
	for _, t := range c.Targets {
		list, err := t.places(ctx, c.Authorised)
		switch {
		case errors.Is(err, errMany):
			return nil, err
		case err != nil:
			r.Endpoints = append(r.Endpoints, &Endpoint{Target: clean([]byte(t.Written)), Address: clean([]byte(t.Written)), State: Unreachable, Why: "no address: " + reason(err), Answers: []Answer{}})
		}
		all = append(all, list...)
	}
	s := survey{link: &link{pace: newPacer(c.Rate), timeout: c.Timeout}, udp: c.UDP, active: c.Active, deepest: value}
	if c.Shallow {
		s.deepest = greet
	}
	for _, p := range all {
		r.Endpoints = append(r.Endpoints, s.look(ctx, p))
	}
	r.Source = append(r.Source, s.sources...)
	r.judge()
	return r, nil
}

// judge makes the records.
func (r *Report) judge() {
	facts := &host.Facts{Time: r.Time, Place: host.Place{Scope: r.vantage()}}
	r.Records = doctor.Examine(facts, r.checks())
}

// vantage is the place it is judged for.
func (r *Report) vantage() string {
	if r.From == "" {
		return untrusted
	}
	return r.From
}

// Blind tells whether something was not looked at, or nothing answered where
// something has to.
func (r *Report) Blind() bool {
	return slices.ContainsFunc(r.Records, func(rec doctor.Record) bool { return rec.ID == reachID && rec.Status == doctor.Skip })
}

// Doctor is the report in doctor's form, which has JUnit and SARIF.
func (r *Report) Doctor() *doctor.Report {
	d := doctor.NewReport(&host.Facts{Time: r.Time, Place: host.Place{Scope: r.vantage()}}, r.Records)
	d.Tool = r.Tool
	return d
}
