package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// explainCommand is `slabgate explain`.
type explainCommand struct {
	source
	out output
	as  string
	cmd string
}

func newExplain(io stdio) *cobra.Command {
	var c explainCommand
	cmd := &cobra.Command{
		Use:     "explain --as NAME --cmd 'get user:1'",
		Short:   "Walk one request through every rule: what decides, and the smallest edit that would allow it.",
		Example: "  slabgate explain --as web --cmd 'set cart:1 0 60 5'",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return c.run(io) },
	}
	c.bind(cmd)
	cmd.Flags().StringVarP((*string)(&c.out), "output", "o", "text", "text or json")
	cmd.Flags().StringVar(&c.as, "as", "", "identity, as the policy names it")
	cmd.Flags().StringVar(&c.cmd, "cmd", "", "command line, without a data block")
	for _, name := range []string{"as", "cmd"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic("BUG: " + err.Error())
		}
	}
	return cmd
}

// explanation is what explain prints as JSON.
type explanation struct {
	Identity string        `json:"identity"`
	Command  string        `json:"command"`
	Verdict  string        `json:"verdict"`
	Reason   string        `json:"reason"`
	Need     string        `json:"need,omitempty"` // the group that is not granted, if it is not the command's own
	Rule     string        `json:"rule,omitempty"`
	Steps    []explainStep `json:"steps"`
	Fix      string        `json:"fix,omitempty"`
}

type explainStep struct {
	Rule    string `json:"rule"`
	Text    string `json:"text"`
	Outcome string `json:"outcome"`
}

func (c *explainCommand) run(io stdio) error {
	if err := c.out.check(); err != nil {
		return err
	}
	l := c.load(1)
	if l.policy == nil {
		printFindings(io.err, l.found, l.usersFile())
		return exit(max(l.exitCode(), exitFindings))
	}
	id, ok := l.policy.Find(c.as)
	if !ok {
		return fail(exitUsage, "no identity is called %q; the policy has %q", c.as, l.policy.Identities())
	}
	if hint := opcodeHint(c.cmd); hint != "" {
		return fail(exitUsage, "%s", hint)
	}
	e := c.explain(id)
	if c.out == "json" {
		return printJSON(io.out, e)
	}
	e.print(io)
	return nil
}

// opcodeHint says how to ask about cmd instead if it begins with the name of an
// opcode of the binary protocol, quiet or not; else it is empty. An opcode is no
// command line, and to call it denied for that would be wrong: it is decided on
// by the name of the classic command.
func opcodeHint(cmd string) string {
	word, args, _ := strings.Cut(strings.TrimSpace(cmd), " ")
	grant := grantOfOpcode(word)
	if grant == "" {
		return ""
	}
	line := strings.TrimSpace(grant + " " + args)
	if _, err := parseLine(line); err != nil {
		return fmt.Sprintf("%s is granted as %s: ask with a command line of %s", word, grant, grant)
	}
	return fmt.Sprintf("%s is granted as %s: ask with '%s'", word, grant, line)
}

// grantOfOpcode is what a policy calls the opcode named name, in capitals as in
// the table, or with the Q of its quiet twin. It is empty for any other name, and
// for the logins, which no policy decides on.
func grantOfOpcode(name string) string {
	for _, v := range protocol.Verbs() {
		opcode := v.Name == strings.ToUpper(v.Name) && v.Category != protocol.CatAuth
		if opcode && (name == v.Name || name == v.Name+"Q") {
			return v.Grant
		}
	}
	return ""
}

// explain asks the policy, unless the request would not reach it.
func (c *explainCommand) explain(id *policy.Identity) explanation {
	e := explanation{Identity: c.as, Command: c.cmd, Steps: []explainStep{}}
	req, err := parseLine(c.cmd)
	if err != nil {
		e.Verdict, e.Reason = policy.Deny.String(), "it is refused before the policy is asked: "+err.Error()
		return e
	}
	x := id.Explain(req, &policy.At{Now: time.Now().Unix(), TLS: true})
	e.Verdict, e.Reason = x.Decision.Verdict.String(), x.Decision.Reason.Text()
	e.Rule, e.Fix = x.Decision.Rule.String(), x.Fix
	if x.Decision.Need != req.Verb.Category {
		e.Need = policy.GroupName(x.Decision.Need)
	}
	for _, s := range x.Steps {
		e.Steps = append(e.Steps, explainStep{s.Rule.String(), s.Text, s.Outcome.String()})
	}
	return e
}

func (e *explanation) print(io stdio) {
	fmt.Fprintf(io.out, "%s  %s as %q: %s\n", e.Verdict, e.Command, e.Identity, e.Reason)
	if e.Need != "" {
		fmt.Fprintf(io.out, "  need    %s\n", e.Need)
	}
	if e.Rule != "" {
		fmt.Fprintf(io.out, "  rule    %s\n", e.Rule)
	}
	for _, s := range e.Steps {
		fmt.Fprintf(io.out, "  %-11s %s: %s\n", s.Outcome, s.Rule, s.Text)
	}
	if e.Fix != "" {
		fmt.Fprintf(io.out, "  fix     %s\n", e.Fix)
	}
}
