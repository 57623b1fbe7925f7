package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/internal/finding"
)

// policyTestCommand is `slabgate policy test`.
type policyTestCommand struct {
	source
	out output
}

func newPolicyTest(io stdio) *cobra.Command {
	var c policyTestCommand
	cmd := &cobra.Command{
		Use:   "test [FILE]",
		Short: "Compile a policy and run its tests; exit 1 if one fails.",
		Long: `Compile a policy and run its tests; exit 1 if one fails. Without FILE it is the
policy of the configuration; with FILE no configuration is read. Users and groups
that a match names need not exist on this host.`,
		Example: "  slabgate policy test policy.yaml\n  slabgate policy test policy.yaml -o github",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return c.run(io, args) },
	}
	c.bind(cmd)
	cmd.Flags().StringVarP((*string)(&c.out), "output", "o", "text", "text, json or github, which annotates a pull request")
	return cmd
}

// policyTests is what policy test prints as JSON.
type policyTests struct {
	OK       bool           `json:"ok"`
	File     string         `json:"file"`
	Findings []checkFinding `json:"findings"` // of the policy itself
	Tests    []policyTest   `json:"tests"`    // none if the policy is refused

	found finding.List
}

// policyTest is one test and what came of it.
type policyTest struct {
	Test     int            `json:"test"` // from 0
	As       string         `json:"as"`
	Cmd      string         `json:"cmd"`
	Expect   string         `json:"expect"`
	OK       bool           `json:"ok"`
	Findings []checkFinding `json:"findings"` // what is not as expected

	found finding.List
}

func (c *policyTestCommand) run(io stdio, args []string) error {
	if err := c.out.check("github"); err != nil {
		return err
	}
	path, err := c.policyPath(io, args)
	if err != nil {
		return err
	}
	f, _ := readPolicyElsewhere(path)
	r := f.runTests(path, time.Now())
	switch c.out {
	case "json":
		if err := printJSON(io.out, r); err != nil {
			return err
		}
	case "github":
		r.annotate(io)
	default:
		r.print(io)
	}
	switch {
	case f.policy == nil:
		return exit((&loaded{found: f.found}).exitCode())
	case !r.OK:
		return exit(exitFindings)
	}
	return nil
}

// runTests runs the tests of f, if it is a policy.
func (f *policyFile) runTests(path string, now time.Time) policyTests {
	r := policyTests{OK: f.policy != nil, File: path, Findings: checkFindings(f.found), Tests: []policyTest{}, found: f.found}
	if f.policy == nil {
		return r
	}
	failed := map[string]finding.List{} // by the test
	for _, one := range f.at.Place(f.policy.RunTests(f.doc, now.Unix(), parseLine)) {
		test, _, _ := strings.Cut(one.Key, ".")
		failed[test] = append(failed[test], one)
	}
	for i, t := range f.doc.Tests {
		found := failed[fmt.Sprintf("tests[%d]", i)]
		r.Tests = append(r.Tests, policyTest{i, t.As, t.Cmd, t.Expect, len(found) == 0, checkFindings(found), found})
	}
	r.OK = len(failed) == 0
	return r
}

// print writes one line for each test, and for one that fails what is not as
// expected.
func (r *policyTests) print(io stdio) {
	printFindings(io.err, r.found, "")
	failed := 0
	for i := range r.Tests {
		t := &r.Tests[i]
		word := "ok  "
		if !t.OK {
			word = "FAIL"
			failed++
		}
		fmt.Fprintf(io.out, "%s  tests[%d]  %s: %s is to be %s\n", word, t.Test, visible(t.As), visible(t.Cmd), pastOf[t.Expect])
		for i := range t.found {
			fmt.Fprintf(io.out, "      %s%s\n", where(&t.found[i]), visible(t.found[i].Problem))
		}
	}
	switch {
	case len(r.Tests) > 0:
		fmt.Fprintf(io.out, "%s: %s, %d failed\n", r.File, plural(len(r.Tests), "test"), failed)
	case r.OK:
		fmt.Fprintf(io.out, "%s: there are no tests\n", r.File)
	}
}

// pastOf is what a test expects, as it reads in a sentence.
var pastOf = map[string]string{"allow": "allowed", "deny": "denied"}

// annotate writes every finding as a workflow command, which GitHub shows at its
// line of a pull request.
func (r *policyTests) annotate(io stdio) {
	found := append(finding.List{}, r.found...)
	for i := range r.Tests {
		found = append(found, r.Tests[i].found...)
	}
	for i := range found {
		f := &found[i]
		fmt.Fprintf(io.out, "::%s file=%s,line=%d,col=%d,title=%s::%s\n",
			f.Severity, forProperty.Replace(f.File), f.Line, f.Col, f.Code, forMessage.Replace(f.Problem+"; "+f.Fix))
	}
	if r.OK && len(r.Tests) == 0 {
		fmt.Fprintf(io.out, "::notice file=%s::there are no tests\n", forProperty.Replace(r.File))
	}
}

// What a workflow command may not hold as it is.
var (
	forMessage  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	forProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
