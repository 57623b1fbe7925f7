package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// options are what the command line says.
type options struct {
	quick    bool
	peers    []string // empty: all
	cells    []string // empty: all
	json     string
	slabgate string
	rounds   int
	each     time.Duration
	rate     int
	idle     int
}

// Sizes of a full and of a quick run.
const (
	fullRounds, quickRounds = 5, 3
	fullEach, quickEach     = time.Second, 200 * time.Millisecond
	fullIdle, quickIdle     = 10_000, 2_000
)

// parseOptions reads the command line. It bounds what a run can take.
func parseOptions(args []string, out io.Writer) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(out)
	f.BoolVar(&o.quick, "quick", false, "short rounds, fewer of them, and no second row of peers over a unix socket")
	peerList := f.String("peers", "", "names of `peers`, with commas; memcached and slabgate are always there (default all that are installed)")
	cellList := f.String("cases", "", "names of `cases`, with commas (default all): "+strings.Join(cellNames(), ","))
	f.StringVar(&o.json, "json", "", "also write every round's figures to this `file`")
	f.StringVar(&o.slabgate, "slabgate", "", "a slabgate `binary` to measure (default: built from this tree)")
	f.IntVar(&o.rounds, "rounds", 0, "interleaved rounds (default 5, quick 3)")
	f.DurationVar(&o.each, "each", 0, "length of a round of one row (default 1s, quick 200ms)")
	f.IntVar(&o.rate, "rate", 8000, "requests a second of the case open")
	f.IntVar(&o.idle, "idle", 0, "connections of the case idle (default 10000, quick 2000; as far as open files allow)")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	o.peers, o.cells = splitList(*peerList), splitList(*cellList)
	o.fillIn()
	return o, o.check()
}

// fillIn sets what the command line leaves out.
func (o *options) fillIn() {
	rounds, each, idle := fullRounds, fullEach, fullIdle
	if o.quick {
		rounds, each, idle = quickRounds, quickEach, quickIdle
	}
	if o.rounds == 0 {
		o.rounds = rounds
	}
	if o.each == 0 {
		o.each = each
	}
	if o.idle == 0 {
		o.idle = idle
	}
}

// check refuses names that do not exist and figures that would take for ever.
func (o *options) check() error {
	for _, name := range o.cells {
		if !slices.Contains(cellNames(), name) {
			return fmt.Errorf("bench: -cases: there is no case %q", name)
		}
	}
	for _, name := range o.peers {
		if name != "none" && !slices.ContainsFunc(peers, func(p peer) bool { return p.name == name }) {
			return fmt.Errorf("bench: -peers: there is no peer %q; none stands for memcached and slabgate alone", name)
		}
	}
	for _, n := range []struct {
		flag             string
		is, least, limit int
	}{
		{"rounds", o.rounds, 1, 100},
		{"each", int(o.each.Milliseconds()), 10, 60_000},
		{"rate", o.rate, 1, 1_000_000},
		{"idle", o.idle, 100, 100_000},
	} {
		if n.is < n.least || n.is > n.limit {
			return fmt.Errorf("bench: -%s: %d is not within %d and %d", n.flag, n.is, n.least, n.limit)
		}
	}
	return nil
}

func splitList(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

func cellNames() (names []string) {
	for _, c := range cells {
		names = append(names, c.name)
	}
	return names
}

// wants reports whether a peer is to be measured.
func (o *options) wants(p *peer) bool {
	return p.role == cache || p.role == guard || len(o.peers) == 0 || slices.Contains(o.peers, p.name)
}

func (o *options) wantsCell(c *cell) bool {
	return len(o.cells) == 0 || slices.Contains(o.cells, c.name)
}
