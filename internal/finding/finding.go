// Package finding says what is wrong with something an operator owns: a file,
// a key in it, a certificate, a host. A finding is data; it is printed by cmd.
//
// It reads nothing, prints nothing and knows no file format: the room that
// found the fault names the key, and internal/config adds file, line and column.
package finding

import (
	"fmt"
	"strings"
)

// Severity says whether a finding keeps slabgate from starting.
type Severity uint8

const (
	Error   Severity = iota // refuses to start or reload
	Warning                 // worth a look; `check --strict` fails on it
)

// String is the word printed in front of a finding.
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Finding is one fault, told as what, where, why and how to fix it.
type Finding struct {
	Severity Severity
	Code     string // stable, never reused: see Codes
	File     string // empty if the fault is in no file
	Line     int    // 1-based; 0 if unknown
	Col      int    // 1-based, in bytes; 0 if unknown
	Key      string // path in the document: listeners[0].tls.key
	Problem  string // what is wrong, lower case, no full stop
	Effect   string // what would follow from it; may be empty
	Fix      string // what to write or run instead; never empty
}

// String is the finding on one line, for logs and tests.
func (f Finding) String() string {
	var b strings.Builder
	switch {
	case f.File != "" && f.Line != 0:
		fmt.Fprintf(&b, "%s:%d:%d: ", f.File, f.Line, f.Col)
	case f.File != "":
		b.WriteString(f.File + ": ")
	}
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Problem)
	if f.Fix != "" {
		b.WriteString("; " + f.Fix)
	}
	return b.String()
}

// List is every finding of one look, in the order they were found.
type List []Finding

// Errorf adds an error about key. The fix says what to do instead.
func (l *List) Errorf(code, key, fix, format string, args ...any) {
	*l = append(*l, Finding{Code: code, Key: key, Fix: fix, Problem: fmt.Sprintf(format, args...)})
}

// Warnf adds a warning about key.
func (l *List) Warnf(code, key, fix, format string, args ...any) {
	*l = append(*l, Finding{Severity: Warning, Code: code, Key: key, Fix: fix, Problem: fmt.Sprintf(format, args...)})
}

// Under returns the list with prefix put before every key: what a part says of
// its own Config becomes what the whole document says.
func (l List) Under(prefix string) List {
	for i := range l {
		if l[i].Key == "" {
			l[i].Key = prefix
		} else {
			l[i].Key = prefix + "." + l[i].Key
		}
	}
	return l
}

// Failed reports whether any finding is an error.
func (l List) Failed() bool {
	for i := range l {
		if l[i].Severity == Error {
			return true
		}
	}
	return false
}

// Err is the list as an error, or nil if nothing in it is one.
func (l List) Err() error {
	if !l.Failed() {
		return nil
	}
	return listError(l)
}

// listError is a List that refused something.
type listError List

// Error is every error of the list, one a line.
func (e listError) Error() string {
	var lines []string
	for _, f := range e {
		if f.Severity == Error {
			lines = append(lines, f.String())
		}
	}
	return strings.Join(lines, "\n")
}

// All returns the findings behind an error made by Err, or nil.
func All(err error) List {
	if e, ok := err.(listError); ok {
		return List(e)
	}
	return nil
}
