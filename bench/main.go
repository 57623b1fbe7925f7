// Bench drives memcached directly and through slabgate, in turns, with the same
// load, and prints the medians and their ratios. Machines are noisy: only ratios
// of one run mean anything.
//
// It starts its own memcached and slabgate on loopback, ends them, and sends
// nothing anywhere else.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// plan is what is measured.
type plan struct {
	conns, pipeline, size, rounds int
	each                          time.Duration
}

func run(args []string, out io.Writer) error {
	var p plan
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&p.conns, "conns", 16, "connections")
	f.IntVar(&p.pipeline, "pipeline", 1, "requests a connection sends before it reads")
	f.IntVar(&p.size, "size", 100, "bytes of a value")
	f.IntVar(&p.rounds, "rounds", 5, "interleaved rounds")
	f.DurationVar(&p.each, "each", time.Second, "length of one measurement")
	if err := f.Parse(args); err != nil {
		return err
	}
	rig, err := newRig()
	if err != nil {
		return err
	}
	defer rig.close()
	targets, err := rig.targets()
	if err != nil {
		return err
	}
	return compare(targets, p, out)
}

// compare measures every target once a round and prints the medians against the
// first of them.
func compare(targets []target, p plan, out io.Writer) error {
	ops := make([][]float64, len(targets))
	for range p.rounds {
		for i := range targets {
			n, err := targets[i].measure(p)
			if err != nil {
				return fmt.Errorf("%s: %w", targets[i].name, err)
			}
			ops[i] = append(ops[i], n)
		}
	}
	fmt.Fprintf(out, "%d connections, pipeline %d, %d bytes, 90 %% reads, %d rounds of %v\n", p.conns, p.pipeline, p.size, p.rounds, p.each)
	for i := range targets {
		ratios := make([]float64, p.rounds)
		for r := range ratios {
			ratios[r] = ops[i][r] / ops[0][r]
		}
		fmt.Fprintf(out, "%-28s %9.0f ops/s   %.2f of %s\n", targets[i].name, median(ops[i]), median(ratios), targets[0].name)
	}
	return nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
