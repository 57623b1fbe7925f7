package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/certs"
)

func newCert(io stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cert",
		Short: "Certificates for trying things out.",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	cmd.AddCommand(newCertDev(io))
	return cmd
}

func newCertDev(io stdio) *cobra.Command {
	var dir string
	var names certs.DevNames
	cmd := &cobra.Command{
		Use:     "dev",
		Short:   "Throw-away CA, server and client certificates (7 days; run refuses them without --dev).",
		Example: "  slabgate cert dev --dir ./dev --client shop --client blog",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			paths, err := certs.WriteDev(dir, names, time.Now())
			if err != nil {
				return fail(exitFindings, "%v", err)
			}
			for _, p := range paths {
				fmt.Fprintln(io.out, p)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "slabgate-dev", "folder to write to; must not hold such files yet")
	cmd.Flags().StringArrayVar(&names.Hosts, "host", nil, "further name or address of the server; repeatable")
	cmd.Flags().StringArrayVar(&names.Clients, "client", nil, "name of a client; repeatable")
	return cmd
}
