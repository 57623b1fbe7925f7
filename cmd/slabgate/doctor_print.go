package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/internal/doctor"
)

// doctorGroups are the headings of the groups of checks, by the beginning of
// their ids, in the order of the screen.
var doctorGroups = []struct{ prefix, title string }{
	{"NET", "Who can reach it"},
	{"MC", "memcached"},
	{"PX", "slabgate"},
	{"K8", "Pod"},
	{"HOST", "This machine"},
	{"PRB", "From outside"},
	{"WAIVE", "Waivers"},
}

// severityTags are what stands in brackets before a finding.
var severityTags = map[doctor.Severity]string{
	doctor.Critical: "CRIT", doctor.High: "HIGH", doctor.Medium: "MED", doctor.Low: "LOW", doctor.Info: "INFO",
}

// topFixes is how many findings the summary names.
const topFixes = 5

// printReport writes a report for a person: a line for each finding, then what to
// mend first, what was not looked at, and how exposed it all is.
func printReport(w io.Writer, r *doctor.Report, least doctor.Severity) {
	for _, g := range doctorGroups {
		printGroup(w, r, g.prefix, g.title, least)
	}
	printTop(w, r)
	printSkipped(w, r)
	for _, v := range r.Untested {
		fmt.Fprintf(w, "not tested from %s: slabgate doctor --plan prints how\n", v)
	}
	c := &r.Counts
	fmt.Fprintf(w, "\n%d critical, %d high, %d medium, %d low; %d passed, %d skipped, %d waived; %d%% of the checks could be run\n",
		c.Critical, c.High, c.Medium, c.Low, c.Pass, c.Skip, c.Waived, r.Coverage)
	fmt.Fprintf(w, "exposure %.1f of 10\n", r.Exposure)
}

func printGroup(w io.Writer, r *doctor.Report, prefix, title string, least doctor.Severity) {
	heading := title + "\n"
	for i := range r.Records {
		rec := &r.Records[i]
		if group, _, _ := strings.Cut(rec.ID, "-"); group != prefix {
			continue
		}
		line := recordLine(rec)
		if line == "" || rec.Found() && !rec.Severity.AtLeast(least) {
			continue
		}
		fmt.Fprint(w, heading, line)
		heading = ""
	}
}

// recordLine is a finding or a waived one on the screen; what passed or could not
// be told has no line of its own.
func recordLine(rec *doctor.Record) string {
	switch {
	case rec.Status == doctor.Waived:
		return fmt.Sprintf("  [waived] %s %s  by %s until %s: %s\n", rec.ID, visible(rec.Text), visible(rec.WaivedBy), rec.Expires, visible(rec.Reason))
	case rec.Found():
		text := rec.Text
		if strings.HasPrefix(rec.ID, "PRB-") && rec.Subject != "" { // of a scan of several targets
			text = rec.Subject + " (" + rec.Scope + "): " + text
		}
		line := fmt.Sprintf("  [%s] %s %s  fix: %s\n", severityTags[rec.Severity], rec.ID, visible(text), visible(rec.Fix.Text))
		if len(rec.Evidence) > 0 {
			e := &rec.Evidence[0]
			line += fmt.Sprintf("         seen  %s  %s\n", visible(e.Where()), printable(e.Text))
		}
		return line
	}
	return ""
}

// printTop tells what to mend first, with the commands.
func printTop(w io.Writer, r *doctor.Report) {
	var found []*doctor.Record
	for i := range r.Records {
		if rec := &r.Records[i]; rec.Found() {
			found = append(found, rec)
		}
	}
	slices.SortStableFunc(found, func(a, b *doctor.Record) int { return cmp.Compare(b.Score, a.Score) })
	if len(found) == 0 {
		return
	}
	fmt.Fprintln(w, "\nFirst")
	for i, rec := range found[:min(len(found), topFixes)] {
		fmt.Fprintf(w, "  %d. %s %s\n", i+1, rec.ID, visible(rec.Fix.Text))
		for _, c := range rec.Fix.Commands {
			fmt.Fprintf(w, "       $ %s\n", visible(c))
		}
		for line := range strings.Lines(rec.Fix.Config) {
			fmt.Fprintf(w, "       | %s\n", visible(strings.TrimRight(line, "\n")))
		}
	}
	if len(found) > 1 {
		fmt.Fprintln(w, "  One at a time: each is for what runs now, so run doctor again before the next.")
	}
}

// printSkipped tells what could not be looked at, the same reason once.
func printSkipped(w io.Writer, r *doctor.Report) {
	var reasons []string
	ids := map[string][]string{}
	for i := range r.Records {
		rec := &r.Records[i]
		if rec.Status != doctor.Skip {
			continue
		}
		if _, known := ids[rec.Text]; !known {
			reasons = append(reasons, rec.Text)
		}
		if !slices.Contains(ids[rec.Text], rec.ID) {
			ids[rec.Text] = append(ids[rec.Text], rec.ID)
		}
	}
	if len(reasons) == 0 {
		return
	}
	fmt.Fprintln(w, "\nSkipped")
	for _, why := range reasons {
		fmt.Fprintf(w, "  %s  %s\n", strings.Join(ids[why], " "), visible(why))
	}
}
