package main

import (
	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/policy"
)

func newPolicy(io stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Test, format and compare policies, without a slabgate that runs.",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	cmd.AddCommand(newPolicyTest(io), newPolicyFormat(io), newPolicyDiff(io), newPolicyGroups(io))
	return cmd
}

func newPolicyGroups(io stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "groups",
		Short: "List the command groups of a policy, as slabgate help groups does.",
		Args:  cobra.NoArgs,
		Run:   func(*cobra.Command, []string) { helpGroups(io) },
	}
}

// policyPath is the file that args name, or that of the configuration.
func (s *source) policyPath(io stdio, args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	var found finding.List
	flags := s.flagMap(&found)
	if !found.Failed() {
		c, refused := config.Load(s.path, flags, s.environ)
		if c != nil {
			return c.Policy, nil
		}
		found = refused
	}
	return "", refusePolicy(io, found)
}

// refusePolicy tells what is wrong with a file, and ends the command.
func refusePolicy(io stdio, found finding.List) error {
	printFindings(io.err, found, "")
	return exit((&loaded{found: found}).exitCode())
}

// policyFile is a policy.yaml that was read.
type policyFile struct {
	doc    *policy.Document
	at     config.Positions
	policy *policy.Policy // nil if it is refused
	found  finding.List
}

// compile compiles what config could read of f, and adds what it finds.
func (f *policyFile) compile() {
	refused := f.found
	if f.at.Where("version") == "" && refused.Failed() {
		return // nothing of it could be read
	}
	p, found := policy.Compile(f.doc)
	if refused.Failed() {
		// What could be read is judged as well, so that one run tells it all.
		f.found = append(f.found, f.at.Place(config.Besides(found, refused))...)
		return
	}
	f.policy, f.found = p, append(f.found, f.at.Place(found)...)
}

// readPolicyElsewhere reads a policy that may be meant for another host. The
// document that it returns besides has the names of users and groups as written.
func readPolicyElsewhere(path string) (policyFile, *policy.Document) {
	var f policyFile
	var written *policy.Document
	f.doc, written, f.at, f.found = config.LoadPolicyElsewhere(path)
	f.compile()
	return f, written
}
