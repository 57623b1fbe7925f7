// Summary reads the output of go test -json and prints what a person wants to
// see: each package with its time, each skipped test with its reason, each
// failure with its output, and, last, "counts PASSED FAILED SKIPPED".
//
// It decides nothing: the exit code of go test does.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "summary:", err)
		os.Exit(1)
	}
}

// event is one line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

// maxLine bounds one line of the input in bytes.
const maxLine = 16 << 20

// summary is what has been seen so far.
type summary struct {
	out     io.Writer
	counts  map[string]int      // tests by action
	blamed  map[string]bool     // packages with a failed test
	outputs map[string][]string // lines of each test that is running, by package and test
}

func run(in io.Reader, out io.Writer) error {
	s := summary{out, map[string]int{}, map[string]bool{}, map[string][]string{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(out, lines.Text()) // a build's own words
			continue
		}
		s.take(&e)
	}
	fmt.Fprintln(out, "counts", s.counts["pass"], s.counts["fail"], s.counts["skip"])
	return lines.Err()
}

func (s *summary) take(e *event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		s.outputs[key] = append(s.outputs[key], e.Output)
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "pass", "fail", "skip":
		s.ended(e, key)
		delete(s.outputs, key)
	}
}

// ended prints a test or a package that is done.
func (s *summary) ended(e *event, key string) {
	if e.Test == "" {
		fmt.Fprintf(s.out, "%-5s %s %.1fs\n", words[e.Action], e.Package, e.Elapsed)
	} else {
		s.counts[e.Action]++
	}
	switch {
	case e.Action == "fail":
		if e.Test == "" && !s.blamed[e.Package] {
			s.counts["fail"]++ // it did not build, or ended early
		}
		s.blamed[e.Package] = true
		fmt.Fprintf(s.out, "FAIL  %s\n%s", key, strings.Join(s.outputs[key], ""))
	case e.Action == "skip" && e.Test != "":
		fmt.Fprintf(s.out, "SKIP  %s: %s\n", key, reason(s.outputs[key]))
	}
}

// words are how a package's outcome is printed.
var words = map[string]string{"pass": "ok", "fail": "FAIL", "skip": "none"}

// reason is what a skipped test says of itself.
func reason(lines []string) string {
	said := "no reason given"
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "---") || strings.HasPrefix(l, "===") {
			continue // go test's own words
		}
		if _, why, ok := strings.Cut(l, "SKIP: "); ok {
			return why
		}
		if said == "no reason given" {
			said = l
		}
	}
	return said
}
