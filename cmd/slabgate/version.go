package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/protocol"
)

// release is the version of the source. A build from a tag or a module proxy
// carries its own.
const release = "0.1.0-dev"

// build is what a binary knows of itself.
type build struct {
	Version    string `json:"version"`
	Commit     string `json:"commit,omitempty"`
	Modified   bool   `json:"modified"`
	Go         string `json:"go"`
	Platform   string `json:"platform"`
	Categories int    `json:"categories"`
}

func thisBuild() build {
	b := build{Version: release, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Categories: protocol.CategoriesVersion}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func versionLine() string { return "slabgate " + thisBuild().Version }

func newVersion(io stdio) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Version, commit, Go version and policy table version.",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := out.check(); err != nil {
				return err
			}
			b := thisBuild()
			if out == "json" {
				return printJSON(io.out, b)
			}
			fmt.Fprintf(io.out, "%s\ncommit %s\n%s %s\npolicy categories %d\n", versionLine(), orUnknown(b.Commit), b.Go, b.Platform, b.Categories)
			return nil
		},
	}
	cmd.Flags().StringVarP((*string)(&out), "output", "o", "text", "text or json")
	return cmd
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
