package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// layouts are machines as they are found everywhere, and whether memcached is closed
// to everybody but slabgate there. Each is a tree with all that is found in it at its
// end, a line each.
var layouts = map[string]struct{ good, closed bool }{
	"debian":  {good: false, closed: true}, // to the network
	"docker":  {},
	"pod":     {},
	"bitnami": {},
	"unit":    {good: true, closed: true},
	"chart":   {good: true, closed: true},
}

// TestLayouts finds what is to be found in each, and nothing critical or high where
// slabgate is as it is shipped.
func TestLayouts(t *testing.T) {
	for name, layout := range layouts {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "layouts", name+".txt")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			tree, want, _ := strings.Cut(string(data), expectHeader)
			report := NewReport(fixtureFacts(t, tree), Examine(fixtureFacts(t, tree), Checks()))
			if report.Worst(Critical) == layout.closed {
				t.Errorf("critical findings: %v", report.Worst(Critical))
			}
			if layout.good && (report.Worst(High) || report.Blind()) {
				t.Errorf("high findings: %v, blind: %v", report.Worst(High), report.Blind())
			}
			got := foundText(t, report)
			if got == want {
				return
			}
			if *update {
				if err := os.WriteFile(path, []byte(tree+expectHeader+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("got\n%s\nwant\n%s", got, want)
		})
	}
}

// foundText is every finding of a report and its exposure.
func foundText(t *testing.T, r *Report) string {
	t.Helper()
	var b strings.Builder
	for i := range r.Records {
		rec := &r.Records[i]
		if checkRecord(t, rec) > 0 {
			fmt.Fprintf(&b, "%s %s %s\n", rec.Severity, rec.ID, rec.Text)
		}
	}
	fmt.Fprintf(&b, "exposure %.1f\n", r.Exposure)
	return b.String()
}
