package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// goal is what slabgate is meant to reach: a figure of one of its rows, divided by
// that of a rival, or as it is if there is none.
type goal struct {
	cell  string
	row   string
	rival string // a row, or one of the names below
	by    figure
	bound float64
	least bool // the bound is a minimum; else a maximum
}

// Rivals that are found in the results: the best terminator of the cell, as it is
// usually run, and with client certificates.
const (
	bestTerminator = "best terminator"
	bestMutual     = "best terminator with mTLS"
	none           = ""
)

// goals are printed in this order.
var goals = []goal{
	{"1x1", "slabgate", bestTerminator, perSecond, 1.5, true},
	{"1x1", "slabgate", "memcached -Z", perSecond, 0.7, true},
	{"16x1", "slabgate", bestTerminator, perSecond, 1.4, true},
	{"16x1", "slabgate", "memcached -Z", perSecond, 0.8, true},
	{"64x1", "slabgate", bestTerminator, perSecond, 1.8, true},
	{"64x1", "slabgate", "memcached -Z", perSecond, 1.0, true},
	{"256x1", "slabgate", bestTerminator, perSecond, 1.8, true},
	{"256x1", "slabgate", "memcached -Z", perSecond, 1.0, true},
	{"16x16", "slabgate", bestTerminator, perSecond, 2.5, true},
	{"16x16", "slabgate", "memcached -Z", perSecond, 2.5, true},
	{"64x16", "slabgate", bestTerminator, perSecond, 3, true},
	{"64x16", "slabgate", "memcached -Z", perSecond, 3, true},
	{"256x16", "slabgate", bestTerminator, perSecond, 3, true},
	{"256x16", "slabgate", "memcached -Z", perSecond, 3, true},
	{"100KB", "slabgate", bestTerminator, perSecond, 1.1, true},
	{"100KB", "slabgate", "memcached -Z", perSecond, 1.0, true},
	{"handshake", "slabgate server-auth", bestTerminator, perSecond, 1.1, true},
	{"handshake", "slabgate server-auth", "memcached -Z", perSecond, 1.0, true},
	{"handshake", "slabgate", bestMutual, perSecond, 1.1, true},
	{"handshake", "slabgate", "memcached -Z mTLS", perSecond, 1.0, true},
	{"64x1", "slabgate", bestTerminator, chainCPU, 0.5, false},
	{"64x1", "slabgate", "memcached -Z", chainCPU, 1.2, false},
	{"open", "slabgate", bestTerminator, p99, 1.0, false},
	{"idle", "slabgate", none, perConn, 22, false},
	{"64x1", "slabgate meta", "slabgate", perSecond, 0.85, true},
	{"64x1", "slabgate binary SASL", "slabgate", perSecond, 0.85, true},
	{"64x16", "slabgate meta", "slabgate", perSecond, 0.85, true},
	{"64x16", "slabgate binary SASL", "slabgate", perSecond, 0.85, true},
}

// verdict is a goal and what came of it.
type verdict struct {
	Cell   string  `json:"case"`
	Row    string  `json:"row"`
	Figure string  `json:"figure"`
	Rival  string  `json:"rival,omitempty"`
	Bound  float64 `json:"bound"`
	Is     float64 `json:"is"`
	Result string  `json:"result"` // pass, MISS, or not measured
}

// judge holds the results against the goals.
func (b *bench) judge() (list []verdict) {
	for i := range goals {
		list = append(list, b.judgeOne(&goals[i]))
	}
	return list
}

// judgeOne holds one goal against the results.
func (b *bench) judgeOne(g *goal) verdict {
	v := verdict{Cell: g.cell, Row: g.row, Figure: g.by.name, Rival: g.rival, Bound: g.bound, Result: "not measured"}
	rival := b.rival(g)
	if rival == none {
		v.Is = b.middle(g.cell, g.row, g.by)
	} else {
		v.Is = b.ratio(g.cell, g.by, g.row, rival)
	}
	if v.Is <= 0 {
		return v
	}
	if rival != g.rival {
		v.Rival += " (" + rival + ")"
	}
	v.Result = "MISS"
	if (v.Is >= g.bound) == g.least {
		v.Result = "pass"
	}
	return v
}

// rival is the name of the row that a goal is held against. The best terminator is
// the one with the best median of the figure in the cell.
func (b *bench) rival(g *goal) string {
	suffix, found := map[string]string{bestTerminator: plain.suffix, bestMutual: mutualTLS.suffix}[g.rival]
	if !found {
		return g.rival
	}
	best, name := 0.0, g.rival
	for i := range peers {
		row := peers[i].name + suffix
		is := b.middle(g.cell, row, g.by)
		if peers[i].role == terminator && is > 0 && (best == 0 || (is > best) == g.least) {
			best, name = is, row
		}
	}
	return name
}

// printGoals writes what came of every goal, whether it was measured or not.
func printGoals(out io.Writer, list []verdict) {
	fmt.Fprint(out, "\ntargets\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, v := range list {
		against := v.Rival
		if against != "" {
			against = "× " + against
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\tis %.2f\ttarget %g\n", v.Result, v.Cell, v.Row, v.Figure, against, v.Is, v.Bound)
	}
	w.Flush()
}
