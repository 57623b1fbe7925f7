package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/denials"
)

// denialGroup is the denials of one identity by one rule, or by none.
type denialGroup struct {
	Identity string    `json:"identity"`
	Rule     string    `json:"rule,omitempty"`
	Count    int64     `json:"count"`
	Verbs    []string  `json:"verbs"`  // sorted
	Shapes   []string  `json:"shapes"` // of the keys, sorted
	Last     time.Time `json:"last"`
	IDs      []string  `json:"ids"` // the latest first
}

// groupDenials puts a list that has the latest first into groups, those with the
// most denials first.
func groupDenials(list []denials.Entry) []*denialGroup {
	type key struct{ identity, rule string }
	byKey := map[key]*denialGroup{}
	groups := []*denialGroup{}
	for i := range list {
		e := &list[i]
		k := key{e.Identity, e.Rule}
		g := byKey[k]
		if g == nil {
			g = &denialGroup{Identity: e.Identity, Rule: e.Rule, Last: e.Last}
			byKey[k] = g
			groups = append(groups, g)
		}
		g.add(e)
	}
	slices.SortStableFunc(groups, func(a, b *denialGroup) int { return cmp.Compare(b.Count, a.Count) })
	return groups
}

func (g *denialGroup) add(e *denials.Entry) {
	g.Count += e.Count
	g.IDs = append(g.IDs, e.ID)
	g.Verbs = with(g.Verbs, e.Verb)
	if e.Shape != "" {
		g.Shapes = with(g.Shapes, e.Shape)
	}
}

// with is the sorted list with s in it.
func with(list []string, s string) []string {
	if i, found := slices.BinarySearch(list, s); !found {
		list = slices.Insert(list, i, s)
	}
	return list
}

// printGroups writes a line for each group, in columns.
func printGroups(io stdio, d *admin.Denials) {
	groups := groupDenials(d.Denials)
	fmt.Fprintf(io.out, "DENIED  %d in %d groups\n", d.Total, len(groups))
	w := tabwriter.NewWriter(io.out, 0, 8, 2, ' ', 0)
	for _, g := range groups {
		fmt.Fprintf(w, "  %s\t%s\tx%d\t%s\t%s\t%s\n", visible(g.Identity), cmp.Or(g.Rule, "no rule"), g.Count, few(g.Verbs), few(g.Shapes), few(g.IDs))
	}
	w.Flush()
	printForgotten(io, d)
}

// few is the first of many words.
func few(words []string) string {
	const most = 4
	more := ""
	if len(words) > most {
		more = fmt.Sprintf(" and %d more", len(words)-most)
		words = words[:most]
	}
	return visible(strings.Join(words, " ")) + more
}
