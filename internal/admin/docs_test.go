package admin

import (
	"os"
	"strings"
	"testing"
)

// TestEveryPathIsDocumented looks for each path of the socket and of the page in the
// tables of the configuration's description.
func TestEveryPathIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(data), "\n### Admin\n")
	section, _, _ = strings.Cut(section, "\n## ")
	tables := ""
	for line := range strings.SplitSeq(section, "\n") {
		if strings.HasPrefix(line, "|") {
			tables += line + "\n"
		}
	}
	want := []string{"`/metrics`", "`/status`", "`/`", "`/events`"}
	for path := range healthPaths {
		want = append(want, "`"+path+"`")
	}
	for _, p := range pages {
		path := strings.ReplaceAll(p.path, "{id}", "ID")
		if path == "/release" || path == "/unfreeze" {
			want = append(want, "`"+path+"`") // beside what they lift
			continue
		}
		want = append(want, "`"+p.method+" "+path)
	}
	for _, w := range want {
		if !strings.Contains(tables, w) {
			t.Errorf("no table has %s", w)
		}
	}
}
