package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
)

// figure is one number of a sample.
type figure struct {
	name   string
	format string
	of     func(sample) float64
}

var (
	perSecond = figure{"per second", "%.0f", func(s sample) float64 { return s.PerSecond }}
	chainCPU  = figure{"CPU µs", "%.1f", func(s sample) float64 { return s.ProxyCPU + s.MemcachedCPU }}
	p99       = figure{"p99 µs", "%.0f", func(s sample) float64 { return s.P99 }}
	perConn   = figure{"KiB a connection", "%.1f", func(s sample) float64 { return s.PerConn }}
)

// columns are those of a table. One that has nothing to say is left out.
var columns = []figure{
	perSecond,
	{"proxy CPU µs", "%.1f", func(s sample) float64 { return s.ProxyCPU }},
	{"memcached CPU µs", "%.1f", func(s sample) float64 { return s.MemcachedCPU }},
	{"p50 µs", "%.0f", func(s sample) float64 { return s.P50 }},
	p99,
	{"p99.9 µs", "%.0f", func(s sample) float64 { return s.P999 }},
	{"RSS MiB", "%.1f", func(s sample) float64 { return s.RSS / 1024 }},
	perConn,
}

// of returns the samples of a row in a cell, by round.
func (b *bench) of(cell, row string) (list []sample) {
	for _, s := range b.samples {
		if s.Cell == cell && s.Row == row {
			list = append(list, s)
		}
	}
	return list
}

// middle is the median of a figure over the rounds.
func (b *bench) middle(cell, row string, f figure) float64 {
	var values []float64
	for _, s := range b.of(cell, row) {
		values = append(values, f.of(s))
	}
	return median(values)
}

// ratio is the median, over the rounds, of one row's figure divided by another's
// in the same round. It is 0 if either row is missing.
func (b *bench) ratio(cell string, f figure, row, rival string) float64 {
	var ratios []float64
	mine, others := b.of(cell, row), b.of(cell, rival)
	for i := range min(len(mine), len(others)) {
		if other := f.of(others[i]); other > 0 {
			ratios = append(ratios, f.of(mine[i])/other)
		}
	}
	return median(ratios)
}

// print writes the table of a cell. The ratio is that of the cell's own figure.
func (b *bench) print(c *cell) {
	rows, shown := b.rowsOf(c), b.columnsOf(c)
	fmt.Fprintf(b.out, "\n%s: %s\n", c.name, c.what)
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "row\t")
	for _, f := range shown {
		fmt.Fprintf(w, "%s\t", f.name)
	}
	fmt.Fprintf(w, "slabgate ÷ row, %s\t\n", c.by.name)
	for _, row := range rows {
		fmt.Fprintf(w, "%s\t", row)
		for _, f := range shown {
			fmt.Fprintf(w, f.format+"\t", b.middle(c.name, row, f))
		}
		fmt.Fprintf(w, "%.2f\t\n", b.ratio(c.name, c.by, "slabgate", row))
	}
	w.Flush()
}

// rowsOf are the rows that have samples of a cell.
func (b *bench) rowsOf(c *cell) (names []string) {
	for _, r := range b.rig.rows {
		if len(b.of(c.name, r.name)) > 0 {
			names = append(names, r.name)
		}
	}
	return names
}

// columnsOf are the figures that some row of a cell has.
func (b *bench) columnsOf(c *cell) (shown []figure) {
	for _, f := range columns {
		if slices.ContainsFunc(b.samples, func(s sample) bool { return s.Cell == c.name && f.of(s) > 0 }) {
			shown = append(shown, f)
		}
	}
	return shown
}

// document is what -json writes.
type document struct {
	Cores    int               `json:"cores"`
	Arch     string            `json:"arch"`
	Rounds   int               `json:"rounds"`
	Each     string            `json:"each"`
	Rate     int               `json:"rate"`
	Versions map[string]string `json:"versions"`
	Samples  []sample          `json:"samples"`
	Targets  []verdict         `json:"targets"`
}

func (b *bench) writeJSON(path string, targets []verdict) error {
	text, err := json.MarshalIndent(document{
		Cores: runtime.NumCPU(), Arch: runtime.GOARCH, Rounds: b.rounds, Each: b.each.String(), Rate: b.rate,
		Versions: b.rig.versions, Samples: b.samples, Targets: targets,
	}, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
