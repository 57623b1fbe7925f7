package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/policy"
)

// policyDiffCommand is `slabgate policy diff`.
type policyDiffCommand struct{ out output }

func newPolicyDiff(io stdio) *cobra.Command {
	var c policyDiffCommand
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Tell what a new policy changes for clients, and exit 1 if anything.",
		Long: `Tell what a new policy changes for clients, and exit 1 if anything: identities,
their settings, matches and rules, after defaults and roles; and requests that only
one of the two policies allows. Those are made of the commands and of the patterns
of both, so that not every request is tried.`,
		Example: "  slabgate policy diff /etc/slabgate/policy.yaml policy.yaml",
		Args:    cobra.ExactArgs(2),
		RunE:    func(_ *cobra.Command, args []string) error { return c.run(io, args[0], args[1]) },
	}
	cmd.Flags().StringVarP((*string)(&c.out), "output", "o", "text", "text or json")
	return cmd
}

func (c *policyDiffCommand) run(io stdio, was, is string) error {
	if err := c.out.check(); err != nil {
		return err
	}
	var versions [2]policy.Version
	for i, path := range []string{was, is} {
		f, written := readPolicyElsewhere(path)
		if f.policy == nil {
			return refusePolicy(io, f.found)
		}
		versions[i] = policy.Version{Doc: written, Policy: f.policy}
	}
	d := policy.Diff(versions[0], versions[1], time.Now().Unix(), parseLine)
	if c.out == "json" {
		if err := printJSON(io.out, newPolicyDifference(&d)); err != nil {
			return err
		}
	} else {
		printDifference(io, &d)
	}
	if !d.Equal() {
		return exit(exitFindings)
	}
	return nil
}

// policyDifference is a difference with names that scripts may rely on.
type policyDifference struct {
	Equal   bool           `json:"equal"`
	Changes []policyChange `json:"changes"`
	Answers []policyAnswer `json:"answers"`
}

type policyChange struct {
	Identity string `json:"identity,omitempty"`
	What     string `json:"what"`
	Was      string `json:"was,omitempty"`
	Is       string `json:"is,omitempty"`
}

type policyAnswer struct {
	Identity string   `json:"identity"`
	Key      string   `json:"key,omitempty"`
	When     string   `json:"when,omitempty"`
	Commands []string `json:"commands"`
	Sample   string   `json:"sample"`
	Was      string   `json:"was"`
	Is       string   `json:"is"`
}

func newPolicyDifference(d *policy.Difference) policyDifference {
	out := policyDifference{Equal: d.Equal(), Changes: []policyChange{}, Answers: []policyAnswer{}}
	for _, c := range d.Changes {
		out.Changes = append(out.Changes, policyChange(c))
	}
	for _, a := range d.Answers {
		out.Answers = append(out.Answers, policyAnswer{a.Identity, a.Key, a.When, a.Commands, a.Sample, a.Was.String(), a.Is.String()})
	}
	return out
}

// mostDifferences bounds what is printed, in lines.
const mostDifferences = 40

// printDifference writes a difference for a person.
func printDifference(io stdio, d *policy.Difference) {
	if d.Equal() {
		fmt.Fprintln(io.out, "nothing changes for clients")
		return
	}
	lines := append(changeLines(d.Changes), answerLines(d.Answers)...)
	for _, line := range lines[:min(len(lines), mostDifferences)] {
		fmt.Fprintln(io.out, visible(line))
	}
	if more := len(lines) - mostDifferences; more > 0 {
		fmt.Fprintf(io.out, "and %s; -o json has all\n", plural(more, "more line"))
	}
}

// changeLines are what is written differently, under the identity it is about.
func changeLines(changes []policy.Change) (lines []string) {
	for i, c := range changes {
		if i == 0 || c.Identity != changes[i-1].Identity {
			lines = append(lines, headingOf(c.Identity))
		}
		for _, side := range []struct{ sign, text string }{{"-", c.Was}, {"+", c.Is}} {
			if side.text != "" {
				lines = append(lines, fmt.Sprintf("  %s %s: %s", side.sign, c.What, side.text))
			}
		}
	}
	return lines
}

// headingOf is what the changes of an identity stand under.
func headingOf(identity string) string {
	if identity == "" {
		return "for all"
	}
	return "identity " + identity
}

// answerLines are what is answered differently, by what that does to clients.
func answerLines(answers []policy.Answer) (lines []string) {
	last := ""
	for i := range answers {
		a := &answers[i]
		if head := effectOf(a); head != last {
			lines, last = append(lines, head), head
		}
		line := "  " + a.Identity
		if a.Key != "" {
			line += fmt.Sprintf("  %q", a.Key)
		}
		line += fmt.Sprintf("  %s: %s -> %s", strings.Join(a.Commands, ", "), a.Was, a.Is)
		if a.When != "" {
			line += " " + a.When
		}
		lines = append(lines, line)
	}
	return lines
}

// effectOf is what clients make of an answer.
func effectOf(a *policy.Answer) string {
	switch {
	case a.Allows():
		return "newly allowed"
	case a.Denies():
		return "newly denied"
	}
	return "allowed as before, and reported in another way"
}
