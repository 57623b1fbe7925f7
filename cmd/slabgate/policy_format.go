package main

import (
	"bytes"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/internal/config"
)

// policyFormatCommand is `slabgate policy fmt`.
type policyFormatCommand struct {
	source
	check bool
	write bool
}

func newPolicyFormat(io stdio) *cobra.Command {
	var c policyFormatCommand
	cmd := &cobra.Command{
		Use:   "fmt [FILE]",
		Short: "Print a policy in its canonical form, or write it back.",
		Long: `Print a policy in its canonical form: keys in the order of the manual, two spaces
a level, comments and data as they are. Without FILE it is the policy of the
configuration. A file that can't be read, or that would lose a comment, is refused.`,
		Example: "  slabgate policy fmt -w policy.yaml\n  slabgate policy fmt --check policy.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return c.run(io, args) },
	}
	c.bind(cmd)
	cmd.Flags().BoolVar(&c.check, "check", false, "print only the name of a file that would change, and exit 1")
	cmd.Flags().BoolVarP(&c.write, "write", "w", false, "write the file, which keeps its mode and owner")
	cmd.MarkFlagsMutuallyExclusive("check", "write")
	return cmd
}

func (c *policyFormatCommand) run(io stdio, args []string) error {
	path, err := c.policyPath(io, args)
	if err != nil {
		return err
	}
	was, is, found := config.ReadFormatted(path)
	if found.Failed() {
		return refusePolicy(io, found)
	}
	same := bytes.Equal(was, is)
	switch {
	case c.check && !same:
		fmt.Fprintln(io.out, path)
		return exit(exitFindings)
	case c.check || c.write && same:
		return nil
	case c.write:
		if err := config.WritePolicy(path, is); err != nil {
			return fail(exitPermission, "%v", err)
		}
		fmt.Fprintf(io.err, "%s written\n", path)
		return nil
	}
	_, err = io.out.Write(is)
	return err
}
