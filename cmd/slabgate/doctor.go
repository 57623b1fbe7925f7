package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/doctor"
	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/internal/host"
)

// exitBlind is doctor's: nothing was found, and part of what matters most could
// not be looked at.
const exitBlind = 2

// doctorPatience bounds a whole examination.
const doctorPatience = 10 * time.Second

// doctorCommand is `slabgate doctor`.
type doctorCommand struct {
	source
	out       output
	memcached string
	scope     string
	least     string
	failOn    string
	waivers   string
	offline   string
	capture   string
	active    bool
	plan      bool
	targets   []string
	configSet bool // --config was given, so that the file must be there
}

func newDoctor(io stdio) *cobra.Command {
	var c doctorCommand
	cmd := &cobra.Command{
		Use:   "doctor [SCAN.json ...]",
		Short: "Look at this host: who can reach memcached without slabgate, and what weakens both.",
		Long: `Look at this host: who can reach memcached without slabgate, and what weakens
both. doctor only looks. It opens files, lists sockets and firewall rules, and asks
memcached for its version and settings. It needs no root, and says what stayed
hidden from it. With --active it also writes, reads and deletes one key of its
own, and listens on the port beside memcached's for a moment.

Files that slabgate probe wrote with -o json, from other places, are taken into
the report; --plan prints how to make them.

Exit codes: 0 nothing found at --fail-on or above, 1 something, 2 nothing, but part
of what matters most was hidden from it.`,
		Example: `  slabgate doctor
  slabgate doctor --waive /etc/slabgate/justified.yaml --fail-on medium
  slabgate doctor --plan --target cache-1.example:11212
  slabgate doctor trusted.json semi.json untrusted.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.configSet = cmd.Flags().Changed("config")
			return c.run(cmd.Context(), io, args)
		},
	}
	c.bind(cmd)
	f := cmd.Flags()
	f.StringVarP((*string)(&c.out), "output", "o", "text", "text, json, junit or sarif")
	f.StringVar((*string)(&c.out), "format", "text", "the same as --output")
	f.StringVar(&c.memcached, "memcached", "auto", "which memcached: an address, unix:/path, a process id, or auto for all that are found")
	f.StringVar(&c.scope, "scope", "", "host, container or pod, if what is found by itself is wrong")
	f.StringVar(&c.least, "min-severity", "low", "show findings from this severity on: critical, high, medium, low or info")
	f.StringVar(&c.failOn, "fail-on", "high", "exit 1 on findings from this severity on")
	f.StringVar(&c.waivers, "waive", "", "file of findings that somebody answers for")
	f.StringVar(&c.offline, "offline", "", "look at a captured tree in this folder, not at this host")
	f.StringVar(&c.capture, "capture", "", "write what is looked at into this new folder, for --offline elsewhere")
	f.BoolVar(&c.active, "active", false, "also try what a neighbour could do, with one random key and the next port")
	f.BoolVar(&c.plan, "plan", false, "print the commands to look from other places, and examine nothing")
	f.StringArrayVar(&c.targets, "target", nil, "with --plan, HOST:PORT as others reach slabgate; repeatable")
	cmd.MarkFlagsMutuallyExclusive("offline", "capture")
	cmd.MarkFlagsMutuallyExclusive("offline", "active")
	return cmd
}

func (c *doctorCommand) run(ctx context.Context, io stdio, scans []string) error {
	if err := c.check(); err != nil {
		return err
	}
	subject, err := c.subject(io)
	if err != nil {
		return err
	}
	if c.plan {
		return printPlan(io.out, subject, c.targets)
	}
	report, err := c.examine(ctx, subject)
	if err != nil {
		return err
	}
	if err := c.merge(report, scans); err != nil {
		return err
	}
	if report, err = c.waive(io, report); err != nil {
		return err
	}
	if err := c.print(io, report); err != nil {
		return err
	}
	least, _ := doctor.ParseSeverity(c.failOn)
	switch {
	case report.Worst(least):
		return exit(exitFindings)
	case report.Blind():
		fmt.Fprintln(io.err, "part of what matters most was hidden: see Skipped, or run it as root")
		return exit(exitBlind)
	}
	return nil
}

// check refuses what no flag can be.
func (c *doctorCommand) check() error {
	if err := c.out.check("junit", "sarif"); err != nil {
		return err
	}
	for flag, value := range map[string]string{"--min-severity": c.least, "--fail-on": c.failOn} {
		if _, ok := doctor.ParseSeverity(value); !ok {
			return fail(exitUsage, "%s %q is not known; want critical, high, medium, low or info", flag, value)
		}
	}
	switch c.scope {
	case "", "host", "container", "pod":
	default:
		return fail(exitUsage, "--scope %q is not known; want host, container or pod", c.scope)
	}
	if len(c.targets) > 0 && !c.plan {
		return fail(exitUsage, "--target belongs to --plan; to look at another host: slabgate probe %s", strings.Join(c.targets, " "))
	}
	return checkTargets(c.targets)
}

// subject is slabgate's configuration as doctor sees it: that of this host, or nil
// without one. A tree has its own.
func (c *doctorCommand) subject(io stdio) (*host.Subject, error) {
	if c.offline != "" && !c.configSet {
		return nil, nil
	}
	if _, err := os.Stat(c.path); errors.Is(err, fs.ErrNotExist) && !c.configSet {
		return nil, nil
	}
	l := c.load(1)
	if l.config == nil {
		printFindings(io.err, l.found, l.usersFile())
		return nil, exit(l.exitCode())
	}
	return subjectOf(c.path, l), nil
}

func (c *doctorCommand) examine(ctx context.Context, subject *host.Subject) (*doctor.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	from, err := c.sourceOf()
	if err != nil {
		return nil, err
	}
	facts := host.Gather(ctx, from, host.Options{Memcached: c.memcached, Subject: subject, Active: c.active})
	if r, ok := from.(*host.Recorder); ok && r.Err() != nil {
		return nil, fail(exitNoFile, "--capture: %w", r.Err())
	}
	if _, err := strconv.Atoi(c.memcached); err == nil && len(facts.Memcached) == 0 {
		return nil, fail(exitUsage, "--memcached %s: no memcached with this process id is to be seen", c.memcached)
	}
	if c.scope != "" {
		facts.Place.Scope, facts.Place.Why = c.scope, "--scope"
	}
	report := doctor.NewReport(facts, doctor.Examine(facts, doctor.Checks()))
	report.Tool = "slabgate " + thisBuild().Version
	if !report.Offline {
		report.Host, _ = os.Hostname() // it is for people; without a name there is none
	}
	return report, nil
}

// sourceOf is what is looked at: this host, noted down if it is asked for, or a
// captured tree.
func (c *doctorCommand) sourceOf() (host.Source, error) {
	switch {
	case c.offline != "":
		from, err := host.Tree(c.offline)
		if err != nil {
			return nil, fail(exitNoFile, "--offline: %w", err)
		}
		return from, nil
	case c.capture != "":
		if err := os.Mkdir(c.capture, 0o700); err != nil {
			return nil, fail(exitUsage, "--capture makes a new folder: %w", err)
		}
		return host.Record(host.Live(), c.capture), nil
	}
	return host.Live(), nil
}

// merge takes what slabgate probe saw from elsewhere into the report.
func (c *doctorCommand) merge(report *doctor.Report, scans []string) error {
	tested := map[string]bool{}
	for _, path := range scans {
		data, err := readBounded(path)
		if err != nil {
			return fail(exitNoFile, "%w", err)
		}
		from, err := report.Merge(data)
		if err != nil {
			return fail(exitUsage, "%s: %w", path, err)
		}
		tested[from] = true
	}
	for _, v := range doctor.Vantages {
		if !tested[v.Name] {
			report.Untested = append(report.Untested, v.Name)
		}
	}
	return nil
}

// waive lays the file of waivers over the report, if there is one. One with a fault
// is refused as a whole: half of it would hide what nobody answers for.
func (c *doctorCommand) waive(io stdio, report *doctor.Report) (*doctor.Report, error) {
	if c.waivers == "" {
		return report, nil
	}
	data, err := readBounded(c.waivers)
	if err != nil {
		return nil, fail(exitNoFile, "--waive: %w", err)
	}
	var w doctor.Waivers
	at, found := config.DecodeStrict(c.waivers, data, &w)
	if !found.Failed() {
		var more finding.List
		report, more = doctor.Waive(report, &w, at.Place)
		found = append(found, more...)
	}
	printFindings(io.err, found, "")
	if found.Failed() {
		return nil, exit(exitConfig)
	}
	return report, nil
}

// print writes the report in the form that was asked for.
func (c *doctorCommand) print(io stdio, report *doctor.Report) error {
	switch c.out {
	case "json":
		return printJSON(io.out, report)
	case "sarif":
		return printJSON(io.out, report.SARIF())
	case "junit":
		data, err := report.JUnit()
		if err == nil {
			_, err = io.out.Write(data)
		}
		return err
	}
	least, _ := doctor.ParseSeverity(c.least)
	printReport(io.out, report, least)
	return nil
}

// mostScan bounds the file of a scan.
const mostScan = 16 << 20

func readBounded(path string) ([]byte, error) {
	if fi, err := os.Stat(path); err == nil && (!fi.Mode().IsRegular() || fi.Size() > mostScan) {
		return nil, fmt.Errorf("%s is no file, or larger than 16 MiB", path)
	}
	return os.ReadFile(path)
}
