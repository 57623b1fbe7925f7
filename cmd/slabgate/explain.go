package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// explainCommand is `slabgate explain`.
type explainCommand struct {
	adminFlags
	out output
	as  string
	cmd string

	from      string
	plaintext bool
	when      policy.Instant // zero is now
}

func newExplain(io stdio) *cobra.Command {
	var c explainCommand
	cmd := &cobra.Command{
		Use:   "explain ID | --as NAME --cmd 'get user:1'",
		Short: "Walk one request through every rule: what decides, and the smallest edit that would allow it.",
		Long: `Walk one request through every rule: what decides, and the smallest edit that
would allow it. With the ID of a denial it is the latest of those, and the policy
is the one in force in the slabgate that runs; slabgate denials lists ids. With
--as and --cmd it is any request, and the policy is read from its file.`,
		Example: "  slabgate explain 7Q2AB\n  slabgate explain --as web --cmd 'set cart:1 0 60 5'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkAsked(len(args), cmd.Flags().Changed("as"), cmd.Flags().Changed("cmd")); err != nil {
				return err
			}
			if len(args) == 1 {
				return c.runDenial(cmd.Context(), io, args[0])
			}
			return c.run(io)
		},
	}
	c.bind(cmd)
	cmd.Flags().StringVarP((*string)(&c.out), "output", "o", "text", "text or json")
	cmd.Flags().StringVar(&c.as, "as", "", "identity, as the policy names it; a service account as NAME:NAMESPACE/NAME")
	cmd.Flags().StringVar(&c.cmd, "cmd", "", "command line, without a data block")
	cmd.Flags().StringVar(&c.from, "from", "", "with --cmd: address of the client")
	cmd.Flags().BoolVar(&c.plaintext, "plaintext", false, "with --cmd: the client has no TLS")
	cmd.Flags().TextVar(&c.when, "at", policy.Instant(0), "with --cmd: time of the request, such as 2027-01-01T00:00:00Z (default now)")
	cmd.Flags().Lookup("at").DefValue = ""
	cmd.MarkFlagsMutuallyExclusive("as", "socket")
	return cmd
}

// checkAsked returns an error unless explain is asked about one request: by an id,
// or by both flags. It is one of cobra's kind, as it is about the command line.
func checkAsked(ids int, as, cmd bool) error {
	switch {
	case ids == 1 && !as && !cmd || ids == 0 && as && cmd:
		return nil
	case ids == 0 && as:
		return errors.New(`"cmd" not set: --as goes with --cmd`)
	case ids == 0 && cmd:
		return errors.New(`"as" not set: --cmd goes with --as`)
	}
	return errors.New("say which request: slabgate explain ID, or slabgate explain --as NAME --cmd LINE")
}

// explanation is what explain prints as JSON.
type explanation struct {
	Identity string        `json:"identity"`
	Command  string        `json:"command"`
	Verdict  string        `json:"verdict"`
	Reason   string        `json:"reason"`
	Need     string        `json:"need,omitempty"` // the group that is not granted, if it is not the command's own
	Rule     string        `json:"rule,omitempty"`
	Root     string        `json:"namespace,omitempty"` // put before its keys, with a generation; empty if that depends on the client
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
	id, err := l.policy.As(c.as)
	if err != nil {
		return fail(exitUsage, "%w; the policy has %q", err, l.policy.Identities())
	}
	if hint := opcodeHint(c.cmd); hint != "" {
		return fail(exitUsage, "%s", hint)
	}
	at, err := c.at()
	if err != nil {
		return err
	}
	e := explainLine(id, c.cmd, at)
	if c.out == "json" {
		return printJSON(io.out, e)
	}
	e.print(io)
	return nil
}

// at is when and how the request is made.
func (c *explainCommand) at() (*policy.At, error) {
	at := &policy.At{Now: int64(c.when), TLS: !c.plaintext}
	if c.when == 0 {
		at.Now = time.Now().Unix()
	}
	if c.from == "" {
		return at, nil
	}
	var err error
	if at.From, err = netip.ParseAddr(c.from); err != nil {
		return nil, fail(exitUsage, "--from %q is not an address such as 10.2.3.4", c.from)
	}
	return at, nil
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

// explainLine asks the policy about a command line, unless it would not reach it.
func explainLine(id *policy.Identity, line string, at *policy.At) explanation {
	e := explanation{Identity: id.Name, Command: line, Steps: []explainStep{}}
	req, err := parseLine(line)
	if err != nil {
		e.Verdict, e.Reason = policy.Deny.String(), "it is refused before the policy is asked: "+err.Error()
		return e
	}
	if room, ok := id.Fits(req); !ok {
		e.Verdict, e.Reason = policy.Deny.String(), fmt.Sprintf("it is refused before the policy is asked: its namespace leaves %d bytes for a key", room)
		return e
	}
	x := id.Explain(req, at)
	e.Verdict, e.Reason = x.Decision.Verdict.String(), x.Decision.Reason.Text()
	e.Rule, e.Fix = x.Decision.Rule.String(), x.Fix
	if x.Decision.Need != req.Verb.Category {
		e.Need = policy.GroupName(x.Decision.Need)
	}
	if root, err := id.Root(&auth.Facts{}); err == nil {
		e.Root = root
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
	if e.Root != "" {
		fmt.Fprintf(io.out, "  keys    are %s, its generation, a slash and the key to memcached\n", e.Root)
	}
	for _, s := range e.Steps {
		fmt.Fprintf(io.out, "  %-11s %s: %s\n", s.Outcome, s.Rule, s.Text)
	}
	if e.Fix != "" {
		fmt.Fprintf(io.out, "  fix     %s\n", e.Fix)
	}
}
