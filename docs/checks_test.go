package docs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/doctor"
)

// checksTable is the table of doctor.md as the program has it.
func checksTable() string {
	var out strings.Builder
	out.WriteString("| id | what is right | severity | why |\n| --- | --- | --- | --- |\n")
	for _, c := range doctor.Checks() {
		start := ""
		if c.Critical {
			start = " *"
		}
		fmt.Fprintf(&out, "| `%s`%s | %s | %s | %s |\n", c.ID, start, cell(c.Title), c.Severity, cell(c.Why))
	}
	return out.String()
}

// cell is a text as it may stand in a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func TestChecksAreDocumented(t *testing.T) { generated(t, "doctor.md", "checks", checksTable()) }
