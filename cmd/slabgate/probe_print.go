package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/slabgate/slabgate/internal/doctor"
	"github.com/slabgate/slabgate/internal/probe"
)

// printProbe writes what a probe saw for a person: a line for each place that is
// there, the findings, what was not tested, and what it comes to.
func printProbe(w io.Writer, r *probe.Report) {
	fmt.Fprintf(w, "asked from %s, judged as %s\n", cmp.Or(strings.Join(r.Source, ", "), "this host"), cmp.Or(r.From, "untrusted"))
	quiet := 0
	for _, e := range r.Endpoints {
		if e.State == probe.Closed || e.State == probe.Silent {
			quiet++
			continue
		}
		fmt.Fprintf(w, "  %s  %s\n", visible(e.Address), visible(placeLine(e)))
	}
	if quiet > 0 {
		fmt.Fprintf(w, "  %d more closed or silent\n", quiet)
	}
	fmt.Fprintln(w)
	for i := range r.Records {
		if rec := &r.Records[i]; rec.Found() {
			printProbed(w, rec)
		}
	}
	for i := range r.Records {
		if rec := &r.Records[i]; rec.Status == doctor.Skip {
			fmt.Fprintf(w, "  not tested  %s %s: %s\n", rec.ID, visible(rec.Title), visible(rec.Text))
		}
	}
	printSum(w, r)
}

// placeLine is what answers at a place, in one line.
func placeLine(e *probe.Endpoint) string {
	if e.State != probe.Open {
		return string(e.State) + ": " + e.Why
	}
	words := []string{"open"}
	for i := range e.Answers {
		if a := &e.Answers[i]; a.Asked == "version" {
			words = append(words, a.Over+": "+a.Said)
		}
	}
	if t := e.TLS; t != nil {
		tls := strings.Join(t.Versions, ", ")
		if t.Refusal != "" {
			tls = "TLS, refuses with " + t.Refusal
		}
		if t.AsksCert {
			tls += ", asks for a certificate"
		}
		if !t.Until.IsZero() {
			tls += ", its own for " + cmp.Or(strings.Join(t.Names, " "), "no name") + " until " + t.Until.Format("2006-01-02")
		}
		words = append(words, tls)
	}
	for _, m := range e.Mechs {
		words = append(words, "logins over "+m.Over+": "+strings.Join(m.Names, " "))
	}
	return strings.Join(words, "; ")
}

// probedTags are what stands in brackets before a finding.
var probedTags = map[doctor.Severity]string{
	doctor.Critical: "CRIT", doctor.High: "HIGH", doctor.Medium: "MED", doctor.Low: "LOW", doctor.Info: "INFO",
}

func printProbed(w io.Writer, rec *doctor.Record) {
	fmt.Fprintf(w, "  [%s] %s %s  %s\n         fix: %s\n", probedTags[rec.Severity], rec.ID, visible(rec.Subject), visible(rec.Text), visible(rec.Fix.Text))
	for i := range rec.Evidence {
		fmt.Fprintf(w, "         seen  %s\n", visible(rec.Evidence[i].Text))
	}
}

// printSum tells what was learned, in the words of the matter.
func printSum(w io.Writer, r *probe.Report) {
	keys, values := 0, 0
	for _, e := range r.Endpoints {
		keys, values = keys+e.Keys, values+e.Values
	}
	c := r.Doctor().Counts
	fmt.Fprintf(w, "\nfindings: %d critical, %d high, %d medium, %d low; %d passed, %d not tested\n", c.Critical, c.High, c.Medium, c.Low, c.Pass, c.Skip)
	if keys+values == 0 {
		fmt.Fprintln(w, "no name of a key and no value came back")
		return
	}
	fmt.Fprintf(w, "a stranger learned the names of keys: %d, and values: %d\n", keys, values)
}
