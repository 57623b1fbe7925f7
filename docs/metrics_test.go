package docs_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/slabgate/slabgate/internal/exporter"
)

var update = flag.Bool("update", false, "write the parts of documents that are made from the program")

// metricsTable is the table of metrics.md as the program has it.
func metricsTable() string {
	var out strings.Builder
	out.WriteString("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n")
	for _, f := range exporter.Families() {
		labels := ""
		for _, l := range f.Labels {
			labels += " `" + l + "`"
		}
		fmt.Fprintf(&out, "| `%s` | %s |%s | %s |\n", f.Name, f.Type, labels, f.Help)
	}
	return out.String()
}

func TestMetricsAreDocumented(t *testing.T) { generated(t, "metrics.md", "metrics", metricsTable()) }

// generated compares the part of a page between <!-- name --> and <!-- end --> with
// what the program says, or writes it.
func generated(t *testing.T, page, name, want string) {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n", "<!-- end -->\n"
	text := read(t, page)
	before, rest, ok := strings.Cut(text, begin)
	table, after, also := strings.Cut(rest, end)
	if !ok || !also {
		t.Fatalf("%s has no place between %q and %q", page, begin, end)
	}
	if table == want {
		return
	}
	if !*update {
		t.Fatalf("%s: %s are not those of the program; run go test ./docs -run %s -update", page, name, t.Name())
	}
	if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// alert is one rule of alerts.yaml.
type alert struct {
	Alert, Expr string
	Annotations map[string]string
}

func alerts(t *testing.T) (list []alert) {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []alert }
	}
	if err := yaml.Unmarshal([]byte(read(t, "../deploy/prometheus/alerts.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		list = append(list, g.Rules...)
	}
	if len(list) < 10 {
		t.Fatalf("only %d alerts were found", len(list))
	}
	return list
}

var alertHeading = regexp.MustCompile(`(?m)^## (\S+)$`)

// TestRunbookHasEveryAlert wants one section for each alert, and none for another,
// and in it the command that the alert says to run.
func TestRunbookHasEveryAlert(t *testing.T) {
	text := read(t, "runbook.md")
	var sections, names []string
	for _, m := range alertHeading.FindAllStringSubmatch(text, -1) {
		sections = append(sections, m[1])
	}
	for _, a := range alerts(t) {
		names = append(names, a.Alert)
		if a.Annotations["summary"] == "" || !strings.HasPrefix(a.Annotations["command"], "slabgate ") {
			t.Errorf("%s says neither what is wrong nor what to run", a.Alert)
		}
		args := strings.Fields(a.Annotations["command"])[1:]
		if r := run(t, ".", append(args, "--help")...); r.code != 0 {
			t.Errorf("%s: slabgate %s is no command: %s", a.Alert, args, r.err)
		}
	}
	if !slices.Equal(sections, names) {
		t.Errorf("runbook.md has sections\n%q\nalerts.yaml has\n%q", sections, names)
	}
}

var metricName = regexp.MustCompile(`\bslabgate_[a-z_]+`)

// TestAlertsAreAboutMetricsThereAre: a metric that is renamed would silence its
// alert.
func TestAlertsAreAboutMetricsThereAre(t *testing.T) {
	known := map[string]bool{}
	for _, f := range exporter.Families() {
		known[f.Name] = true
		if f.Type == "histogram" {
			known[f.Name+"_bucket"] = true
		}
	}
	for _, a := range alerts(t) {
		found := metricName.FindAllString(a.Expr, -1)
		for _, name := range found {
			if !known[name] {
				t.Errorf("%s: there is no metric %s", a.Alert, name)
			}
		}
		if len(found) == 0 {
			t.Errorf("%s is about no metric", a.Alert)
		}
	}
}
