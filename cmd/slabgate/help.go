package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/internal/doctor"
	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/internal/probe"
	"github.com/slabgate/slabgate/policy"
)

// newHelp returns `slabgate help`, which explains commands, the codes of
// findings, the checks of doctor and the groups of a policy.
func newHelp(io stdio, root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | SG1042 | NET-01 | groups]",
		Short: "Help about a command, the code of a finding, a check of doctor, or the command groups of a policy.",
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 && strings.HasPrefix(strings.ToUpper(args[0]), "SG"):
				return helpCode(io, strings.ToUpper(args[0]))
			case len(args) == 1 && args[0] == "groups":
				helpGroups(io)
				return nil
			}
			if c := checkCalled(args); c != nil {
				helpCheck(io, c)
				return nil
			}
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return fail(exitUsage, "no command is called %q; slabgate help lists them", strings.Join(args, " "))
			}
			return cmd.Help()
		},
	}
}

func helpCode(io stdio, code string) error {
	for _, c := range finding.Codes {
		if c.Code == code {
			fmt.Fprintf(io.out, "%s  %s\n\n%s\n", c.Code, c.Title, c.Text)
			return nil
		}
	}
	return fail(exitUsage, "no finding has the code %q", code)
}

// checkCalled is the check of doctor or probe that the arguments name, or nil.
func checkCalled(args []string) *doctor.Check {
	for _, c := range slices.Concat(doctor.Checks(), probe.Checks(), doctor.OfWaivers()) {
		if len(args) == 1 && strings.EqualFold(args[0], c.ID) {
			return &c
		}
	}
	return nil
}

func helpCheck(io stdio, c *doctor.Check) {
	fmt.Fprintf(io.out, "%s  %s (%s)\n\n%s\n", c.ID, c.Title, c.Severity, c.Why)
	for _, ref := range c.Refs {
		fmt.Fprintf(io.out, "see %s\n", ref)
	}
}

func helpGroups(io stdio) {
	w := tabwriter.NewWriter(io.out, 0, 8, 2, ' ', 0)
	for _, g := range policy.Groups() {
		fmt.Fprintf(w, "%s\t%s\n", g.Name, g.About)
		if len(g.Commands) > 0 {
			fmt.Fprintf(w, "\t%s\n", strings.Join(g.Commands, " "))
		}
		if len(g.Apart) > 0 {
			fmt.Fprintf(w, "\tonly by name: %s\n", strings.Join(g.Apart, " "))
		}
	}
	w.Flush()
}
