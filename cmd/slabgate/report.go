package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/slabgate/slabgate/internal/finding"
)

// printFindings writes each finding as what, where, why and how to fix it, the
// errors first. Lines of the users file, which holds secrets, are not quoted.
func printFindings(w io.Writer, found finding.List, usersFile string) {
	for _, severity := range []finding.Severity{finding.Error, finding.Warning} {
		for i := range found {
			if found[i].Severity == severity {
				printFinding(w, &found[i], usersFile)
			}
		}
	}
}

func printFinding(w io.Writer, f *finding.Finding, usersFile string) {
	fmt.Fprintf(w, "%s %s  %s%s\n", f.Severity, f.Code, where(f), f.Problem)
	if f.File != usersFile {
		printLines(w, f)
	}
	if f.Key != "" {
		fmt.Fprintf(w, "  key     %s\n", visible(f.Key))
	}
	if f.Effect != "" {
		fmt.Fprintf(w, "  effect  %s\n", f.Effect)
	}
	fmt.Fprintf(w, "  fix     %s\n", f.Fix)
	fmt.Fprintf(w, "  more    slabgate help %s\n", f.Code)
}

// where is file:line:col, as far as it is known, with the space after it.
func where(f *finding.Finding) string {
	switch {
	case f.File == "":
		return ""
	case f.Line == 0:
		return f.File + "  "
	}
	return fmt.Sprintf("%s:%d:%d  ", f.File, f.Line, f.Col)
}

// quoteWidth bounds a quoted line of a file on the screen.
const quoteWidth = 100

// printLines shows the line a finding is about, and the one before it.
func printLines(w io.Writer, f *finding.Finding) {
	if f.Line == 0 {
		return
	}
	data, err := os.ReadFile(f.File)
	if err != nil {
		return
	}
	lines := strings.Split(string(data), "\n")
	for n := max(1, f.Line-1); n <= min(f.Line, len(lines)); n++ {
		fmt.Fprintf(w, "  %4d | %s\n", n, printable(lines[n-1]))
	}
	if f.Line <= len(lines) && f.Col > 0 && f.Col <= quoteWidth {
		fmt.Fprintf(w, "       | %s^\n", strings.Repeat(" ", f.Col-1))
	}
}

// printable is a line of a file as it may be quoted on the screen.
func printable(line string) string {
	clean := []rune(visible(line))
	if len(clean) > quoteWidth {
		return string(clean[:quoteWidth]) + "…"
	}
	return string(clean)
}

// visible is s without anything a terminal would act on.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// count is "2 errors, 1 warning".
func count(found finding.List) string {
	errs := 0
	for i := range found {
		if found[i].Severity == finding.Error {
			errs++
		}
	}
	return plural(errs, "error") + ", " + plural(len(found)-errs, "warning")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// output is the -o flag of commands that print data.
type output string

// check refuses a format that is neither text, JSON nor one of the others.
func (o output) check(others ...string) error {
	known := append([]string{"text", "json"}, others...)
	if slices.Contains(known, string(o)) {
		return nil
	}
	last := len(known) - 1
	return fail(exitUsage, "-o %q is not known; want %s or %s", string(o), strings.Join(known[:last], ", "), known[last])
}

// printJSON writes v as one indented JSON value.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
