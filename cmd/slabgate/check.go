package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/finding"
)

// checkCommand is `slabgate check`.
type checkCommand struct {
	source
	out        output
	strict     bool
	showOrigin bool
}

func newCheck(io stdio) *cobra.Command {
	var c checkCommand
	cmd := &cobra.Command{
		Use:     "check",
		Aliases: []string{"validate"},
		Short:   "Validate config, policy, certificates and file modes exactly as run would, then exit.",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return c.run(io) },
	}
	c.bind(cmd)
	cmd.Flags().StringVarP((*string)(&c.out), "output", "o", "text", "text or json")
	cmd.Flags().BoolVar(&c.strict, "strict", false, "exit 1 on warnings too")
	cmd.Flags().BoolVar(&c.showOrigin, "show-origin", false, "print every value and where it came from")
	return cmd
}

// checkReport is what check prints as JSON.
type checkReport struct {
	OK       bool           `json:"ok"`
	Digest   string         `json:"digest,omitempty"`
	Findings []checkFinding `json:"findings"`
	Origins  []checkOrigin  `json:"origins,omitempty"`
}

// checkFinding is a finding with names that scripts may rely on.
type checkFinding struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Col      int    `json:"col,omitempty"`
	Key      string `json:"key,omitempty"`
	Problem  string `json:"problem"`
	Effect   string `json:"effect,omitempty"`
	Fix      string `json:"fix"`
}

// checkOrigin is an origin with such names.
type checkOrigin struct {
	Key    string        `json:"key"`
	Value  string        `json:"value"`
	Source config.Source `json:"source"`
	Where  string        `json:"where,omitempty"`
}

func (c *checkCommand) run(io stdio) error {
	if err := c.out.check(); err != nil {
		return err
	}
	l := c.load(1)
	if c.out == "json" {
		if err := printJSON(io.out, c.report(l)); err != nil {
			return err
		}
	} else {
		c.print(io, l)
	}
	switch code := l.exitCode(); {
	case code != exitOK:
		return exit(code)
	case c.strict && len(l.found) > 0:
		return exit(exitFindings)
	}
	return nil
}

func (c *checkCommand) report(l *loaded) checkReport {
	r := checkReport{OK: l.snapshot != nil, Findings: checkFindings(l.found)}
	if l.snapshot != nil {
		r.Digest = l.snapshot.Digest
	}
	if c.showOrigin && l.config != nil {
		for _, o := range l.config.Origins {
			r.Origins = append(r.Origins, checkOrigin(o))
		}
	}
	return r
}

// checkFindings are findings with such names; there is always a list.
func checkFindings(found finding.List) []checkFinding {
	list := []checkFinding{}
	for _, f := range found {
		list = append(list, checkFinding{f.Severity.String(), f.Code, f.File, f.Line, f.Col, f.Key, f.Problem, f.Effect, f.Fix})
	}
	return list
}

func (c *checkCommand) print(io stdio, l *loaded) {
	printFindings(io.err, l.found, l.usersFile())
	if c.showOrigin && l.config != nil {
		w := tabwriter.NewWriter(io.out, 0, 8, 2, ' ', 0)
		for _, o := range l.config.Origins {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", o.Key, o.Value, o.Source, o.Where)
		}
		w.Flush()
	}
	if l.snapshot != nil {
		fmt.Fprintf(io.out, "check: ok, %s; digest %.12s\n", count(l.found), l.snapshot.Digest)
		return
	}
	fmt.Fprintf(io.err, "check: %s; run would refuse this configuration, and a running slabgate would keep its own\n", count(l.found))
}
